//! Webhooks of the mock Cloud API.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prembridge::mock::{GraphError, InboundMessage, Retry, StatusWord, Subscription};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::receiver::{Receiver, SECRET, TOKEN};
use super::*;

const NUMBER: &str = "106540352242922";
const USER: &str = "15551234567";
const TIME: u64 = 1_750_030_073;

fn subscription(url: String) -> Subscription {
    let retry =
        Retry { first: Duration::from_millis(1), longest: Duration::from_millis(4), ..Retry::default() };
    Subscription { retry, ..Subscription::new(url, SECRET) }
}

async fn subscribed(receiver: &Receiver) -> MockCloud {
    let webhook = Some(subscription(receiver.url()));
    start(Options { webhook, time: Some(TIME), ..Options::default() }).await
}

async fn idle(mock: &MockCloud) {
    let waited = tokio::time::timeout(Duration::from_secs(30), mock.webhooks_idle()).await;
    assert!(waited.is_ok(), "some were never taken: {:?}", mock.webhooks());
}

#[tokio::test]
async fn an_accepted_message_has_its_statuses_posted_in_order_and_signed() {
    let receiver = Receiver::start([]).await;
    let mock = subscribed(&receiver).await;
    let wamid = Client::to(&mock).await.post(&text("+1 (555) 123-4567")).await.unwrap().json()["messages"][0]
        ["id"]
        .take();
    idle(&mock).await;

    let posts = receiver.posts();
    assert_eq!(posts.iter().map(|post| post.word()).collect::<Vec<_>>(), ["sent", "delivered", "read"]);
    for post in &posts {
        assert!(post.is_signed_with(SECRET) && !post.is_signed_with("another"), "{post:?}");
        assert_eq!(post.header("content-type"), "application/json");
        assert_eq!(post.header("user-agent"), "facebookexternalua");
    }
    let pricing = json!({"billable": false, "pricing_model": "PMP", "type": "free_customer_service",
                         "category": "service"});
    assert_eq!(
        posts[0].json(),
        json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [{
            "field": "messages",
            "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "15550123456", "phone_number_id": NUMBER},
                "contacts": [{"profile": {"name": "Kerry Fisher"}, "wa_id": USER}],
                "statuses": [{"id": wamid, "status": "sent", "timestamp": TIME.to_string(),
                              "recipient_id": USER, "pricing": pricing}],
            },
        }]}]})
    );
    assert_eq!(posts[2].value()["statuses"][0].get("pricing"), None);

    let sent = mock.webhooks();
    assert_eq!(sent.iter().map(|webhook| &webhook.body).collect::<Vec<_>>(), {
        posts.iter().map(|post| &post.body).collect::<Vec<_>>()
    });
    assert!(sent.iter().all(|webhook| webhook.is_taken() && webhook.tries.len() == 1));
    assert_eq!((sent[0].tries[0].at, sent[0].tries[0].status), (TIME, Some(200)));
    mock.clear();
    assert_eq!(mock.webhooks(), []);
}

#[tokio::test]
async fn other_statuses_can_be_chosen() {
    let receiver = Receiver::start([]).await;
    let statuses = vec![StatusWord::Sent, StatusWord::Failed];
    let waba_id = "7".to_owned();
    let webhook = Some(Subscription { statuses, waba_id, ..subscription(receiver.url()) });
    let mock = start(Options { webhook, ..Options::default() }).await;
    Client::to(&mock).await.post(&template()).await.unwrap();
    idle(&mock).await;
    let posts = receiver.posts();
    assert_eq!(posts.iter().map(|post| post.word()).collect::<Vec<_>>(), ["sent", "failed"]);
    assert_eq!(posts[0].json()["entry"][0]["id"], "7");
    assert_eq!(posts[0].value()["statuses"][0]["pricing"]["category"], "utility");
    assert_eq!(posts[1].value()["statuses"][0]["errors"][0]["code"], 131026);
}

