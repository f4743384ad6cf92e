//! What only the engine's inside can provoke: a full disk and a foreign lock.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use rusqlite::Connection;

use super::dedupe::Change;
use super::{Error, Sqlite, Store, User};
use crate::store::{Batch, CallbackStore, NewCallback, Queued};

#[tokio::test]
async fn a_full_disk_is_an_error_and_the_thread_survives() {
    let store = Sqlite::memory().unwrap();
    store.writer.submit(|tx| Ok(tx.pragma_update(None, "max_page_count", 1)?)).await.unwrap();
    let full = store.secret("big", vec![1; 100_000]).await;
    assert!(matches!(full, Err(Error::Full)), "{full:?}");
    store.writer.submit(|tx| Ok(tx.pragma_update(None, "max_page_count", 10_000)?)).await.unwrap();
    assert_eq!(
        store.secret("big", vec![2; 100_000]).await.unwrap(),
        vec![2; 100_000],
        "nothing was half written"
    );
}

#[tokio::test]
async fn a_foreign_lock_is_an_error_and_the_thread_survives() {
    let (_folder, path) = temp_file();
    let store = Sqlite::open(&path).unwrap();
    // The timeout belongs to the connection, so the next transaction does not wait.
    store.writer.submit(|tx| Ok(tx.busy_timeout(std::time::Duration::ZERO)?)).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(store.create_user(user()).await, Err(Error::Locked)));
    assert!(matches!(store.ping().await, Err(Error::Locked)));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.create_user(user()).await.unwrap());
    store.ping().await.unwrap();
}

#[tokio::test]
async fn dropping_the_store_drains_what_was_accepted() {
    let (_folder, path) = temp_file();
    let store = Sqlite::open(&path).unwrap();
    let (gate, wait) = std::sync::mpsc::channel::<()>();
    let mut jobs: Vec<_> = vec![store.writer.submit(move |_| {
        wait.recv().unwrap();
        Ok(true)
    })];
    for n in 0..20 {
        jobs.push(store.create_user(User { name: format!("user{n}"), ..user() }));
    }
    // One poll hands each job over; the futures are then dropped unanswered.
    let mut context = Context::from_waker(Waker::noop());
    for job in &mut jobs {
        assert!(job.as_mut().poll(&mut context).is_pending());
    }
    drop(jobs);
    gate.send(()).unwrap();
    drop(store);
    let users = Sqlite::open(&path).unwrap().identities().await.unwrap().users;
    assert_eq!(users.len(), 20);
}

#[tokio::test]
async fn a_failed_job_leaves_nothing_behind() {
    let store = Sqlite::memory().unwrap();
    let failed: Result<(), Error> = store
        .writer
        .submit(|tx| {
            tx.execute("INSERT INTO secrets (name, value) VALUES ('half', x'00')", [])?;
            Err(Error::Engine("on purpose".to_owned()))
        })
        .await;
    assert!(failed.is_err());
    assert_eq!(store.secret("half", vec![7]).await.unwrap(), vec![7]);
}

/// Holds the thread until the sender is used or dropped, so that what is submitted meanwhile shares a commit.
fn hold(store: &Sqlite) -> std::sync::mpsc::Sender<()> {
    let (gate, wait) = std::sync::mpsc::channel::<()>();
    let (begun, begins) = std::sync::mpsc::channel::<()>();
    let held = store.writer.submit(move |_| {
        begun.send(()).unwrap();
        let _ = wait.recv();
        Ok(())
    });
    assert!(held.now_or_never().is_none());
    begins.recv().unwrap();
    gate
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let (_folder, path) = temp_file();
    let store = Sqlite::open(&path).unwrap();
    let gate = hold(&store);
    let first = store.create_user(User { name: "first".into(), ..user() });
    let within = store
        .writer
        .submit(|tx| Ok(tx.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0))?));
    let other = Connection::open(&path).unwrap();
    let committed =
        move || other.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0)).unwrap();
    let outside = store.writer.submit(move |_| Ok(committed()));
    let last = store.create_user(User { name: "last".into(), ..user() });
    // The others wait by now, each polled once before this.
    let open = async { gate.send(()).unwrap() };
    let (first, within, outside, last, ()) = tokio::join!(biased; first, within, outside, last, open);
    assert!(first.unwrap() && last.unwrap());
    assert_eq!((within.unwrap(), outside.unwrap()), (1, 0), "the first is in the transaction, not committed");
    assert_eq!(store.identities().await.unwrap().users.len(), 2);
}

