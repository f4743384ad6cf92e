//! What a provider can do wrong: the client reads which host did what, nothing is sent, uploaded, remembered or
//! left in the folder, and no credential shows.

use serde_json::{Value, json};

use super::scene::*;
use crate::stub::{Answer, End, closed_port};
use crate::support::Reply;

const MIB: u64 = 1 << 20;

/// Sends links that hold a secret, through a provider that has one.
async fn scene(media: &str) -> Scene {
    let scene = Scene::with(media, "").await;
    scene.set_provider("cdn", &json!({"bearer": "canary-bearer"})).await;
    scene
}

fn object(link: &str) -> Value {
    json!({"link": format!("{link}?token=canary-query"), "provider": {"name": "cdn"}})
}

/// The form of what a provider did, and that it had no effect.
fn check(scene: &Scene, reply: &Reply, words: &str) {
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (500, 1014), "{words}: {reply:?}");
    assert!(details.contains(words) && details.contains("127.0.0.1:"), "{words}: {details}");
    assert!(!reply.text().contains("canary"), "{details}");
    assert_eq!((scene.counts().u, scene.counts().s), (0, 0), "{words}");
    assert!(scene.files().is_empty(), "{words}");
}

/// A file of this kind twice, which has to fail both times and to be asked for both times.
async fn check_both(scene: &Scene, kind: &str, answer: &Answer, words: &str) {
    let before = scene.counts();
    for _ in 0..2 {
        scene.serve(answer.clone());
        let message = media(kind, &object(&scene.provider.url("/a.png")));
        let reply = scene.proxy.send(&message).await;
        check(scene, &reply, words);
        assert!(reply.error().2.starts_with(&format!("{kind}: ")), "{reply:?}");
    }
    assert_eq!(scene.counts() - before, counts(2, 0, 0, 0), "{words}");
}

/// A file under another status than 200.
fn with_status(status: u16) -> Answer {
    let mut answer = png();
    answer.status = status;
    answer
}

fn long(length: u64) -> Answer {
    Answer::zeros(length).content_type("image/png")
}

#[tokio::test]
async fn case_45_47_48_49_answers_that_are_no_files() {
    for profile in ["documented", "rfc"] {
        let scene = scene(&format!("cache_profile = \"{profile}\"\n")).await;
        let hour = |answer: Answer| answer.header("Cache-Control", "max-age=3600").header("ETag", "\"a\"");
        for status in [401, 403, 404, 410, 429, 500, 503, 418] {
            let answer = hour(with_status(status)).header("Retry-After", "1");
            check_both(&scene, "image", &answer, &format!("HTTP {status}")).await;
        }
        for (answer, words) in [
            (with_status(206).header("Content-Range", "bytes 0-15/16"), "HTTP 206"),
            (with_status(203), "HTTP 203"),
            (Answer::new(204), "HTTP 204"),
            (Answer::ok("").content_type("image/png"), "it is empty"),
            (Answer::ok("").content_type("image/png").chunked(), "it is empty"),
            (Answer::ok("").content_type("image/png").until_close(), "it is empty"),
            (png().header("Content-Encoding", "gzip"), "Content-Encoding"),
            (png().header("Content-Encoding", "aws-chunked,gzip"), "Content-Encoding"),
            (
                png().header("Content-Encoding", "identity").header("content-encoding", "br"),
                "Content-Encoding",
            ),
            (long(1000).truncate_after(400), "broke off"),
            (long(1000).chunked().truncate_after(400), "broke off"),
            (png().declare_length(1000), "broke off"),
            (long(300 << 10).truncate_after(200 << 10), "broke off"),
            (Answer::ok("<html>").content_type("text/html; charset=utf-8"), "text/html"),
            (Answer::ok("%PDF-1.7").content_type("application/pdf"), "application/pdf"),
        ] {
            check_both(&scene, "image", &hour(answer), words).await;
        }
    }
}