#[tokio::test]
async fn nothing_is_posted_for_what_was_refused_or_read() {
    let receiver = Receiver::start([]).await;
    let mock = subscribed(&receiver).await;
    let mut client = Client::to(&mock).await;
    let mut wrong = text("+15551234567");
    wrong["text"]["provider"] = json!("p");
    assert_eq!(client.post(&wrong).await.unwrap().status, 400);
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x"});
    assert_eq!(client.post(&read).await.unwrap().status, 200);
    mock.fault("131026:once".parse().unwrap());
    assert_eq!(client.post(&text("+15551234567")).await.unwrap().code(), 131026);
    mock.fault("http 502:once".parse().unwrap());
    assert_eq!(client.post(&text("+15551234567")).await.unwrap().status, 502);
    idle(&mock).await;
    assert!(receiver.posts().is_empty() && mock.webhooks().is_empty());

    // Whatever the sender learns of it, this one was accepted.
    mock.fault("http 200 empty:once".parse().unwrap());
    assert_eq!(client.post(&text("+15551234567")).await.unwrap().body, b"");
    idle(&mock).await;
    assert_eq!(receiver.posts().len(), 3);
}

#[tokio::test]
async fn what_is_not_taken_is_posted_again_and_statuses_keep_their_order() {
    // A status of 2xx that is not 200 is no success either.
    let receiver = Receiver::start([500, 204, 200, 302]).await;
    let mock = subscribed(&receiver).await;
    Client::to(&mock).await.post(&text("+15551234567")).await.unwrap();
    idle(&mock).await;
    let words: Vec<_> = receiver.posts().iter().map(|post| post.word()).collect();
    assert_eq!(words, ["sent", "sent", "sent", "delivered", "delivered", "read"]);
    let statuses: Vec<Vec<_>> = mock
        .webhooks()
        .iter()
        .map(|webhook| webhook.tries.iter().map(|post| post.status.unwrap()).collect())
        .collect();
    assert_eq!(statuses, [vec![500, 204, 200], vec![302, 200], vec![200]]);
}

#[tokio::test]
async fn posts_share_a_connection() {
    let receiver = Receiver::start([500]).await;
    let mock = subscribed(&receiver).await;
    Client::to(&mock).await.post(&text("+15551234567")).await.unwrap();
    idle(&mock).await;
    let seen = receiver.seen();
    assert_eq!((seen.posts.len(), seen.connections), (4, 1));
}

