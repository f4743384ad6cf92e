//! What Cloud is answered, and what is taken.

use prembridge::callback::HELD;
use serde_json::{Value, json};

use super::scene::{
    OLD_SECRET, OTHER, OTHER_SECRET, PATH, SECRET, Scene, VERIFY_TOKEN, bodies, change, signature, status,
    text, webhook,
};
use crate::support::{Client, PHONE_NUMBER_ID, Proxy, request};

#[tokio::test]
async fn the_subscription_is_confirmed_to_whoever_knows_the_token() {
    let scene = Scene::silent("").await;
    let ask = async |mode: &str, token: &str, challenge: &str| {
        let query = format!("hub.mode={mode}&hub.challenge={challenge}&hub.verify_token={token}");
        scene.get(&format!("{PATH}?{query}")).await
    };
    let reply = ask("subscribe", VERIFY_TOKEN, "1158201444").await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "1158201444"));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(ask("subscribe", "wrong", "1").await.status, 403);
    assert_eq!(ask("subscribe", "", "1").await.status, 403);
    for at in 0..VERIFY_TOKEN.len() {
        let mut close = VERIFY_TOKEN.as_bytes().to_vec();
        close[at] ^= 1;
        let close = String::from_utf8(close).unwrap();
        assert_eq!(ask("subscribe", &close, "1").await.status, 403, "{close}");
        assert_eq!(ask("subscribe", &VERIFY_TOKEN[..at], "1").await.status, 403, "a part of {at}");
    }
    assert_eq!(ask("unsubscribe", VERIFY_TOKEN, "1").await.status, 400);
    assert_eq!(ask("subscribe", VERIFY_TOKEN, "%3Cscript%3E%20").await.status, 400);
    let reply = scene.get(PATH).await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("hub.verify_token"));
}

#[tokio::test]
async fn only_what_is_signed_is_taken() {
    let scene = Scene::new().await;
    let body = text("wamid.1", "hello").to_string();
    let good = signature(SECRET, body.as_bytes());
    for (given, outcome) in [
        (None, "unsigned"),
        (Some("sha256=".to_owned()), "unsigned"),
        (Some(good.replace("sha256", "sha1")), "unsigned"),
        (Some(signature("another", body.as_bytes())), "wrong_signature"),
        (Some(signature(SECRET, format!("{body} ").as_bytes())), "wrong_signature"),
    ] {
        let counter = format!("prembridge_webhooks_total{{outcome=\"{outcome}\"}}");
        let before = scene.metric(&counter).await;
        let reply = scene.post_with(given.as_deref(), body.as_bytes()).await;
        assert_eq!(reply.status, 401, "{given:?}");
        assert!(reply.json()["error"]["message"].is_string());
        assert!((scene.metric(&counter).await - before - 1.0).abs() < 0.1, "{given:?}");
    }
    assert_eq!(scene.post_signed(OTHER_SECRET, body.as_bytes()).await.status, 403, "another number's app");
    assert_eq!(
        scene.post_signed(OLD_SECRET, text("wamid.0", "old").to_string().as_bytes()).await.status,
        200
    );
    assert_eq!(scene.post_with(Some(&good), body.as_bytes()).await.status, 200);
    assert_eq!(bodies(&scene.sink.take(2).await), ["old", "hello"]);
}

/// Graph escapes what is not ASCII and signs the escapes.
#[tokio::test]
async fn the_bytes_are_signed_and_not_what_they_mean() {
    let scene = Scene::new().await;
    let escaped = text("wamid.1", "grün").to_string().replace('ü', "\\u00fc");
    let plain = text("wamid.1", "grün").to_string();
    let of_escaped = signature(SECRET, escaped.as_bytes());
    assert_eq!(scene.post_with(Some(&of_escaped), plain.as_bytes()).await.status, 401);
    assert_eq!(scene.post_with(Some(&of_escaped), escaped.as_bytes()).await.status, 200);
    assert_eq!(bodies(&scene.sink.take(1).await), ["grün"]);
}