#[tokio::test]
async fn what_fails_or_panics_fails_alone() {
    let store = Sqlite::memory().unwrap();
    let gate = hold(&store);
    let first = store.create_user(User { name: "first".into(), ..user() });
    let bad = store.writer.submit(|tx| {
        tx.execute("INSERT INTO secrets (name, value) VALUES ('half', x'00')", [])?;
        Err::<(), _>(Error::Engine("on purpose".to_owned()))
    });
    let worse = store.writer.submit(|tx| -> Result<(), Error> {
        tx.execute("INSERT INTO secrets (name, value) VALUES ('half', x'00')", [])?;
        tx.insert(&[1; 16], 10)?;
        panic!("on purpose")
    });
    let last = store.create_user(User { name: "last".into(), ..user() });
    let open = async { gate.send(()).unwrap() };
    let (first, bad, worse, last, ()) = tokio::join!(biased; first, bad, worse, last, open);
    assert!(first.unwrap() && last.unwrap());
    assert!(matches!((bad, worse), (Err(Error::Engine(_)), Err(Error::Engine(_)))));
    assert_eq!(store.secret("half", vec![7]).await.unwrap(), vec![7], "nothing of the bad ones is left");
    assert!(store.writer.submit(|tx| tx.insert(&[1; 16], 10)).await.unwrap(), "nor of the events");
}

/// The thread goes on, and so do those who wait.
#[tokio::test]
async fn who_panics_at_an_outcome_ends_nothing() {
    let store = Sqlite::memory().unwrap();
    store.queue(Arc::default(), Box::new(|_| panic!("on purpose")));
    assert!(store.create_user(user()).await.unwrap());
}

#[tokio::test]
async fn a_full_disk_fails_everything_that_shares_its_commit() {
    let store = Sqlite::memory().unwrap();
    let gate = hold(&store);
    let before = store.create_user(user());
    let limit = store.writer.submit(|tx| Ok(tx.pragma_update(None, "max_page_count", 1)?));
    let big = store.secret("big", vec![1; 100_000]);
    let after = store.create_user(User { name: "after".into(), ..user() });
    let open = async { gate.send(()).unwrap() };
    let (before, _, big, after, ()) = tokio::join!(biased; before, limit, big, after, open);
    assert!(matches!(big, Err(Error::Full)), "{big:?}");
    store.writer.submit(|tx| Ok(tx.pragma_update(None, "max_page_count", 10_000)?)).await.unwrap();
    let users = store.identities().await.unwrap().users;
    let told = [before, after].into_iter().filter(|told| matches!(told, Ok(true))).count();
    assert_eq!(users.len(), told, "whoever was told of a success is there, and nobody else");
}

#[tokio::test]
async fn a_bad_webhook_among_good_ones_fails_alone() {
    let store = Sqlite::memory().unwrap();
    let bad = "CREATE TRIGGER bad BEFORE INSERT ON callbacks WHEN NEW.chat = 'bad'
               BEGIN SELECT RAISE (ABORT, 'on purpose'); END";
    store.writer.submit(move |tx| Ok(tx.execute_batch(bad)?)).await.unwrap();
    let webhook = |callbacks: &[(&str, u8)]| {
        let callback = |(chat, key): &(&str, u8)| NewCallback {
            number: "support".into(),
            chat: (*chat).into(),
            key: Some([*key; 16]),
            wanted: None,
            body: "{}".into(),
        };
        Batch { at: 10, callbacks: callbacks.iter().map(callback).collect(), users: Vec::new() }
    };
    // The good half of the bad one is the third's, too.
    let all = vec![webhook(&[("a", 1)]), webhook(&[("a", 2), ("bad", 3)]), webhook(&[("a", 2), ("b", 1)])];
    let queued = queue_together(&store, all.clone()).await;
    let [Ok(first), Err(Error::Engine(_)), Ok(last)] = &queued[..] else { panic!("{queued:?}") };
    assert!(matches!((&first[..], &last[..]), ([Some(_)], [Some(_), None])), "{queued:?}");
    assert_eq!(store.queued_callbacks().await.unwrap().len(), 2);
    store.writer.submit(|tx| Ok(tx.execute_batch("DROP TRIGGER bad")?)).await.unwrap();
    let queued = queue_together(&store, all).await;
    let new: Vec<usize> =
        queued.into_iter().map(|places| places.unwrap().into_iter().flatten().count()).collect();
    assert_eq!(new, [0, 1, 0], "only what failed, and nobody else had, is new");
}

/// Queues webhooks that share a commit.
async fn queue_together(store: &Sqlite, webhooks: Vec<Batch>) -> Vec<Queued> {
    let gate = hold(store);
    let all = join_all(webhooks.into_iter().map(|webhook| store.queue_callbacks(webhook)));
    let open = async { gate.send(()).unwrap() };
    tokio::join!(biased; all, open).0
}

/// A webhook with one event.
fn one_event(key: u8, length: usize) -> Batch {
    let callback = NewCallback {
        number: "support".into(),
        chat: "a".into(),
        key: Some([key; 16]),
        wanted: None,
        body: vec![b' '; length].into(),
    };
    Batch { at: 10, callbacks: vec![callback], users: Vec::new() }
}