#[tokio::test]
async fn eight_posts_are_under_way_at_a_time() {
    let receiver = Receiver::start([]).await;
    let mock = subscribed(&receiver).await;
    receiver.hold(true);
    for n in 0..20 {
        mock.post_webhook(n.to_string());
    }
    receiver.until(|seen| seen.open == 8).await;
    receiver.hold(false);
    idle(&mock).await;
    let seen = receiver.seen();
    assert_eq!((seen.posts.len(), seen.most_open), (20, 8));
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_tried_until_another_is_subscribed() {
    let receiver = Receiver::start([]).await;
    let mock = start(Options::default()).await;
    // Nobody listens on port 0.
    mock.subscribe(subscription("http://127.0.0.1:0/hook".to_owned()));
    mock.post_webhook("{}");
    let failed = || mock.webhooks().first().is_some_and(|webhook| webhook.tries.len() > 1);
    while !failed() {
        tokio::task::yield_now().await;
    }
    mock.subscribe(subscription(receiver.url()));
    idle(&mock).await;
    let webhook = &mock.webhooks()[0];
    assert!(webhook.is_taken() && receiver.posts().len() == 1);
    assert!(webhook.tries[0].status.is_none() && webhook.tries[0].error.is_some(), "{webhook:?}");
}

#[tokio::test]
async fn nothing_is_posted_after_the_end_of_a_subscription() {
    let receiver = Receiver::start(std::iter::repeat_n(500, 10_000)).await;
    let mock = subscribed(&receiver).await;
    let mut client = Client::to(&mock).await;
    client.post(&text("+15551234567")).await.unwrap();
    receiver.until(|seen| seen.posts.len() > 2).await;
    mock.unsubscribe();
    idle(&mock).await;
    mock.post_webhook("{}");
    client.post(&text("+15551234567")).await.unwrap();
    assert!(mock.inbound(NUMBER, InboundMessage::text(USER, "hi")).starts_with("wamid."));

    let other = Receiver::start([]).await;
    mock.subscribe(subscription(other.url()));
    mock.post_webhook("[]");
    idle(&mock).await;
    assert_eq!(other.posts().iter().map(|post| post.body.clone()).collect::<Vec<_>>(), ["[]"]);
    mock.shutdown().await;
}

#[tokio::test]
async fn a_mock_stops_while_it_waits_for_an_answer() {
    let receiver = Receiver::start([]).await;
    let mock = subscribed(&receiver).await;
    receiver.hold(true);
    mock.post_webhook("{}");
    receiver.until(|seen| seen.open == 1).await;
    tokio::time::timeout(Duration::from_secs(30), mock.shutdown()).await.unwrap();
}

#[tokio::test]
async fn any_body_is_posted_as_it_is_and_what_the_mock_writes_is_escaped() {
    let receiver = Receiver::start([]).await;
    let mock = subscribed(&receiver).await;
    let raw = "{ \"a\" : \"ü\" } ";
    mock.post_webhook(raw);
    idle(&mock).await;
    mock.post_webhook_signed_with("another", raw);
    idle(&mock).await;
    mock.inbound(NUMBER, InboundMessage::text(USER, "Grüße 😀").named("Zoë"));
    idle(&mock).await;

    let posts = receiver.posts();
    assert!(posts[0].body == raw && posts[0].is_signed_with(SECRET));
    assert!(posts[1].body == raw && posts[1].is_signed_with("another") && !posts[1].is_signed_with(SECRET));
    let body = std::str::from_utf8(&posts[2].body).unwrap();
    assert!(body.contains(r"Gr\u00fc\u00dfe \ud83d\ude00") && body.contains(r"Zo\u00eb"), "{body}");
    assert!(body.is_ascii() && posts[2].is_signed_with(SECRET));
    assert_eq!(posts[2].value()["messages"][0]["text"]["body"], "Grüße 😀");
}

#[tokio::test]
async fn users_write_with_ids_that_are_the_same_in_every_run() {
    let mut ids = Vec::new();
    for (seed, others) in [(5, 0), (5, 3), (6, 0)] {
        let receiver = Receiver::start([]).await;
        let mock = start(Options { seed, ..Options::default() }).await;
        mock.subscribe(Subscription { statuses: Vec::new(), ..subscription(receiver.url()) });
        for _ in 0..others {
            Client::to(&mock).await.post(&text("+15551234567")).await.unwrap();
        }
        for _ in 0..2 {
            ids.push(mock.inbound(NUMBER, InboundMessage::text(USER, "hi")));
            idle(&mock).await;
        }
        let posted: Vec<_> =
            receiver.posts().iter().map(|post| post.value()["messages"][0]["id"].take()).collect();
        assert_eq!(json!(posted), json!(ids[ids.len() - 2..]));
    }
    assert_eq!(ids[..2], ids[2..4]);
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[4]);
    let record = STANDARD.decode(ids[0].strip_prefix("wamid.").unwrap()).unwrap();
    assert_eq!((&record[3..14], record[17]), (USER.as_bytes(), 0x12), "from the user");
}

