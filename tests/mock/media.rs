//! Files in the mock Cloud API.

use std::io::ErrorKind;

use prembridge::mock::{Body, FilePart};

use super::*;

const UPLOAD: &str = "/v26.0/106540352242922/media";
const NUMBER: &str = "106540352242922";
const ATTACHMENT: &str = "is not a valid whatsapp business account media attachment ID";

/// An upload's body, with boundary `b`.
fn form(media_type: &str, content: &[u8]) -> Vec<u8> {
    let mut form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
         --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
         Content-Type: {media_type}\r\n\r\n"
    )
    .into_bytes();
    form.extend_from_slice(content);
    form.extend_from_slice(b"\r\n--b--\r\n");
    form
}

impl Client {
    async fn upload(&mut self, media_type: &str, content: &[u8]) -> std::io::Result<Reply> {
        let typed = "Bearer token\r\nContent-Type: multipart/form-data; boundary=b";
        self.call("POST", UPLOAD, typed, &form(media_type, content)).await
    }

    /// Uploads what has to be accepted, and gives its id.
    async fn id(&mut self, media_type: &str, content: &[u8]) -> String {
        let reply = self.upload(media_type, content).await.unwrap();
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    async fn ask(&mut self, method: &str, path: &str) -> Reply {
        self.call(method, path, "Bearer token", b"").await.unwrap()
    }

    /// The bytes behind the address in the description of a file.
    async fn download(&mut self, id: &str) -> std::io::Result<Reply> {
        let url = self.ask("GET", &format!("/v26.0/{id}")).await.json()["url"].as_str().unwrap().to_owned();
        self.call("GET", path_of(&url), "Bearer token", b"").await
    }
}

/// The path and the query of an address.
fn path_of(url: &str) -> &str {
    let rest = url.strip_prefix("http://").unwrap();
    &rest[rest.find('/').unwrap()..]
}

fn image(id: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": "+15551234567", "type": "image", "image": {"id": id}})
}

#[track_caller]
fn assert_no_object(reply: &Reply, verb: &str, id: &str) {
    let error = &reply.json()["error"];
    assert_eq!((reply.status, reply.code(), error["error_subcode"].as_u64()), (400, 100, Some(33)));
    let start = format!("Unsupported {verb} request. Object with ID '{id}' does not exist, ");
    assert!(error["message"].as_str().unwrap().starts_with(&start), "{error}");
}

#[tokio::test]
async fn an_upload_is_described_downloaded_and_deleted() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let id = client.id("text/plain", b"abc").await;
    assert!((15..=16).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");

    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let path = format!("/v26.0/{id}?phone_number_id={NUMBER}");
    let mut described = client.ask("GET", &path).await.json();
    let url = described["url"].take().as_str().unwrap().to_owned();
    assert!(url.starts_with(&format!("{}/_media/{id}?hash=", mock.base_url())), "{url}");
    assert_eq!(
        described,
        json!({"messaging_product": "whatsapp", "url": null, "mime_type": "text/plain",
               "sha256": sha256, "file_size": 3, "id": id})
    );
    let reply = client.ask("GET", path_of(&url)).await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"abc".as_slice()));
    assert_eq!(
        (reply.header("content-type"), reply.header("content-length")),
        (Some("text/plain"), Some("3"))
    );

    assert_no_object(&client.ask("DELETE", &format!("/v26.0/{id}?phone_number_id=1")).await, "delete", &id);
    assert_eq!(client.ask("DELETE", &path).await.json(), json!({"success": true}));
    assert_no_object(&client.ask("DELETE", &path).await, "delete", &id);
    assert_no_object(&client.ask("GET", &path).await, "get", &id);
    assert_eq!(client.ask("GET", path_of(&url)).await.status, 404);
}

#[tokio::test]
async fn files_belong_to_a_number_and_need_a_token() {
    let mock = start(Options { access_tokens: Some(vec!["token".into()]), ..Options::default() }).await;
    let mut client = Client::to(&mock).await;
    let id = client.id("image/png", b"abc").await;
    assert_no_object(&client.ask("GET", &format!("/v26.0/{id}?phone_number_id=1")).await, "get", &id);
    assert_no_object(&client.ask("DELETE", "/v26.0/1").await, "delete", "1");
    // What was never a file is a number.
    assert_eq!(client.ask("GET", &format!("/v26.0/{NUMBER}")).await.json()["id"], NUMBER);

    let url = client.ask("GET", &format!("/v26.0/{id}")).await.json()["url"].as_str().unwrap().to_owned();
    for (token, code) in [("", 104), ("Bearer bad", 190)] {
        for (method, path) in [("GET", path_of(&url)), ("DELETE", &format!("/v26.0/{id}")), ("POST", UPLOAD)]
        {
            let reply = client.call(method, path, token, b"").await.unwrap();
            assert_eq!((reply.status, reply.code()), (401, code), "{method} {path}");
        }
    }
    let unsigned = client.ask("GET", &format!("/_media/{id}?hash=0")).await;
    assert_eq!((unsigned.status, unsigned.code()), (404, 100));
    assert_eq!(client.ask("GET", "/_media/1").await.status, 404);
    assert_eq!(client.ask("GET", path_of(&url)).await.body, b"abc");
}

