//! How many changes share a commit, and how long they wait for another program.

use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use prembridge::store::{CallbackStore as _, Error, Reply, Sqlite, Store as _};

use super::user;
use crate::temp::TempDir;

/// Hands a change over. It is made whoever waits for it.
fn begin<T>(mut change: Reply<'_, T>) -> Reply<'_, T> {
    assert!(change.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    change
}

/// What the first of them waits for the last stays short.
#[test]
fn two_hundred_and_fifty_six_changes_share_a_commit_and_no_more() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let store = Sqlite::open(&path).unwrap();
    // Keeps the store's thread busy until all of them wait.
    let ((begins, has_begun), (open, opened)) = (mpsc::channel(), mpsc::channel::<()>());
    let _held = begin(store.queue_all(Box::new(move || {
        begins.send(()).unwrap();
        let _ = opened.recv();
        Vec::new()
    })));
    has_begun.recv().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    // How many users are committed when its turn comes.
    let look = || {
        let (seen, other) = (Arc::clone(&seen), rusqlite::Connection::open(&path).unwrap());
        begin(store.queue_all(Box::new(move || {
            let count = other.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0));
            seen.lock().unwrap().push(count.unwrap());
            Vec::new()
        })))
    };
    for n in 1..256 {
        drop(begin(store.create_user(user("support", &format!("user{n}"), "h", n))));
    }
    let (_, first_of_next) = (look(), look());
    drop(open);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(first_of_next).unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 255]);
}

/// A backup may hold a lock for a while.
#[tokio::test]
async fn the_lock_of_another_program_is_waited_for_for_five_seconds() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let store = Sqlite::open(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    assert!(matches!(store.create_user(user("support", "alice", "h", 1)).await, Err(Error::Locked)));
    assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
}
