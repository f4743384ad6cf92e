//! `/v1/messages` from the client to Cloud and back.

use prembridge::mock;
use serde_json::{Value, json};

use crate::support::{ACCESS_TOKEN, KEY, PHONE_NUMBER_ID, Proxy, TO, number, text};

/// The second of two numbers.
const SALES_ID: &str = "206540352242922";

#[tokio::test]
async fn a_text_becomes_a_cloud_text_and_the_answer_an_on_prem_answer() {
    let proxy = Proxy::start().await;
    let message = json!({"to": "+1 (631) 555-1234", "preview_url": true, "text": {"body": "hello"}});
    let reply = proxy.send(&message).await;
    assert_eq!((reply.status, reply.header("content-type")), (201, Some("application/json")));
    let accepted = &proxy.mock.accepted_messages()[0];
    assert_eq!(
        reply.json(),
        json!({
            "messages": [{"id": accepted.wamid}],
            "contacts": [{"input": "+1 (631) 555-1234", "wa_id": TO}],
            "meta": {"api_status": "stable", "version": "v2.45.1"},
        })
    );
    let sent = &proxy.mock.recorded()[0];
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/v26.0/106540352242922/messages"));
    assert_eq!(sent.authorization.as_deref(), Some(&*format!("Bearer {ACCESS_TOKEN}")));
    assert_eq!(sent.headers["content-type"], "application/json");
    assert_eq!(sent.notes, [""; 0], "nothing about it is odd");
    assert_eq!(
        sent.body.json(),
        &json!({
            "messaging_product": "whatsapp", "recipient_type": "individual", "to": "+16315551234",
            "type": "text", "text": {"body": "hello", "preview_url": true},
        })
    );
}

/// Each type: what the client sends, and what Cloud gets under the type's name.
fn every_type() -> Vec<(&'static str, Value, &'static str, Value)> {
    let list = json!({"type": "list", "header": {"type": "text", "text": "h"}, "body": {"text": "b"},
        "footer": {"text": "f"}, "action": {"button": "open", "sections": [
            {"title": "one", "rows": [{"id": "1", "title": "t", "description": "d"}]}]}});
    let buttons = json!({"type": "button", "body": {"text": "b"}, "action": {"buttons": [
        {"type": "reply", "reply": {"id": "1", "title": "Yes"}}]}});
    let media = |extra: Value| {
        let mut media = json!({"id": "1037543291543636"});
        media.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        media
    };
    let location = json!({"longitude": 2.35, "latitude": 48.85, "name": "n", "address": "a"});
    let card = json!([{"name": {"formatted_name": "J S", "first_name": "J"},
        "phones": [{"phone": "+1 650", "type": "CELL"}]}]);
    vec![
        ("text", json!({"body": "hi"}), "text", json!({"body": "hi"})),
        ("image", media(json!({"caption": "c"})), "image", media(json!({"caption": "c"}))),
        ("audio", media(json!({})), "audio", media(json!({}))),
        ("video", media(json!({"caption": null})), "video", media(json!({}))),
        ("document", media(json!({"filename": "f.pdf"})), "document", media(json!({"filename": "f.pdf"}))),
        ("sticker", media(json!({})), "sticker", media(json!({}))),
        ("location", location.clone(), "location", location),
        ("contacts", card.clone(), "contacts", card),
        (
            "hsm",
            json!({"namespace": "ns", "element_name": "order", "language": {"policy": "deterministic",
                "code": "en_US"}, "localizable_params": [{"default": "Jane"}]}),
            "template",
            json!({"name": "order", "language": {"code": "en_US"}, "components": [
                {"type": "body", "parameters": [{"type": "text", "text": "Jane"}]}]}),
        ),
        (
            "template",
            json!({"namespace": "ns", "name": "order", "language": {"policy": "deterministic",
                "code": "en_US"}, "components": [{"type": "button", "sub_type": "quick_reply", "index": 0,
                "parameters": [{"type": "payload", "payload": "p"}]}]}),
            "template",
            json!({"name": "order", "language": {"code": "en_US"}, "components": [
                {"type": "button", "sub_type": "quick_reply", "index": "0",
                 "parameters": [{"type": "payload", "payload": "p"}]}]}),
        ),
        ("interactive", list.clone(), "interactive", list),
        ("interactive", buttons.clone(), "interactive", buttons),
        (
            "reaction",
            json!({"message_id": "wamid.x", "emoji": "👍"}),
            "reaction",
            json!({"message_id": "wamid.x", "emoji": "👍"}),
        ),
    ]
}