#[tokio::test]
async fn what_is_no_webhook_is_refused_and_what_nobody_needs_is_counted() {
    let scene = Scene::new().await;
    for body in ["", "hello", "[]", "{}", "{\"entry\":{}}", "\u{feff}{}"] {
        let reply = scene.post_signed(SECRET, body.as_bytes()).await;
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.json()["error"]["message"].is_string());
    }
    let event = |outcome: &str| format!("prembridge_webhook_events_total{{outcome=\"{outcome}\"}}");
    let nobodys: Value = webhook(
        "999",
        json!({"messages": [{"from": "1", "id": "wamid.1", "timestamp": "1", "type": "text"}]}),
    );
    scene.tell(&nobodys).await;
    scene.tell(&json!({"entry": [{"changes": [{"field": "account_update", "value": {}}]}]})).await;
    scene.tell(&json!({"entry": [{"changes": "none"}]})).await;
    scene.tell(&status("wamid.1", "played")).await;
    for outcome in ["unknown_number", "other_field", "unreadable", "no_counterpart"] {
        assert!((scene.metric(&event(outcome)).await - 1.0).abs() < 0.1, "{outcome}");
    }
    assert!(scene.sink.got().is_empty());
}

#[tokio::test]
async fn one_url_serves_every_number() {
    let scene = Scene::new().await;
    let other_sink = crate::stub::Sink::start().await;
    let patch = json!({"webhooks": {"url": other_sink.url()}}).to_string();
    let headers = [("Authorization", "Bearer admin-key-0123456789-sales"), ("Host", "sales")];
    let mut client = scene.proxy.connect().await;
    let reply = client.call("PATCH", "/v1/settings/application", &headers, patch.as_bytes()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let message = |id: &str| json!({"messages": [{"from": "1631", "id": id, "timestamp": "1", "type": "text", "text": {"body": id}}]});
    // Two apps cannot share a body, since each signs with its own secret.
    let both = json!({"entry": [
        {"id": "1", "changes": [change(PHONE_NUMBER_ID, message("a")), change(PHONE_NUMBER_ID, message("b"))]},
        {"id": "2", "changes": [change(OTHER, message("c"))]},
    ]});
    assert_eq!(scene.post(&both).await.status, 403);
    assert!(scene.sink.got().is_empty() && other_sink.got().is_empty(), "nothing of it is kept");
    let own = json!({"entry": [both["entry"][0]]});
    scene.tell(&own).await;
    assert_eq!(bodies(&scene.sink.take(2).await), ["a", "b"]);
    let others = json!({"entry": [both["entry"][1]]}).to_string();
    assert_eq!(scene.post_signed(OTHER_SECRET, others.as_bytes()).await.status, 200);
    assert_eq!(bodies(&other_sink.take(1).await), ["c"]);
    assert_eq!(scene.sink.got().len(), 2);
}

#[tokio::test]
async fn numbers_of_one_app_are_told_apart() {
    let numbers = format!(
        "{}{}",
        super::scene::support(),
        crate::support::number("sales", OTHER, &format!("app_secret = \"{SECRET}\"\nhosts = [\"sales\"]"))
    );
    let sinks = [crate::stub::Sink::start().await, crate::stub::Sink::start().await];
    let proxy = Proxy::numbers(super::scene::EGRESS, &numbers).await;
    for (sink, (host, key)) in sinks.iter().zip([("support", ""), ("sales", "-sales")]) {
        let key = format!("Bearer admin-key-0123456789{key}");
        let patch = json!({"webhooks": {"url": sink.url()}}).to_string();
        let headers = [("Authorization", key.as_str()), ("Host", host)];
        let mut client = proxy.connect().await;
        let reply = client.call("PATCH", "/v1/settings/application", &headers, patch.as_bytes()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let message = |id: &str| json!({"messages": [{"from": "1631", "id": id, "timestamp": "1", "type": "text", "text": {"body": id}}]});
    let both =
        json!({"entry": [{"changes": [change(PHONE_NUMBER_ID, message("a")), change(OTHER, message("a"))]}]});
    let body = both.to_string();
    let signed = signature(SECRET, body.as_bytes());
    let webhook = proxy.app.addresses().webhook.unwrap();
    let headers = [("X-Hub-Signature-256", signed.as_str())];
    let reply = Client::connect(webhook).await.call("POST", PATH, &headers, body.as_bytes()).await;
    assert_eq!(reply.status, 200);
    for sink in &sinks {
        assert_eq!(bodies(&sink.take(1).await), ["a"], "the same id at another number is another event");
    }
}

#[tokio::test]
async fn repetitions_are_delivered_once() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        scene.tell(&text("wamid.1", "hello")).await;
        scene.tell(&status("wamid.2", "delivered")).await;
    }
    scene.tell(&status("wamid.2", "read")).await;
    scene.tell(&status("wamid.2", "sent")).await;
    let got = scene.sink.take(4).await;
    let words: Vec<_> = got.iter().filter_map(|got| got["statuses"][0]["status"].as_str()).collect();
    assert_eq!(words, ["delivered", "read", "sent"], "late ones are passed on as they come");
    let repeated = scene.metric("prembridge_webhook_events_total{outcome=\"repeated\"}").await;
    assert!((repeated - 4.0).abs() < 0.1, "{repeated}");
    // Eight days later nothing is remembered.
    scene.proxy.clock.advance(8 * 86_400 + 1);
    scene.proxy.app.state().relay.callbacks.purge().await.unwrap();
    scene.tell(&text("wamid.1", "hello")).await;
    scene.sink.take(5).await;
}

#[tokio::test]
async fn three_megabytes_and_no_more() {
    let scene = Scene::new().await;
    let size = 3 * 1024 * 1024;
    let mut body = text("wamid.1", "hello").to_string();
    body.push_str(&" ".repeat(size - body.len()));
    assert_eq!(scene.post_signed(SECRET, body.as_bytes()).await.status, 200);
    body.push(' ');
    let reply = scene.post_signed(SECRET, body.as_bytes()).await;
    assert_eq!(reply.status, 413);
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(bodies(&scene.sink.take(1).await), ["hello"]);
}

#[tokio::test]
async fn the_listener_is_clouds_alone() {
    let scene = Scene::silent("").await;
    // The addresses of this scene are equal, so the API has both.
    assert_eq!(scene.webhook, scene.proxy.api);
    for method in ["PUT", "DELETE", "PATCH"] {
        let reply = Client::connect(scene.webhook).await.call(method, PATH, &[], b"{}").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, POST")), "{method}");
    }
    let text = crate::support::config("http://127.0.0.1:1", "", &super::scene::support()).replacen(
        "webhook = \"127.0.0.1:0\"",
        "webhook = \"[::1]:0\"",
        1,
    );
    let config =
        prembridge::config::Config::parse(&text, &prembridge::config::Env::default()).unwrap().config;
    let app = prembridge::app::App::start(config, prembridge::clock::Clock::fixed(0)).await.unwrap();
    let addresses = app.addresses();
    let webhook = addresses.webhook.unwrap();
    assert_ne!(webhook, addresses.api);
    let reply = Client::connect(webhook).await.call("POST", "/v1/messages", &[], b"{}").await;
    assert_eq!(reply.status, 404);
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains(PATH));
    assert_eq!(Client::connect(webhook).await.call("GET", "/", &[], b"").await.status, 200);
    assert_eq!(Client::connect(webhook).await.call("POST", PATH, &[], b"{}").await.status, 401);
    let reply = Client::connect(addresses.api).await.call("POST", PATH, &[], b"{}").await;
    assert_eq!(reply.code(), 1006, "the API does not know it");
    let mut client = Client::connect(webhook).await;
    let twice = String::from_utf8(request("POST", PATH, &[], b"{}"))
        .unwrap()
        .replace("Host: proxy", "Host: a\r\nHost: b");
    client.write(twice).await;
    assert_eq!(client.reply().await.status, 400);
}

