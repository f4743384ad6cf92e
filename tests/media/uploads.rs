//! `POST /v1/media`: which bodies become files, and what is left of those that do not.

use serde_json::json;

use super::scene::*;
use crate::stub::Answer;
use crate::support::{Client, KEY, request, until};

const MIB: usize = 1 << 20;

/// A `[limits]` of one MiB.
async fn limited() -> Scene {
    Scene::with("", "[limits]\nmax_media = \"1MiB\"\n").await
}

fn head(headers: &str) -> String {
    format!("POST /v1/media HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {KEY}\r\n{headers}\r\n")
}

/// In chunks of uneven sizes.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut bytes = head("Transfer-Encoding: chunked\r\nContent-Type: image/png\r\n").into_bytes();
    for chunk in body.chunks(77_777) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
        bytes.extend(chunk);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

#[tokio::test]
async fn any_body_is_a_file_whatever_its_type() {
    let scene = Scene::start().await;
    for (n, (declared, body, kept)) in [
        ("image/png", PNG, "image/png"),
        ("IMAGE/JPG", PNG, "image/jpeg"),
        // Its bytes prove another kind of file.
        ("application/msword", PNG, "image/png"),
        ("image/*", PNG, "image/png"),
        ("", PNG, "image/png"),
        // As `curl --data-binary` sends it.
        ("application/x-www-form-urlencoded", PNG, "image/png"),
        ("application/octet-stream", b"%PDF-1.7", "application/pdf"),
        ("application/octet-stream", b"?", "application/octet-stream"),
        ("audio/ogg; codecs=opus", b"?", "audio/ogg; codecs=opus"),
        ("audio/ogg; rate=16000; CODECS=opus", b"?", "audio/ogg; CODECS=opus"),
        ("audio/ogg; rate=16000", b"?", "audio/ogg"),
        ("audio/mp4; codecs=mp4a.40.2", b"?", "audio/mp4"),
        ("text/plain; charset=utf-8", b"?", "text/plain"),
        ("application/zip", b"?", "application/zip"),
        ("application/json", b"{}", "application/json"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = [body, format!(" {n}").as_bytes()].concat();
        let reply = scene.call_as("support", "POST", "/v1/media", declared, &body).await;
        assert_eq!((reply.status, reply.header("content-type")), (201, Some("application/json")));
        let answer = reply.json();
        let meta = json!({"api_status": "stable", "version": "v2.45.1"});
        let id = id_of(&reply);
        assert_eq!(answer, json!({"media": [{"id": id}], "meta": meta}));
        assert!(id.len() == 36 && id.contains('-'), "{id}");
        let reply = scene.get(&id).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some(kept)), "{declared}");
        assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
        assert!(reply.body == body);
    }
    assert!(scene.files().iter().all(|name| name.len() == 64), "{:?}", scene.files());
}