#[tokio::test]
async fn every_type_arrives() {
    let proxy = Proxy::start().await;
    for (kind, object, cloud_kind, expected) in every_type() {
        let mut message = json!({"to": TO, "type": kind});
        message[kind] = object;
        let reply = proxy.send(&message).await;
        assert_eq!(reply.status, 201, "{kind}: {reply:?}");
        let json = reply.json();
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["contacts", "messages", "meta"], "{kind}");
        assert_eq!(json["contacts"], json!([{"input": TO, "wa_id": TO}]), "{kind}");
        let accepted = proxy.mock.accepted_messages().pop().unwrap();
        assert_eq!(json["messages"], json!([{"id": accepted.wamid}]), "{kind}");
        assert_eq!((accepted.kind.as_str(), &accepted.body[cloud_kind]), (cloud_kind, &expected), "{kind}");
        assert_eq!(proxy.mock.recorded().pop().unwrap().notes, [""; 0], "{kind}");
    }
}

#[tokio::test]
async fn a_cloud_shaped_message_passes_unchanged() {
    let proxy = Proxy::start().await;
    let message = json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": "+16315551234",
        "type": "text", "text": {"body": "hi", "preview_url": false},
        "context": {"message_id": "wamid.before"}, "biz_opaque_callback_data": "x",
    });
    assert_eq!(proxy.send(&message).await.status, 201);
    assert_eq!(proxy.last_body(), message);
}

#[tokio::test]
async fn the_status_of_a_sent_message_can_be_200() {
    let proxy = Proxy::with("[compat]\ncreated_status = 200\n").await;
    let reply = proxy.send(&text(TO)).await;
    assert_eq!((reply.status, reply.json()["messages"][0]["id"].is_string()), (200, true));
}

#[tokio::test]
async fn a_held_message_says_so_and_others_say_nothing() {
    let proxy = Proxy::start().await;
    proxy.mock.fault("held:once".parse().unwrap());
    proxy.mock.fault("paused:once".parse().unwrap());
    let template = json!({"to": TO, "type": "template",
        "template": {"name": "n", "language": {"policy": "deterministic", "code": "en"}}});
    let held = json!("Message has been held because quality assessment is pending");
    for expected in [held.clone(), held, Value::Null] {
        let reply = proxy.send(&template).await;
        assert_eq!((reply.status, &reply.json()["messages"][0]["message_status"]), (201, &expected));
    }
    let json = proxy.send(&template).await.json();
    assert_eq!(json["messages"][0].as_object().unwrap().len(), 1, "no key at all");
}

#[tokio::test]
async fn another_namespace_is_refused_before_cloud_sees_it() {
    let numbers = number("support", PHONE_NUMBER_ID, "namespace = \"ours\"");
    let proxy = Proxy::numbers("", &numbers).await;
    let template = |namespace: Value| {
        json!({"to": TO, "type": "template", "template": {"namespace": namespace, "name": "n",
            "language": {"policy": "deterministic", "code": "en"}}})
    };
    let reply = proxy.send(&template(json!("theirs"))).await;
    assert_eq!((reply.status, reply.code()), (400, 1009));
    let hsm = json!({"to": TO, "type": "hsm", "hsm": {"namespace": "theirs", "element_name": "n",
        "language": {"policy": "deterministic", "code": "en"}, "localizable_params": []}});
    let reply = proxy.send(&hsm).await;
    assert_eq!((reply.status, reply.code()), (400, 1009));
    assert_eq!(proxy.mock.seen(), 0);
    for namespace in [json!("ours"), Value::Null] {
        assert_eq!(proxy.send(&template(namespace)).await.status, 201);
    }
}

