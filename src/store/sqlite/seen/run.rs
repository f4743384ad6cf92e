//! A run: sorted keys on the disk, with a filter in memory.

use rusqlite::{Connection, Transaction, params};

use super::filter::{CHUNK, Filter, Probe};
use super::{BYTES, read};
use crate::store::Error;

/// The level of runs that are merged no more.
pub(super) const LAST: i64 = 255;
/// How far the number of a run is shifted in the places of its parts, which begin with the upper bits of a key.
const RUN: u32 = 32;
/// Rows that are removed at once: the parts each free a page, and write none.
const GONE_PARTS: i64 = 128;
/// A chunk of a filter takes sixteen pages.
const GONE_CHUNKS: i64 = 16;

/// A run that can be asked.
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) level: i64,
    /// When its earliest and its latest event came.
    pub(super) times: (i64, i64),
    pub(super) held: usize,
    pub(super) filter: Filter,
}

impl Run {
    /// Looks on the disk, where one row, which fits in a page, would have the key.
    pub(super) fn has(&self, connection: &Connection, key: u128) -> Result<bool, Error> {
        let sql = "SELECT keys FROM seen_parts WHERE part BETWEEN ?1 AND ?2 ORDER BY part DESC LIMIT 1";
        let mut query = connection.prepare_cached(sql)?;
        let mut rows = query.query(params![place(self.id, 0), place(self.id, key)])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let (keys, _) = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?.as_chunks::<BYTES>();
        Ok(keys.binary_search(&key.to_be_bytes()).is_ok())
    }
}

/// A run that is being written, in rising order, in one transaction or in several. Until the end of the last one it
/// is not alive, and so forgotten if it comes to nothing.
pub(super) struct Output {
    run: Run,
    /// What is not written yet.
    part: Vec<u128>,
    part_length: usize,
    chunks_written: usize,
}

impl Output {
    /// With room for `count` keys.
    pub(super) fn begin(
        tx: &Transaction<'_>,
        level: i64,
        times: (i64, i64),
        count: usize,
        part_length: usize,
    ) -> Result<Self, Error> {
        let filter = Filter::new(count);
        let sql = "INSERT INTO seen_runs (is_alive, level, first, last, held, blocks) VALUES (0, ?1, ?2, ?3, 0, ?4)";
        tx.prepare_cached(sql)?.execute(params![level, times.0, times.1, whole(filter.blocks())])?;
        let run = Run { id: tx.last_insert_rowid(), level, times, held: 0, filter };
        Ok(Self { run, part: Vec::new(), part_length, chunks_written: 0 })
    }

    pub(super) fn id(&self) -> i64 {
        self.run.id
    }

    /// Adds a key that is not before the last one. Keys that begin alike stay in one part, as it is found by that.
    pub(super) fn push(&mut self, tx: &Transaction<'_>, key: u128) -> Result<(), Error> {
        if let Some(last) = self.part.last() {
            if *last == key {
                return Ok(());
            }
            if self.part.len() >= self.part_length && place(0, *last) != place(0, key) {
                self.write_part(tx)?;
            }
        }
        self.run.filter.add(&Probe::new(key));
        self.run.held += 1;
        self.part.push(key);
        Ok(())
    }

    /// Writes those chunks of the filter which no further key changes.
    pub(super) fn write_chunks(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        let done = self.part.last().map_or(0, |key| self.run.filter.block(*key) / CHUNK);
        while self.chunks_written < done {
            self.write_chunk(tx)?;
        }
        Ok(())
    }

    /// Writes the rest: with the end of this transaction the run is alive.
    pub(super) fn finish(mut self, tx: &Transaction<'_>) -> Result<Run, Error> {
        self.write_part(tx)?;
        while self.write_chunk(tx)? {}
        let sql = "UPDATE seen_runs SET is_alive = 1, held = ?2 WHERE run = ?1";
        tx.prepare_cached(sql)?.execute(params![self.run.id, whole(self.run.held)])?;
        Ok(self.run)
    }