#[tokio::test]
async fn without_a_secret_nothing_listens() {
    let proxy = Proxy::start().await;
    assert_eq!(proxy.app.addresses().webhook, None);
    assert_eq!(Client::connect(proxy.api).await.call("POST", PATH, &[], b"{}").await.code(), 1006);
}

/// What users wrote is never acknowledged and thrown away; what became of messages is, by a number that only sends.
#[tokio::test]
async fn what_nobody_wants_yet_is_held_for_a_while() {
    let scene = Scene::silent("").await;
    for index in 0..HELD {
        let reply = scene.post(&text(&format!("wamid.{index}"), &index.to_string())).await;
        assert_eq!(reply.status, 200);
    }
    assert_eq!(scene.post(&text("wamid.last", "last")).await.status, 503, "Cloud keeps it");
    assert_eq!(scene.post(&status("wamid.status", "read")).await.status, 200);
    let lost = scene.metric("prembridge_webhook_events_total{outcome=\"no_callback_url\"}").await;
    assert!((lost - 1.0).abs() < 0.1, "{lost}");
    let depth = scene.metric("prembridge_callback_queue_depth{number=\"support\"}").await;
    assert!((depth - 1000.0).abs() < 0.1, "{depth}");
    scene.set(&scene.wishes()).await;
    let got = bodies(&scene.sink.take(HELD).await);
    assert_eq!(got, (0..HELD).map(|index| index.to_string()).collect::<Vec<_>>());
    scene.tell(&text("wamid.last", "last")).await;
    scene.sink.take(HELD + 1).await;
}

