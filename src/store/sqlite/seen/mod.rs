//! Which events were seen.
//!
//! Keys are hashes: in a table that is sorted by them, each event would change a page of its own, and such pages are what
//! a commit costs. So keys are written in the order in which they come, one row for all of a commit, and the latest of
//! them are known in memory. When these are [`MOST`], they are sorted and written as a run, which is never changed
//! again, and of which a [`Filter`] stays in memory. A new event so touches no page of an earlier one, and is looked up
//! on disk only in those runs whose filter lets it through.

mod filter;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::store::{Error, EventKey};
use filter::Filter;

/// How many keys a run has: the table of so many is as full as it may be before it grows, at 2.1 MiB.
pub(super) const MOST: usize = 114_688;
/// The parts of a run, each with the keys that begin with the same nine bits: 3.5 KiB, so that a part fits in a page.
const PARTS: i64 = 512;
/// How far a key is shifted for these bits.
const PART: u32 = 119;
/// The bytes of a key.
const BYTES: usize = size_of::<EventKey>();
/// Rows of the log that are read at once.
const ROWS: i64 = 10_000;

/// Moves what earlier versions knew. `at` is when the latest event of a row came.
pub(super) const SCHEMA: &str = "
    CREATE TABLE seen_log (
        id   INTEGER PRIMARY KEY,
        at   INTEGER NOT NULL,
        keys BLOB NOT NULL CHECK (length(keys) % 16 = 0)
    ) STRICT;
    CREATE TABLE seen_runs (
        run  INTEGER PRIMARY KEY,
        at   INTEGER NOT NULL,
        held INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE seen_parts (
        part INTEGER PRIMARY KEY,
        keys BLOB NOT NULL CHECK (length(keys) % 16 = 0)
    ) STRICT;
    INSERT INTO seen_log (at, keys) SELECT at, key FROM events_seen ORDER BY at;
    DROP TABLE events_seen;
";

/// What is known of the three tables. What a transaction adds is known at once, and unlearnt if it fails.
pub(super) struct Seen {
    /// What is in the log, and what will be.
    recent: HashSet<u128, BuildHasherDefault<OwnBits>>,
    /// In the order in which they were written.
    runs: Vec<Run>,
    /// What the transaction at hand has added, in its order, and when the latest of it came.
    fresh: Vec<u128>,
    at: i64,
    /// What it takes out.
    lapsed: Vec<u128>,
    lapsed_runs: Vec<i64>,
    /// How many keys a run has.
    length: usize,
    /// How many there are when the next one is tried.
    most: usize,
}

/// A point within a transaction.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    fresh: usize,
    lapsed: usize,
    lapsed_runs: usize,
}

struct Run {
    id: i64,
    /// When its latest event came.
    at: i64,
    held: usize,
    filter: Filter,
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
    /// Reads what is known; what does not fit into memory, as an earlier version may have left it, becomes runs. These
    /// have `length` keys.
    pub(super) fn load(connection: &mut Connection, length: usize) -> Result<Self, Error> {
        let mut seen = Self {
            recent: HashSet::default(),
            runs: runs(connection)?,
            fresh: Vec::new(),
            at: 0,
            lapsed: Vec::new(),
            lapsed_runs: Vec::new(),
            length,
            most: length,
        };
        let mut last = i64::MIN;
        loop {
            let rows = rows(connection, last)?;
            let Some((id, ..)) = rows.last() else { return Ok(seen) };
            last = *id;
            seen.recent.extend(rows.iter().flat_map(|(_, _, keys)| read(keys)));
            if seen.recent.len() >= seen.most {
                seen.write_run(connection, last)?;
            }
        }
    }

    /// Remembers an event that came at `at`; false when it was seen before.
    pub(super) fn add(&mut self, tx: &Transaction<'_>, key: &EventKey, at: i64) -> Result<bool, Error> {
        let key = u128::from_be_bytes(*key);
        if self.recent.contains(&key) {
            return Ok(false);
        }
        for run in self.runs.iter().filter(|run| run.filter.may_have(key)) {
            let sql = "SELECT keys FROM seen_parts WHERE part = ?1";
            let found: Option<Vec<u8>> =
                tx.prepare_cached(sql)?.query_row(params![part(run.id, key)], |row| row.get(0)).optional()?;
            if found.is_some_and(|keys| read(&keys).any(|known| known == key)) {
                return Ok(false);
            }
        }
        self.recent.insert(key);
        self.at = if self.fresh.is_empty() { at } else { self.at.max(at) };
        self.fresh.push(key);
        Ok(true)
    }

    /// How far the transaction is.
    pub(super) fn mark(&self) -> Mark {
        Mark { fresh: self.fresh.len(), lapsed: self.lapsed.len(), lapsed_runs: self.lapsed_runs.len() }
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
        self.lapsed_runs.truncate(mark.lapsed_runs);
    }

    /// Writes what was added, as the last work of its transaction.
    pub(super) fn write(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        if self.fresh.is_empty() {
            return Ok(());
        }
        let keys: Vec<u8> = self.fresh.iter().flat_map(|key| key.to_be_bytes()).collect();
        tx.prepare_cached("INSERT INTO seen_log (at, keys) VALUES (?1, ?2)")?
            .execute(params![self.at, keys])?;
        Ok(())
    }

