//! Which events were seen.
//!
//! Keys are hashes: in a table that is sorted by them, each event would change a page of its own, and such pages are what
//! a commit costs. So keys are written in the order in which they come (`log`), and the latest of them are known in
//! memory. When these are [`Sizes::run`], they are sorted and written as a run (`run`), which is never changed again, and
//! of which a [`filter`] stays in memory. A new event so touches no page of an earlier one, and is looked up on disk only
//! in those runs whose filter lets it through. Runs are merged (`merge`), so that they are few however many events there
//! are, a little at a time between the store's other work (`upkeep`).
//!
//! # Bounds
//!
//! Keys are forgotten by runs, so some stay longer than they have to: by what the longest run covers, which is
//! [`Sizes::span`] or the time in which as many keys come as a run from the log has. A merge has its keys twice until it
//! is over. On the disk are so the keys of the time that they are kept for, and of two spans more, with 18 bytes each; in
//! memory are 13 bits of each, and up to 100,000 whole ones. Filters are stored beside their runs, a tenth of what these
//! take, and read when the store is opened, so that nothing has to be looked up meanwhile for want of them.
//!
//! For a time `t` that is kept there are at most 2 t/span + 1 runs that are merged no more, and of each level below, up to
//! the one that covers a span, fan - 1, besides those that wait while a merge is under way.

mod filter;
mod log;
mod merge;
mod run;
mod upkeep;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use rusqlite::{Connection, Transaction};

use crate::store::{Error, EventKey};
use filter::Probe;
use log::Stretch;
use run::Run;
use upkeep::Upkeep;

/// The bytes of a key.
const BYTES: usize = size_of::<EventKey>();

/// How large things are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// How many keys are known in memory before they become a run.
    pub(super) run: usize,
    /// How many runs of a level are merged.
    pub(super) fan: usize,
    /// How many keys a row of a run has.
    pub(super) part: usize,
    /// How many keys are merged in one transaction.
    pub(super) slice: usize,
    /// The longest time that a merged run covers, in seconds.
    pub(super) span: i64,
}

/// 100,000 keys leave room for a commit of 14,000 more before their table, of 2.1 MiB, doubles. 250 keys fill a page of 4
/// KiB, and 2000 take about as long as a commit does anyway.
pub(super) const SIZES: Sizes = Sizes { run: 100_000, fan: 8, part: 250, slice: 2000, span: 86_400 };

/// Moves what earlier versions knew. `at` is when the latest event of a row came. A run is alive when it is whole and not
/// replaced; its rows are found by the number of the run, shifted, and the upper bits of the first key, or a count.
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

/// Tables that grow with what was seen and are not read as a whole when the store is opened.
pub(super) const LARGE: [&str; 2] = ["seen_parts", "seen_filters"];

/// What is known of the tables. What a transaction adds is known at once, and unlearnt if it fails.
pub(super) struct Seen {
    sizes: Sizes,
    /// What is in the log, and what will be, but for what is in `stretches`.
    recent: HashSet<u128, BuildHasherDefault<OwnBits>>,
    stretches: Vec<Stretch>,
    /// The last row of the log that is known, while it is being read.
    through: i64,
    /// The oldest first.
    runs: Vec<Run>,
    /// What the transaction at hand has added, in its order, and when the latest of it came.
    fresh: Vec<u128>,
    at: i64,
    /// What it takes out.
    lapsed: Vec<u128>,
    lapsed_row: Option<i64>,
    lapsed_runs: Vec<i64>,
    upkeep: Upkeep,
}

/// A point within a transaction.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    fresh: usize,
    lapsed: usize,
    lapsed_row: Option<i64>,
    lapsed_runs: usize,
}

/// Keys are hashes already.
#[derive(Default)]
struct OwnBits(u64);

