//! Clients that were written for 360dialog: an API key, and everything under `/v1/configs`.

use serde_json::{Value, json};

use crate::stub::{Answer, Provider, Sink};
use crate::support::{ADMIN_KEY, Client, KEY, PHONE_NUMBER_ID, Proxy, Reply, number};
use crate::webhooks::scene::{self, EGRESS, SECRET, signature};

const PATH: &str = "/v1/configs/webhook";
/// Public, and an address, so that no name is looked up.
const URL: &str = "https://8.8.8.8:9443/hook?token=1";

async fn call(proxy: &Proxy, key: &str, method: &str, path: &str, body: &str) -> Reply {
    proxy.connect().await.call(method, path, &[("D360-API-KEY", key)], body.as_bytes()).await
}

async fn url_of_settings(proxy: &Proxy) -> Value {
    let reply = call(proxy, ADMIN_KEY, "GET", "/v1/settings/application", "").await;
    reply.json()["settings"]["application"]["webhooks"]["url"].clone()
}

#[tokio::test]
async fn the_url_is_that_of_the_settings() {
    let line = "callback_url = \"http://10.0.0.1/canary\"";
    let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, line)).await;
    let reply = call(&proxy, ADMIN_KEY, "GET", PATH, "").await;
    assert_eq!((reply.status, reply.json()), (200, json!({"url": ""})), "the operator's does not show");
    for path in [PATH, "/configs/webhook/", "/v1/configs/webhook?retry=1"] {
        let reply = call(&proxy, ADMIN_KEY, "POST", path, &json!({"url": URL}).to_string()).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"url": URL})), "{path}");
        assert_eq!(call(&proxy, ADMIN_KEY, "GET", path, "").await.json(), json!({"url": URL}));
        assert_eq!(url_of_settings(&proxy).await, URL);
        let reply = call(&proxy, ADMIN_KEY, "POST", path, r#"{"url":""}"#).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"url": ""})), "{path}");
        assert_eq!(url_of_settings(&proxy).await, "");
    }
    let body = json!({"log_level": "debug", "webhooks": {"url": URL}}).to_string();
    assert_eq!(call(&proxy, ADMIN_KEY, "PATCH", "/v1/settings/application", &body).await.status, 200);
    assert_eq!(call(&proxy, ADMIN_KEY, "GET", PATH, "").await.json(), json!({"url": URL}));
    let body = json!({"url": URL, "headers": {"X-Mine": "canary"}, "other": [1]}).to_string();
    let reply = call(&proxy, ADMIN_KEY, "POST", PATH, &body).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"url": URL})), "headers are ignored");
    let reply = call(&proxy, ADMIN_KEY, "GET", "/v1/settings/application", "").await;
    assert_eq!(reply.json()["settings"]["application"]["log_level"], "debug", "nothing else changes");
    assert!(!reply.text().contains("canary"));
}

