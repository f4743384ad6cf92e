//! Runs, and what fails on the way to them.

use rusqlite::Connection;

use super::run::LAST;
use super::*;

mod model;

/// Smaller than they are, so that several levels arise from few keys.
const SMALL: Sizes = Sizes { run: 64, fan: 3, part: 10, slice: 40, span: 1000 };

/// A key as a hash would be: its upper bits, too, differ from those of its neighbours.
fn key(n: u32) -> EventKey {
    u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
}

fn connection() -> Connection {
    with_tables(Connection::open_in_memory().unwrap())
}

fn with_tables(connection: Connection) -> Connection {
    connection.execute_batch("CREATE TABLE events_seen (key, at);").unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

fn load(connection: &mut Connection) -> Seen {
    Seen::load(connection, SMALL).unwrap()
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

/// All that can be done at leisure.
fn rest(connection: &mut Connection, seen: &mut Seen) -> usize {
    (0..).take_while(|_| seen.go_on(connection)).count()
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// From now on no run can be written or merged.
fn break_runs(connection: &Connection) {
    let trigger =
        "CREATE TRIGGER bad BEFORE INSERT ON seen_runs BEGIN SELECT RAISE (ABORT, 'on purpose'); END";
    connection.execute_batch(trigger).unwrap();
}

fn mend_runs(connection: &Connection) {
    connection.execute_batch("DROP TRIGGER IF EXISTS bad").unwrap();
}

/// The levels of the runs, the oldest first.
fn levels(seen: &Seen) -> Vec<i64> {
    seen.runs.iter().map(|run| run.level).collect()
}

#[test]
fn a_repetition_is_recognised_on_either_side_of_a_run() {
    let mut connection = connection();
    let mut seen = load(&mut connection);
    assert_eq!(add(&mut connection, &mut seen, 0..63, 10), 63);
    assert_eq!((seen.runs.len(), count(&connection, "seen_log")), (0, 1));
    assert_eq!(add(&mut connection, &mut seen, 63..64, 11), 1);
    assert_eq!((seen.runs.len(), seen.recent.len(), count(&connection, "seen_log")), (1, 0, 0));
    assert_eq!((seen.runs[0].times, count(&connection, "seen_parts")), ((10, 11), 7));
    assert_eq!(add(&mut connection, &mut seen, 0..66, 12), 2, "all but the last two are in the run");
    assert_eq!(add(&mut connection, &mut seen, 62..67, 13), 1, "and these are known, too");
    let mut again = load(&mut connection);
    assert_eq!((again.runs.len(), again.recent.len()), (1, 3));
    assert_eq!(add(&mut connection, &mut again, 0..67, 14), 0, "as they are after a restart");
}

#[test]
fn what_failed_is_not_known() {
    let mut connection = connection();
    let mut seen = load(&mut connection);
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
    let mut seen = load(&mut connection);
    add(&mut connection, &mut seen, 0..5, 10);
    assert_eq!(purge(&mut connection, &mut seen, 10, 9), 0);
    assert_eq!(
        purge(&mut connection, &mut seen, 11, 2),
        2,
        "no more than asked for, though one row has them"
    );
    assert_eq!(add(&mut connection, &mut seen, 0..5, 20), 2);
    add(&mut connection, &mut seen, 5..64, 30);
    add(&mut connection, &mut seen, 64..65, 40);
    assert_eq!(purge(&mut connection, &mut seen, 30, 9), 0, "a run is as young as its last key");
    assert_eq!(purge(&mut connection, &mut seen, 31, 9), 64);
    assert_eq!(purge(&mut connection, &mut seen, 31, 9), 0);
    assert_eq!(add(&mut connection, &mut seen, 0..65, 50), 64, "all but the last are new again");
    rest(&mut connection, &mut seen);
    let tables = ["seen_runs", "seen_parts", "seen_filters", "seen_log"];
    assert_eq!(tables.map(|table| count(&connection, table)), [1, 7, 1, 0], "what is old is gone");
}

#[test]
fn runs_are_merged_by_levels() {
    let mut connection = connection();
    let mut seen = load(&mut connection);
    for n in 0..27 {
        assert_eq!(add(&mut connection, &mut seen, n * 64..(n + 1) * 64, i64::from(n)), 64);
        assert!(seen.runs.len() <= 10, "merging keeps up: {:?}", levels(&seen));
    }
    rest(&mut connection, &mut seen);
    assert_eq!(levels(&seen), [3]);
    assert_eq!((seen.runs[0].held, seen.runs[0].times), (27 * 64, (0, 26)));
    let tables = ["seen_runs", "seen_parts", "seen_filters"];
    assert_eq!(tables.map(|table| count(&connection, table)), [1, 173, 1], "full rows, and nothing else");
    assert_eq!(add(&mut connection, &mut seen, 0..27 * 64 + 1, 30), 1);
    let mut again = load(&mut connection);
    assert_eq!(levels(&again), [3]);
    assert_eq!(add(&mut connection, &mut again, 0..27 * 64 + 1, 31), 0);
}

#[test]
fn no_merged_run_covers_too_much() {
    let mut connection = connection();
    let mut seen = load(&mut connection);
    for n in 0..9 {
        add(&mut connection, &mut seen, n * 64..(n + 1) * 64, i64::from(n) * 1200);
        rest(&mut connection, &mut seen);
    }
    // No two of them are within the span.
    assert_eq!(levels(&seen), [[LAST; 7].as_slice(), &[0; 2]].concat());
    for n in 9..40 {
        add(&mut connection, &mut seen, n * 64..(n + 1) * 64, 10_000 + i64::from(n) * 150);
        rest(&mut connection, &mut seen);
        assert!(seen.runs.iter().all(|run| run.times.1 - run.times.0 <= SMALL.span), "{:?}", levels(&seen));
    }
    let last = seen.runs.iter().filter(|run| run.level == LAST).collect::<Vec<_>>();
    assert!(last.iter().any(|run| run.held > 64), "some of these were merged");
    assert!(last.windows(2).all(|two| two[1].times.1 - two[0].times.0 > SMALL.span));
    assert_eq!(add(&mut connection, &mut seen, 0..40 * 64, 20_000), 0);
}

/// Runs that are to be merged, and nothing of that done.
fn three_runs(mut connection: Connection) -> (Connection, Seen) {
    let mut seen = load(&mut connection);
    let bad = "CREATE TRIGGER bad BEFORE INSERT ON seen_runs WHEN NEW.level > 0
               BEGIN SELECT RAISE (ABORT, 'on purpose'); END";
    connection.execute_batch(bad).unwrap();
    for n in 0..3 {
        add(&mut connection, &mut seen, n * 64..(n + 1) * 64, 10 + i64::from(n));
    }
    mend_runs(&connection);
    let seen = load(&mut connection);
    assert_eq!(levels(&seen), [0; 3]);
    (connection, seen)
}

/// What a crash leaves between two transactions is what another one finds in the same tables.
#[test]
fn a_merge_that_is_interrupted_begins_anew() {
    let mut seen_halves = 0;
    for steps in 0.. {
        let (mut connection, mut seen) = three_runs(connection());
        let is_over = (0..steps).any(|_| !seen.go_on(&mut connection));
        seen_halves += usize::from(count(&connection, "seen_runs") == 4 && seen.runs.len() == 3);
        let mut seen = load(&mut connection);
        assert_eq!(add(&mut connection, &mut seen, 0..193, 13), 1, "{steps}");
        rest(&mut connection, &mut seen);
        assert_eq!(levels(&seen), [1], "{steps}");
        let tables = ["seen_runs", "seen_parts", "seen_filters"];
        assert_eq!(tables.map(|table| count(&connection, table)), [1, 20, 1], "{steps}");
        assert_eq!(add(&mut connection, &mut seen, 0..194, 14), 1, "{steps}");
        if is_over {
            break;
        }
    }
    assert!(seen_halves > 3, "{seen_halves}");
}

#[test]
fn a_run_that_lapses_ends_the_merge_that_it_is_part_of() {
    let (mut connection, mut seen) = three_runs(connection());
    while seen.upkeep.merge.is_none() {
        assert!(seen.go_on(&mut connection));
    }
    assert_eq!(purge(&mut connection, &mut seen, 11, 9), 64);
    rest(&mut connection, &mut seen);
    assert_eq!((levels(&seen).as_slice(), count(&connection, "seen_runs")), ([0; 2].as_slice(), 2));
    assert_eq!(add(&mut connection, &mut seen, 0..192, 20), 64);
}

#[test]
fn runs_that_are_damaged_are_not_merged() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("seen.db");
    let (connection, _) = three_runs(with_tables(Connection::open(&path).unwrap()));
    let sql = "SELECT rootpage * page_size FROM sqlite_schema, pragma_page_size WHERE name = 'seen_parts'";
    let end: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = usize::try_from(end).unwrap();
    bytes[end - 4096..end].fill(0xA5);
    std::fs::write(&path, &bytes).unwrap();
    let mut connection = Connection::open(&path).unwrap();
    let mut seen = load(&mut connection);
    rest(&mut connection, &mut seen);
    assert_eq!((levels(&seen), seen.upkeep.merge.is_none()), (vec![LAST; 3], true));
}

#[test]
fn a_run_that_cannot_be_written_is_written_later() {
    let mut connection = connection();
    let mut seen = load(&mut connection);
    add(&mut connection, &mut seen, 0..63, 10);
    break_runs(&connection);
    assert_eq!(add(&mut connection, &mut seen, 63..64, 11), 1, "which is nobody's trouble");
    assert_eq!((seen.runs.len(), count(&connection, "seen_runs"), count(&connection, "seen_log")), (0, 0, 2));
    mend_runs(&connection);
    assert_eq!(add(&mut connection, &mut seen, 0..64, 12), 0);
    assert_eq!(seen.runs.len(), 0, "not at once");
    assert_eq!(add(&mut connection, &mut seen, 64..72, 13), 8);
    assert_eq!((seen.runs.len(), seen.recent.len()), (1, 0));
    assert_eq!(add(&mut connection, &mut seen, 0..72, 14), 0);
}

#[test]
fn what_cannot_be_written_for_long_is_known_by_the_disk_alone() {
    let mut connection = connection();
    break_runs(&connection);
    let mut seen = load(&mut connection);
    for n in 0..100 {
        assert_eq!(add(&mut connection, &mut seen, n * 10..(n + 1) * 10, i64::from(n)), 10);
        assert!(seen.recent.len() < 4 * 64 + 8 + 10, "memory is bounded");
    }
    assert!(seen.stretches.len() >= 3);
    assert_eq!(add(&mut connection, &mut seen, 0..1000, 100), 0, "all are known");
    let mut seen = load(&mut connection);
    assert!(seen.stretches.len() >= 3, "it opens all the same");
    assert_eq!(add(&mut connection, &mut seen, 0..1000, 100), 0, "and knows the same");
    assert_eq!(purge(&mut connection, &mut seen, 50, 1000), 500);
    assert_eq!(add(&mut connection, &mut seen, 0..1000, 100), 500, "what has lapsed is new");
    mend_runs(&connection);
    for n in 1000..1100 {
        add(&mut connection, &mut seen, n..n + 1, 101);
    }
    assert_eq!((seen.stretches.len(), count(&connection, "seen_log") < 64), (0, true), "it has recovered");
    rest(&mut connection, &mut seen);
    assert_eq!(add(&mut connection, &mut seen, 0..1100, 102), 0);
}

#[test]
fn memory_that_a_large_commit_took_is_given_back() {
    let mut connection = connection();
    let mut seen = load(&mut connection);
    add(&mut connection, &mut seen, 0..10_000, 10);
    assert!(seen.recent.capacity() <= 64 * 2, "{}", seen.recent.capacity());
    let real = HashSet::<u128>::with_capacity(SIZES.run).capacity();
    assert!(real >= SIZES.run + 14_000, "a commit of so many finds room: {real}");
}

#[test]
fn what_an_earlier_version_knew_is_moved() {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE events_seen (key, at);").unwrap();
    let tx = connection.transaction().unwrap();
    for n in 0..100 {
        let mut insert = tx.prepare_cached("INSERT INTO events_seen VALUES (?1, ?2)").unwrap();
        insert.execute(rusqlite::params![key(n), i64::from(n)]).unwrap();
    }
    tx.commit().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let mut seen = load(&mut connection);
    assert_eq!((seen.runs.len(), seen.recent.len()), (1, 36));
    assert_eq!(add(&mut connection, &mut seen, 0..101, 1_000_000), 1);
    assert_eq!(purge(&mut connection, &mut seen, 5, 9), 0, "the run has later ones");
}