#[tokio::test]
async fn uploads_are_counted_and_recorded_without_their_bytes() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    client.id("image/png", b"abc").await;
    let reply = client.upload("image/gif", b"abc").await.unwrap();
    assert_eq!((reply.status, reply.code()), (400, 100));
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with(" Received file of type 'image/gif'."), "{message}");
    assert_eq!((mock.uploads(), mock.accepted(), mock.seen()), (1, 0, 2));

    let recorded = &mock.recorded()[0];
    let Body::Form { fields, .. } = &recorded.body else { panic!("{recorded:?}") };
    assert_eq!(fields["messaging_product"], "whatsapp");
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
    let file = FilePart { media_type: "image/png".into(), filename: Some("a.bin".into()), length: 3, sha256 };
    assert_eq!(recorded.body.file(), Some(&file));
    let shown = client.call("GET", "/_mock/requests", "", b"").await.unwrap().json();
    assert_eq!(shown["requests"][0]["body"]["form"]["file"]["length"], 3);
    assert_eq!(shown["requests"][1]["status"], 400);
    assert_eq!(shown["uploads"], 1);
    mock.clear();
    assert_eq!(mock.uploads(), 0);

    let nonsense = vec![b'x'; 100_000];
    client.call("POST", MESSAGES, "Bearer t", &nonsense).await.unwrap();
    let Body::Raw(kept) = &mock.recorded()[0].body else { panic!() };
    assert_eq!(kept.len(), 64 << 10);
}

#[tokio::test]
async fn large_files_come_back_whole() {
    let mock = start(Options { media_in_memory: 1000, ..Options::default() }).await;
    let mut client = Client::to(&mock).await;
    let content: Vec<u8> = (0..20_u32 << 20).map(|n| (n % 251) as u8).collect();
    let id = client.id("application/pdf", &content).await;
    let reply = client.download(&id).await.unwrap();
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/pdf")));
    assert!(reply.body == content);
    assert!(mock.recorded().iter().all(|recorded| recorded.answer.len() < 1000));
    // The connection goes on behind it.
    assert_eq!(client.ask("GET", &format!("/v26.0/{id}")).await.json()["file_size"], 20 << 20);
}

#[tokio::test]
async fn ids_depend_on_the_seed_and_never_come_twice() {
    let mut ids = Vec::new();
    for seed in [5, 5, 6] {
        let mock = start(Options { seed, ..Options::default() }).await;
        let mut client = Client::to(&mock).await;
        for _ in 0..2 {
            ids.push(client.id("image/png", b"abc").await);
        }
    }
    assert_eq!(ids[..2], ids[2..4]);
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[4]);
}

#[tokio::test]
async fn messages_may_name_only_files_that_are_there() {
    for check_media_ids in [false, true] {
        let mock = start(Options { check_media_ids, ..Options::default() }).await;
        let mut client = Client::to(&mock).await;
        let mine = client.id("image/png", b"abc").await;
        let gone = client.id("image/png", b"abc").await;
        let other = mock.add_media("1", "image/png", "abc");
        let received = mock.add_media(NUMBER, "image/png", "abc");
        assert!(mock.expire_media(&gone) && !mock.expire_media(&gone));
        for (id, is_valid) in [
            (mine.as_str(), true),
            (&received, true),
            (&gone, false),
            (&other, false),
            // Never given: only the option refuses it.
            ("1037543291543636", !check_media_ids),
        ] {
            let reply = client.post(&image(id)).await.unwrap();
            let refused = format!("(#100) Param image['id'] {ATTACHMENT}");
            if is_valid {
                assert_eq!(reply.status, 200, "{id}");
            } else {
                assert_eq!((reply.status, reply.code()), (400, 100), "{id}");
                assert_eq!(reply.json()["error"]["message"], refused);
                assert!(reply.json()["error"]["error_data"].is_null());
            }
        }
        let mut message = template();
        message["template"]["components"] =
            json!([{"type": "header", "parameters": [{"type": "image", "image": {"id": gone}}]}]);
        let reply = client.post(&message).await.unwrap();
        let path = "template['components'][0]['parameters'][0]['image']['id']";
        assert_eq!(reply.json()["error"]["message"], format!("(#100) Param {path} {ATTACHMENT}"));
        assert_eq!(mock.accepted(), if check_media_ids { 2 } else { 3 });
        assert_eq!((mock.uploads(), mock.clear(), mock.uploads()), (2, (), 0));
    }
}

