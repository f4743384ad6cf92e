//! Moves and what fails on the way, and a model: whatever happens, a new event is new and a young one is known.

use std::collections::HashMap;

use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

/// Smaller than they are, so that few keys fill a segment.
const SMALL: Sizes = Sizes { recent: 64, segment: 200, bucket_bits: 4, slice: 3 };
const TABLES: [&str; 4] = ["seen_log", "seen_runs", "seen_parts", "seen_filters"];

/// A key as a hash would be: its upper bits, too, differ from those of its neighbours.
fn key(n: u32) -> EventKey {
    u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_be_bytes()
}

/// The keys of a store, and their tables.
struct Scene {
    connection: Connection,
    dedupe: Dedupe,
}

impl Scene {
    fn new() -> Self {
        Self::over(Connection::open_in_memory().unwrap())
    }

    fn over(connection: Connection) -> Self {
        connection.execute_batch("CREATE TABLE events_seen (key, at);").unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        Self::open(connection)
    }

    fn open(mut connection: Connection) -> Self {
        let dedupe = Dedupe::open(&mut connection, SMALL).unwrap();
        Self { connection, dedupe }
    }

    fn restart(self) -> Self {
        Self::open(self.connection)
    }

    /// Adds keys in one transaction, and says how many were new.
    fn add(&mut self, numbers: impl IntoIterator<Item = u32>, at: i64) -> usize {
        let mut tx = self.dedupe.begin(&mut self.connection).unwrap();
        let new = numbers.into_iter().filter(|n| tx.insert(&key(*n), at).unwrap()).count();
        assert_eq!(tx.commit().unwrap(), new);
        while self.dedupe.maintain(&mut self.connection, false) {}
        new
    }

    fn forget(&mut self, horizon: i64) {
        let mut tx = self.dedupe.begin(&mut self.connection).unwrap();
        tx.forget_before(horizon).unwrap();
        tx.commit().unwrap();
    }

    /// All that can be done at leisure.
    fn rest(&mut self) {
        while self.dedupe.maintain(&mut self.connection, true) {}
    }

    fn counts(&self) -> [i64; 4] {
        TABLES.map(|table| {
            self.connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        })
    }

    /// From now on buckets cannot be written.
    fn break_buckets(&self) {
        let trigger =
            "CREATE TRIGGER bad BEFORE INSERT ON seen_parts BEGIN SELECT RAISE (ABORT, 'on purpose'); END";
        self.connection.execute_batch(trigger).unwrap();
    }

    fn mend_buckets(&self) {
        self.connection.execute_batch("DROP TRIGGER IF EXISTS bad").unwrap();
    }

    fn in_memory(&self) -> usize {
        self.dedupe.recent.len() + self.dedupe.moving.as_ref().map_or(0, |moving| moving.keys.len())
    }
}

#[test]
fn a_repetition_is_recognised_before_while_and_after_it_is_moved() {
    let mut scene = Scene::new();
    assert_eq!(scene.add(0..63, 10), 63);
    assert_eq!((scene.in_memory(), scene.counts()), (63, [1, 0, 0, 0]));
    assert_eq!(scene.add(60..64, 11), 1, "the last of these was not known");
    assert!(scene.dedupe.moving.is_some(), "it has begun");
    for step in 0.. {
        assert_eq!(scene.add(0..64, 12), 0, "{step}");
        if !scene.dedupe.maintain(&mut scene.connection, true) {
            break;
        }
    }
    assert_eq!((scene.in_memory(), scene.counts()), (0, [0, 1, 16, 1]));
    let mut scene = scene.restart();
    assert_eq!(scene.add(0..66, 13), 2, "as they are after a restart");
}

#[test]
fn what_is_not_committed_is_not_known() {
    let mut scene = Scene::new();
    scene.add(0..1, 10);
    let mut tx = scene.dedupe.begin(&mut scene.connection).unwrap();
    assert!(tx.insert(&key(1), 11).unwrap() && !tx.insert(&key(1), 11).unwrap());
    tx.forget_before(20).unwrap();
    drop(tx);
    assert_eq!(scene.add(0..3, 12), 2, "neither added nor forgotten");
}

#[test]
fn old_keys_are_forgotten_in_the_log_and_in_segments() {
    let mut scene = Scene::new();
    scene.add(0..5, 10);
    scene.add(5..6, 11);
    scene.forget(10);
    assert_eq!(scene.add(0..6, 11), 0);
    scene.forget(11);
    assert_eq!(scene.add(0..6, 20), 5, "all of the first commit");
    scene.add(6..64, 30);
    scene.rest();
    scene.add(64..65, 40);
    scene.forget(30);
    assert_eq!(scene.add(0..65, 40), 0, "a segment is as young as its last key");
    scene.forget(31);
    assert_eq!(scene.add(0..65, 50), 64, "all but the last are new again");
    scene.rest();
    assert_eq!(scene.counts(), [0, 1, 16, 1], "what is old is gone");
}