/// A form, as Cloud's own endpoint wants it: its first file, under its own type and name.
#[tokio::test]
async fn a_form_is_unpacked() {
    let scene = limited().await;
    let part = |head: &str, content: &[u8]| {
        [format!("--b7\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(), content, b"\r\n"]
            .concat()
    };
    let product = part("name=\"messaging_product\"", b"whatsapp");
    let end = b"--b7--\r\n".to_vec();
    let large = [image_bytes("large"), vec![7; MIB - PNG.len() - 5]].concat();
    let form = "multipart/form-data; boundary=b7";
    for (n, (head, content, kept)) in [
        ("name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png", PNG, "image/png"),
        ("name=\"upload\"; filename=\"a\"\r\nContent-Type: application/octet-stream", PNG, "image/png"),
        ("name=\"upload\"; filename=\"R\u{e9}sum\u{e9}.PDF\"", b"?", "application/pdf"),
        ("name=\"file\"", PNG, "image/png"),
        ("name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png", &large, "image/png"),
    ]
    .into_iter()
    .enumerate()
    {
        let second = part("name=\"second\"; filename=\"b.txt\"", format!("{n}").as_bytes());
        let body = [product.clone(), part(head, content), second, end.clone()].concat();
        let reply = scene.call_as("support", "POST", "/v1/media", form, &body).await;
        assert_eq!(reply.status, 201, "{head}: {reply:?}");
        let reply = scene.get(&id_of(&reply)).await;
        assert_eq!(reply.header("content-type"), Some(kept), "{head}");
        assert!(reply.body == content, "{head}");
    }
    let before = scene.files().len();
    let file = |content: &[u8]| part("name=\"file\"; filename=\"a.png\"", content);
    for (content_type, body, status, code) in [
        (form, [product.clone(), end.clone()].concat(), 400, 1008),
        (form, [file(b""), end.clone()].concat(), 400, 1009),
        (form, file(PNG), 400, 1025),
        (form, PNG.to_vec(), 400, 1025),
        (form, Vec::new(), 400, 1025),
        ("multipart/form-data", [file(PNG), end.clone()].concat(), 400, 1025),
        (form, [file(&[large.as_slice(), b"x"].concat()), end.clone()].concat(), 413, 1025),
        (form, [file(b"x"), part("name=\"y\"", &vec![7; MIB + (65 << 10)]), end].concat(), 413, 1025),
    ] {
        let reply = scene.call_as("support", "POST", "/v1/media", content_type, &body).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{content_type} {}", body.len());
    }
    until(|| scene.files().len() == before).await;
}

#[tokio::test]
async fn the_name_of_the_document_tells_what_the_upload_did_not() {
    let scene = Scene::start().await;
    let id = scene.upload("application/octet-stream", b"?").await;
    for (filename, status) in [(None, 400), (Some("a.zip"), 400), (Some("a.xlsx"), 201), (Some("a.pdf"), 201)]
    {
        let mut object = json!({"id": id});
        if let Some(filename) = filename {
            object["filename"] = filename.into();
        }
        let reply = scene.proxy.send(&media("document", &object)).await;
        assert_eq!(reply.status, status, "{filename:?}: {reply:?}");
        if status == 400 {
            let (code, _, details) = reply.error();
            assert_eq!(code, 1009);
            assert!(details.starts_with("document: the uploaded file cannot be sent"), "{details}");
        }
    }
    // Two types of the same bytes are two files for Cloud.
    assert_eq!(scene.counts(), counts(0, 0, 2, 2));
    for (declared, status) in [("application/zip", 201), ("text/html", 400), ("application/json", 400)] {
        let id = scene.upload(declared, b"? of another").await;
        let reply = scene.proxy.send(&media("document", &json!({"id": id, "filename": "a.pdf"}))).await;
        assert_eq!(reply.status, status, "a page is no file, whatever its name: {declared} {reply:?}");
    }
    let reply = scene.send_image(&json!({"id": id})).await;
    assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
}

#[tokio::test]
async fn the_limit_is_exact_with_and_without_a_length() {
    let scene = limited().await;
    let body = vec![7; MIB + 1];
    for (length, status) in [(MIB - 1, 201), (MIB, 201), (MIB + 1, 413)] {
        let reply = scene.call_as("support", "POST", "/v1/media", "video/mp4", &body[..length]).await;
        assert_eq!(reply.status, status, "{length}: {reply:?}");
        let mut client = scene.proxy.connect().await;
        client.write_all(chunked(&body[..length])).await;
        let reply = client.reply().await;
        assert_eq!(reply.status, status, "{length}: {reply:?}");
        if status == 413 {
            let (code, _, details) = reply.error();
            assert_eq!((code, reply.header("connection")), (1025, Some("close")));
            assert!(details.contains("1048576"), "{details}");
            assert!(client.ends_well().await);
        } else {
            assert!(scene.get(&id_of(&reply)).await.body == body[..length]);
        }
    }
    assert_eq!(scene.files().len(), 2, "{:?}", scene.files());
}

#[tokio::test]
async fn expect_is_answered_before_the_body_is_sent() {
    let scene = limited().await;
    let mut client = scene.proxy.connect().await;
    client.write(head("Expect: 100-continue\r\nContent-Length: 1048577\r\n")).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code()), (413, 1025), "{reply:?}");
    let mut client = scene.proxy.connect().await;
    let wrong = head("Expect: 100-continue\r\nContent-Length: 3\r\n").replace(KEY, "wrong");
    client.write(wrong).await;
    assert_eq!(client.reply().await.status, 401);
    let mut client = scene.proxy.connect().await;
    client.write(head("Expect: 100-continue\r\nContent-Length: 3\r\n")).await;
    assert_eq!(client.head().await.status, 100);
    client.write("abc").await;
    let reply = client.reply().await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(scene.get(&id_of(&reply)).await.body, b"abc");
}

