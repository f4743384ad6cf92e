//! The real binary: killed between an upload and its message, and what its log and metrics tell of files.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use prembridge::mock::{MockCloud, Options};
use serde_json::{Value, json};

use super::scene::{PNG, fresh, id_of, image, media, png};
use crate::stub::{Answer, Provider, closed_port};
use crate::support::process::{Server, command};
use crate::support::{ADMIN_KEY, Client, KEY, PHONE_NUMBER_ID, Reply, config, number, request, until};
use crate::temp::TempDir;

struct Setup {
    folder: TempDir,
    mock: MockCloud,
    provider: Provider,
}

impl Setup {
    async fn new() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mock = MockCloud::start(address, Options::default()).await.unwrap();
        Self { folder: TempDir::new(), mock, provider: Provider::start().await }
    }

    fn config(&self, sections: &str) -> PathBuf {
        let sections = format!(
            "{sections}\n[egress]\nallow = [\"127.0.0.1\"]\n[shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"20s\"\n"
        );
        let text = config(&self.mock.base_url(), &sections, &number("support", PHONE_NUMBER_ID, ""));
        let store = format!("sqlite:{}", self.folder.join("prembridge.db").display());
        let path = self.folder.join("prembridge.toml");
        std::fs::write(&path, text.replace("memory:", &store)).unwrap();
        path
    }
}

async fn call(server: &Server, method: &str, path: &str, body: &[u8]) -> Reply {
    let key = format!("Bearer {}", if path.contains("settings") { ADMIN_KEY } else { KEY });
    Client::connect(server.api).await.call(method, path, &[("Authorization", &key)], body).await
}

async fn send(server: &Server, message: &Value) -> Reply {
    call(server, "POST", "/v1/messages", message.to_string().as_bytes()).await
}

/// The runtime of a test has one thread, which must not block while the mock is needed.
async fn end(server: Server) -> (Option<i32>, String) {
    tokio::task::spawn_blocking(move || server.wait()).await.unwrap()
}

#[tokio::test]
async fn case_41_a_kill_after_the_upload_uploads_nothing_twice() {
    let setup = Setup::new().await;
    setup.provider.serve("/a.png", fresh());
    let config = setup.config("");
    let server = Server::start(&config);
    let uploaded = call(&server, "POST", "/v1/media", b"%PDF-1.7").await;
    let document = media("document", &json!({"id": id_of(&uploaded)}));
    assert_eq!(send(&server, &document).await.status, 201);
    setup.mock.fault("stall@messages".parse().unwrap());
    let mut waits = Client::connect(server.api).await;
    let message = image(&setup.provider.url("/a.png"));
    let key = format!("Bearer {KEY}");
    let headers = [("Authorization", key.as_str())];
    waits.write(request("POST", "/v1/messages", &headers, message.to_string().as_bytes())).await;
    // Cloud has the file and the message; its answer never comes.
    until(|| setup.mock.accepted() == 2).await;
    assert_eq!(setup.mock.uploads(), 2);
    server.signal("KILL");
    assert_eq!(end(server).await.0, None);
    assert!(waits.is_closed().await);

    setup.mock.clear_faults();
    let server = Server::start(&config);
    assert_eq!(setup.mock.accepted(), 2, "nothing is sent again by itself");
    for message in [&message, &document] {
        assert_eq!(send(&server, message).await.status, 201);
    }
    assert_eq!((setup.provider.gets(), setup.mock.uploads(), setup.mock.accepted()), (1, 2, 4));
    let ids: Vec<_> =
        setup.mock.accepted_messages().iter().map(|message| message.body["image"]["id"].clone()).collect();
    assert_eq!(ids[1], ids[2]);
}

/// Killed while the file is on its way to Cloud: one more upload at the most.
#[tokio::test]
async fn case_41_a_kill_during_the_upload_costs_one_more() {
    let setup = Setup::new().await;
    setup.provider.serve("/a.png", fresh());
    let config = setup.config("");
    let server = Server::start(&config);
    setup.mock.fault("stall@media-upload:once".parse().unwrap());
    let mut waits = Client::connect(server.api).await;
    let message = image(&setup.provider.url("/a.png"));
    let key = format!("Bearer {KEY}");
    waits
        .write(request("POST", "/v1/messages", &[("Authorization", &key)], message.to_string().as_bytes()))
        .await;
    until(|| setup.mock.uploads() == 1).await;
    server.signal("KILL");
    assert_eq!(end(server).await.0, None);
    let server = Server::start(&config);
    assert_eq!(send(&server, &message).await.status, 201);
    assert_eq!((setup.provider.gets(), setup.mock.uploads(), setup.mock.accepted()), (2, 2, 1));
    let files = std::fs::read_dir(setup.folder.join("prembridge.db-media")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, [".prembridge"], "nothing is left of what passed through");
}

/// Sends files in every way that works, and says what Cloud took.
async fn successes(setup: &Setup, server: &Server) -> Vec<Reply> {
    let link = setup.provider.url("/canary-path/a.png?token=canary-query");
    let object = json!({"link": link, "provider": {"name": "cdn"}, "caption": "canary-caption"});
    let tagged = || png().header("ETag", "\"canary-tag\"");
    setup.provider.serve("/canary-path/a.png", tagged().header("Cache-Control", "max-age=3600"));
    let no_cache = tagged().header("Cache-Control", "no-cache").revalidating([]);
    setup.provider.serve("/no-cache", no_cache);
    setup.provider.serve("/private", png().header("Cache-Control", "private"));
    let uploaded = call(server, "POST", "/v1/media", &[PNG, b"canary-bytes"].concat()).await;
    let mut replies = Vec::new();
    for message in [
        media("image", &object),
        media("image", &object),
        image(&setup.provider.url("/no-cache?canary-query")),
        image(&setup.provider.url("/no-cache?canary-query")),
        media("image", &json!({"id": id_of(&uploaded)})),
        image(&setup.provider.url("/private?canary-query")),
    ] {
        replies.push(send(server, &message).await);
    }
    assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
    replies
}