#[tokio::test]
async fn links_pass_where_the_operator_wants_that_and_unknown_providers_are_refused() {
    let proxy = Proxy::with("[media]\nlinks = \"pass\"\n").await;
    let link = "https://media.example/x.jpg?a=1&b=%20";
    let reply = proxy.send(&json!({"to": TO, "type": "image", "image": {"link": link}})).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(proxy.last_body()["image"], json!({"link": link}));
    proxy.mock.clear();
    for image in [
        json!({"link": link, "provider": {"name": "cdn"}}),
        json!({"link": link, "provider": "cdn"}),
        json!({"link": format!("cdn/{link}")}),
    ] {
        let reply = proxy.send(&json!({"to": TO, "type": "image", "image": image})).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (400, 1009));
        assert!(details.contains("no media provider is called"), "{details}");
    }
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn read_receipts_in_both_forms() {
    let proxy = Proxy::start().await;
    let expected = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.HBgL/Q=="});
    let meta = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    let put = r#"{"status":"read"}"#;
    for (method, path, body) in [
        ("PUT", "/v1/messages/wamid.HBgL%2FQ%3D%3D", put.to_owned()),
        ("PUT", "/v1/messages/wamid.HBgL/Q==", put.to_owned()),
        ("PUT", "/v1/messages/wamid.HBgL/Q==/?retry=1", put.to_owned()),
        ("POST", "/v1/messages", expected.to_string()),
    ] {
        let reply = proxy.call(method, path, &body).await;
        assert_eq!((reply.status, reply.json()), (200, meta.clone()), "{path}");
        assert_eq!(proxy.last_body(), expected, "{path}");
    }
    let seen = proxy.mock.seen();
    for (body, code) in [(r#"{"status":"delivered"}"#, 1009), ("{}", 1008), ("", 1025), ("[]", 1008)] {
        let reply = proxy.call("PUT", "/v1/messages/wamid.x", body).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{body}");
    }
    let reply = proxy.call_as("Bearer wrong", "PUT", "/v1/messages/wamid.x", put).await;
    assert_eq!((reply.status, reply.code()), (401, 1005));
    assert_eq!(proxy.mock.seen(), seen);
}

/// Two numbers behind a mock that knows exactly their two tokens.
async fn two_numbers() -> Proxy {
    let tokens = vec![ACCESS_TOKEN.to_owned(), format!("{ACCESS_TOKEN}-sales")];
    let options = mock::Options { access_tokens: Some(tokens), ..mock::Options::default() };
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support.wa.internal\"]");
    let sales = number("sales", SALES_ID, "hosts = [\"sales.wa.internal\", \"10.0.0.7\"]");
    Proxy::behind(options, "", &(support + &sales)).await
}

async fn send_to(proxy: &Proxy, host: &str, key: &str) -> crate::support::Reply {
    let authorization = format!("Bearer {key}");
    let headers = [("Host", host), ("Authorization", authorization.as_str())];
    let body = text(TO).to_string();
    proxy.connect().await.call("POST", "/v1/messages", &headers, body.as_bytes()).await
}

#[tokio::test]
async fn the_host_name_selects_the_number_with_its_own_token() {
    let proxy = two_numbers().await;
    let sales_key = format!("{KEY}-sales");
    for (host, key, id) in [
        ("support.wa.internal", KEY, PHONE_NUMBER_ID),
        ("sales.wa.internal", &sales_key, SALES_ID),
        ("SALES.wa.Internal:9090", &sales_key, SALES_ID),
        ("sales.wa.internal.", &sales_key, SALES_ID),
        ("sales.wa.internal.:443", &sales_key, SALES_ID),
        ("10.0.0.7:9090", &sales_key, SALES_ID),
    ] {
        let reply = send_to(&proxy, host, key).await;
        assert_eq!(reply.status, 201, "{host}: {reply:?}");
        let sent = proxy.mock.recorded().pop().unwrap();
        assert_eq!(sent.phone_number_id.as_deref(), Some(id), "{host}");
        let token = if id == SALES_ID { format!("{ACCESS_TOKEN}-sales") } else { ACCESS_TOKEN.to_owned() };
        assert_eq!(sent.authorization, Some(format!("Bearer {token}")), "{host}");
    }
}

