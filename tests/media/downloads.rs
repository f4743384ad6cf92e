//! `GET` and `DELETE /v1/media/{id}`: our ids, Cloud's ids, and what is no id.

use prembridge::mock::{Act, FaultRule, HttpAct, Matcher, Op, Times};
use serde_json::{Value, json};

use super::scene::*;
use crate::stub::Answer;
use crate::support::{ACCESS_TOKEN, PHONE_NUMBER_ID, Reply};

fn assert_absent(reply: &Reply) {
    assert_eq!((reply.status, reply.body.len()), (404, 0), "{reply:?}");
}

/// What a user sent.
fn inbound(scene: &Scene) -> String {
    scene.proxy.mock.add_media(PHONE_NUMBER_ID, "audio/ogg; codecs=opus", "voice")
}

#[tokio::test]
async fn a_file_that_a_user_sent_comes_in_one_step() {
    let scene = Scene::start().await;
    let id = inbound(&scene);
    let reply = scene.get(&id).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"voice".as_slice()));
    assert_eq!(reply.header("content-type"), Some("audio/ogg; codecs=opus"));
    assert_eq!(reply.header("content-length"), Some("5"));
    // Who opens it in a browser must not run what a user called a voice note.
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let asked = scene.proxy.mock.recorded();
    assert_eq!(asked[0].query.as_deref(), Some(&*format!("phone_number_id={PHONE_NUMBER_ID}")));
    assert!(asked.iter().all(|seen| seen.authorization == Some(format!("Bearer {ACCESS_TOKEN}"))));
    let reply = scene.delete(&id).await;
    let meta = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (200, meta));
    assert_absent(&scene.get(&id).await);
    let reply = scene.delete(&id).await;
    assert_eq!((reply.status, reply.code()), (404, 1006));
}

#[tokio::test]
async fn another_numbers_files_do_not_exist() {
    let scene = Scene::of_two_numbers("").await;
    let ours = scene.upload("image/png", PNG).await;
    assert_eq!(scene.send_as("support", &media("image", &json!({"id": ours}))).await.status, 201);
    let sent = scene.last_media_id();
    for id in [ours.clone(), inbound(&scene), sent] {
        let path = format!("/v1/media/{id}");
        assert_absent(&scene.call_as("sales", "GET", &path, "", b"").await);
        let reply = scene.call_as("sales", "DELETE", &path, "", b"").await;
        assert_eq!((reply.status, reply.code()), (404, 1006), "{id}");
        let reply = scene.send_as("sales", &media("image", &json!({"id": id}))).await;
        assert!(matches!((reply.status, reply.code()), (404, 1006) | (400, 1009)), "{id}: {reply:?}");
        assert_eq!(scene.get(&id).await.status, 200, "{id}: it is still there");
    }
    assert_eq!(scene.send_as("support", &media("image", &json!({"id": ours}))).await.status, 201);
    assert_eq!(scene.counts().u, 1);
}

#[tokio::test]
async fn unknown_ids_are_absent() {
    let scene = Scene::start().await;
    // The first is another object of Graph's, here a number; the second was a file once.
    let gone = inbound(&scene);
    assert!(scene.proxy.mock.expire_media(&gone));
    for id in ["1037543291543636", &gone, "f043afd0-f0ae-4b9c-ab3d-696fb4c8cd68", "abc", "-", "1e5"] {
        assert_absent(&scene.get(id).await);
        let reply = scene.delete(id).await;
        assert_eq!((reply.status, reply.code()), (404, 1006), "{id}");
    }
    let methods: Vec<_> = scene.proxy.mock.recorded().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["GET"; 4], "nothing is deleted that is no file");
    let reply = scene.send_image(&json!({"id": "f043afd0-f0ae-4b9c-ab3d-696fb4c8cd68"})).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (404, 1006), "{reply:?}");
    assert!(details.starts_with("image: ") && !details.contains("unknown contact"), "{details}");
}