/// Settings are reset and set again by programs that start.
#[tokio::test]
async fn a_number_that_had_a_place_for_callbacks_is_waited_for() {
    let scene = Scene::new().await;
    scene.sink.always(crate::stub::Take::Status(500));
    for index in 0..=HELD {
        assert_eq!(scene.post(&status(&format!("wamid.{index}"), "read")).await.status, 200);
    }
    assert_eq!(scene.settings("DELETE", "").await.status, 200);
    assert_eq!(scene.post(&status("wamid.last", "read")).await.status, 503);
    scene.proxy.clock.advance(30 * 86_400);
    scene.sink.always(crate::stub::Take::Status(200));
    scene.set(&scene.wishes()).await;
    scene.sink.take(HELD + 1).await;
    scene.until_empty(PHONE_NUMBER_ID).await;
}

#[tokio::test]
async fn a_full_number_holds_up_nobody_that_shares_its_webhook() {
    let numbers = format!(
        "{}{}",
        super::scene::support(),
        crate::support::number("sales", OTHER, &format!("app_secret = \"{SECRET}\"\nhosts = [\"sales\"]"))
    );
    let sections = format!("{}[limits]\nmax_callbacks = 1\n", super::scene::EGRESS);
    let proxy = Proxy::numbers(&sections, &numbers).await;
    let sinks = [crate::stub::Sink::start().await, crate::stub::Sink::start().await];
    sinks[0].always(crate::stub::Take::Status(500));
    for (sink, (host, key)) in sinks.iter().zip([("support", ""), ("sales", "-sales")]) {
        let key = format!("Bearer admin-key-0123456789{key}");
        let patch = json!({"callback_backoff_delay_ms": 1, "webhooks": {"url": sink.url()}}).to_string();
        let headers = [("Authorization", key.as_str()), ("Host", host)];
        let reply =
            proxy.connect().await.call("PATCH", "/v1/settings/application", &headers, patch.as_bytes()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let post = async |ids: [&str; 2]| {
        let of = |id: &str| json!({"messages": [{"from": "1631", "id": id, "timestamp": "1", "type": "text", "text": {"body": id}}]});
        let both =
            json!({"entry": [{"changes": [change(PHONE_NUMBER_ID, of(ids[0])), change(OTHER, of(ids[1]))]}]});
        let body = both.to_string();
        let signed = signature(SECRET, body.as_bytes());
        let headers = [("X-Hub-Signature-256", signed.as_str())];
        let webhook = proxy.app.addresses().webhook.unwrap();
        Client::connect(webhook).await.call("POST", PATH, &headers, body.as_bytes()).await.status
    };
    assert_eq!(post(["a", "a"]).await, 200);
    sinks[1].take(1).await;
    let others = std::sync::Arc::clone(&proxy.app.state().numbers.load().by_id(OTHER).unwrap().callbacks);
    crate::support::until(|| others.depth() == 0).await;
    assert_eq!(post(["b", "b"]).await, 503, "Cloud keeps the one, and with it the other");
    sinks[1].take(2).await;
    sinks[0].always(crate::stub::Take::Status(200));
    sinks[0].take(1).await;
    let own =
        std::sync::Arc::clone(&proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().callbacks);
    crate::support::until(|| own.depth() == 0).await;
    assert_eq!(post(["b", "b"]).await, 200);
    assert_eq!(bodies(&sinks[0].take(2).await), ["a", "b"]);
    assert_eq!(bodies(&sinks[1].taken()), ["a", "b"], "once, although it came twice");
}