#[test]
fn what_is_forgotten_while_it_is_moved_is_moved_no_more() {
    let mut scene = Scene::new();
    scene.add(0..64, 10);
    assert!(scene.dedupe.moving.is_some());
    scene.forget(11);
    assert_eq!(scene.in_memory(), 0);
    assert_eq!(scene.add(0..10, 12), 10);
    scene.rest();
    assert_eq!(scene.counts(), [1, 0, 0, 0]);
}

/// Its row gets the number of one that was being moved, since the clock went back.
#[test]
fn what_comes_after_something_was_forgotten_stays_in_the_log() {
    let mut scene = Scene::new();
    scene.add(0..64, 20);
    scene.rest();
    scene.add(64..128, 10);
    assert!(scene.dedupe.moving.is_some());
    scene.forget(15);
    assert_eq!(scene.add(200..201, 20), 1);
    scene.rest();
    let mut scene = scene.restart();
    assert_eq!(scene.add([200, 0, 1], 21), 0);
}

#[test]
fn segments_are_filled_one_after_the_other() {
    let mut scene = Scene::new();
    for n in 0..10 {
        assert_eq!(scene.add(n * 64..(n + 1) * 64, i64::from(n)), 64);
        assert!(scene.in_memory() <= 2 * 64, "moving keeps up");
    }
    scene.rest();
    let held: Vec<_> = scene.dedupe.segments.iter().map(|segment| (segment.held, segment.last)).collect();
    assert_eq!(held, [(192, 2), (192, 5), (192, 8), (64, 9)]);
    let mut scene = scene.restart();
    assert_eq!(scene.add(0..641, 20), 1);
    scene.add(641..704, 21);
    scene.rest();
    assert_eq!(scene.dedupe.segments[3].held, 128, "the last one goes on after a restart");
    assert_eq!(scene.add(0..704, 22), 0);
}

/// What a crash leaves between two transactions is what another process finds in the same tables.
#[test]
fn a_move_that_is_cut_off_is_done_again() {
    for steps in 0.. {
        let mut scene = Scene::new();
        scene.add(0..64, 10);
        let is_over = (0..steps).any(|_| !scene.dedupe.maintain(&mut scene.connection, true));
        let mut scene = scene.restart();
        assert_eq!(scene.add(0..65, 13), 1, "{steps}");
        scene.rest();
        assert_eq!(scene.add(0..66, 14), 1, "{steps}");
        assert_eq!(scene.counts()[1..], [1, 16, 1], "{steps}");
        if is_over {
            assert!(steps > 5, "{steps}");
            break;
        }
    }
}

#[test]
fn what_cannot_be_moved_is_known_and_moved_later() {
    let mut scene = Scene::new();
    scene.break_buckets();
    for n in 0..100 {
        assert_eq!(scene.add(n * 5..(n + 1) * 5, i64::from(n)), 5, "which is nobody's trouble");
    }
    assert_eq!(scene.add(0..500, 100), 0);
    let mut scene = scene.restart();
    assert_eq!(scene.add(0..500, 101), 0, "it opens all the same");
    scene.mend_buckets();
    scene.add(500..510, 102);
    scene.rest();
    assert!(scene.in_memory() < 64, "it has recovered");
    assert_eq!(scene.add(0..510, 103), 0);
}

#[test]
fn a_damaged_segment_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("store.db");
    let mut scene = Scene::over(Connection::open(&path).unwrap());
    scene.add(0..64, 10);
    scene.rest();
    let sql = "SELECT rootpage * page_size FROM sqlite_schema, pragma_page_size WHERE name = 'seen_parts'";
    let end: i64 = scene.connection.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(scene);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = usize::try_from(end).unwrap();
    bytes[end - 4096..end].fill(0xA5);
    std::fs::write(&path, &bytes).unwrap();
    let mut scene = Scene::open(Connection::open(&path).unwrap());
    let segment = scene.dedupe.segments.pop().unwrap();
    scene.add(64..127, 11);
    scene.dedupe.segments.push(segment);
    let mut tx = scene.dedupe.begin(&mut scene.connection).unwrap();
    assert!(tx.insert(&key(1000), 12).unwrap());
    tx.commit().unwrap();
    scene.rest();
    assert!(scene.dedupe.segments[0].is_closed && scene.dedupe.moving.is_none());
    assert_eq!(scene.dedupe.recent.len(), 64, "they are known");
}

