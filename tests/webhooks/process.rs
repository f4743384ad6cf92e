//! The real binary, killed at any moment: nothing that was acknowledged is lost.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::scene::{EGRESS, PATH, SECRET, bodies, signature, support, text_from};
use crate::stub::{Sink, Take};
use crate::support::process::Server;
use crate::support::{ADMIN_KEY, Client, config, until};
use crate::temp::TempDir;

struct Setup {
    folder: TempDir,
    sink: Sink,
}

impl Setup {
    async fn new() -> Self {
        Self { folder: TempDir::new(), sink: Sink::start().await }
    }

    fn config(&self) -> PathBuf {
        let sections = format!(
            "{EGRESS}[shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"20s\"\n[log]\nrequests = false\n"
        );
        let text = config("http://127.0.0.1:1", &sections, &support());
        let store = format!("sqlite:{}", self.folder.join("prembridge.db").display());
        let path = self.folder.join("prembridge.toml");
        std::fs::write(&path, text.replace("memory:", &store)).unwrap();
        path
    }

    async fn start(&self) -> Server {
        let config = self.config();
        let server = tokio::task::spawn_blocking(move || Server::start(&config)).await.unwrap();
        let patch = json!({
            "callback_backoff_delay_ms": 1, "max_callback_backoff_delay_ms": 5,
            "webhooks": {"url": self.sink.url(), "max_concurrent_requests": 24},
        });
        let key = format!("Bearer {ADMIN_KEY}");
        let headers = [("Authorization", key.as_str())];
        let reply = Client::connect(server.api)
            .await
            .call("PATCH", "/v1/settings/application", &headers, patch.to_string().as_bytes())
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        server
    }
}

/// Posts until the server goes; gives what was acknowledged.
async fn flood(address: std::net::SocketAddr, worker: usize, next: Arc<AtomicUsize>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok(stream) = tokio::net::TcpStream::connect(address).await else { return acknowledged };
    let mut client = Client::over(stream);
    loop {
        let id = format!("{worker}-{}", next.fetch_add(1, Ordering::SeqCst));
        let body = text_from(&format!("1631555{worker:04}"), &format!("wamid.{id}"), &id).to_string();
        let signed = signature(SECRET, body.as_bytes());
        client
            .write(crate::support::request(
                "POST",
                PATH,
                &[("X-Hub-Signature-256", &signed)],
                body.as_bytes(),
            ))
            .await;
        let Some(status) = client.try_status().await else { return acknowledged };
        assert_eq!(status, 200);
        acknowledged.push(id);
    }
}

