//! A segment: a hash table of keys on the disk, with a filter in memory.
//!
//! A bucket is a row: the keys that begin with the same bits, sorted. The number of the row is that of the segment,
//! shifted, and those bits.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::filter::{Filter, Probe};
use super::{BYTES, Sizes, keys_in};
use crate::store::Error;

/// Tells segments from the runs of earlier versions, to which nothing is added.
pub(super) const LEVEL: i64 = 254;
/// How far the number of a segment is shifted in the numbers of its rows, which end in the first bits of a key.
const SHIFT: u32 = 32;
/// Buckets that are removed at once: each frees a page, and few pages are written for it.
const REMOVED_BUCKETS: i64 = 128;
/// A chunk of a filter takes sixteen pages.
const REMOVED_CHUNKS: i64 = 16;

pub(super) struct Segment {
    pub(super) id: i64,
    /// When its latest event came.
    pub(super) last: i64,
    /// How many keys it has.
    pub(super) held: usize,
    /// Whether nothing more is to be added, however little there is.
    pub(super) is_closed: bool,
    pub(super) filter: Filter,
}

impl Segment {
    /// An empty one, whose events came until `last`.
    pub(super) fn create(tx: &Transaction<'_>, sizes: &Sizes, last: i64) -> Result<Self, Error> {
        let filter = Filter::new(sizes.segment);
        let sql = "INSERT INTO seen_runs (is_alive, level, first, last, held, blocks) VALUES (1, ?1, ?2, ?2, 0, ?3)";
        tx.prepare_cached(sql)?.execute(params![LEVEL, last, whole(filter.blocks())])?;
        let segment = Self { id: tx.last_insert_rowid(), last, held: 0, is_closed: false, filter };
        segment.write_filter(tx)?;
        Ok(segment)
    }

    /// Whether there is room for as many keys as are moved at once.
    pub(super) fn has_room(&self, sizes: &Sizes) -> bool {
        !self.is_closed && self.held.saturating_add(sizes.recent) <= sizes.segment
    }

    /// Looks on the disk. The bucket is the last row that does not begin behind the key, as it is in the runs of earlier
    /// versions, whose rows begin anywhere.
    pub(super) fn has(&self, connection: &Connection, key: u128) -> Result<bool, Error> {
        let sql = "SELECT keys FROM seen_parts WHERE part BETWEEN ?1 AND ?2 ORDER BY part DESC LIMIT 1";
        let mut query = connection.prepare_cached(sql)?;
        let mut rows = query.query(params![row_id(self.id, 0), row_id(self.id, key)])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let (keys, _) = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?.as_chunks::<BYTES>();
        Ok(keys.binary_search(&key.to_be_bytes()).is_ok())
    }

    /// Adds keys to the bucket that all of them belong to. Adding them twice does no more than doing it once.
    pub(super) fn add(&self, tx: &Transaction<'_>, bucket_bits: u32, keys: &[u128]) -> Result<(), Error> {
        let Some(first) = keys.first() else { return Ok(()) };
        let row = row_id(self.id, bucket(*first, bucket_bits) << (u128::BITS - bucket_bits));
        let mut query = tx.prepare_cached("SELECT keys FROM seen_parts WHERE part = ?1")?;
        let known: Option<Vec<u8>> = query.query_row(params![row], |row| row.get(0)).optional()?;
        let mut all: Vec<u128> = keys_in(&known.unwrap_or_default()).chain(keys.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        let all: Vec<u8> = all.iter().flat_map(|key| key.to_be_bytes()).collect();
        let sql = "INSERT INTO seen_parts (part, keys) VALUES (?1, ?2)
                   ON CONFLICT DO UPDATE SET keys = excluded.keys";
        tx.prepare_cached(sql)?.execute(params![row, all])?;
        Ok(())
    }

    /// All of `keys` are in their buckets now: the filter lets them through, also after the next start. Gives the number
    /// of keys from then on.
    pub(super) fn added(&mut self, tx: &Transaction<'_>, keys: &[u128]) -> Result<usize, Error> {
        keys.iter().for_each(|key| self.filter.add(&Probe::new(*key)));
        self.write_filter(tx)?;
        let held = self.held.saturating_add(keys.len());
        let sql = "UPDATE seen_runs SET held = ?2 WHERE run = ?1";
        tx.prepare_cached(sql)?.execute(params![self.id, whole(held)])?;
        Ok(held)
    }

    fn write_filter(&self, tx: &Transaction<'_>) -> Result<(), Error> {
        let mut write =
            tx.prepare_cached("INSERT OR REPLACE INTO seen_filters (chunk, bits) VALUES (?1, ?2)")?;
        for (chunk, bits) in (row_id(self.id, 0)..).zip(self.filter.chunks()) {
            write.execute(params![chunk, bits])?;
        }
        Ok(())
    }
}

/// The segments that are alive, the oldest first, and the numbers of those that are not.
pub(super) fn load(connection: &Connection) -> Result<(Vec<Segment>, Vec<i64>), Error> {
    let sql = "SELECT run, is_alive, level, last, held, blocks FROM seen_runs ORDER BY run";
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([])?;
    let (mut segments, mut forgotten) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        if !row.get::<_, bool>(1)? {
            forgotten.push(id);
            continue;
        }
        let [held, blocks] = [row.get::<_, i64>(4)?, row.get::<_, i64>(5)?]
            .map(|count| usize::try_from(count).unwrap_or_default());
        let sql = "SELECT bits FROM seen_filters WHERE chunk BETWEEN ?1 AND ?2 ORDER BY chunk";
        let mut chunks = connection.prepare_cached(sql)?;
        let chunks = chunks.query_map(params![row_id(id, 0), row_id(id, u128::MAX)], |row| row.get(0))?;
        let chunks: Vec<Vec<u8>> = chunks.collect::<Result<_, _>>()?;
        let filter = Filter::stored(blocks, chunks.into_iter());
        let is_closed = row.get::<_, i64>(2)? != LEVEL;
        segments.push(Segment { id, last: row.get(3)?, held, is_closed, filter });
    }
    Ok((segments, forgotten))
}

/// Removes some rows of a segment that is forgotten; true when that was all.
pub(super) fn remove_some(tx: &Transaction<'_>, id: i64) -> Result<bool, Error> {
    let range = |sql: &str, max: i64| -> Result<bool, Error> {
        let values = params![row_id(id, 0), row_id(id, u128::MAX), max];
        Ok(whole(tx.prepare_cached(sql)?.execute(values)?) < max)
    };
    let buckets = "DELETE FROM seen_parts WHERE part IN (
                       SELECT part FROM seen_parts WHERE part BETWEEN ?1 AND ?2 ORDER BY part LIMIT ?3)";
    let chunks = "DELETE FROM seen_filters WHERE chunk IN (
                      SELECT chunk FROM seen_filters WHERE chunk BETWEEN ?1 AND ?2 ORDER BY chunk LIMIT ?3)";
    if !range(buckets, REMOVED_BUCKETS)? || !range(chunks, REMOVED_CHUNKS)? {
        return Ok(false);
    }
    tx.prepare_cached("DELETE FROM seen_runs WHERE run = ?1 AND is_alive = 0")?.execute(params![id])?;
    Ok(true)
}

/// The bucket of a key.
pub(super) fn bucket(key: u128, bits: u32) -> u128 {
    key >> (u128::BITS - bits)
}

/// The row of a segment that begins with `key`.
fn row_id(segment: i64, key: u128) -> i64 {
    (segment << SHIFT) | i64::try_from(key >> (u128::BITS - SHIFT)).unwrap_or_default()
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
