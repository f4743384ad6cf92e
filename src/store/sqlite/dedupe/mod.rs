//! Deduplication: which events have come before.
//!
//! Cloud repeats a webhook until it is acknowledged, for up to seven days, so the key of each event is kept for longer
//! than that. A key is a hash of the number and the event. It carries no time, since nobody promises that a repetition has
//! the same one; so the keys have no order that would put new ones side by side. In one table sorted by key, every event
//! would change a page of its own, and changed pages are what a commit costs. Therefore:
//!
//! - The **log** has the keys in the order in which they came, one row for each commit. They are also in memory
//!   (`recent`), so a repetition that comes soon is recognised without a look at the disk.
//! - When the log has [`Sizes::recent`] keys, they are moved into a **segment**, bucket by bucket (`segment`): a hash table
//!   on the disk, in which a bucket is a row that fits in a page. So many keys at once share the pages that they change.
//! - A segment has a [`filter`] in memory, and is read only for keys that the filter lets through. When it is full, it is
//!   not changed any more, and the next one begins.
//!
//! Keys are moved in short transactions between the store's other work ([`Dedupe::maintain`]). They stay in the log, and
//! in memory, until the last of them is in the segment, so a move that fails or is cut off has done no harm: what it did
//! is done again.
//!
//! # Bounds
//!
//! A segment is forgotten as a whole, when its latest key has lapsed. So the disk has the keys of the time that they are
//! kept for and at most one segment more, with some 21 bytes each; memory has 13 bits of each, and up to twice
//! [`Sizes::recent`] whole ones. Filters are stored beside their segments and read when the store is opened. Where keys
//! cannot be moved, because the disk is full or damaged, memory has all keys of the log; it says so at the level of errors.

mod filter;
mod moves;
mod segment;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Deref;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::store::{Error, EventKey};
use filter::Probe;
use moves::{LogPart, Move};
use segment::Segment;

/// The bytes of a key.
const BYTES: usize = size_of::<EventKey>();

/// How large things are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// How many keys are in the log before they are moved.
    recent: usize,
    /// How many keys a segment has at most.
    segment: usize,
    /// How many of a key's first bits choose its bucket.
    bucket_bits: u32,
    /// How many buckets are written in one transaction.
    slice: usize,
}

/// A full bucket has 195 keys, which leaves room in its page for those that have more than others. 128 buckets take about
/// as long as a commit does anyway.
pub(super) const SIZES: Sizes = Sizes { recent: 200_000, segment: 800_000, bucket_bits: 12, slice: 128 };

