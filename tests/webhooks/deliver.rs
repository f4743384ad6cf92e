//! How clients get their callbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prembridge::callback::{Dial as _, Http, Outcome};
use prembridge::net::Deadlines;
use prembridge::net::egress::{Guard, Ports, Rules, SystemResolver};
use prembridge::store::Sqlite;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::parts::settings;
use super::scene::{PATH, SECRET, Scene, bodies, signature, status, status_of, text, text_from};
use crate::stub::{Sink, Take};
use crate::support::{ADMIN_KEY, Client, tls};

#[tokio::test]
async fn as_on_prem_posted_them() {
    let scene = Scene::new().await;
    scene.tell(&text("wamid.1", "hello")).await;
    scene.tell(&status("wamid.2", "delivered")).await;
    let got = scene.sink.arrived(2).await;
    assert_eq!(got[0].path, "/callback?token=canary-callback-token");
    assert_eq!(got[0].headers["content-type"], "application/json");
    let expected = json!({
        "contacts": [{"profile": {"name": "Kerry Fisher"}, "wa_id": "16315551234"}],
        "messages": [{"from": "16315551234", "id": "wamid.1", "timestamp": "1700000000", "type": "text", "text": {"body": "hello"}}],
    });
    assert_eq!(got[0].body, expected);
    let expected = json!({"statuses": [{
        "id": "wamid.2", "recipient_id": "16315551234", "status": "delivered", "timestamp": "1700000000",
        "message": {"recipient_id": "16315551234"}, "type": "message",
    }]});
    assert_eq!(got[1].body, expected);
    scene.until_empty(crate::support::PHONE_NUMBER_ID).await;
}

/// "Only 200 acknowledges": neither other successes nor redirects, which are not followed.
#[tokio::test]
async fn only_200_acknowledges() {
    let elsewhere = Sink::start().await;
    for take in [
        Take::Status(201),
        Take::Status(204),
        Take::Status(400),
        Take::Status(500),
        Take::Redirect(elsewhere.url()),
        Take::Break,
    ] {
        let scene = Scene::new().await;
        scene.sink.always(take.clone());
        scene.tell(&text("wamid.1", "hello")).await;
        scene.sink.arrived(3).await;
        scene.sink.always(Take::Status(200));
        scene.sink.take(1).await;
        scene.until_empty(crate::support::PHONE_NUMBER_ID).await;
        let outcome = if take == Take::Break { "unreached" } else { "refused" };
        let counter = |outcome| {
            format!("prembridge_callback_deliveries_total{{number=\"support\",outcome=\"{outcome}\"}}")
        };
        assert!(scene.metric(&counter(outcome)).await >= 3.0, "{take:?}");
        assert!((scene.metric(&counter("taken")).await - 1.0).abs() < 0.1, "{take:?}");
    }
    assert!(elsewhere.got().is_empty());
}