    fn write_part(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        let Some(first) = self.part.first() else { return Ok(()) };
        let keys: Vec<u8> = self.part.iter().flat_map(|key| key.to_be_bytes()).collect();
        tx.prepare_cached("INSERT INTO seen_parts (part, keys) VALUES (?1, ?2)")?
            .execute(params![place(self.run.id, *first), keys])?;
        self.part.clear();
        Ok(())
    }

    fn write_chunk(&mut self, tx: &Transaction<'_>) -> Result<bool, Error> {
        let Some(bits) = self.run.filter.chunk(self.chunks_written) else { return Ok(false) };
        let chunk = place(self.run.id, 0) + whole(self.chunks_written);
        tx.prepare_cached("INSERT INTO seen_filters (chunk, bits) VALUES (?1, ?2)")?
            .execute(params![chunk, bits])?;
        self.chunks_written += 1;
        Ok(true)
    }
}

/// The next part of a run whose place is `from` or behind: its place and keys.
pub(super) fn part(connection: &Connection, run: i64, from: i64) -> Result<Option<(i64, Vec<u128>)>, Error> {
    let sql = "SELECT part, keys FROM seen_parts WHERE part BETWEEN ?1 AND ?2 ORDER BY part LIMIT 1";
    let mut query = connection.prepare_cached(sql)?;
    let mut rows = query.query(params![from.max(place(run, 0)), place(run, u128::MAX)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let keys = read(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?).collect();
    Ok(Some((row.get(0)?, keys)))
}

/// The runs that are alive, the oldest first, and the numbers of those that are not.
pub(super) fn load(connection: &Connection) -> Result<(Vec<Run>, Vec<i64>), Error> {
    let sql = "SELECT run, is_alive, level, first, last, held, blocks FROM seen_runs ORDER BY first, run";
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([])?;
    let (mut runs, mut dead) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        if !row.get::<_, bool>(1)? {
            dead.push(id);
            continue;
        }
        let [held, blocks] = [row.get::<_, i64>(5)?, row.get::<_, i64>(6)?]
            .map(|count| usize::try_from(count).unwrap_or_default());
        let sql = "SELECT bits FROM seen_filters WHERE chunk BETWEEN ?1 AND ?2 ORDER BY chunk";
        let mut chunks = connection.prepare_cached(sql)?;
        let chunks = chunks.query_map(params![place(id, 0), place(id, u128::MAX)], |row| row.get(0))?;
        let chunks: Vec<Vec<u8>> = chunks.collect::<Result<_, _>>()?;
        let filter = Filter::stored(blocks, chunks.into_iter());
        runs.push(Run { id, level: row.get(2)?, times: (row.get(3)?, row.get(4)?), held, filter });
    }
    Ok((runs, dead))
}

/// From the end of this transaction on the run is not alive.
pub(super) fn end(tx: &Transaction<'_>, run: i64) -> Result<(), Error> {
    tx.prepare_cached("UPDATE seen_runs SET is_alive = 0 WHERE run = ?1")?.execute(params![run])?;
    Ok(())
}

/// Removes some of what a run that is not alive has left; true when that was all.
pub(super) fn remove_some(tx: &Transaction<'_>, run: i64) -> Result<bool, Error> {
    let range = |sql: &str, most: i64| -> Result<bool, Error> {
        let values = params![place(run, 0), place(run, u128::MAX), most];
        Ok(whole(tx.prepare_cached(sql)?.execute(values)?) < most)
    };
    let parts = "DELETE FROM seen_parts WHERE part IN (
                     SELECT part FROM seen_parts WHERE part BETWEEN ?1 AND ?2 ORDER BY part LIMIT ?3)";
    let chunks = "DELETE FROM seen_filters WHERE chunk IN (
                      SELECT chunk FROM seen_filters WHERE chunk BETWEEN ?1 AND ?2 ORDER BY chunk LIMIT ?3)";
    if !range(parts, GONE_PARTS)? || !range(chunks, GONE_CHUNKS)? {
        return Ok(false);
    }
    tx.prepare_cached("DELETE FROM seen_runs WHERE run = ?1 AND is_alive = 0")?.execute(params![run])?;
    Ok(true)
}

/// Where a run has the part that begins with `key`.
fn place(run: i64, key: u128) -> i64 {
    (run << RUN) | i64::try_from(key >> (u128::BITS - RUN)).unwrap_or_default()
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