#[tokio::test]
async fn an_unknown_host_has_no_number() {
    let proxy = two_numbers().await;
    for host in ["other.internal", "support.wa.internal.evil", "127.0.0.1", "wa.internal"] {
        let reply = send_to(&proxy, host, KEY).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (404, 1006), "{host}: {reply:?}");
        assert_ne!(details, "unknown contact");
    }
    assert_eq!(proxy.mock.seen(), 0);
    // The health probe of official templates knows no names.
    let reply = proxy.connect().await.call("GET", "/", &[("Host", "10.1.2.3")], b"").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn credentials_of_one_number_are_none_at_another() {
    let proxy = two_numbers().await;
    let reply = send_to(&proxy, "sales.wa.internal", KEY).await;
    assert_eq!((reply.status, reply.code()), (401, 1005));

    let authorization = crate::support::basic("admin", "secret");
    let headers = [("Host", "sales.wa.internal"), ("Authorization", authorization.as_str())];
    let body = br#"{"new_password":"Abcdef1!"}"#;
    let reply = proxy.connect().await.call("POST", "/v1/users/login", &headers, body).await;
    let token = reply.json()["users"][0]["token"].as_str().unwrap().to_owned();
    assert_eq!(send_to(&proxy, "sales.wa.internal", &token).await.status, 201);
    let reply = send_to(&proxy, "support.wa.internal", &token).await;
    assert_eq!((reply.status, reply.code()), (401, 1005));
    assert!(proxy.mock.recorded().iter().all(|sent| sent.phone_number_id.as_deref() == Some(SALES_ID)));
}

/// Requests of two numbers at once, interleaved: nothing crosses.
#[tokio::test]
async fn nothing_crosses_between_numbers() {
    let proxy = two_numbers().await;
    let sales_key = format!("{KEY}-sales");
    let mut sends = Vec::new();
    for n in 0..40 {
        let (host, key, name) = if n % 3 == 0 {
            ("sales.wa.internal", sales_key.as_str(), "sales")
        } else {
            ("support.wa.internal", KEY, "support")
        };
        let (proxy, authorization) = (&proxy, format!("Apikey {key}"));
        sends.push(async move {
            let message = json!({"to": format!("1631555{n:04}"), "text": {"body": name}}).to_string();
            let headers = [("Host", host), ("Authorization", authorization.as_str())];
            let mut client = proxy.connect().await;
            let reply = client.call("POST", "/v1/messages", &headers, message.as_bytes()).await;
            assert_eq!(reply.json()["contacts"][0]["input"], format!("1631555{n:04}"));
            (reply.json()["messages"][0]["id"].as_str().unwrap().to_owned(), n)
        });
    }
    let answers = futures_util::future::join_all(sends).await;
    let accepted = proxy.mock.accepted_messages();
    for (wamid, n) in answers {
        let message = accepted.iter().find(|message| message.wamid == wamid).unwrap();
        let (id, name) = if n % 3 == 0 { (SALES_ID, "sales") } else { (PHONE_NUMBER_ID, "support") };
        assert_eq!((message.phone_number_id.as_str(), &message.body["text"]["body"]), (id, &json!(name)));
        assert_eq!(message.to, format!("+1631555{n:04}"));
    }
    for sent in proxy.mock.recorded() {
        let is_sales = sent.phone_number_id.as_deref() == Some(SALES_ID);
        assert_eq!(sent.authorization.unwrap().ends_with("-sales"), is_sales);
    }
}