/// Every sort of failure.
async fn failures(setup: &Setup, server: &Server) -> Vec<Reply> {
    let mut replies = Vec::new();
    for answer in [
        Answer::new(401),
        Answer::ok("<html>").content_type("text/html"),
        Answer::new(302).header("Location", "http://10.0.0.1/canary-location?canary-query"),
        Answer::new(302).header("Location", "http://canary-user:canary-word@127.0.0.1/"),
        png().declare_length(1000),
    ] {
        setup.provider.serve("/bad", answer);
        let link = setup.provider.url("/bad?canary-query");
        replies.push(send(server, &media("image", &json!({"link": link, "provider": "cdn"}))).await);
    }
    for link in ["http://10.0.0.1/canary-path?canary-query", "http://canary-user:canary-word@127.0.0.1/"] {
        replies.push(send(server, &image(link)).await);
    }
    setup.mock.fault("131000@media-upload".parse().unwrap());
    setup.provider.serve("/new", Answer::ok([PNG, b"new"].concat()).content_type("image/png"));
    replies.push(send(server, &image(&setup.provider.url("/new?canary-query"))).await);
    assert!(replies.iter().all(|reply| reply.status >= 400), "{replies:?}");
    replies
}

/// Each request's log line and the metrics say what happened to its files; neither says where they came from.
#[tokio::test]
async fn the_log_and_the_metrics_tell_what_happened_and_no_secret() {
    let setup = Setup::new().await;
    let server = Server::start(&setup.config("[log]\nlevel = \"trace\"\n"));
    let providers = "/v1/settings/application/media/providers";
    let cdn = json!([{"name": "cdn", "type": "www", "config": {"bearer": "canary-bearer"}}]);
    assert_eq!(call(&server, "POST", providers, cdn.to_string().as_bytes()).await.status, 200);
    let mut replies = successes(&setup, &server).await;
    replies.extend(failures(&setup, &server).await);
    let metrics = Client::connect(server.admin).await.call("GET", "/metrics", &[], b"").await.text();
    server.signal("TERM");
    let (code, log) = end(server).await;
    assert_eq!(code, Some(0));
    for sample in [
        r#"media_cache_events_total{level="source",result="miss",reason="first"} 3"#,
        r#"media_cache_events_total{level="source",result="hit",reason="fresh"} 1"#,
        r#"media_cache_events_total{level="source",result="revalidated",reason="not_modified"} 1"#,
        r#"media_cache_events_total{level="source",result="hit",reason="uploaded_here"} 1"#,
        r#"media_cache_events_total{level="upload",result="hit",reason="known"} 2"#,
        r#"media_not_remembered_total{reason="private"} 1"#,
        "egress_denied_total 2",
    ] {
        assert!(metrics.contains(&format!("prembridge_{sample}\n")), "{sample}:\n{metrics}");
    }
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let told: Vec<_> = lines.iter().filter_map(media_of).collect();
    for wanted in [
        "miss:first upload:uploaded",
        "hit:fresh upload:known",
        "miss:first upload:same_bytes",
        "revalidated:not_modified upload:known",
        "miss:first upload:uploaded forgotten:private",
    ] {
        assert!(told.contains(&wanted), "{wanted}: {told:?}");
    }
    // Whether the message or the background uploads a kept file is left to chance.
    assert!(told.iter().any(|line| line.starts_with("hit:uploaded_here upload:")), "{told:?}");
    for secret in ["canary", PHONE_NUMBER_ID, crate::support::TO] {
        assert!(!metrics.contains(secret), "{secret}:\n{metrics}");
        assert!(!log.contains(secret), "{secret}:\n{log}");
        for reply in replies.iter().filter(|reply| reply.status >= 400) {
            assert!(!reply.text().contains(secret), "{secret} in {reply:?}");
        }
    }
}

/// What a log line says of files, flat or among fields.
fn media_of(line: &Value) -> Option<&str> {
    line.get("media").or_else(|| line.get("fields")?.get("media"))?.as_str()
}

/// What the operator's shell says about proxies is not about us: nothing may come between us and Cloud unasked.
#[tokio::test]
async fn no_proxy_is_taken_from_the_environment() {
    let setup = Setup::new().await;
    setup.provider.serve("/a.png", fresh());
    let (_closed, nowhere) = closed_port();
    let mut serve = command(&["serve", "-c", setup.config("").to_str().unwrap()]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        serve.env(name, format!("http://{nowhere}"));
    }
    let server = Server::of(serve);
    assert_eq!(send(&server, &image(&setup.provider.url("/a.png"))).await.status, 201);
    let uploaded = call(&server, "POST", "/v1/media", b"%PDF-1.7").await;
    assert_eq!(send(&server, &media("document", &json!({"id": id_of(&uploaded)}))).await.status, 201);
    assert_eq!(setup.mock.uploads(), 2);
}