async fn kill(server: Server) {
    server.signal("KILL");
    tokio::task::spawn_blocking(move || server.wait()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_under_a_flood_lose_nothing_and_repeat_what_was_in_flight() {
    const KILLS: usize = 6;
    let setup = Setup::new().await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut acknowledged: HashSet<String> = HashSet::new();
    for round in 1..=KILLS {
        let server = setup.start().await;
        let address = server.webhook.unwrap();
        let mut floods = JoinSet::new();
        for worker in 0..8 {
            floods.spawn(flood(address, worker, Arc::clone(&next)));
        }
        // In the middle of deliveries, at a moment that nothing else decides.
        let enough = setup.sink.got().len() + 40 * round;
        setup.sink.arrived(enough).await;
        kill(server).await;
        for flood in floods.join_all().await {
            acknowledged.extend(flood);
        }
    }
    let server = setup.start().await;
    let all_there = |got: &[crate::stub::Got]| {
        let there: HashSet<_> = got.iter().flat_map(|got| bodies(std::slice::from_ref(&got.body))).collect();
        acknowledged.is_subset(&there)
    };
    let got = setup.sink.until(all_there).await;
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let mut times: HashMap<String, usize> = HashMap::new();
    for got in &got {
        *times.entry(bodies(std::slice::from_ref(&got.body)).remove(0)).or_default() += 1;
    }
    let repeated: usize = times.values().map(|times| times - 1).sum();
    assert!(repeated <= KILLS * 24, "{repeated} repeated by {KILLS} kills");
    // Of each chat in order, but for what was repeated.
    for worker in 0..8 {
        let mut seen = HashSet::new();
        let order: Vec<usize> = got
            .iter()
            .flat_map(|got| bodies(std::slice::from_ref(&got.body)))
            .filter(|id| id.starts_with(&format!("{worker}-")) && seen.insert(id.clone()))
            .map(|id| id.split_once('-').unwrap().1.parse().unwrap())
            .collect();
        assert!(order.is_sorted(), "{order:?}");
    }
    kill(server).await;
}

#[tokio::test]
async fn a_restart_delivers_what_was_left_in_order() {
    let setup = Setup::new().await;
    setup.sink.always(Take::Status(500));
    let server = setup.start().await;
    let tell = async |server: &Server, id: usize| {
        let body = text_from("16315551234", &format!("wamid.{id}"), &id.to_string()).to_string();
        let signed = signature(SECRET, body.as_bytes());
        let headers = [("X-Hub-Signature-256", signed.as_str())];
        let mut client = Client::connect(server.webhook.unwrap()).await;
        assert_eq!(client.call("POST", PATH, &headers, body.as_bytes()).await.status, 200);
    };
    for id in 0..20 {
        tell(&server, id).await;
    }
    kill(server).await;
    setup.sink.always(Take::Status(200));
    let server = setup.start().await;
    // A repetition of what is queued, or was delivered, is none.
    tell(&server, 3).await;
    tell(&server, 20).await;
    let got: Vec<Value> = setup.sink.take(21).await;
    assert_eq!(bodies(&got), (0..21).map(|id| id.to_string()).collect::<Vec<_>>());
    kill(server).await;
}

/// SIGTERM: what is on its way is finished, and not repeated by the next start.
#[tokio::test]
async fn a_stop_finishes_what_is_on_its_way() {
    let setup = Setup::new().await;
    setup.sink.always(Take::Hold);
    let server = setup.start().await;
    let body = text_from("16315551234", "wamid.1", "hello").to_string();
    let signed = signature(SECRET, body.as_bytes());
    let headers = [("X-Hub-Signature-256", signed.as_str())];
    let mut client = Client::connect(server.webhook.unwrap()).await;
    assert_eq!(client.call("POST", PATH, &headers, body.as_bytes()).await.status, 200);
    setup.sink.arrived(1).await;
    server.signal("TERM");
    let address = server.api;
    let closed = std::net::TcpStream::connect;
    until(|| closed(address).is_err()).await;
    setup.sink.release();
    let (code, log) = tokio::task::spawn_blocking(move || server.wait()).await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("canary"), "{log}");
    let server = setup.start().await;
    setup.sink.always(Take::Status(200));
    let body = text_from("16315551234", "wamid.2", "again").to_string();
    let signed = signature(SECRET, body.as_bytes());
    let headers = [("X-Hub-Signature-256", signed.as_str())];
    let mut client = Client::connect(server.webhook.unwrap()).await;
    assert_eq!(client.call("POST", PATH, &headers, body.as_bytes()).await.status, 200);
    assert_eq!(bodies(&setup.sink.take(2).await), ["hello", "again"]);
    assert_eq!(setup.sink.got().len(), 2);
    kill(server).await;
}

/// A client that waits in vain for a callback is explained by the log: Cloud, or a mock, has repeated an event.
#[tokio::test]
async fn the_log_tells_what_is_new_in_a_webhook() {
    let setup = Setup::new().await;
    let path = setup.config();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("requests = false", "requests = true\nformat = \"json\"")).unwrap();
    let server = tokio::task::spawn_blocking(move || Server::start(&path)).await.unwrap();
    let body = text_from("16315551234", "wamid.1", "hello").to_string();
    let signature = signature(SECRET, body.as_bytes());
    for _ in 0..2 {
        let headers = [("X-Hub-Signature-256", signature.as_str())];
        let mut client = Client::connect(server.webhook.unwrap()).await;
        assert_eq!(client.call("POST", PATH, &headers, body.as_bytes()).await.status, 200);
    }
    server.signal("TERM");
    let (code, log) = tokio::task::spawn_blocking(move || server.wait()).await.unwrap();
    assert_eq!(code, Some(0), "{log}");
    let told: Vec<_> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line.to_string().contains(PATH))
        .map(|line| (line.pointer("/queued").cloned(), line.pointer("/repeated").cloned()))
        .collect();
    assert_eq!(told, [(Some(json!(1)), Some(json!(0))), (Some(json!(0)), Some(json!(1)))], "{log}");
}