#[tokio::test]
async fn an_empty_body_is_no_file() {
    let scene = Scene::start().await;
    for bytes in [head("Content-Length: 0\r\n").into_bytes(), head("").into_bytes(), chunked(b"")] {
        let mut client = scene.proxy.connect().await;
        client.write(bytes).await;
        let reply = client.reply().await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (400, 1009), "{reply:?}");
        assert!(details.contains("empty"), "{details}");
        // The connection goes on.
        let key = format!("Bearer {KEY}");
        client.write(request("POST", "/v1/media", &[("Authorization", &key)], b"abc")).await;
        assert_eq!(client.reply().await.status, 201);
    }
    assert_eq!(scene.files().len(), 1);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let scene = Scene::start().await;
    let part = vec![7; 300 << 10];
    let in_chunks = chunked(&part);
    let cut = &in_chunks[..in_chunks.len() - 5];
    let with_length = [head("Content-Length: 500000\r\n").as_bytes(), &part].concat();
    for bytes in [with_length.as_slice(), cut] {
        let mut client = scene.proxy.connect().await;
        client.write_all(bytes).await;
        // It is on its way to the disk.
        until(|| scene.files().len() == 1).await;
        assert!(scene.files()[0].starts_with(".prembridge-partial-"));
        drop(client);
        until(|| scene.files().is_empty()).await;
    }
    // One that ends politely gets an answer.
    let mut client = scene.proxy.connect().await;
    client.write_all(&with_length).await;
    client.finish().await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code()), (400, 1025), "{reply:?}");
    until(|| scene.files().is_empty()).await;
    assert_eq!(scene.counts(), counts(0, 0, 0, 0));
}

#[tokio::test]
async fn a_garbled_chunk_is_no_end() {
    let scene = Scene::start().await;
    let mut client = scene.proxy.connect().await;
    client.write(head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\nzz\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code()), (400, 1025), "{reply:?}");
    until(|| scene.files().is_empty()).await;
}