/// RFC 9112 section 5.2: folded lines are read, and so are blanks before a colon; what has two readings is not.
#[tokio::test]
async fn heads_of_old_servers_are_read() {
    let scene = Scene::start().await;
    for (n, (name, value)) in [
        ("Content-Security-Policy", "default-src 'self';\r\n img-src *"),
        ("Content-Security-Policy", "\r\n\t\tdefault-src 'self';\r\n\t\timg-src *"),
        ("Cache-Control ", "max-age=60"),
        ("X-Empty", "\r\n "),
        ("Cache-Control", "max-age=60,\r\n public"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{n}.png");
        let bytes = image_bytes(&path);
        scene.provider.serve(
            &path,
            Answer::ok(bytes).no_content_type().header(name, value).header("Content-Type", "image/png"),
        );
        for _ in 0..2 {
            scene.sent_image(&json!({"link": scene.provider.url(&path)})).await;
        }
        let gets = if name.starts_with("Cache-Control") { 1 } else { 2 };
        let seen = scene.provider.seen().requests;
        assert_eq!(seen.iter().filter(|request| request.path == path).count(), gets, "{name}: {value:?}");
    }
    let before = scene.counts();
    for (name, value) in
        [("Content-Length", "1\r\n 6"), ("Transfer-Encoding", "chun\r\n ked\r\nContent-Length: 3")]
    {
        scene.serve(png().header(name, value));
        let reply = scene.send().await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{name}: {reply:?}");
    }
    assert_eq!((scene.counts() - before).u, 0);
}

/// A `Content-Encoding` that names no coding says nothing of the bytes.
#[tokio::test]
async fn words_that_are_no_codings_are_passed_over() {
    let scene = Scene::start().await;
    for (n, word) in
        ["aws-chunked", "UTF-8", "identity", "", "aws-chunked,", "binary"].into_iter().enumerate()
    {
        let bytes = image_bytes(word);
        scene.serve(Answer::ok(bytes.clone()).content_type("image/png").header("Content-Encoding", word));
        scene.sent().await;
        assert_eq!(scene.uploads().len(), n + 1, "{word}");
        assert_eq!(scene.uploads()[n].body.file().unwrap().length, bytes.len() as u64, "{word}");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_or_hangs_up() {
    let scene = scene("").await;
    let (_closed, address) = closed_port();
    let reply = scene.send_image(&object(&format!("http://{address}/a.png"))).await;
    check(&scene, &reply, "cannot be reached");
    // It accepts and says nothing HTTP knows.
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = format!("http://{}/a.png", door.local_addr().unwrap());
    for garbage in
        [&b""[..], b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"]
    {
        let object = object(&link);
        let answer = async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let (mut stream, _) = door.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(garbage).await.unwrap();
        };
        let (reply, ()) = tokio::join!(scene.send_image(&object), answer);
        check(&scene, &reply, "connection failed");
    }
}

#[tokio::test]
async fn a_slow_provider_is_left() {
    let scene = scene("fetch_timeout = \"300ms\"\n").await;
    scene.serve(png());
    scene.provider.hold();
    let reply = scene.send_image(&object(&scene.provider.url("/a.png"))).await;
    check(&scene, &reply, " in time");
    scene.provider.release();
    scene.serve(long(1000).stall_after(400));
    let reply = scene.send_image(&object(&scene.provider.url("/a.png"))).await;
    check(&scene, &reply, " in time");
    scene.serve(long(300 << 10).chunked().stall_after(200 << 10));
    let reply = scene.send_image(&object(&scene.provider.url("/a.png"))).await;
    check(&scene, &reply, " in time");
    scene.provider.until(|seen| seen.requests.iter().skip(1).all(|request| request.end == End::Left)).await;
}

#[tokio::test]
async fn case_43_a_length_above_the_limit_is_refused_unread() {
    let scene = scene("").await;
    for (kind, media_type, most) in [
        ("image", "image/png", 5 * MIB),
        ("audio", "audio/mpeg", 16 * MIB),
        ("video", "video/mp4", 16 * MIB),
        ("document", "application/pdf", 100 * MIB),
        ("sticker", "image/webp", 500 << 10),
    ] {
        // It has not sent a byte of the body, and never would.
        let answer = Answer::zeros(most + 1).content_type(media_type).stall_after(0);
        check_both(&scene, kind, &answer, " may have ").await;
    }
    let seen = scene.provider.seen();
    assert!(seen.requests.iter().all(|request| request.bytes_written == 0));
    scene.provider.until(|seen| seen.requests.iter().all(|request| request.end == End::Left)).await;
}

#[tokio::test]
async fn case_44_a_file_without_a_length_is_cut_at_the_limit() {
    let scene = scene("").await;
    for (kind, media_type, most, length) in
        [("image", "image/png", 5 * MIB, 40 * MIB), ("document", "application/pdf", 100 * MIB, 200 * MIB)]
    {
        scene.serve(Answer::zeros(length).content_type(media_type).chunked());
        let reply = scene.proxy.send(&media(kind, &object(&scene.provider.url("/a.png")))).await;
        check(&scene, &reply, " may have ");
        let at = scene.provider.seen().requests.len() - 1;
        scene.provider.until(|seen| seen.requests[at].end == End::Left).await;
        let written = scene.provider.seen().requests[at].bytes_written;
        // What is in the buffers of two sockets was not read.
        assert!((most..most + 20 * MIB).contains(&written), "{kind}: {written}");
    }
}

/// More bytes than were declared are no part of the file, and not the answer to the next request either.
#[tokio::test]
async fn what_follows_a_file_is_nobodys_answer() {
    let scene = Scene::start().await;
    let mut bytes = image_bytes("first");
    let length = bytes.len() as u64;
    let forged = image_bytes("forged");
    bytes.extend(
        format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n", forged.len())
            .bytes(),
    );
    bytes.extend(&forged);
    scene.serve(Answer::ok(bytes).content_type("image/png").declare_length(length));
    scene.provider.serve("/b.png", Answer::ok(image_bytes("second")).content_type("image/png"));
    scene.sent().await;
    scene.sent_image(&json!({"link": scene.provider.url("/b.png")})).await;
    let lengths: Vec<_> = scene.uploads().iter().map(|upload| upload.body.file().unwrap().length).collect();
    assert_eq!(lengths, [length, image_bytes("second").len() as u64]);
    assert_eq!(scene.counts(), counts(2, 0, 2, 2));
}

/// Nothing of a failure is remembered: as soon as the provider is well, the message goes out.
#[tokio::test]
async fn a_provider_that_recovers_is_asked_again() {
    let scene = Scene::start().await;
    scene.serve(fresh().header("ETag", "\"a\"").revalidating([]));
    scene.sent().await;
    scene.advance(3600);
    for broken in [Answer::new(500), long(1000).truncate_after(1), Answer::new(404)] {
        scene.provider.script("/a.png", [broken]);
        let reply = scene.send().await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "what is stale is not used: {reply:?}");
    }
    scene.sent().await;
    assert_eq!(scene.counts(), counts(1, 4, 1, 2));
}