/// Whatever an old program writes beside it (RFC 9112 section 5.2 for the folded line).
#[tokio::test]
async fn a_200_acknowledges_whatever_its_other_lines_look_like() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for lines in [
        "Content-Security-Policy:\r\n          default-src 'self';\r\n          img-src 'self'\r\n",
        "X-A: one\r\n\ttwo\r\n",
        "X-A : one\r\n",
        "no colon at all\r\n",
    ] {
        let scene = Scene::silent("").await;
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut wishes = scene.wishes();
        wishes["webhooks"]["url"] = format!("http://{}/callback", door.local_addr().unwrap()).into();
        scene.set(&wishes).await;
        let posts = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&posts);
        let mut answers = tokio::task::JoinSet::new();
        answers.spawn(async move {
            loop {
                let (mut stream, _) = door.accept().await.unwrap();
                let mut read = Vec::new();
                while !read.ends_with(b"}]}") {
                    let mut part = [0; 4096];
                    let length = stream.read(&mut part).await.unwrap();
                    read.extend_from_slice(&part[..length]);
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer =
                    format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        scene.tell(&text("wamid.1", "hello")).await;
        crate::support::until(|| posts.load(Ordering::SeqCst) > 0).await;
        scene.until_empty(crate::support::PHONE_NUMBER_ID).await;
        assert_eq!(posts.load(Ordering::SeqCst), 1, "{lines:?}");
        answers.shutdown().await;
    }
}

#[tokio::test]
async fn a_client_that_is_away_gets_everything_in_order() {
    let scene = Scene::new().await;
    scene.sink.always(Take::Status(503));
    for index in 0..30 {
        let user = format!("1631555{:04}", index % 3);
        scene.tell(&text_from(&user, &format!("wamid.{index}"), &index.to_string())).await;
    }
    scene.sink.arrived(40).await;
    scene.sink.always(Take::Status(200));
    let got = bodies(&scene.sink.take(30).await);
    for user in 0..3 {
        let of_user: Vec<usize> =
            got.iter().map(|body| body.parse().unwrap()).filter(|index: &usize| index % 3 == user).collect();
        assert_eq!(of_user.len(), 10, "{got:?}");
        // With such short pauses it is likely to come back just when another one of the chat is tried.
        let without =
            |gone: usize| of_user.iter().enumerate().filter(move |(at, _)| *at != gone).map(|(_, id)| id);
        assert!((0..10).any(|gone| without(gone).is_sorted()), "{of_user:?}");
    }
}

#[tokio::test]
async fn one_that_is_never_taken_blocks_nobody() {
    let scene = Scene::new().await;
    scene
        .sink
        .rule(|body| Take::Status(if bodies(std::slice::from_ref(body)) == ["poison"] { 500 } else { 200 }));
    scene.tell(&text("wamid.0", "poison")).await;
    for index in 1..20 {
        scene.tell(&text(&format!("wamid.{index}"), &index.to_string())).await;
    }
    scene.tell(&text_from("4915112345678", "wamid.other", "other chat")).await;
    let got = bodies(&scene.sink.take(20).await);
    let same_chat: Vec<_> = got.iter().filter(|body| *body != "other chat").cloned().collect();
    assert_eq!(same_chat, (1..20).map(|index| index.to_string()).collect::<Vec<_>>());
    scene.sink.always(Take::Status(200));
    assert!(bodies(&scene.sink.take(21).await).contains(&"poison".to_owned()));
}

#[tokio::test]
async fn as_many_at_a_time_as_the_client_wants_and_one_of_each_chat() {
    let scene = Scene::new().await;
    scene.sink.always(Take::Hold);
    for index in 0..40 {
        let user = format!("1631555{index:04}");
        scene.tell(&text_from(&user, &format!("wamid.{index}"), "hello")).await;
        scene.tell(&text_from(&user, &format!("wamid.{index}b"), "again")).await;
    }
    scene.sink.arrived(6).await;
    assert_eq!(scene.sink.most_at_once(), 6);
    scene.set(&json!({"webhooks": {"max_concurrent_requests": "24"}})).await;
    let got = scene.sink.arrived(24).await;
    assert_eq!(scene.sink.most_at_once(), 24);
    assert!(got.iter().all(|got| got.body["messages"][0]["text"]["body"] == "hello"));
    scene.sink.always(Take::Status(200));
    scene.sink.release();
    scene.sink.take(80).await;
    assert_eq!(scene.sink.most_at_once(), 24);
}

#[tokio::test]
async fn a_new_url_is_used_at_once() {
    let scene = Scene::new().await;
    let dead = json!({"callback_backoff_delay_ms": 3_600_000, "max_callback_backoff_delay_ms": 3_600_000});
    scene.set(&dead).await;
    scene.sink.always(Take::Status(500));
    scene.tell(&text("wamid.1", "hello")).await;
    scene.sink.arrived(1).await;
    let next = Sink::start().await;
    scene.set(&json!({"webhooks": {"url": next.url()}})).await;
    assert_eq!(bodies(&next.take(1).await), ["hello"], "without waiting for the hour");
}

#[tokio::test]
async fn the_configured_url_is_used_until_the_client_sets_one() {
    let (configured, set) = (Sink::start().await, Sink::start().await);
    // Without [egress]: what the operator wrote is trusted.
    let number = super::scene::support().replacen(
        "hosts",
        &format!("callback_url = \"{}\"\nhosts", configured.url()),
        1,
    );
    let proxy = crate::support::Proxy::numbers("", &number).await;
    let webhook = proxy.app.addresses().webhook.unwrap();
    let tell = async |body: &Value| {
        let body = body.to_string();
        let signed = signature(SECRET, body.as_bytes());
        let headers = [("X-Hub-Signature-256", signed.as_str())];
        let reply = Client::connect(webhook).await.call("POST", PATH, &headers, body.as_bytes()).await;
        assert_eq!(reply.status, 200);
    };
    tell(&text("wamid.1", "first")).await;
    assert_eq!(bodies(&configured.take(1).await), ["first"]);
    let key = format!("Bearer {ADMIN_KEY}");
    let patch = json!({"webhooks": {"url": set.url()}}).to_string();
    let reply = proxy.call_as(&key, "PATCH", "/v1/settings/application", &patch).await;
    assert_eq!(reply.code(), 1009, "what a client names is judged");
    tell(&text("wamid.2", "second")).await;
    assert_eq!(bodies(&configured.take(2).await), ["first", "second"]);
}

#[tokio::test]
async fn a_client_with_a_certificate_of_its_own() {
    let scene = Scene::new().await;
    let (server, pem) = tls::server("127.0.0.1");
    let secure = Sink::tls(server).await;
    scene.set(&json!({"webhooks": {"url": secure.url()}})).await;
    scene.tell(&text("wamid.1", "hello")).await;
    let counter = "prembridge_callback_deliveries_total{number=\"support\",outcome=\"unreached\"}";
    while scene.metric(counter).await < 2.0 {
        tokio::task::yield_now().await;
    }
    assert!(secure.got().is_empty());
    let key = format!("Bearer {ADMIN_KEY}");
    let reply = scene.proxy.call_as(&key, "POST", "/v1/certificates/webhooks/ca", &pem).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(bodies(&secure.take(1).await), ["hello"]);
}

/// The client took it, but the answer is lost: it comes again, with the same id.
#[tokio::test]
async fn a_lost_answer_repeats_the_callback() {
    let scene = Scene::new().await;
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    scene.sink.rule(move |_| {
        if counted.fetch_add(1, Ordering::SeqCst) == 0 { Take::Break } else { Take::Status(200) }
    });
    scene.tell(&text("wamid.1", "hello")).await;
    scene.sink.take(1).await;
    let got = scene.sink.got();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].body, got[1].body);
}

