//! The real binary on a disk that fills up: what is delivered goes at once, and nothing has to be started anew.

use std::collections::HashMap;

use serde_json::json;

use super::scene::{EGRESS, PATH, SECRET, bodies, signature, support, text_from};
use crate::stub::{Sink, Take};
use crate::support::disk::Disk;
use crate::support::process::Server;
use crate::support::{ADMIN_KEY, Client, config};

/// The length of most texts: a disk should be full soon.
const WORDS: usize = 6000;

struct Setup {
    disk: Disk,
    sink: Sink,
}

impl Setup {
    async fn new(size: &str) -> Option<Self> {
        let disk = Disk::new(size);
        if disk.is_none() {
            let why = "this system lets nobody mount a disk of his own (unshare, nsenter)";
            assert!(std::env::var_os("CI").is_none(), "{why}");
            println!("skipped: {why}");
        }
        Some(Self { disk: disk?, sink: Sink::start().await })
    }

    async fn start(&self) -> Server {
        let sections = format!(
            "{EGRESS}[shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"20s\"\n[log]\nrequests = false\n"
        );
        let text = config("http://127.0.0.1:1", &sections, &support());
        let store = format!("sqlite:{}", self.disk.path().join("prembridge.db").display());
        let folder = crate::temp::TempDir::new();
        let path = folder.join("prembridge.toml");
        std::fs::write(&path, text.replace("memory:", &store)).unwrap();
        let wrapped =
            self.disk.wrap(&crate::support::process::command(&["serve", "-c", path.to_str().unwrap()]));
        tokio::task::spawn_blocking(move || Server::of(wrapped)).await.unwrap()
    }

    /// Says where callbacks go, which the store has to keep.
    async fn aim(&self, server: &Server) {
        let patch = json!({
            "callback_backoff_delay_ms": 1, "max_callback_backoff_delay_ms": 5,
            "webhooks": {"url": self.sink.url(), "max_concurrent_requests": 24},
        });
        let key = format!("Bearer {ADMIN_KEY}");
        let headers = [("Authorization", key.as_str())];
        let patch = patch.to_string();
        let mut client = Client::connect(server.api).await;
        let reply = client.call("PATCH", "/v1/settings/application", &headers, patch.as_bytes()).await;
        assert_eq!(reply.status, 200);
    }

    /// Posts webhooks until one is refused, and says how many were not.
    async fn fill(&self, server: &Server, chat: usize) -> usize {
        let words = "x".repeat(WORDS);
        for count in 0..10_000 {
            let id = format!("{chat}-{count}");
            let status =
                tell(server, &format!("1631555{:04}", count % 100), &id, &format!("{id} {words}")).await;
            if status != 200 {
                assert_eq!(status, 503);
                return count;
            }
        }
        panic!("the disk is not full");
    }

    async fn stop(server: Server) {
        server.signal("TERM");
        let (code, log) = tokio::task::spawn_blocking(move || server.wait()).await.unwrap();
        assert_eq!(code, Some(0), "{log}");
    }

    /// Takes callbacks again, and waits until there are so many.
    async fn take(&self, count: usize) {
        self.sink.always(Take::Status(200));
        self.sink.release();
        self.sink.take(count).await;
    }

    /// How often each text came that was taken.
    fn taken(&self) -> HashMap<String, usize> {
        let mut times = HashMap::new();
        for text in bodies(&self.sink.taken()) {
            *times.entry(text.split(' ').next().unwrap().to_owned()).or_default() += 1;
        }
        times
    }
}

async fn tell(server: &Server, user: &str, id: &str, words: &str) -> u16 {
    let body = text_from(user, &format!("wamid.{id}"), words).to_string();
    let signed = signature(SECRET, body.as_bytes());
    let headers = [("X-Hub-Signature-256", signed.as_str())];
    Client::connect(server.webhook.unwrap()).await.call("POST", PATH, &headers, body.as_bytes()).await.status
}

/// Its client was away until the disk was full, or took each callback at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_was_emptied_has_room_again_and_nothing_comes_twice() {
    // One that has no room for the usual log and its reserve, and a larger one.
    for (size, is_away) in [("1m", true), ("8m", true), ("1m", false)] {
        let Some(setup) = Setup::new(size).await else { return };
        let server = setup.start().await;
        setup.aim(&server).await;
        let mut told = 0;
        for round in 1..=2 {
            setup.sink.always(if is_away { Take::Hold } else { Take::Status(200) });
            told += if is_away { setup.fill(&server, round).await } else { steadily(&server, round).await };
            setup.take(told).await;
        }
        assert!(told > 10, "{size}: {told}");
        // The first one after that is taken, as soon as the last one is out.
        let id = format!("last-{size}");
        let mut status = tell(&server, "1", &id, &id).await;
        for _ in 0..100 {
            if status == 200 {
                break;
            }
            status = tell(&server, "1", &id, &id).await;
        }
        assert_eq!(status, 200, "{size}");
        setup.take(told + 1).await;
        Setup::stop(server).await;

        let server = setup.start().await;
        assert_eq!(tell(&server, "1", "again", "again").await, 200);
        setup.take(told + 2).await;
        Setup::stop(server).await;
        let repeated: Vec<_> = setup.taken().into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(repeated.is_empty(), "{size}: {repeated:?}");
    }
}

/// Posts far more than the disk could hold.
async fn steadily(server: &Server, round: usize) -> usize {
    const MANY: usize = 200;
    let words = "x".repeat(WORDS);
    for count in 0..MANY {
        let id = format!("{round}-{count}");
        let mut status = 0;
        // A moment's queue may be too long for this disk.
        for _ in 0..100 {
            status = tell(server, &format!("1631555{count:04}"), &id, &format!("{id} {words}")).await;
            if status == 200 {
                break;
            }
        }
        assert_eq!(status, 200, "{id}");
    }
    MANY
}

/// Somebody else has filled it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_delivered_on_a_full_disk_and_room_is_noticed() {
    let Some(setup) = Setup::new("6m").await else { return };
    setup.sink.always(Take::Hold);
    let server = setup.start().await;
    setup.aim(&server).await;
    for count in 0..40 {
        assert_eq!(
            tell(&server, "1", &count.to_string(), &format!("{count} {}", "x".repeat(WORDS))).await,
            200
        );
    }
    let filler = setup.disk.path().join("filler");
    setup.disk.shell(&format!("cat /dev/zero > '{}' 2>/dev/null; true", filler.display()));
    let more = setup.fill(&server, 1).await;
    setup.take(40 + more).await;
    setup.disk.shell(&format!("rm '{}'", filler.display()));
    assert_eq!(tell(&server, "1", "after", &format!("after {}", "x".repeat(100_000))).await, 200);
    setup.take(41 + more).await;
    Setup::stop(server).await;
    let server = setup.start().await;
    assert_eq!(tell(&server, "1", "again", "again").await, 200);
    setup.take(42 + more).await;
    Setup::stop(server).await;
    assert!(setup.taken().values().all(|times| *times == 1), "{:?}", setup.taken());
}