/// As a version left it that kept keys in sorted runs, of which some were merged.
#[test]
fn runs_of_an_earlier_version_are_known_and_forgotten() {
    let mut scene = Scene::new();
    let mut keys: Vec<EventKey> = (0..300).map(key).collect();
    keys.sort_unstable();
    let mut filter = filter::Filter::new(300);
    keys.iter().for_each(|key| filter.add(&Probe::new(u128::from_be_bytes(*key))));
    for (run, is_alive) in [(3, true), (4, false)] {
        let insert = "INSERT INTO seen_runs VALUES (?1, ?2, 1, 5, 10, 300, ?3)";
        let blocks = i64::try_from(filter.blocks()).unwrap();
        scene.connection.execute(insert, params![run, is_alive, blocks]).unwrap();
        for part in keys.chunks(10) {
            let place = (run << 32) | i64::from(u32::from_be_bytes(*part[0].first_chunk().unwrap()));
            let insert = "INSERT INTO seen_parts VALUES (?1, ?2)";
            scene.connection.execute(insert, params![place, part.concat()]).unwrap();
        }
        for bits in filter.chunks() {
            scene
                .connection
                .execute("INSERT INTO seen_filters VALUES (?1, ?2)", params![run << 32, bits])
                .unwrap();
        }
    }
    scene = scene.restart();
    assert_eq!(scene.add(0..364, 20), 64, "what an earlier version knew is known");
    scene.rest();
    assert_eq!(
        (scene.dedupe.segments.len(), scene.counts()),
        (2, [0, 2, 30 + 16, 2]),
        "and nothing is added to it"
    );
    scene.forget(11);
    scene.rest();
    assert_eq!(scene.counts(), [0, 1, 16, 1]);
    assert_eq!(scene.add(0..364, 30), 300);
}

#[test]
fn what_an_earlier_version_kept_in_a_table_is_moved() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE events_seen (key, at);").unwrap();
    for n in 0..100 {
        let values = params![key(n), i64::from(n)];
        connection.execute("INSERT INTO events_seen VALUES (?1, ?2)", values).unwrap();
    }
    connection.execute_batch(SCHEMA).unwrap();
    let mut scene = Scene::open(connection);
    assert_eq!(
        (scene.dedupe.segments.len(), scene.in_memory()),
        (1, 36),
        "no more than it should is in memory"
    );
    assert_eq!(scene.add(0..101, 1_000_000), 1);
}

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
    Forget,
    Idle(usize),
    /// The process is gone between two transactions, and another one opens the file.
    Crash,
    /// Buckets cannot be written, or can again.
    Break,
    Mend,
}

fn step() -> impl Strategy<Value = Step> {
    let old = prop::collection::vec(1_u32..3000, 0..6);
    prop_oneof![
        12 => (0_u32..80, old, prop::bool::weighted(0.9))
            .prop_map(|(new, old, is_good)| Step::Commit { new, old, is_good }),
        4 => (0_i64..500).prop_map(Step::Wait),
        2 => Just(Step::Forget),
        3 => (0_usize..20).prop_map(Step::Idle),
        1 => Just(Step::Crash),
        1 => Just(Step::Break),
        2 => Just(Step::Mend),
    ]
}

fn file(folder: &TempDir) -> Connection {
    let connection = Connection::open(folder.path().join("store.db")).unwrap();
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
    fn commit(&mut self, scene: &mut Scene, keys: &[u32], is_good: bool) {
        let mut tx = scene.dedupe.begin(&mut scene.connection).unwrap();
        let mut new = Vec::new();
        for number in keys {
            let is_new = tx.insert(&key(*number), self.now).unwrap();
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
        if is_good {
            tx.commit().unwrap();
            self.came.extend(new.into_iter().map(|number| (number, self.now)));
        } else {
            drop(tx);
        }
        while scene.dedupe.maintain(&mut scene.connection, false) {}
    }

    fn forget(&mut self, scene: &mut Scene) {
        self.horizon = self.now - KEPT;
        scene.forget(self.horizon);
        assert!(scene.dedupe.segments.iter().all(|segment| segment.last >= self.horizon));
    }
}

proptest! {
    #![proptest_config(crate::seeded::config(48))]
    #[test]
    fn nothing_new_is_known_and_nothing_young_is_forgotten(steps in prop::collection::vec(step(), 1..150)) {
        let folder = TempDir::new().unwrap();
        let mut scene = Scene::over(file(&folder));
        let mut model = Model { came: HashMap::new(), next: 0, now: 10_000, horizon: 0 };
        for step in steps {
            match step {
                Step::Commit { new, old, is_good } => {
                    let keys = old.iter().filter_map(|back| model.next.checked_sub(*back));
                    let keys: Vec<u32> = keys.chain(model.next..model.next + new).collect();
                    model.next += new;
                    model.commit(&mut scene, &keys, is_good);
                }
                Step::Wait(seconds) => model.now += seconds,
                Step::Forget => model.forget(&mut scene),
                Step::Idle(count) => {
                    let _ = (0..count).all(|_| scene.dedupe.maintain(&mut scene.connection, true));
                }
                Step::Crash => scene = Scene::open(file(&folder)),
                Step::Break => {
                    scene.mend_buckets();
                    scene.break_buckets();
                }
                Step::Mend => scene.mend_buckets(),
            }
        }
        let all: Vec<u32> = (0..model.next + 100).collect();
        model.commit(&mut scene, &all, true);
        model.now += KEPT + 1;
        model.forget(&mut scene);
        scene.mend_buckets();
        scene.dedupe.resume_at = 0;
        scene.rest();
        prop_assert_eq!(scene.counts(), [0; 4], "all was old, and is gone");
    }
}