    /// The transaction has ended, so or so.
    pub(super) fn end(&mut self, is_committed: bool) {
        if !is_committed {
            return self.undo(Mark::default());
        }
        self.fresh.clear();
        for key in self.lapsed.drain(..) {
            self.recent.remove(&key);
        }
        for id in self.lapsed_runs.drain(..) {
            self.runs.retain(|run| run.id != id);
        }
    }

    /// Forgets events that came before `t`: the oldest run, or rows of the log with `most` keys at most.
    pub(super) fn purge(&mut self, tx: &Transaction<'_>, t: i64, most: usize) -> Result<usize, Error> {
        let old = self.runs.iter().find(|run| run.at < t && !self.lapsed_runs.contains(&run.id));
        if let Some(Run { id, held, .. }) = old {
            let (first, end) = (id * PARTS, (id + 1) * PARTS);
            tx.execute("DELETE FROM seen_parts WHERE part >= ?1 AND part < ?2", params![first, end])?;
            tx.execute("DELETE FROM seen_runs WHERE run = ?1", params![id])?;
            self.lapsed_runs.push(*id);
            return Ok(*held);
        }
        let mut left = most;
        for (id, at, keys) in rows(tx, i64::MIN)? {
            if at >= t || left == 0 {
                break;
            }
            let split = keys.len().min(left * BYTES);
            let (gone, rest) = keys.split_at(split);
            if rest.is_empty() {
                tx.prepare_cached("DELETE FROM seen_log WHERE id = ?1")?.execute(params![id])?;
            } else {
                tx.execute("UPDATE seen_log SET keys = ?2 WHERE id = ?1", params![id, rest])?;
            }
            self.lapsed.extend(read(gone));
            left -= split / BYTES;
        }
        Ok(most - left)
    }

    /// Between two transactions: makes a run when it is time. If that fails nothing has changed, and it is tried again
    /// when there is somewhat more.
    pub(super) fn settle(&mut self, connection: &mut Connection) {
        if self.recent.len() >= self.most && self.write_run(connection, i64::MAX).is_err() {
            self.most = self.recent.len() + self.length / 8;
        }
    }

    /// Turns the rows of the log up to `last`, which are all that is known in memory, into a run.
    fn write_run(&mut self, connection: &mut Connection, last: i64) -> Result<(), Error> {
        let mut keys: Vec<u128> = self.recent.iter().copied().collect();
        keys.sort_unstable();
        let mut filter = Filter::new(keys.len());
        keys.iter().for_each(|key| filter.add(*key));
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let at: i64 =
            tx.query_row("SELECT coalesce(max(at), 0) FROM seen_log WHERE id <= ?1", params![last], |row| {
                row.get(0)
            })?;
        let id: i64 =
            tx.query_row("SELECT coalesce(max(run), 0) + 1 FROM seen_runs", [], |row| row.get(0))?;
        let held = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        tx.execute("INSERT INTO seen_runs (run, at, held) VALUES (?1, ?2, ?3)", params![id, at, held])?;
        for of_part in keys.chunk_by(|one, other| one >> PART == other >> PART) {
            let bytes: Vec<u8> = of_part.iter().flat_map(|key| key.to_be_bytes()).collect();
            let part = of_part.first().map(|key| part(id, *key));
            tx.prepare_cached("INSERT INTO seen_parts (part, keys) VALUES (?1, ?2)")?
                .execute(params![part, bytes])?;
        }
        tx.execute("DELETE FROM seen_log WHERE id <= ?1", params![last])?;
        tx.commit()?;
        self.runs.push(Run { id, at, held: keys.len(), filter });
        self.recent.clear();
        self.most = self.length;
        Ok(())
    }
}

/// Where the keys of a run are that begin as `key` does.
fn part(run: i64, key: u128) -> i64 {
    run * PARTS + i64::try_from(key >> PART).unwrap_or_default()
}

/// The keys in a row.
fn read(bytes: &[u8]) -> impl Iterator<Item = u128> {
    let (keys, _) = bytes.as_chunks::<BYTES>();
    keys.iter().map(|key| u128::from_be_bytes(*key))
}

/// Some rows of the log behind `last`: place, time, keys.
fn rows(connection: &Connection, last: i64) -> Result<Vec<(i64, i64, Vec<u8>)>, Error> {
    let sql = "SELECT id, at, keys FROM seen_log WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut query = connection.prepare_cached(sql)?;
    let rows = query.query_map(params![last, ROWS], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The runs with their filters, which are read off the keys.
fn runs(connection: &Connection) -> Result<Vec<Run>, Error> {
    let mut query = connection.prepare("SELECT run, at, held FROM seen_runs ORDER BY run")?;
    let heads = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut runs = Vec::new();
    for head in heads {
        let (id, at, held): (i64, i64, i64) = head?;
        let held = usize::try_from(held).unwrap_or_default();
        let mut filter = Filter::new(held);
        let mut query =
            connection.prepare_cached("SELECT keys FROM seen_parts WHERE part >= ?1 AND part < ?2")?;
        let mut parts = query.query(params![id * PARTS, (id + 1) * PARTS])?;
        while let Some(row) = parts.next()? {
            let keys = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            read(keys).for_each(|key| filter.add(key));
        }
        runs.push(Run { id, at, held, filter });
    }
    Ok(runs)
}

#[cfg(test)]
mod tests;