/// Moves what earlier versions knew. `at` is when the latest event of a row came. A run is what is called a segment today,
/// or was written, already sorted, by a version that merged them; both are read in the same way. `first` and `level` are of
/// that version, but for [`segment::LEVEL`].
pub(super) const SCHEMA: &str = "
    CREATE TABLE seen_log (
        id   INTEGER PRIMARY KEY,
        at   INTEGER NOT NULL,
        keys BLOB NOT NULL CHECK (length(keys) > 0 AND length(keys) % 16 = 0)
    ) STRICT;
    CREATE TABLE seen_runs (
        run      INTEGER PRIMARY KEY,
        is_alive INTEGER NOT NULL CHECK (is_alive IN (0, 1)),
        level    INTEGER NOT NULL,
        first    INTEGER NOT NULL,
        last     INTEGER NOT NULL,
        held     INTEGER NOT NULL,
        blocks   INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE seen_parts (
        part INTEGER PRIMARY KEY,
        keys BLOB NOT NULL CHECK (length(keys) > 0 AND length(keys) % 16 = 0)
    ) STRICT;
    CREATE TABLE seen_filters (
        chunk INTEGER PRIMARY KEY,
        bits  BLOB NOT NULL
    ) STRICT;
    INSERT INTO seen_log (at, keys) SELECT at, key FROM events_seen ORDER BY at;
    DROP TABLE events_seen;
";

/// Tables that grow with the number of events and are not read as a whole when the store is opened.
pub(super) const LARGE: [&str; 2] = ["seen_parts", "seen_filters"];

/// The keys of all events that are known.
pub(super) struct Dedupe {
    sizes: Sizes,
    /// The keys of the log, but for those that are being moved.
    recent: Keys,
    moving: Option<Move>,
    /// The oldest first. Keys are moved into the last one.
    segments: Vec<Segment>,
    /// Segments that are forgotten, and whose rows have to be removed.
    forgotten: Vec<i64>,
    /// After a failure, upkeep waits until so many keys are in `recent`.
    resume_at: usize,
}

impl Dedupe {
    /// Reads the log and the filters. A log that is too long for memory, as an earlier version may have left it, is moved.
    pub(super) fn open(connection: &mut Connection, sizes: Sizes) -> Result<Self, Error> {
        let (segments, forgotten) = segment::load(connection)?;
        let recent = HashSet::default();
        let mut dedupe = Self { sizes, recent, moving: None, segments, forgotten, resume_at: 0 };
        loop {
            let head = LogPart::read(connection, i64::MIN, sizes.recent)?;
            let is_all = head.keys.len() < sizes.recent;
            dedupe.recent.extend(head.keys);
            if is_all {
                return Ok(dedupe);
            }
            while dedupe.moving.is_some() || !dedupe.recent.is_empty() {
                if !dedupe.maintain(connection, true) {
                    dedupe.moving = None;
                    dedupe.recent.extend(LogPart::read(connection, i64::MIN, usize::MAX)?.keys);
                    return Ok(dedupe);
                }
            }
        }
    }

    /// Begins a transaction. The write lock is taken at once: a transaction that upgrades later can fail half-way with
    /// "busy".
    pub(super) fn begin<'a>(&'a mut self, connection: &'a mut Connection) -> Result<Change<'a>, Error> {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let added = Added { dedupe: self, keys: Vec::new(), at: i64::MIN };
        Ok(Change { tx, added, lapsed: HashSet::default(), horizon: None })
    }

    /// Looks where a repetition is most likely first: most come soon.
    fn has(&self, connection: &Connection, key: u128) -> Result<bool, Error> {
        let is_moving = |moving: &Move| moving.keys.binary_search(&key).is_ok();
        if self.recent.contains(&key) || self.moving.as_ref().is_some_and(is_moving) {
            return Ok(true);
        }
        let probe = Probe::new(key);
        for segment in self.segments.iter().rev().filter(|segment| segment.filter.may_have(&probe)) {
            if segment.has(connection, key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What came before `horizon` is not on the disk any more: keys of the log, and segments.
    fn forget(&mut self, horizon: i64, lapsed: &Keys) {
        // Rows that a move came from may be gone, and their numbers be given again, so it begins anew.
        self.recent.extend(self.moving.take().into_iter().flat_map(|moving| moving.keys));
        self.recent.retain(|key| !lapsed.contains(key));
        let lapsed = self.segments.extract_if(.., |segment| segment.last < horizon);
        self.forgotten.extend(lapsed.map(|segment| segment.id));
    }
}

/// A transaction of the store, in which events can be added. Dropped without a commit, it has done nothing.
pub(super) struct Change<'a> {
    tx: Transaction<'a>,
    added: Added<'a>,
    lapsed: Keys,
    horizon: Option<i64>,
}

/// The keys that a transaction adds. They are known at once, and forgotten if it fails.
struct Added<'a> {
    dedupe: &'a mut Dedupe,
    keys: Vec<u128>,
    /// When the latest of them came.
    at: i64,
}

impl Change<'_> {
    /// Adds an event that came at `at`; false if it has come before.
    pub(super) fn insert(&mut self, key: &EventKey, at: i64) -> Result<bool, Error> {
        let key = u128::from_be_bytes(*key);
        let Added { dedupe, keys, at: latest } = &mut self.added;
        let is_new = !dedupe.has(&self.tx, key)?;
        if is_new {
            dedupe.recent.insert(key);
            keys.push(key);
            *latest = at.max(*latest);
        }
        Ok(is_new)
    }

    /// Forgets events that came before `horizon`, but for those that share a segment, or a commit, with later ones.
    pub(super) fn forget_before(&mut self, horizon: i64) -> Result<(), Error> {
        let mut delete = self.tx.prepare_cached("DELETE FROM seen_log WHERE at < ?1 RETURNING keys")?;
        let mut rows = delete.query(params![horizon])?;
        while let Some(row) = rows.next()? {
            self.lapsed.extend(keys_in(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?));
        }
        let sql = "UPDATE seen_runs SET is_alive = 0 WHERE is_alive = 1 AND last < ?1";
        self.tx.prepare_cached(sql)?.execute(params![horizon])?;
        self.horizon = Some(horizon);
        Ok(())
    }

    /// Commits, and says how many events were added.
    pub(super) fn commit(self) -> Result<usize, Error> {
        let Self { tx, mut added, lapsed, horizon } = self;
        if !added.keys.is_empty() {
            let keys: Vec<u8> = added.keys.iter().flat_map(|key| key.to_be_bytes()).collect();
            tx.prepare_cached("INSERT INTO seen_log (at, keys) VALUES (?1, ?2)")?
                .execute(params![added.at, keys])?;
        }
        tx.commit()?;
        let count = std::mem::take(&mut added.keys).len();
        if let Some(horizon) = horizon {
            added.dedupe.forget(horizon, &lapsed);
        }
        Ok(count)
    }
}

impl<'a> Deref for Change<'a> {
    type Target = Transaction<'a>;

    fn deref(&self) -> &Self::Target {
        &self.tx
    }
}

impl Drop for Added<'_> {
    fn drop(&mut self) {
        for key in &self.keys {
            self.dedupe.recent.remove(key);
        }
    }
}

type Keys = HashSet<u128, BuildHasherDefault<KeyHasher>>;

/// Keys are hashes already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, key: u128) {
        let [.., a, b, c, d, e, f, g, h] = key.to_be_bytes();
        self.0 = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The keys in a row.
fn keys_in(bytes: &[u8]) -> impl Iterator<Item = u128> {
    let (keys, _) = bytes.as_chunks::<BYTES>();
    keys.iter().map(|key| u128::from_be_bytes(*key))
}

#[cfg(test)]
mod tests;