#[tokio::test]
async fn who_may_not_upload_uploads_nothing() {
    let scene = Scene::start().await;
    for key in ["", "wrong"] {
        let headers = [("Authorization", format!("Bearer {key}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let reply = Client::connect(scene.proxy.api).await.call("POST", "/v1/media", &headers, PNG).await;
        assert_eq!((reply.status, reply.code()), (401, 1005));
    }
    let reply = scene.call_as("support", "PUT", "/v1/media", "image/png", PNG).await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")));
    assert!(scene.files().is_empty());
}

#[tokio::test]
async fn clients_that_insist_get_a_200() {
    let scene = Scene::with("", "[compat]\ncreated_status = 200\n").await;
    let reply = scene.call_as("support", "POST", "/v1/media", "image/png", PNG).await;
    assert_eq!(reply.status, 200);
    let reply = scene.send_image(&json!({"id": id_of(&reply)})).await;
    assert_eq!(reply.status, 200);
}

/// The upload to Cloud begins at once, so that the first message need not wait.
#[tokio::test]
async fn cloud_has_the_file_before_the_first_message() {
    let scene = Scene::start().await;
    let id = scene.upload("image/png", PNG).await;
    until(|| scene.proxy.mock.uploads() == 1).await;
    let first = scene.sent_image(&json!({"id": id})).await;
    assert_eq!(scene.counts(), counts(0, 0, 1, 1));
    // A link to the same bytes finds them too.
    scene.serve(png());
    assert_eq!(scene.sent().await, first);
    assert_eq!(scene.counts(), counts(1, 0, 1, 2));
    // What Cloud would refuse it is not offered.
    scene.upload("application/zip", b"?").await;
    assert_eq!(scene.counts().u, 1);
}

#[tokio::test]
async fn the_same_bytes_twice_are_two_ids_and_one_file() {
    let scene = Scene::start().await;
    let one = scene.upload("image/png", PNG).await;
    let two = scene.upload("image/png", PNG).await;
    assert_ne!(one, two);
    assert_eq!(scene.files().len(), 1);
    let id = scene.sent_image(&json!({"id": one})).await;
    assert_eq!(scene.sent_image(&json!({"id": two})).await, id);
    assert_eq!(scene.counts(), counts(0, 0, 1, 2));
    assert_eq!(scene.delete(&one).await.status, 200);
    assert_eq!(scene.get(&one).await.status, 404);
    assert_eq!(scene.send_image(&json!({"id": one})).await.status, 404);
    assert_eq!(scene.get(&two).await.body, PNG);
    assert_eq!(scene.sent_image(&json!({"id": two})).await, id);
    assert_eq!(scene.delete(&two).await.status, 200);
    assert!(scene.files().is_empty());
    let reply = scene.delete(&two).await;
    assert_eq!((reply.status, reply.code()), (404, 1006));
}

/// A restart, days in which Cloud still has the file, and days in which it has not.
#[tokio::test]
async fn an_id_outlives_the_process_and_clouds_copy() {
    let scene = Scene::stored("").await;
    let id = scene.upload("image/png", PNG).await;
    let object = json!({"id": id});
    let first = scene.sent_image(&object).await;
    let scene = scene.restart().await;
    assert_eq!(scene.sent_image(&object).await, first);
    scene.advance(29 * DAY - 1);
    assert_eq!(scene.sent_image(&object).await, first);
    assert_eq!(scene.counts(), counts(0, 0, 1, 3));
    assert!(scene.proxy.mock.expire_media(&first));
    scene.advance(2 * DAY);
    assert_ne!(scene.sent_image(&object).await, first);
    assert_eq!(scene.counts(), counts(0, 0, 2, 4));
    assert_eq!(scene.get(&id).await.body, PNG);
}

/// An upload that ended with the process before Cloud had the file.
#[tokio::test]
async fn an_id_that_cloud_never_got_is_uploaded_by_its_message() {
    let scene = Scene::stored("").await;
    scene.fault("http 500@media-upload");
    let id = scene.upload("image/png", PNG).await;
    let scene = scene.restart().await;
    scene.proxy.mock.clear_faults();
    scene.sent_image(&json!({"id": id})).await;
    assert_eq!((scene.counts().s, scene.proxy.mock.uploads()), (1, 1));
}

/// Nobody documents that Cloud takes chunks, so the length of every upload is known before it begins.
#[tokio::test]
async fn uploads_to_cloud_have_a_length() {
    let scene = Scene::start().await;
    for (n, size) in [1, 300 << 10].into_iter().enumerate() {
        let path = format!("/{n}.png");
        let bytes = [PNG, &vec![7; size]].concat();
        scene.provider.serve(&path, Answer::ok(bytes).content_type("image/png").chunked());
        scene.sent_image(&json!({"link": scene.provider.url(&path)})).await;
        let id = scene.upload("image/png", &[PNG, &vec![8; size]].concat()).await;
        scene.sent_image(&json!({"id": id})).await;
    }
    let uploads = scene.uploads();
    assert_eq!(uploads.len(), 4);
    for upload in uploads {
        let length: u64 = upload.headers["content-length"].parse().unwrap();
        let file = upload.body.file().unwrap().length;
        assert!((file + 400..file + 600).contains(&length), "{length} for {file}");
        assert!(!upload.headers.contains_key("transfer-encoding"));
        assert_eq!(upload.headers["user-agent"], concat!("prembridge/", env!("CARGO_PKG_VERSION")));
    }
}
