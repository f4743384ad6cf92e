//! The log: keys in the order in which they came, one row for all of a commit.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::filter::{Filter, Probe};
use super::run::{Output, Run};
use super::{BYTES, read};
use crate::store::Error;

/// Rows of the log, behind one and up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) behind: i64,
    pub(super) through: i64,
}

/// Rows whose keys are not known in memory: where no run can be written, these would be more and more.
pub(super) struct Stretch {
    pub(super) rows: Rows,
    filter: Filter,
}

impl Stretch {
    pub(super) fn new(rows: Rows, keys: impl ExactSizeIterator<Item = u128>) -> Self {
        let mut filter = Filter::new(keys.len());
        keys.for_each(|key| filter.add(&Probe::new(key)));
        Self { rows, filter }
    }

    pub(super) fn may_have(&self, probe: &Probe) -> bool {
        self.filter.may_have(probe)
    }

    /// Reads all of the rows: dear, and the filter makes it rare.
    pub(super) fn has(&self, connection: &Connection, key: u128) -> Result<bool, Error> {
        let mut query = connection.prepare_cached("SELECT keys FROM seen_log WHERE id > ?1 AND id <= ?2")?;
        let mut rows = query.query(params![self.rows.behind, self.rows.through])?;
        while let Some(row) = rows.next()? {
            let keys = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            if read(keys).any(|known| known == key) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Keys of the rows behind `behind`, until they are `most` or somewhat more, and the last of these rows; none when there
/// are no more rows.
pub(super) fn load(
    connection: &Connection,
    behind: i64,
    most: usize,
) -> Result<Option<(i64, Vec<u128>)>, Error> {
    let mut query = connection.prepare_cached("SELECT id, keys FROM seen_log WHERE id > ?1 ORDER BY id")?;
    let mut rows = query.query(params![behind])?;
    let mut all = Vec::new();
    let mut last = None;
    while all.len() < most
        && let Some(row) = rows.next()?
    {
        last = Some(row.get(0)?);
        all.extend(read(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?));
    }
    Ok(last.map(|last| (last, all)))
}

/// The last row.
pub(super) fn last(connection: &Connection) -> Result<Option<i64>, Error> {
    Ok(connection.query_row("SELECT max(id) FROM seen_log", [], |row| row.get(0)).optional()?.flatten())
}

pub(super) fn append(tx: &Transaction<'_>, at: i64, keys: &[u128]) -> Result<(), Error> {
    let keys: Vec<u8> = keys.iter().flat_map(|key| key.to_be_bytes()).collect();
    tx.prepare_cached("INSERT INTO seen_log (at, keys) VALUES (?1, ?2)")?.execute(params![at, keys])?;
    Ok(())
}

/// What [`purge`] took out.
#[derive(Default)]
pub(super) struct Purged {
    pub(super) keys: Vec<u128>,
    /// The last row of which nothing is left.
    pub(super) row: Option<i64>,
}

/// Takes `most` keys out of those rows at the beginning that came before `t`, and reads none behind them.
pub(super) fn purge(tx: &Transaction<'_>, t: i64, most: usize) -> Result<Purged, Error> {
    let mut purged = Purged::default();
    let mut cut = None;
    {
        let mut query = tx.prepare_cached("SELECT id, at, keys FROM seen_log ORDER BY id")?;
        let mut rows = query.query([])?;
        while purged.keys.len() < most
            && let Some(row) = rows.next()?
            && row.get::<_, i64>(1)? < t
        {
            let keys = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let left = most - purged.keys.len();
            let (gone, rest) = keys.split_at(keys.len().min(left * BYTES));
            purged.keys.extend(read(gone));
            if rest.is_empty() {
                purged.row = Some(row.get(0)?);
            } else {
                cut = Some((row.get::<_, i64>(0)?, rest.to_vec()));
            }
        }
    }
    if let Some(row) = purged.row {
        tx.prepare_cached("DELETE FROM seen_log WHERE id <= ?1")?.execute(params![row])?;
    }
    if let Some((row, rest)) = cut {
        tx.prepare_cached("UPDATE seen_log SET keys = ?2 WHERE id = ?1")?.execute(params![row, rest])?;
    }
    Ok(purged)
}

/// Turns rows into a run, of exactly the keys that are in them; none when nothing is.
pub(super) fn to_run(
    connection: &mut Connection,
    rows: Rows,
    part_length: usize,
) -> Result<Option<Run>, Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut keys = Vec::new();
    let mut times = (i64::MAX, i64::MIN);
    {
        let sql = "SELECT at, keys FROM seen_log WHERE id > ?1 AND id <= ?2";
        let mut query = tx.prepare_cached(sql)?;
        let mut rows = query.query(params![rows.behind, rows.through])?;
        while let Some(row) = rows.next()? {
            let at = row.get(0)?;
            times = (times.0.min(at), times.1.max(at));
            keys.extend(read(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?));
        }
    }
    if keys.is_empty() {
        return Ok(None);
    }
    keys.sort_unstable();
    let mut output = Output::begin(&tx, 0, times, keys.len(), part_length)?;
    for key in keys {
        output.push(&tx, key)?;
    }
    let run = output.finish(&tx)?;
    tx.prepare_cached("DELETE FROM seen_log WHERE id > ?1 AND id <= ?2")?
        .execute(params![rows.behind, rows.through])?;
    tx.commit()?;
    Ok(Some(run))
}