#[tokio::test]
async fn rules_pick_calls_about_files() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let id = client.id("image/png", b"abc").await;
    for op in ["media-upload", "media-get", "media-download", "media-delete", "messages"] {
        mock.clear_faults();
        mock.fault(format!("http 500@{op}").parse().unwrap());
        mock.fault("http 502".parse().unwrap());
        let statuses = [
            ("media-upload", client.upload("image/png", b"abc").await.unwrap().status),
            ("media-get", client.ask("GET", &format!("/v26.0/{id}")).await.status),
            ("number", client.ask("GET", &format!("/v26.0/{NUMBER}")).await.status),
            ("messages", client.post(&text("+15551234567")).await.unwrap().status),
            ("media-delete", client.ask("DELETE", "/v26.0/1").await.status),
        ];
        let natural = |name| match name {
            "messages" => 502,
            "media-delete" => 400,
            _ => 200,
        };
        assert_eq!(statuses, statuses.map(|(name, _)| (name, if name == op { 500 } else { natural(name) })));
        mock.fault("http 200 empty@media-get".parse().unwrap());
    }
    mock.clear_faults();
    mock.fault("http 404 empty@media-download:once".parse().unwrap());
    assert_eq!(client.download(&id).await.unwrap().status, 404);
    assert_eq!(client.download(&id).await.unwrap().body, b"abc");
    mock.fault("http 500@any:once".parse().unwrap());
    assert_eq!(client.upload("image/png", b"abc").await.unwrap().status, 500);
}

#[tokio::test]
async fn what_a_rule_refuses_has_no_effect_and_what_got_lost_has() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let id = client.id("image/png", b"abc").await;
    for (line, uploads) in [
        ("131000@media-upload", 0),
        ("http 500@media-upload", 0),
        ("reset-before-read@media-upload", 0),
        ("reset-after-read@media-upload", 1),
        ("truncate@media-upload", 1),
    ] {
        mock.clear();
        mock.clear_faults();
        mock.fault(line.parse().unwrap());
        // Either an answer or an end.
        let _ = Client::to(&mock).await.upload("image/png", b"abc").await;
        assert_eq!((mock.uploads(), mock.seen()), (uploads, 1), "{line}");
    }
    mock.clear_faults();
    mock.fault("131000@media-delete:once".parse().unwrap());
    assert_eq!(client.ask("DELETE", &format!("/v26.0/{id}")).await.status, 500);
    assert_eq!(client.ask("GET", &format!("/v26.0/{id}")).await.status, 200);
    mock.fault("truncate@media-download:once".parse().unwrap());
    assert_eq!(client.download(&id).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);

    mock.fault("invalid-media-id:once".parse().unwrap());
    let mut client = Client::to(&mock).await;
    let reply = client.post(&image(&id)).await.unwrap();
    assert_eq!((reply.status, reply.code()), (400, 100));
    assert_eq!(reply.json()["error"]["message"], format!("(#100) Param image['id'] {ATTACHMENT}"));
    assert_eq!(client.post(&image(&id)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_shell_can_bring_a_file() {
    let mock = start(Options { media_in_memory: 2, ..Options::default() }).await;
    let mut client = Client::to(&mock).await;
    let typed = "none\r\nContent-Type: audio/ogg; codecs=opus";
    let path = "/_mock/media?phone_number_id=1";
    let id =
        client.call("POST", path, typed, b"abc").await.unwrap().json()["id"].as_str().unwrap().to_owned();
    let reply = client.download(&id).await.unwrap();
    assert_eq!(reply.header("content-type"), Some("audio/ogg; codecs=opus"));
    assert_eq!((reply.body.as_slice(), mock.uploads()), (b"abc".as_slice(), 0));
    assert_eq!(client.call("POST", path, "", b"abc").await.unwrap().status, 400);
    assert_eq!(client.call("POST", "/_mock/media", typed, b"abc").await.unwrap().status, 400);
}
