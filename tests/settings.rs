//! The application's settings and the CA of callbacks, through the whole app.

use prembridge::app::App;
use prembridge::net::self_signed;
use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, Client, KEY, PHONE_NUMBER_ID, Proxy, Reply, lasting, number};
use crate::temp::TempDir;

mod ca;
mod registry;
mod urls;

const PATH: &str = "/v1/settings/application";
const CA: &str = "/v1/certificates/webhooks/ca";
const SALES_ID: &str = "204561782290018";

/// Public, and an address, so that no name is looked up.
const URL: &str = "https://8.8.8.8:9443/hook?token=1";

async fn admin(proxy: &Proxy, method: &str, path: &str, body: &str) -> Reply {
    proxy.call_as(&format!("Bearer {ADMIN_KEY}"), method, path, body).await
}

#[track_caller]
fn assert_done(reply: &Reply) {
    let meta = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (200, meta), "{reply:?}");
}

async fn set(proxy: &Proxy, body: &Value) {
    assert_done(&admin(proxy, "PATCH", PATH, &body.to_string()).await);
}

async fn shown(proxy: &Proxy) -> Value {
    let reply = admin(proxy, "GET", PATH, "").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
    let mut json = reply.json();
    assert_eq!(json["meta"], json!({"api_status": "stable", "version": "v2.45.1"}));
    json["settings"]["application"].take()
}

fn defaults() -> Value {
    json!({
        "axolotl_context_striping_disabled": false,
        "callback_backoff_delay_ms": 3000,
        "callback_persist": true,
        "db_garbagecollector_enable": true,
        "garbagecollector_enable": {"media": true, "messages": true},
        "heartbeat_interval": 5,
        "log_level": "info",
        "max_callback_backoff_delay_ms": 900_000,
        "media": {"auto_download": []},
        "notify_user_change_number": true,
        "pass_through": false,
        "sent_status": false,
        "show_security_notifications": true,
        "skip_referral_media_download": false,
        "unhealthy_interval": 30,
        "verbose_logging": false,
        "webhook_payload_conversation_pricingmodel_disabled": false,
        "webhooks": {
            "max_concurrent_requests": 6,
            "message": {"delivered": true, "read": true, "sent": false},
            "url": "",
        },
    })
}

/// Another value than the default for each field.
fn others() -> Value {
    json!({
        "axolotl_context_striping_disabled": true,
        "callback_backoff_delay_ms": 1,
        "callback_persist": false,
        "db_garbagecollector_enable": false,
        "garbagecollector_enable": {"media": false, "messages": false},
        "heartbeat_interval": 0,
        "log_level": "debug",
        "max_callback_backoff_delay_ms": 86_400_000,
        "media": {"auto_download": ["sticker", "audio", "document", "voice", "video", "image"]},
        "notify_user_change_number": false,
        "on_call_pager": "16315551234",
        "pass_through": true,
        "sent_status": true,
        "show_security_notifications": false,
        "skip_referral_media_download": true,
        "unhealthy_interval": 31,
        "verbose_logging": true,
        "webhook_payload_conversation_pricingmodel_disabled": true,
        "webhooks": {
            "max_concurrent_requests": 24,
            "message": {"delivered": false, "read": false, "sent": true},
            "url": URL,
        },
        "wa_id_migration_enabled": {"kept": [null, 1.50]},
    })
}

/// Numbers and flags as strings, at any depth.
fn as_strings(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), as_strings(value))).collect()
        }
        Value::Bool(_) | Value::Number(_) => Value::String(value.to_string()),
        Value::Null | Value::String(_) | Value::Array(_) => value.clone(),
    }
}

#[tokio::test]
async fn every_field_goes_in_and_out_and_back_to_its_default() {
    let proxy = Proxy::start().await;
    assert_eq!(shown(&proxy).await, defaults());
    set(&proxy, &others()).await;
    assert_eq!(shown(&proxy).await, others());
    let settings = proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().settings.now();
    assert_eq!(settings.application.webhooks_url(), Some(URL));
    assert_eq!(settings.application.max_concurrent_requests(), 24);
    set(&proxy, &shown(&proxy).await).await;
    assert_eq!(shown(&proxy).await, others(), "what was read can be sent back");
    assert_done(&admin(&proxy, "DELETE", PATH, "").await);
    assert_eq!(shown(&proxy).await, defaults());
    assert_done(&admin(&proxy, "DELETE", PATH, "").await);
    let mut strings = as_strings(&others());
    strings["wa_id_migration_enabled"] = others()["wa_id_migration_enabled"].clone();
    set(&proxy, &strings).await;
    assert_eq!(shown(&proxy).await, others(), "strings of digits, and \"true\"");
    let nothing = others().as_object().unwrap().keys().map(|key| (key.clone(), Value::Null)).collect();
    set(&proxy, &nothing).await;
    assert_eq!(shown(&proxy).await, defaults(), "null is the default");
}