#[tokio::test]
async fn s19_what_is_no_id_never_reaches_cloud() {
    let scene = Scene::start().await;
    let long = "7".repeat(300);
    for id in [
        "../123",
        "..%2f123",
        "%2e%2e",
        "%2e%2e%2f123",
        ".",
        "1%3fx=",
        "1%23",
        "1%00",
        "1%0d%0aX:%201",
        "%d9%a1%d9%a2",
        "%ef%bc%91",
        "1/2",
        "1%2f2",
        "%zz",
        "1%",
        &long,
        &"7".repeat(33),
    ] {
        for method in ["GET", "DELETE"] {
            let reply = scene.call_as("support", method, &format!("/v1/media/{id}"), "", b"").await;
            assert_eq!(reply.status, 404, "{method} {id}: {reply:?}");
            if !reply.body.is_empty() {
                assert_eq!(reply.code(), 1006, "{method} {id}");
            }
        }
    }
    for id in ["../123", "1?x=", "1\r\nX: 1", "\u{661}\u{662}", "\u{ff11}", " 1", "1 ", &"7".repeat(33)] {
        let reply = scene.send_image(&json!({"id": id})).await;
        assert_eq!((reply.status, reply.code()), (404, 1006), "{id:?}: {reply:?}");
    }
    let huge = format!("GET /v1/media/{} HTTP/1.1\r\nHost: h\r\n\r\n", "7".repeat(1_000_000));
    let reply = scene.proxy.raw(huge).await;
    assert!(matches!(reply.status, 414 | 431), "{reply:?}");
    assert_eq!(scene.proxy.mock.seen(), 0);
}

/// A scripted answer about the next file.
pub fn describes(scene: &Scene, body: &Value) {
    let act = HttpAct {
        status: 200,
        content_type: "application/json".to_owned(),
        body: body.to_string(),
        headers: std::collections::BTreeMap::new(),
    };
    let when = Matcher { op: Some(Op::MediaGet), ..Matcher::default() };
    scene.proxy.mock.fault(FaultRule::new(Act::Http(act)).when(when).times(Times::Next(1)));
}

/// The size is a string in Meta's documentation; it is needed when the place of the file gives no length.
#[tokio::test]
async fn the_size_may_be_a_string_or_a_number() {
    let scene = Scene::start().await;
    scene.provider.serve("/f", png().chunked());
    let url = scene.provider.url("/f?canary");
    let id = inbound(&scene);
    for size in [json!(PNG.len()), json!(PNG.len().to_string())] {
        describes(&scene, &json!({"url": url, "mime_type": "image/png", "file_size": size, "id": "1"}));
        let reply = scene.get(&id).await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, PNG), "{size}");
        assert_eq!(reply.header("content-type"), Some("image/png"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
    // The length of the bytes themselves is believed first; a type may come with them.
    scene.provider.serve("/f", png());
    describes(&scene, &json!({"url": url, "file_size": "1"}));
    let reply = scene.get(&id).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, PNG));
    assert_eq!(reply.header("content-type"), Some("image/png"));
    for body in
        [json!({}), json!({"url": 7}), json!([]), json!({"url": "file:///etc/passwd"}), json!({"url": ""})]
    {
        describes(&scene, &body);
        let reply = scene.get(&id).await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{body}: {reply:?}");
    }
    scene.provider.serve("/f", png().chunked());
    describes(&scene, &json!({"url": url}));
    let reply = scene.get(&id).await;
    assert_eq!((reply.status, reply.code()), (500, 1014), "no length at all: {reply:?}");
    assert!(!reply.text().contains("canary"));
}

/// Cloud's files lie elsewhere; the token goes there and no further, and never to a private place.
#[tokio::test]
async fn the_token_goes_where_cloud_said() {
    let scene = Scene::start().await;
    let other = crate::stub::Provider::start().await;
    other.serve("/g", png());
    scene.provider.serve("/f", Answer::new(302).header("Location", &other.url("/g")));
    let id = inbound(&scene);
    describes(&scene, &json!({"url": scene.provider.url("/f"), "mime_type": "image/png"}));
    assert_eq!(scene.get(&id).await.body, PNG);
    let token =
        |provider: &crate::stub::Provider| provider.seen().requests[0].headers.get("authorization").cloned();
    assert_eq!((token(&scene.provider), token(&other)), (Some(format!("Bearer {ACCESS_TOKEN}")), None));

    let scene = Scene::with("", "[egress]\n").await;
    let id = inbound(&scene);
    describes(&scene, &json!({"url": scene.provider.url("/f"), "mime_type": "image/png"}));
    let reply = scene.get(&id).await;
    assert!(reply.status >= 500, "{reply:?}");
    assert_eq!(scene.provider.seen().connections, 0);
}