#[tokio::test]
async fn other_numbers_do_not_wait() {
    let scene = Scene::new().await;
    scene.sink.always(Take::Hold);
    for index in 0..20 {
        scene.tell(&text_from(&format!("1631555{index:04}"), &format!("wamid.{index}"), "hello")).await;
    }
    let other = Sink::start().await;
    let patch = json!({"webhooks": {"url": other.url()}}).to_string();
    let headers = [("Authorization", "Bearer admin-key-0123456789-sales"), ("Host", "sales")];
    let mut client = scene.proxy.connect().await;
    assert_eq!(
        client.call("PATCH", "/v1/settings/application", &headers, patch.as_bytes()).await.status,
        200
    );
    let mut event = status_of("1", "wamid.1", "read");
    event["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = json!(super::scene::OTHER);
    let reply = scene.post_signed(super::scene::OTHER_SECRET, event.to_string().as_bytes()).await;
    assert_eq!(reply.status, 200);
    other.take(1).await;
    assert!(scene.sink.taken().is_empty());
    scene.sink.always(Take::Status(200));
    scene.sink.release();
    scene.sink.take(20).await;
}

/// A client has ten seconds to answer, and may take none of another callback's time with the rest of an answer.
#[tokio::test]
async fn a_client_that_does_not_answer_is_given_up_after_ten_seconds() {
    let sink = Sink::start().await;
    sink.always(Take::Hold);
    let settings = settings(Arc::new(Sqlite::memory().unwrap()), Some(&sink.url()));
    let rules = Rules { allow: Vec::new(), ports: Ports::Any, encrypted: false };
    let guard = Arc::new(Guard::new(rules, Vec::new(), Arc::new(SystemResolver::default())));
    let deadlines = Deadlines { connect: Duration::from_secs(60), tls: Duration::from_secs(60) };
    let line = Http::new(guard, None, deadlines).dial(&settings.now()).unwrap().unwrap();
    let first = line.deliver(bytes::Bytes::from_static(b"{}"));
    let (arrived, ()) = tokio::join!(first, async {
        sink.arrived(1).await;
        tokio::time::pause();
    });
    assert_eq!(arrived, Outcome::TimedOut);
    let begun = Instant::now();
    assert_eq!(line.deliver(bytes::Bytes::from_static(b"{}")).await, Outcome::TimedOut);
    let waited = begun.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_millis(10_100)).contains(&waited), "{waited:?}");
}