impl Hasher for OwnBits {
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

impl Seen {
    /// Reads what is known: the runs' filters and the log. What is too much for memory, as an earlier version may have
    /// left it, becomes runs.
    pub(super) fn load(connection: &mut Connection, sizes: Sizes) -> Result<Self, Error> {
        let (runs, dead) = run::load(connection)?;
        let mut seen = Self {
            sizes,
            recent: HashSet::default(),
            stretches: Vec::new(),
            through: i64::MIN,
            runs,
            fresh: Vec::new(),
            at: 0,
            lapsed: Vec::new(),
            lapsed_row: None,
            lapsed_runs: Vec::new(),
            upkeep: Upkeep::new(dead),
        };
        while let Some((last, keys)) = log::load(connection, seen.through, sizes.run)? {
            seen.through = last;
            seen.upkeep.added(keys.len());
            seen.recent.extend(keys);
            seen.write_run(connection);
        }
        seen.through = i64::MAX;
        Ok(seen)
    }

    /// Remembers an event that came at `at`; false when it was seen before.
    pub(super) fn add(&mut self, tx: &Transaction<'_>, key: &EventKey, at: i64) -> Result<bool, Error> {
        let key = u128::from_be_bytes(*key);
        if self.recent.contains(&key) || self.is_on_disk(tx, key)? {
            return Ok(false);
        }
        self.recent.insert(key);
        self.at = if self.fresh.is_empty() { at } else { self.at.max(at) };
        self.fresh.push(key);
        Ok(true)
    }

    /// The latest runs first: repetitions mostly come soon.
    fn is_on_disk(&self, connection: &Connection, key: u128) -> Result<bool, Error> {
        let probe = Probe::new(key);
        for run in self.runs.iter().rev().filter(|run| run.filter.may_have(&probe)) {
            if run.has(connection, key)? {
                return Ok(true);
            }
        }
        for stretch in self.stretches.iter().filter(|stretch| stretch.may_have(&probe)) {
            if stretch.has(connection, key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How far the transaction is.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            fresh: self.fresh.len(),
            lapsed: self.lapsed.len(),
            lapsed_row: self.lapsed_row,
            lapsed_runs: self.lapsed_runs.len(),
        }
    }

    /// How many events the transaction has added so far.
    pub(super) fn added(&self) -> usize {
        self.fresh.len()
    }

    /// Takes back what was done since `mark`.
    pub(super) fn undo(&mut self, mark: Mark) {
        for key in self.fresh.drain(mark.fresh.min(self.fresh.len())..) {
            self.recent.remove(&key);
        }
        self.lapsed.truncate(mark.lapsed);
        self.lapsed_row = mark.lapsed_row;
        self.lapsed_runs.truncate(mark.lapsed_runs);
    }

    /// Writes what was added, as the last work of its transaction.
    pub(super) fn write(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        if self.fresh.is_empty() { Ok(()) } else { log::append(tx, self.at, &self.fresh) }
    }

    /// The transaction has ended, so or so.
    pub(super) fn end(&mut self, is_committed: bool) {
        if !is_committed {
            return self.undo(Mark::default());
        }
        self.upkeep.added(self.fresh.len());
        self.fresh.clear();
        for key in self.lapsed.drain(..) {
            self.recent.remove(&key);
        }
        if let Some(row) = self.lapsed_row.take() {
            self.stretches.retain(|stretch| stretch.rows.through > row);
        }
        for id in self.lapsed_runs.drain(..) {
            self.runs.retain(|run| run.id != id);
            self.upkeep.run_ended(id);
        }
    }

    /// Forgets events that came before `t`: the oldest run, whose rows are removed later, or `most` keys of the log.
    pub(super) fn purge(&mut self, tx: &Transaction<'_>, t: i64, most: usize) -> Result<usize, Error> {
        let old = self.runs.iter().find(|run| run.times.1 < t && !self.lapsed_runs.contains(&run.id));
        if let Some(Run { id, held, .. }) = old {
            run::end(tx, *id)?;
            self.lapsed_runs.push(*id);
            return Ok((*held).max(1));
        }
        let purged = log::purge(tx, t, most)?;
        let count = purged.keys.len();
        self.lapsed.extend(purged.keys);
        self.lapsed_row = purged.row.or(self.lapsed_row);
        Ok(count)
    }
}

/// The keys in a row.
fn read(bytes: &[u8]) -> impl Iterator<Item = u128> {
    let (keys, _) = bytes.as_chunks::<BYTES>();
    keys.iter().map(|key| u128::from_be_bytes(*key))
}

#[cfg(test)]
mod tests;