#[tokio::test]
async fn files_of_users_are_described_and_can_be_downloaded() {
    let receiver = Receiver::start([]).await;
    let mock = subscribed(&receiver).await;
    let id = mock.add_media(NUMBER, "audio/ogg; codecs=opus", "abc");
    mock.inbound(NUMBER, InboundMessage::voice(USER, &id));
    idle(&mock).await;
    let mut message = receiver.posts()[0].value()["messages"][0].take();
    let url = message["audio"]["url"].take();
    let path = url.as_str().unwrap().strip_prefix(&mock.base_url()).unwrap();
    assert_eq!(Client::to(&mock).await.call("GET", path, "Bearer t", b"").await.unwrap().body, b"abc");
    // The digest of FIPS 180-2 appendix B.1 in base64.
    assert_eq!(
        (&message["type"], &message["audio"]),
        (
            &json!("audio"),
            &json!({"id": id, "voice": true, "mime_type": "audio/ogg; codecs=opus", "url": null,
                    "sha256": "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="})
        )
    );
}

#[tokio::test]
async fn users_send_what_cloud_knows() {
    let receiver = Receiver::start([]).await;
    let mock = subscribed(&receiver).await;
    let card = json!([{"name": {"formatted_name": "A"}}]);
    for (message, kind, content) in [
        (InboundMessage::image(USER, "5").captioned("c"), "image", json!({"id": "5", "caption": "c"})),
        (InboundMessage::audio(USER, "5"), "audio", json!({"id": "5", "voice": false})),
        (InboundMessage::video(USER, "5"), "video", json!({"id": "5"})),
        (InboundMessage::document(USER, "5", "a.pdf"), "document", json!({"id": "5", "filename": "a.pdf"})),
        (InboundMessage::sticker(USER, "5"), "sticker", json!({"id": "5", "animated": false})),
        (InboundMessage::button(USER, "p", "Yes"), "button", json!({"payload": "p", "text": "Yes"})),
        (
            InboundMessage::button_reply(USER, "b", "Yes"),
            "interactive",
            json!({"type": "button_reply", "button_reply": {"id": "b", "title": "Yes"}}),
        ),
        (
            InboundMessage::list_reply(USER, "r", "Row", Some("d")),
            "interactive",
            json!({"type": "list_reply", "list_reply": {"id": "r", "title": "Row", "description": "d"}}),
        ),
        (
            InboundMessage::flow_reply(USER, "{}"),
            "interactive",
            json!({"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{}"}}),
        ),
        (InboundMessage::location(USER, 1.5, -2.0), "location", json!({"latitude": 1.5, "longitude": -2.0})),
        (InboundMessage::contacts(USER, card.clone()), "contacts", card),
        (InboundMessage::reaction(USER, "w", "👍"), "reaction", json!({"message_id": "w", "emoji": "👍"})),
        (InboundMessage::reaction(USER, "w", ""), "reaction", json!({"message_id": "w"})),
    ] {
        let id = mock.inbound(NUMBER, message);
        idle(&mock).await;
        let value = receiver.posts().last().unwrap().value();
        assert_eq!(value["contacts"], json!([{"profile": {"name": "Kerry Fisher"}, "wa_id": USER}]));
        let expected =
            json!([{"from": USER, "id": id, "timestamp": TIME.to_string(), "type": kind, kind: content}]);
        assert_eq!(value["messages"], expected);
    }
}

#[tokio::test]
async fn a_message_can_fail_later() {
    let receiver = Receiver::start([]).await;
    let mock = start(Options::default()).await;
    assert!(mock.status("wamid.x", StatusWord::Failed, &[]).is_err());
    mock.subscribe(Subscription { statuses: vec![StatusWord::Sent], ..subscription(receiver.url()) });
    assert!(mock.status("wamid.x", StatusWord::Failed, &[]).is_err());
    receiver.script([500]);
    Client::to(&mock).await.post(&text("+15551234567")).await.unwrap();
    let wamid = mock.accepted_messages()[0].wamid.clone();
    mock.status(&wamid, StatusWord::Failed, &[GraphError::detailed(131049, "Not now")]).unwrap();
    idle(&mock).await;
    let posts = receiver.posts();
    assert_eq!(posts.iter().map(|post| post.word()).collect::<Vec<_>>(), ["sent", "sent", "failed"]);
    let failed = posts[2].value()["statuses"][0].take();
    assert_eq!((&failed["id"], &failed["recipient_id"]), (&json!(wamid), &json!(USER)));
    assert_eq!(failed["errors"][0]["error_data"]["details"], "Not now");
    mock.unsubscribe();
    assert!(mock.status(&wamid, StatusWord::Failed, &[]).is_err());
}

