//! How long changes wait for another program.

use std::time::{Duration, Instant};

use prembridge::store::{Error, Sqlite, Store as _};

use super::user;
use crate::temp::TempDir;

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