#[tokio::test]
async fn what_is_not_named_stays() {
    let proxy = Proxy::start().await;
    let mut expected = defaults();
    for (body, path, value) in [
        (json!({"webhooks": {"url": URL}}), "/webhooks/url", json!(URL)),
        (json!({"webhooks": {"message": {"read": false}}}), "/webhooks/message/read", json!(false)),
        (json!({"webhooks": {"message": {"sent": true}}}), "/webhooks/message/sent", json!(true)),
        (
            json!({"webhooks": {"max_concurrent_requests": "12"}}),
            "/webhooks/max_concurrent_requests",
            json!(12),
        ),
        (
            json!({"garbagecollector_enable": {"media": false}}),
            "/garbagecollector_enable/media",
            json!(false),
        ),
        (
            json!({"media": {"auto_download": ["image", "voice", "image"]}}),
            "/media/auto_download",
            json!(["image", "voice"]),
        ),
        (json!({"media": {}, "webhooks": {"message": {}}, "wa_id": "1"}), "/log_level", json!("info")),
        (json!({"webhooks": {"message": {"read": null}}}), "/webhooks/message/read", json!(true)),
        (json!({"webhooks": {"url": ""}}), "/webhooks/url", json!("")),
        (json!({"on_call_pager": ""}), "/log_level", json!("info")),
    ] {
        set(&proxy, &body).await;
        *expected.pointer_mut(path).unwrap() = value;
        assert_eq!(shown(&proxy).await, expected, "{body}");
    }
}

#[tokio::test]
async fn slashes_and_queries_are_normal() {
    let proxy = Proxy::start().await;
    let body = r#"{"log_level":"warning"}"#;
    for path in [format!("{PATH}/"), format!("{PATH}?retry=1"), format!("{PATH}//?a=b&c")] {
        assert_done(&admin(&proxy, "PATCH", &path, body).await);
    }
    let reply = admin(&proxy, "GET", &format!("{PATH}/?x"), "{}").await;
    assert_eq!(reply.json()["settings"]["application"]["log_level"], "warning");
    for (method, path, allow) in [
        ("PUT", PATH, "GET, HEAD, PATCH, DELETE"),
        ("POST", PATH, "GET, HEAD, PATCH, DELETE"),
        ("PUT", CA, "GET, HEAD, POST, DELETE"),
    ] {
        let reply = admin(&proxy, method, path, "").await;
        assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some(allow)), "{path}");
    }
    let label = format!("endpoint=\"{PATH}\",method=\"PATCH\",code=\"200\"}} 3");
    assert!(proxy.metrics().await.contains(&label));
}