/// The keys of a webhook that shared a commit with what broke it are not known: Cloud is not told, and sends it again.
#[tokio::test]
async fn events_of_a_commit_that_failed_are_new_again() {
    let store = Sqlite::memory().unwrap();
    let queue = |key, length| store.queue_callbacks(one_event(key, length));
    queue(1, 2).await.unwrap();
    let gate = hold(&store);
    let limit = store.writer.submit(|tx| Ok(tx.pragma_update(None, "max_page_count", 1)?));
    let open = async { gate.send(()).unwrap() };
    let (two, _, three, four, ()) =
        tokio::join!(biased; queue(2, 2), limit, queue(3, 2), queue(4, 100_000), open);
    assert!(matches!((two, three, four), (Err(Error::Full), Err(Error::Full), Err(Error::Full))));
    store.writer.submit(|tx| Ok(tx.pragma_update(None, "max_page_count", 10_000)?)).await.unwrap();
    let again = [(1, 2), (2, 2), (3, 2), (4, 100_000)].map(|(key, length)| one_event(key, length));
    let again = queue_together(&store, again.to_vec()).await;
    let new: Vec<bool> = again.into_iter().map(|places| places.unwrap()[0].is_some()).collect();
    assert_eq!(new, [false, true, true, true]);
    assert_eq!(store.queued_callbacks().await.unwrap().len(), 4);
}

/// Pages may be added to the file until this is taken back, as if the disk had no more.
fn no_more(tx: &mut Change<'_>) -> Result<(), Error> {
    Ok(tx.pragma_update(None, "max_page_count", 1)?)
}

fn length(path: &std::path::Path, suffix: &str) -> u64 {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    std::fs::metadata(name).map_or(0, |file| file.len())
}

#[tokio::test]
async fn a_full_disk_is_left_by_cutting_the_log_and_trying_again() {
    let (_folder, path) = temp_file();
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(length(&path, "-reserve"), 5000 * 4096, "as large as the log, and a fourth");
    for n in 0..100 {
        assert!(store.create_user(User { name: format!("user{n}"), ..user() }).await.unwrap());
    }
    let before = length(&path, "-wal");
    store.writer.submit(no_more).await.unwrap();
    assert_eq!(store.secret("big", vec![1; 100_000]).await.unwrap().len(), 100_000);
    let after = length(&path, "-wal");
    assert!(before > 400_000 && after < 200_000, "{before} {after}");
    assert_eq!(length(&path, "-reserve"), 5000 * 4096, "for the next time");
}

#[tokio::test]
async fn what_takes_no_room_is_done_on_a_full_disk_and_the_rest_when_there_is_some() {
    let (_folder, path) = temp_file();
    let store = Sqlite::open(&path).unwrap();
    assert!(store.create_user(user()).await.unwrap());
    // Nothing can be written where a folder is.
    let reserve = path.with_file_name("store.db-reserve");
    std::fs::remove_file(&reserve).unwrap();
    std::fs::create_dir(&reserve).unwrap();
    store.writer.submit(no_more).await.unwrap();
    let gate = hold(&store);
    let first = store.secret("first", vec![1; 100_000]);
    let gone = store.delete_user("support", "alice");
    let second = store.secret("second", vec![1; 100_000]);
    let open = async { gate.send(()).unwrap() };
    let (first, gone, second, ()) = tokio::join!(biased; first, gone, second, open);
    assert!(matches!((first, second), (Err(Error::Full), Err(Error::Full))));
    assert!(gone.unwrap(), "in the same commit, and all the same");
    assert!(matches!(store.secret("first", vec![1; 100_000]).await, Err(Error::Full)));
    std::fs::remove_dir(&reserve).unwrap();
    assert_eq!(store.secret("first", vec![2; 100_000]).await.unwrap(), vec![2; 100_000]);
    assert!(store.identities().await.unwrap().users.is_empty());
}

/// Each of a webhook's commits is tried with the same callbacks, and makes each of them once.
#[tokio::test]
async fn webhooks_that_are_tried_again_are_queued_once() {
    let (_folder, path) = temp_file();
    let store = Sqlite::open(&path).unwrap();
    store.writer.submit(no_more).await.unwrap();
    let webhooks = [1, 1, 2].map(|key| one_event(key, 50_000));
    let queued = queue_together(&store, webhooks.to_vec()).await;
    let places: Vec<_> = queued.into_iter().flat_map(Result::unwrap).collect();
    assert!(matches!(places[..], [Some(_), None, Some(_)]), "{places:?}");
    assert_eq!(store.queued_callbacks().await.unwrap().len(), 2);
}

/// The settings belong to the connection and leave no trace in the file, so only the inside shows them.
#[tokio::test]
async fn commits_are_made_for_a_power_loss() {
    let (_folder, path) = temp_file();
    let store = Sqlite::open(&path).unwrap();
    for (pragma, wanted) in [
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("journal_mode", "wal"),
        ("journal_size_limit", "16384000"),
    ] {
        let sql = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
        let value: String =
            store.writer.submit(move |tx| Ok(tx.query_row(&sql, [], |row| row.get(0))?)).await.unwrap();
        assert_eq!(value, wanted, "{pragma}");
    }
}

fn user() -> User {
    User { number: "support".into(), name: "alice".into(), password_hash: "hash".into(), epoch: 1 }
}

/// A file in a folder that goes with the guard.
fn temp_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    (folder, path)
}