#[tokio::test]
async fn an_address_that_went_stale_is_asked_for_again() {
    let scene = Scene::start().await;
    let id = inbound(&scene);
    scene.fault("http 404 empty@media-download:once");
    assert_eq!(scene.get(&id).await.body, b"voice");
    assert_eq!(scene.proxy.mock.seen(), 4);
    scene.fault("http 404 empty@media-download");
    assert_absent(&scene.get(&id).await);
    assert_eq!(scene.proxy.mock.seen(), 8);
}

/// The promised length and the bytes that came of a file, until the connection ended.
async fn cut_short(scene: &Scene, id: &str) -> (usize, usize) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let key = format!("Bearer {}", crate::support::KEY);
    let path = format!("/v1/media/{id}");
    let request = crate::support::request("GET", &path, &[("Authorization", &key)], b"");
    let mut stream = tokio::net::TcpStream::connect(scene.proxy.api).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    // It may end in a reset.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return (usize::MAX, 0);
    };
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    (length.parse().unwrap(), body.len())
}

#[tokio::test]
async fn a_part_of_a_file_does_not_look_whole() {
    let scene = Scene::start().await;
    let id = inbound(&scene);
    scene.fault("truncate@media-download:once");
    let (length, came) = cut_short(&scene, &id).await;
    assert!(came < length, "{came} of {length}");
    // A long one, of which much has gone out already.
    let long = scene.proxy.mock.add_media(PHONE_NUMBER_ID, "video/mp4", vec![b'v'; 1 << 20]);
    scene.fault("truncate@media-download:once");
    let (length, came) = cut_short(&scene, &long).await;
    assert_eq!(length, 1 << 20);
    assert!(came < length, "{came}");
    // Fewer bytes than were described, and more.
    scene.provider.serve("/f", Answer::ok("0123456789").chunked());
    for size in [9, 11] {
        describes(&scene, &json!({"url": scene.provider.url("/f"), "file_size": size}));
        let (length, came) = cut_short(&scene, &id).await;
        assert!(came < length, "{came} of {length}");
    }
}

#[tokio::test]
async fn errors_of_cloud_are_told_in_dialect() {
    let scene = Scene::start().await;
    let id = inbound(&scene);
    for (rule, status, code) in [
        ("190/401", 500, 1014),
        ("http 403", 500, 1014),
        ("131000", 500, 1000),
        ("http 500", 503, 1016),
        ("http 503 retry-after 7", 503, 1016),
        ("130429/429", 429, 1015),
        ("100", 400, 1009),
        ("reset-before-read", 503, 1016),
        ("http 200 garbage", 500, 1014),
    ] {
        for (method, op) in [("GET", "media-get"), ("DELETE", "media-delete")] {
            if (method, rule) == ("DELETE", "http 200 garbage") {
                continue;
            }
            scene.proxy.mock.clear_faults();
            scene.fault(&format!("{rule}@{op}"));
            let reply = scene.call_as("support", method, &format!("/v1/media/{id}"), "", b"").await;
            assert_eq!((reply.status, reply.code()), (status, code), "{method} {rule}: {reply:?}");
        }
    }
    scene.proxy.mock.clear_faults();
    // Of the place of its bytes, which Graph has named.
    for (rule, status, code) in [
        ("http 500", 503, 1016),
        ("http 429", 503, 1016),
        ("http 403", 500, 1014),
        ("reset-before-read", 503, 1016),
    ] {
        scene.proxy.mock.clear_faults();
        scene.fault(&format!("{rule}@media-download"));
        let reply = scene.get(&id).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{rule}: {reply:?}");
    }
    scene.proxy.mock.clear_faults();
    assert_eq!(scene.get(&id).await.body, b"voice");
}
