//! What an event costs the store when many have come before it.
//!
//! The keys of eight days are put into the log, from where the store moves them as it would have all along. Then new events
//! and repetitions are queued, in turn with a store that is empty.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use prembridge::store::{Batch, CallbackStore, EventKey, NewCallback, Sqlite};
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// For how long keys are kept.
const SECONDS: u64 = 8 * 86_400;
/// Keys in a row of the log.
const ROW: u64 = 10_000;
/// Webhooks that share a commit, each with one event.
const TOGETHER: u64 = 50;

/// What one measurement gives: for an event of each kind.
struct Cost {
    new: Duration,
    again: Duration,
}

/// `count` events have come before; `events` of each kind are measured in a round.
pub async fn measure(count: u64, events: u64, rounds: usize) {
    let folder = tempfile::Builder::new().prefix("dedupe-").tempdir().unwrap();
    let (full, empty) = (folder.path().join("full.db"), folder.path().join("empty.db"));
    drop(Sqlite::open(&full).unwrap());
    fill(&full, count);
    let before = resident();
    let started = Instant::now();
    let store = Sqlite::open(&full).unwrap();
    println!("\n{count} events before; moved from the log in {:.1?}", started.elapsed());
    drop(store);
    let started = Instant::now();
    let store = Sqlite::open(&full).unwrap();
    let opened = started.elapsed();
    println!("opened in {opened:.1?}");
    let sizes = (fs::metadata(&full).unwrap().len() >> 20, resident().saturating_sub(before) >> 10);
    println!("{} MiB of file, as large as it ever was; {} MiB of memory more", sizes.0, sizes.1);
    let beside = Sqlite::open(&empty).unwrap();
    let mut costs = [Vec::new(), Vec::new()];
    let mut next = count;
    for _ in 0..rounds {
        for (store, costs) in [&beside, &store].into_iter().zip(&mut costs) {
            let new = queue(store, next, events, 1, true).await;
            let again = queue(store, next, events, 1, false).await;
            costs.push(Cost { new, again });
        }
        next += events;
    }
    let old = queue(&store, 0, events, count / events, false).await;
    println!("| store | new event | repetition of one of the last |\n|---|---|---|");
    for (name, costs) in ["empty", "full"].iter().zip(&costs) {
        let times = |of: fn(&Cost) -> Duration| {
            super::spread(costs.iter().map(|cost| of(cost).as_secs_f64() * 1e6), 2)
        };
        println!("| {name} | {} µs | {} µs |", times(|cost| cost.new), times(|cost| cost.again));
    }
    println!("repetition of any event: {:.1} µs", old.as_secs_f64() * 1e6);
    drop((store, beside));
    drop::<TempDir>(folder);
}

fn fill(path: &Path, count: u64) {
    let mut connection = Connection::open(path).unwrap();
    let tx = connection.transaction().unwrap();
    for row in 0..count.div_ceil(ROW) {
        let numbers = row * ROW..((row + 1) * ROW).min(count);
        let at = numbers.start * SECONDS / count;
        let keys: Vec<u8> = numbers.flat_map(key).collect();
        let mut insert = tx.prepare_cached("INSERT INTO seen_log (at, keys) VALUES (?1, ?2)").unwrap();
        insert.execute(rusqlite::params![i64::try_from(at).unwrap(), keys]).unwrap();
    }
    tx.commit().unwrap();
}

fn key(number: u64) -> EventKey {
    let digest = Sha256::digest(number.to_be_bytes());
    *digest.first_chunk().unwrap()
}

/// Queues events and takes them out again; gives the processor time of queueing, for each.
async fn queue(store: &Sqlite, from: u64, events: u64, step: u64, is_new: bool) -> Duration {
    let at = i64::try_from(SECONDS).unwrap();
    let mut spent = Duration::ZERO;
    for first in (0..events).step_by(TOGETHER as usize) {
        let webhook = |n: u64| {
            let callback = NewCallback {
                number: "support".to_owned(),
                chat: "16315551234".to_owned(),
                key: Some(key(from + n * step)),
                wanted: None,
                body: vec![b' '; 400].into(),
            };
            Batch { at, callbacks: vec![callback], users: Vec::new() }
        };
        let webhooks: Vec<_> = (first..first + TOGETHER).map(webhook).collect();
        let before = processor_time();
        let open = hold(store);
        let all = join_all(webhooks.into_iter().map(|webhook| store.queue_callbacks(webhook)));
        // They are polled before it is dropped, and so share a commit.
        let (queued, ()) = tokio::join!(biased; all, async { drop(open) });
        spent += processor_time() - before;
        let places: Vec<i64> = queued.into_iter().flat_map(|places| places.unwrap()).flatten().collect();
        assert_eq!(places.len(), if is_new { TOGETHER as usize } else { 0 });
        store.delete_callbacks(places).await.unwrap();
    }
    spent.div_f64(events as f64)
}

/// Keeps the store's thread busy until the sender is dropped.
fn hold(store: &Sqlite) -> Sender<()> {
    let ((open, opened), (begun, begins)) = (channel(), channel());
    let held = move |_| {
        begun.send(()).unwrap();
        let _ = opened.recv();
    };
    store.queue(Arc::default(), Box::new(held));
    begins.recv().unwrap();
    open
}

/// Of all threads of this process.
fn processor_time() -> Duration {
    let nanoseconds = |task: fs::DirEntry| -> Option<u64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    Duration::from_nanos(tasks.filter_map(|task| nanoseconds(task.ok()?)).sum())
}

/// KiB of memory of this process.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