#[tokio::test]
async fn the_url_has_the_same_rules() {
    let proxy = Proxy::start().await;
    assert_eq!(call(&proxy, ADMIN_KEY, "POST", PATH, &json!({"url": URL}).to_string()).await.status, 200);
    for (body, code, words) in [
        ("", 1025, "empty"),
        ("[1]", 1025, "JSON object"),
        ("[]", 1008, "url is missing"),
        ("{}", 1008, "url is missing"),
        (r#"{"url":null}"#, 1008, "url is missing"),
        (r#"{"url":["canary"]}"#, 1009, "url must be a string"),
        (r#"{"url":"http://8.8.8.8/canary"}"#, 1009, "webhooks.url must not be used"),
        (r#"{"url":"https://127.0.0.1/canary"}"#, 1009, "not public"),
        (r#"{"url":"https://canary:canary@8.8.8.8/"}"#, 1009, "user name or password"),
        (r#"{"url":"canary"}"#, 1009, "not a URL"),
        (r#"{"url":"https://8.8.8.8/","headers":"canary"}"#, 1009, "headers must be a JSON object"),
        (r#"{"url":"https://8.8.8.8/","url":"https://8.8.4.4/"}"#, 1025, "given twice"),
    ] {
        let reply = call(&proxy, ADMIN_KEY, "POST", PATH, body).await;
        let (found, _, details) = reply.error();
        assert_eq!((reply.status, found), (400, code), "{body}: {reply:?}");
        assert!(details.contains(words) && !details.contains("canary"), "{body}: {details}");
        // The same words as the settings' own, where both can be sent it.
        if let Ok(Value::Object(sent)) = serde_json::from_str(body)
            && details.starts_with("webhooks.url")
        {
            let patch = json!({"webhooks": {"url": sent["url"]}}).to_string();
            let other = call(&proxy, ADMIN_KEY, "PATCH", "/v1/settings/application", &patch).await;
            assert_eq!(other.error().2, details);
        }
    }
    assert_eq!(url_of_settings(&proxy).await, URL, "the one before stays");
}

#[tokio::test]
async fn a_key_of_a_user_cannot_redirect_everybodys_messages() {
    let proxy = Proxy::start().await;
    for (key, status) in [(KEY, 403), ("x", 401), ("", 401)] {
        for (method, body) in [("GET", String::new()), ("POST", json!({"url": URL}).to_string())] {
            let reply = call(&proxy, key, method, PATH, &body).await;
            assert_eq!((reply.status, reply.code()), (status, 1005), "{method} {key}");
        }
    }
    let reply = call(&proxy, ADMIN_KEY, "DELETE", PATH, "").await;
    assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some("GET, HEAD, POST")));
    assert_eq!(url_of_settings(&proxy).await, "");
}

/// As Chatwoot's 360dialog channel does it, with nothing but a base URL and a key.
#[tokio::test]
async fn a_channel_is_set_up_and_used() {
    for base in ["/v1", ""] {
        let more = format!("app_secret = \"{SECRET}\"\nwaba_id = \"102290129340398\"");
        let proxy = Proxy::numbers(EGRESS, &number("support", PHONE_NUMBER_ID, &more)).await;
        let sink = Sink::start().await;
        let template = json!({"name": "hello", "language": "en", "status": "APPROVED", "category": "UTILITY",
            "components": [{"type": "BODY", "text": "Hello {{1}}"}]});
        let Value::Object(template) = template else { panic!("an object") };
        proxy.mock.add_template(template);

        let body = json!({"url": sink.url()}).to_string();
        let reply = call(&proxy, ADMIN_KEY, "POST", &format!("{base}/configs/webhook"), &body).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"url": sink.url()})), "{base}");

        let reply = call(&proxy, ADMIN_KEY, "GET", &format!("{base}/configs/templates"), "").await;
        let template = reply.json()["waba_templates"][0].clone();
        assert_eq!((reply.status, &template["status"]), (200, &json!("approved")), "{base}");

        let body = json!({"to": "16315551234", "type": "template", "template": {
            "name": template["name"], "namespace": template["namespace"],
            "language": {"policy": "deterministic", "code": template["language"]},
            "components": [{"type": "body", "parameters": [{"type": "text", "text": "you"}]}],
        }});
        let reply = call(&proxy, ADMIN_KEY, "POST", &format!("{base}/messages"), &body.to_string()).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let id = reply.json()["messages"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(proxy.mock.accepted_messages()[0].body["template"]["name"], "hello");

        let webhook = proxy.app.addresses().webhook.unwrap();
        for told in [scene::status(&id, "delivered"), scene::text("wamid.in", "thanks")] {
            let body = told.to_string();
            let signed = signature(SECRET, body.as_bytes());
            let headers = [("X-Hub-Signature-256", signed.as_str())];
            let mut cloud = Client::connect(webhook).await;
            assert_eq!(cloud.call("POST", scene::PATH, &headers, body.as_bytes()).await.status, 200);
        }
        let taken = sink.take(2).await;
        assert!(taken.iter().any(|callback| callback["statuses"][0]["id"] == json!(id)), "{taken:#?}");
        assert!(
            taken.iter().any(|callback| callback["messages"][0]["text"]["body"] == "thanks"),
            "{taken:#?}"
        );
    }
}

/// As Chatwoot sends attachments, by link and with what was written beside them, and gets those of users.
#[tokio::test]
async fn attachments_go_both_ways() {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for base in ["/v1", ""] {
        let proxy = Proxy::with(EGRESS).await;
        let provider = Provider::start().await;
        provider.serve("/a.png", Answer::ok(PNG).content_type("image/png"));
        let image = json!({"link": provider.url("/a.png"), "caption": "Look"});
        let body = json!({"to": "16315551234", "type": "image", "image": image}).to_string();
        let reply = call(&proxy, KEY, "POST", &format!("{base}/messages"), &body).await;
        assert_eq!(reply.status, 201, "{base}: {reply:?}");
        assert_eq!(proxy.mock.accepted_messages()[0].body["image"]["caption"], "Look");
        assert_eq!(proxy.mock.uploads(), 1);

        let received = proxy.mock.add_media(PHONE_NUMBER_ID, "audio/ogg", "a voice");
        let reply = call(&proxy, KEY, "GET", &format!("{base}/media/{received}"), "").await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"a voice"[..]), "{base}");
        assert_eq!(reply.header("content-type"), Some("audio/ogg"), "{base}");
    }
}