#[tokio::test]
async fn only_administrators_see_or_change_them() {
    let proxy = Proxy::start().await;
    let pem = self_signed(vec!["localhost".to_owned()]).unwrap();
    for (method, path, body) in [
        ("GET", PATH, ""),
        ("PATCH", PATH, r#"{"log_level":"debug"}"#),
        ("DELETE", PATH, ""),
        ("GET", CA, ""),
        ("POST", CA, &pem),
        ("DELETE", CA, ""),
    ] {
        for (authorization, status) in [(format!("Bearer {KEY}"), 403), ("Bearer x".to_owned(), 401)] {
            let reply = proxy.call_as(&authorization, method, path, body).await;
            assert_eq!((reply.status, reply.code()), (status, 1005), "{method} {path}");
        }
        let reply = proxy.connect().await.call(method, path, &[], body.as_bytes()).await;
        assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
    }
    assert_eq!(shown(&proxy).await, defaults());
    assert_eq!(admin(&proxy, "GET", CA, "").await.status, 404);
}

#[tokio::test]
async fn bodies_that_cannot_be() {
    let proxy = Proxy::start().await;
    set(&proxy, &json!({"log_level": "kept"})).await;
    let hooks = |body: Value| json!({"log_level": "lost", "webhooks": body});
    for (body, code, words) in [
        (json!({}), 1009, "no settings"),
        (json!([]), 1009, "no settings"),
        (json!([1]), 1025, "must be a JSON object"),
        (json!("x"), 1025, "must be a JSON object"),
        (json!(null), 1025, "must be a JSON object"),
        (json!({"callback_persist": 1}), 1009, "callback_persist must be true or false"),
        (json!({"callback_persist": "yes"}), 1009, "callback_persist must be"),
        (
            json!({"callback_backoff_delay_ms": 0}),
            1009,
            "callback_backoff_delay_ms must be a whole number from 1",
        ),
        (json!({"callback_backoff_delay_ms": "3000ms"}), 1009, "callback_backoff_delay_ms"),
        (json!({"callback_backoff_delay_ms": "+3000"}), 1009, "callback_backoff_delay_ms"),
        (json!({"callback_backoff_delay_ms": ""}), 1009, "callback_backoff_delay_ms"),
        (json!({"callback_backoff_delay_ms": 86_400_001}), 1009, "to 86400000"),
        (json!({"max_callback_backoff_delay_ms": 1.5}), 1009, "max_callback_backoff_delay_ms"),
        (json!({"heartbeat_interval": -1}), 1009, "heartbeat_interval must be a whole number from 0"),
        (json!({"unhealthy_interval": [30]}), 1009, "unhealthy_interval"),
        (json!({"log_level": 1}), 1009, "log_level must be a string"),
        (json!({"garbagecollector_enable": true}), 1009, "garbagecollector_enable must be a JSON object"),
        (json!({"garbagecollector_enable": {"media": "x"}}), 1009, "garbagecollector_enable.media"),
        (json!({"media": {"auto_download": "image"}}), 1009, "media.auto_download must be an array"),
        (json!({"media": {"auto_download": ["image", "pdf"]}}), 1009, "media.auto_download[1] must be audio"),
        (json!({"media": {"auto_download": [["image"]]}}), 1009, "media.auto_download[0]"),
        (hooks(json!("https://8.8.8.8/")), 1009, "webhooks must be a JSON object"),
        (hooks(json!({"url": 1})), 1009, "webhooks.url must be a string"),
        (
            hooks(json!({"max_concurrent_requests": 7})),
            1009,
            "webhooks.max_concurrent_requests must be 6, 12",
        ),
        (hooks(json!({"max_concurrent_requests": "x"})), 1009, "webhooks.max_concurrent_requests"),
        (hooks(json!({"message": [1]})), 1009, "webhooks.message must be a JSON object"),
        (hooks(json!({"message": {"read": 0}})), 1009, "webhooks.message.read must be true or false"),
        (json!({"x": "y".repeat(20_000)}), 1009, "more than 16384 bytes"),
    ] {
        let reply = admin(&proxy, "PATCH", PATH, &body.to_string()).await;
        let (found, _, details) = reply.error();
        assert_eq!((reply.status, found), (400, code), "{body}: {reply:?}");
        assert!(details.contains(words), "{body}: {details}");
    }
    for (body, status, code) in [
        ("", 400, 1009),
        (" \r\n", 400, 1009),
        ("{", 400, 1025),
        ("{\"a\":NaN}", 400, 1025),
        (r#"{"a":1,"a":2}"#, 400, 1025),
        (r#"{"webhooks":{"url":"a","url":"b"}}"#, 400, 1025),
        (&format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200)), 400, 1025),
        (&format!("{{\"a\":\"{}\"}}", "x".repeat(8 << 20)), 413, 1025),
    ] {
        let reply = admin(&proxy, "PATCH", PATH, body).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{}", &body[..body.len().min(80)]);
    }
    let mut expected = defaults();
    expected["log_level"] = json!("kept");
    assert_eq!(shown(&proxy).await, expected, "all or nothing");
}

#[tokio::test]
async fn numbers_do_not_see_each_others() {
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support.wa.internal\"]");
    let sales = number("sales", SALES_ID, "hosts = [\"sales.wa.internal\"]");
    let proxy = Proxy::numbers("", &format!("{support}\n{sales}")).await;
    let sales_key = format!("{ADMIN_KEY}-sales");
    let call = async |name: &str, key: &str, method: &str, path: &str, body: &str| {
        let (host, key) = (format!("{name}.wa.internal"), format!("Bearer {key}"));
        let headers = [("Host", host.as_str()), ("Authorization", &key)];
        proxy.connect().await.call(method, path, &headers, body.as_bytes()).await
    };
    let level = async |name: &str, key: &str| {
        call(name, key, "GET", PATH, "").await.json()["settings"]["application"]["log_level"].clone()
    };
    let pem = self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = &pem[..pem.rfind("-----BEGIN").unwrap()];
    assert_done(&call("support", ADMIN_KEY, "PATCH", PATH, r#"{"log_level":"debug"}"#).await);
    assert_done(&call("support", ADMIN_KEY, "POST", CA, pem).await);
    assert_eq!(
        (level("support", ADMIN_KEY).await, level("sales", &sales_key).await),
        (json!("debug"), json!("info"))
    );
    assert_eq!(call("sales", &sales_key, "GET", CA, "").await.status, 404);
    assert_eq!(call("sales", &sales_key, "DELETE", CA, "").await.status, 404);
    assert_done(&call("sales", &sales_key, "DELETE", PATH, "").await);
    assert_eq!(level("support", ADMIN_KEY).await, "debug");
    assert_eq!(call("support", ADMIN_KEY, "GET", CA, "").await.text(), pem);
    assert_eq!(call("sales", ADMIN_KEY, "GET", PATH, "").await.status, 401, "another number's key");
}

/// The app alone, with its store in a file.
async fn start(folder: &TempDir, name: &str) -> App {
    lasting(folder, &number(name, PHONE_NUMBER_ID, "")).await
}

async fn call(app: &App, name: &str, method: &str, path: &str, body: &str) -> Reply {
    let suffix = if name == "support" { "" } else { "-renamed" };
    let key = format!("Bearer {ADMIN_KEY}{suffix}");
    let mut client = Client::connect(app.addresses().api).await;
    client.call(method, path, &[("Authorization", &key)], body.as_bytes()).await
}

#[tokio::test]
async fn a_restart_keeps_them_under_any_name_of_the_number() {
    let folder = TempDir::new();
    let pem = self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = &pem[..pem.rfind("-----BEGIN").unwrap()];
    let app = start(&folder, "support").await;
    assert_done(&call(&app, "support", "PATCH", PATH, &others().to_string()).await);
    assert_done(&call(&app, "support", "POST", CA, pem).await);
    assert!(app.drain().await);
    let app = start(&folder, "renamed").await;
    let reply = call(&app, "renamed", "GET", PATH, "").await;
    assert_eq!(reply.json()["settings"]["application"], others());
    assert_eq!(call(&app, "renamed", "GET", CA, "").await.text(), pem);
    assert_done(&call(&app, "renamed", "DELETE", PATH, "").await);
    assert_done(&call(&app, "renamed", "DELETE", CA, "").await);
    assert!(app.drain().await);
    let app = start(&folder, "support").await;
    let reply = call(&app, "support", "GET", PATH, "").await;
    assert_eq!(reply.json()["settings"]["application"], defaults());
    assert_eq!(call(&app, "support", "GET", CA, "").await.status, 404);
}

#[tokio::test]
async fn when_the_store_fails_nothing_changes() {
    let folder = TempDir::new();
    let app = start(&folder, "support").await;
    let pem = self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = &pem[..pem.rfind("-----BEGIN").unwrap()];
    assert_done(&call(&app, "support", "PATCH", PATH, r#"{"log_level":"kept"}"#).await);
    assert_done(&call(&app, "support", "POST", CA, pem).await);
    let other = rusqlite::Connection::open(folder.join("prembridge.db")).unwrap();
    let failing = ["UPDATE", "DELETE"].map(|change| {
        format!(
            "CREATE TRIGGER no_{change} BEFORE {change} ON documents
                 BEGIN SELECT RAISE(ABORT, 'on purpose'); END;"
        )
    });
    other.execute_batch(&failing.concat()).unwrap();
    for (method, path, body) in [
        ("PATCH", PATH, r#"{"log_level":"lost"}"#),
        ("DELETE", PATH, ""),
        ("POST", CA, &format!("lost\n{pem}")),
        ("DELETE", CA, ""),
    ] {
        let reply = call(&app, "support", method, path, body).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (500, 1023), "{method} {path}");
        assert!(details.contains("nothing was changed") && !details.contains("purpose"), "{details}");
        let seen = call(&app, "support", "GET", PATH, "").await.json();
        assert_eq!(seen["settings"]["application"]["log_level"], "kept", "{method} {path}");
        assert_eq!(call(&app, "support", "GET", CA, "").await.text(), pem, "{method} {path}");
    }
}