#[tokio::test]
async fn an_endpoint_proves_that_it_knows_the_verify_token() {
    let receiver = Receiver::start([]).await;
    let mock = start(Options::default()).await;
    let with = |url: String, token: Option<&str>| {
        let verify_token = token.map(str::to_owned);
        mock.subscribe(Subscription { verify_token, ..subscription(url) });
    };
    assert!(mock.verify_webhook().await.is_err());
    with(receiver.url(), None);
    assert!(mock.verify_webhook().await.unwrap_err().contains("no verify token"));

    with(receiver.url(), Some(TOKEN));
    assert_eq!(mock.verify_webhook().await, Ok(()));
    with(receiver.url() + "?a=1", Some(TOKEN));
    assert_eq!(mock.verify_webhook().await, Ok(()));
    let challenges = receiver.seen().challenges;
    assert!(challenges[1].starts_with("a=1&hub.mode=subscribe&hub.challenge="), "{challenges:?}");
    assert_ne!(challenges[0].split('&').nth(1), challenges[1].split('&').nth(2), "a new one each time");

    with(receiver.url(), Some("another"));
    assert!(mock.verify_webhook().await.unwrap_err().contains("403"));
    with(receiver.url(), Some(TOKEN));
    receiver.script([201]);
    assert!(mock.verify_webhook().await.unwrap_err().contains("201"));
    receiver.say("1234567890\n");
    assert!(mock.verify_webhook().await.unwrap_err().contains("not the challenge"));
    with("http://127.0.0.1:0/".to_owned(), Some(TOKEN));
    assert!(mock.verify_webhook().await.is_err());
}

#[tokio::test]
async fn tls_is_checked_against_roots_that_can_be_added() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let private = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config = prembridge::net::server_config(vec![certificate.der().clone()], private).unwrap();
    let receiver = Receiver::tls(Arc::clone(&config)).await;
    let url = format!("https://localhost:{}/hook", receiver.addr.port());

    let mock = start(Options::default()).await;
    let verify_token = Some(TOKEN.to_owned());
    let untrusting = Subscription { verify_token, ..subscription(url) };
    mock.subscribe(untrusting.clone());
    assert!(mock.verify_webhook().await.is_err());
    mock.subscribe(Subscription { extra_roots: Some(certificate.pem()), ..untrusting.clone() });
    assert_eq!(mock.verify_webhook().await, Ok(()));
    mock.post_webhook("{}");
    idle(&mock).await;
    assert!(receiver.posts()[0].is_signed_with(SECRET));
    mock.subscribe(Subscription { extra_roots: Some("nothing".to_owned()), ..untrusting });
    assert!(mock.verify_webhook().await.unwrap_err().contains("no certificate"));
}

