//! Runs, and what fails on the way to them.

use rusqlite::Connection;

use super::*;

/// A key as a hash would be: its upper bits, too, differ from those of its neighbours.
fn key(n: u32) -> EventKey {
    u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
}

fn connection() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE events_seen (key, at);").unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

/// Adds keys in one transaction, and says how many were new.
fn add(connection: &mut Connection, seen: &mut Seen, numbers: std::ops::Range<u32>, at: i64) -> usize {
    let tx = connection.transaction().unwrap();
    let new = numbers.filter(|n| seen.add(&tx, &key(*n), at).unwrap()).count();
    seen.write(&tx).unwrap();
    tx.commit().unwrap();
    seen.end(true);
    seen.settle(connection);
    new
}

fn purge(connection: &mut Connection, seen: &mut Seen, t: i64, most: usize) -> usize {
    let tx = connection.transaction().unwrap();
    let count = seen.purge(&tx, t, most).unwrap();
    tx.commit().unwrap();
    seen.end(true);
    count
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// Shorter than they are, so that tests are.
const RUN: u32 = 2048;

#[test]
fn a_repetition_is_recognised_on_either_side_of_a_run() {
    let mut connection = connection();
    let mut seen = Seen::load(&mut connection, RUN as usize).unwrap();
    assert_eq!(add(&mut connection, &mut seen, 0..RUN - 1, 10), RUN as usize - 1);
    assert_eq!((seen.runs.len(), count(&connection, "seen_log")), (0, 1));
    assert_eq!(add(&mut connection, &mut seen, RUN - 1..RUN, 11), 1);
    assert_eq!((seen.runs.len(), seen.recent.len(), count(&connection, "seen_log")), (1, 0, 0));
    assert_eq!(add(&mut connection, &mut seen, 0..RUN + 2, 12), 2, "all but the last two are in the run");
    assert_eq!(add(&mut connection, &mut seen, RUN - 2..RUN + 3, 13), 1, "and these are known, too");
    let mut again = Seen::load(&mut connection, RUN as usize).unwrap();
    assert_eq!((again.runs.len(), again.recent.len()), (1, 3));
    assert_eq!(add(&mut connection, &mut again, 0..RUN + 3, 14), 0, "as they are after a restart");
}

#[test]
fn what_failed_is_not_known() {
    let mut connection = connection();
    let mut seen = Seen::load(&mut connection, RUN as usize).unwrap();
    add(&mut connection, &mut seen, 0..1, 10);
    let tx = connection.transaction().unwrap();
    assert!(seen.add(&tx, &key(1), 11).unwrap());
    let mark = seen.mark();
    assert!(seen.add(&tx, &key(2), 11).unwrap());
    assert_eq!(seen.purge(&tx, 20, 9).unwrap(), 1);
    seen.undo(mark);
    assert!(seen.add(&tx, &key(2), 11).unwrap(), "undone alone");
    drop(tx);
    seen.end(false);
    assert_eq!(add(&mut connection, &mut seen, 0..3, 12), 2, "undone with all of its transaction");
}

#[test]
fn old_keys_are_forgotten_in_the_log_and_in_runs() {
    let mut connection = connection();
    let mut seen = Seen::load(&mut connection, RUN as usize).unwrap();
    add(&mut connection, &mut seen, 0..5, 10);
    assert_eq!(purge(&mut connection, &mut seen, 10, 9), 0);
    assert_eq!(
        purge(&mut connection, &mut seen, 11, 2),
        2,
        "no more than asked for, though one row has them"
    );
    assert_eq!(add(&mut connection, &mut seen, 0..5, 20), 2);
    add(&mut connection, &mut seen, 5..RUN, 30);
    add(&mut connection, &mut seen, RUN..RUN + 1, 40);
    assert_eq!(purge(&mut connection, &mut seen, 30, 9), 0, "a run is as young as its last key");
    assert_eq!(purge(&mut connection, &mut seen, 31, 9), RUN as usize);
    assert_eq!(purge(&mut connection, &mut seen, 31, 9), 0);
    assert_eq!(["seen_runs", "seen_parts", "seen_log"].map(|table| count(&connection, table)), [0, 0, 1]);
    assert_eq!(
        add(&mut connection, &mut seen, 0..RUN + 1, 50),
        RUN as usize,
        "all but the last are new again"
    );
}

#[test]
fn a_run_that_cannot_be_written_is_written_later() {
    let mut connection = connection();
    let mut seen = Seen::load(&mut connection, RUN as usize).unwrap();
    add(&mut connection, &mut seen, 0..RUN - 1, 10);
    connection.execute_batch("ALTER TABLE seen_parts RENAME TO away").unwrap();
    assert_eq!(add(&mut connection, &mut seen, RUN - 1..RUN, 11), 1, "which is nobody's trouble");
    assert_eq!((seen.runs.len(), count(&connection, "seen_runs"), count(&connection, "seen_log")), (0, 0, 2));
    connection.execute_batch("ALTER TABLE away RENAME TO seen_parts").unwrap();
    assert_eq!(add(&mut connection, &mut seen, 0..RUN, 12), 0);
    assert_eq!(seen.runs.len(), 0, "not at once");
    assert_eq!(add(&mut connection, &mut seen, RUN..RUN + RUN / 8, 13), RUN as usize / 8);
    assert_eq!((seen.runs.len(), seen.recent.len()), (1, 0));
    assert_eq!(add(&mut connection, &mut seen, 0..RUN + RUN / 8, 14), 0);
}

#[test]
fn what_an_earlier_version_knew_is_moved() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE events_seen (key, at);").unwrap();
    let tx = connection.transaction().unwrap();
    for n in 0..RUN + 300 {
        let mut insert = tx.prepare_cached("INSERT INTO events_seen VALUES (?1, ?2)").unwrap();
        insert.execute(params![key(n), i64::from(n)]).unwrap();
    }
    tx.commit().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let mut seen = Seen::load(&mut connection, RUN as usize).unwrap();
    assert_eq!(seen.runs.len(), 1);
    assert_eq!(add(&mut connection, &mut seen, 0..RUN + 301, 1_000_000), 1);
    assert_eq!(purge(&mut connection, &mut seen, 5, 9), 0, "the run has later ones");
}
