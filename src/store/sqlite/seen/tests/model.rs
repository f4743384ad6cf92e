//! Whatever happens, a new event is new and a young one is known.

use std::collections::HashMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// How long keys are kept here.
const KEPT: i64 = 3000;

#[derive(Clone, Debug)]
enum Step {
    /// Commits keys, new ones and some of the last ones; or all of it fails.
    Commit {
        new: u32,
        old: Vec<u32>,
        is_good: bool,
    },
    Wait(i64),
    Purge,
    Slices(usize),
    /// The process is gone between two transactions, and another one opens the file.
    Crash,
    /// Runs cannot be written, or can again.
    Break,
    Mend,
}

fn step() -> impl Strategy<Value = Step> {
    let old = prop::collection::vec(1_u32..3000, 0..6);
    prop_oneof![
        12 => (0_u32..80, old, prop::bool::weighted(0.9))
            .prop_map(|(new, old, is_good)| Step::Commit { new, old, is_good }),
        4 => (0_i64..500).prop_map(Step::Wait),
        2 => Just(Step::Purge),
        3 => (0_usize..20).prop_map(Step::Slices),
        1 => Just(Step::Crash),
        1 => Just(Step::Break),
        2 => Just(Step::Mend),
    ]
}

fn open(folder: &TempDir) -> Connection {
    let connection = Connection::open(folder.path().join("seen.db")).unwrap();
    // Nobody pulls the plug here.
    connection.execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;").unwrap();
    connection
}

/// The plain truth: when each key came that has.
struct Model {
    came: HashMap<u32, i64>,
    next: u32,
    now: i64,
    /// What came before this may have been forgotten.
    horizon: i64,
}

impl Model {
    fn commit(&mut self, connection: &mut Connection, seen: &mut Seen, keys: &[u32], is_good: bool) {
        let tx = connection.transaction().unwrap();
        let mut new = Vec::new();
        for number in keys {
            let is_new = seen.add(&tx, &key(*number), self.now).unwrap();
            let is_repeated = new.contains(number);
            match self.came.get(number) {
                None => assert_eq!(is_new, !is_repeated, "{number} never came before"),
                Some(at) if *at >= self.horizon => assert!(!is_new, "{number} came at {at}"),
                // Forgotten or not yet.
                Some(_) => {}
            }
            if is_new {
                new.push(*number);
            }
        }
        seen.write(&tx).unwrap();
        if is_good {
            tx.commit().unwrap();
            self.came.extend(new.into_iter().map(|number| (number, self.now)));
        } else {
            drop(tx);
        }
        seen.end(is_good);
        seen.settle(connection);
    }

    fn purge(&mut self, connection: &mut Connection, seen: &mut Seen) {
        self.horizon = self.now - KEPT;
        while purge(connection, seen, self.horizon, 30) > 0 {}
        assert!(seen.runs.iter().all(|run| run.times.1 >= self.horizon), "old runs are gone");
    }
}

proptest! {
    #![proptest_config(crate::seeded::config(48))]
    #[test]
    fn nothing_new_is_known_and_nothing_young_is_forgotten(steps in prop::collection::vec(step(), 1..150)) {
        let folder = TempDir::new().unwrap();
        let mut connection = open(&folder);
        connection.execute_batch("CREATE TABLE events_seen (key, at);").unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let mut seen = load(&mut connection);
        let mut model = Model { came: HashMap::new(), next: 0, now: 10_000, horizon: 0 };
        for step in steps {
            match step {
                Step::Commit { new, old, is_good } => {
                    let keys = old.iter().filter_map(|back| model.next.checked_sub(*back));
                    let keys: Vec<u32> = keys.chain(model.next..model.next + new).collect();
                    model.next += new;
                    model.commit(&mut connection, &mut seen, &keys, is_good);
                }
                Step::Wait(seconds) => model.now += seconds,
                Step::Purge => model.purge(&mut connection, &mut seen),
                Step::Slices(count) => {
                    let _ = (0..count).all(|_| seen.go_on(&mut connection));
                }
                Step::Crash => {
                    connection = open(&folder);
                    seen = load(&mut connection);
                }
                Step::Break => {
                    mend_runs(&connection);
                    break_runs(&connection);
                }
                Step::Mend => mend_runs(&connection),
            }
        }
        let all: Vec<u32> = (0..model.next + 100).collect();
        model.commit(&mut connection, &mut seen, &all, true);
        model.now += KEPT + 1;
        model.purge(&mut connection, &mut seen);
        mend_runs(&connection);
        seen.upkeep.added(SMALL.run);
        rest(&mut connection, &mut seen);
        let tables = ["seen_log", "seen_runs", "seen_parts", "seen_filters"];
        prop_assert_eq!(tables.map(|table| count(&connection, table)), [0; 4], "all was old, and is gone");
    }
}