#[tokio::test]
async fn a_shell_subscribes_writes_posts_and_looks() {
    let receiver = Receiver::start([]).await;
    let mock = start(Options { time: Some(TIME), ..Options::default() }).await;
    let mut client = Client::to(&mock).await;
    let inbound = "/_mock/inbound?phone_number_id=106540352242922";
    let hi = br#"{"from": "15551234567", "text": "hi"}"#;
    for (path, body) in [(inbound, &hi[..]), ("/_mock/post", b"{}")] {
        let reply = client.call("POST", path, "", body).await.unwrap();
        assert!(reply.status == 400 && reply.json()["error"].as_str().unwrap().contains("nobody"), "{path}");
    }

    let mut wanted = json!({"url": receiver.url(), "app_secret": SECRET, "statuses": ["read"]});
    for (key, value) in [("url", json!("/hook")), ("statuses", json!(["lost"])), ("retry", json!(1))] {
        let mut wrong = wanted.clone();
        wrong[key] = value;
        let reply = client.call("POST", "/_mock/webhook", "", wrong.to_string().as_bytes()).await.unwrap();
        assert_eq!(reply.status, 400, "{key}");
    }
    for (token, expected) in [(None, None), (Some("bad"), Some(false)), (Some(TOKEN), Some(true))] {
        wanted["verify_token"] = json!(token);
        let reply = client.call("POST", "/_mock/webhook", "", wanted.to_string().as_bytes()).await.unwrap();
        assert_eq!((reply.status, reply.json()["verified"].as_bool()), (200, expected), "{reply:?}");
    }

    client.post(&text("+15551234567")).await.unwrap();
    idle(&mock).await;
    let id = client.call("POST", inbound, "", hi).await.unwrap().json()["id"].take();
    idle(&mock).await;
    let whole = br#"{"type": "order", "order": {}, "id": "wamid.own"}"#;
    assert_eq!(client.call("POST", inbound, "", whole).await.unwrap().json(), json!({"id": "wamid.own"}));
    idle(&mock).await;
    client.call("POST", "/_mock/post", "", b"not json").await.unwrap();
    idle(&mock).await;
    let posts = receiver.posts();
    assert_eq!((posts[0].word(), posts.len()), ("read".to_owned(), 4));
    let value = posts[1].value();
    assert_eq!((&value["messages"][0]["id"], &value["messages"][0]["text"]["body"]), (&id, &json!("hi")));
    assert_eq!(posts[2].value()["messages"][0]["from"], "16505551234");
    assert!(posts[3].body == "not json" && posts[3].is_signed_with(SECRET));

    let listed = client.call("GET", "/_mock/webhooks", "", b"").await.unwrap().json();
    assert_eq!(listed["waiting"], 0);
    assert_eq!(listed["webhooks"][1]["body"], posts[1].json());
    assert_eq!(listed["webhooks"][3]["body"], "not json");
    assert_eq!(listed["webhooks"][3]["tries"], json!([{"at": TIME, "status": 200, "error": null}]));
    client.call("DELETE", "/_mock/webhooks", "", b"").await.unwrap();
    let listed = client.call("GET", "/_mock/webhooks", "", b"").await.unwrap().json();
    assert_eq!(listed["webhooks"], json!([]));
    client.call("DELETE", "/_mock/webhook", "", b"").await.unwrap();
    assert_eq!(client.call("POST", "/_mock/post", "", b"{}").await.unwrap().status, 400);
    for (method, path) in [("GET", "/_mock/webhook"), ("PUT", "/_mock/webhooks"), ("GET", "/_mock/inbound")] {
        assert_eq!(client.call(method, path, "", b"").await.unwrap().status, 404, "{method} {path}");
    }
    let reply = client.call("POST", "/_mock/webhook", "", b"{").await.unwrap();
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn memory_of_webhooks_is_bounded() {
    let receiver = Receiver::start([]).await;
    for (record, expected) in [(true, vec!["1", "2"]), (false, vec![])] {
        let webhook = Some(subscription(receiver.url()));
        let mock = start(Options { record, record_limit: 2, webhook, ..Options::default() }).await;
        for n in 0..3 {
            mock.post_webhook(n.to_string());
            idle(&mock).await;
        }
        let kept: Vec<_> = mock.webhooks().iter().map(|webhook| webhook.body.clone()).collect();
        assert_eq!(kept, expected);
    }
    assert_eq!(receiver.posts().len(), 6);
}
