//! Upkeep between transactions: keys are moved from the log into a segment, and segments that are forgotten are removed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::segment::{self, Segment, bucket};
use super::{Dedupe, keys_in};
use crate::store::Error;

/// Upkeep that failed is tried again when so many keys have come, as a fraction of what is moved at once.
const RETRY: usize = 8;

/// Keys that are on their way from the log into the last segment.
pub(super) struct Move {
    /// In rising order, so bucket by bucket.
    pub(super) keys: Vec<u128>,
    /// How many of them are in their buckets.
    done: usize,
    /// The last row of the log that they came from.
    through: i64,
}

/// Keys of rows of the log.
pub(super) struct LogPart {
    pub(super) keys: Vec<u128>,
    through: i64,
    /// When the latest of them came.
    last: i64,
}

impl LogPart {
    /// Reads the rows behind `behind`, until there are `max` keys or somewhat more.
    pub(super) fn read(connection: &Connection, behind: i64, max: usize) -> Result<Self, Error> {
        let mut part = Self { keys: Vec::new(), through: i64::MIN, last: i64::MIN };
        let sql = "SELECT id, at, keys FROM seen_log WHERE id > ?1 ORDER BY id";
        let mut query = connection.prepare_cached(sql)?;
        let mut rows = query.query(params![behind])?;
        while part.keys.len() < max
            && let Some(row) = rows.next()?
        {
            part.through = row.get(0)?;
            part.last = part.last.max(row.get(1)?);
            part.keys.extend(keys_in(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?));
        }
        Ok(part)
    }
}

impl Dedupe {
    /// Does one short piece of upkeep, if the store `is_idle` or if it cannot wait for that; false when nothing was done.
    /// What fails has changed nothing, and is tried again when some more keys have come. A panic, which would be our
    /// mistake, counts as a failure.
    pub(in crate::store::sqlite) fn maintain(&mut self, connection: &mut Connection, is_idle: bool) -> bool {
        if self.recent.len() < self.resume_at || !(is_idle || self.is_behind()) {
            return false;
        }
        self.resume_at = 0;
        let done = catch_unwind(AssertUnwindSafe(|| self.step(connection)));
        match done.unwrap_or_else(|_| Err(Error::Engine("it panicked".to_owned()))) {
            Ok(is_done) => is_done,
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    /// Under load a move goes on as keys arrive, and twice as fast as these could fill the next one.
    fn is_behind(&self) -> bool {
        match &self.moving {
            Some(Move { keys, done, .. }) => {
                done.saturating_mul(self.sizes.recent) < self.recent.len().saturating_mul(2 * keys.len())
            }
            None => self.recent.len() >= self.sizes.recent,
        }
    }

    /// One transaction.
    fn step(&mut self, connection: &mut Connection) -> Result<bool, Error> {
        if let Some(id) = self.forgotten.last() {
            let tx = begin(connection)?;
            let is_all = segment::remove_some(&tx, *id)?;
            tx.commit()?;
            self.forgotten.pop_if(|_| is_all);
        } else if self.moving.is_some() {
            self.go_on(connection)?;
        } else {
            return Ok(self.recent.len() >= self.sizes.recent && self.begin_move(connection)?);
        }
        Ok(true)
    }

    /// False when there is nothing to be moved.
    fn begin_move(&mut self, connection: &mut Connection) -> Result<bool, Error> {
        let LogPart { mut keys, through, last } = LogPart::read(connection, i64::MIN, self.sizes.recent)?;
        if keys.is_empty() {
            return Ok(false);
        }
        let rest = LogPart::read(connection, through, usize::MAX)?;
        keys.sort_unstable();
        keys.dedup();
        let tx = begin(connection)?;
        let new = match self.segments.last() {
            Some(segment) if segment.has_room(&self.sizes) => {
                let sql = "UPDATE seen_runs SET last = max(last, ?2) WHERE run = ?1";
                tx.prepare_cached(sql)?.execute(params![segment.id, last])?;
                None
            }
            _ => Some(Segment::create(&tx, &self.sizes, last)?),
        };
        tx.commit()?;
        self.segments.extend(new);
        if let Some(segment) = self.segments.last_mut() {
            segment.last = segment.last.max(last);
            self.moving = Some(Move { keys, done: 0, through });
            self.recent = rest.keys.into_iter().collect();
        }
        Ok(true)
    }

    fn go_on(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let (Some(moving), Some(segment)) = (&mut self.moving, self.segments.last_mut()) else {
            return Ok(());
        };
        let bits = self.sizes.bucket_bits;
        let tx = begin(connection)?;
        let mut done = moving.done;
        let left = moving.keys.get(done..).unwrap_or_default();
        let buckets = left.chunk_by(|one, other| bucket(*one, bits) == bucket(*other, bits));
        for keys in buckets.take(self.sizes.slice) {
            segment.add(&tx, bits, keys)?;
            done += keys.len();
        }
        if done < moving.keys.len() {
            tx.commit()?;
            moving.done = done;
            return Ok(());
        }
        let held = segment.added(&tx, &moving.keys)?;
        tx.prepare_cached("DELETE FROM seen_log WHERE id <= ?1")?.execute(params![moving.through])?;
        tx.commit()?;
        segment.held = held;
        self.moving = None;
        Ok(())
    }

    /// Leaves alone what is damaged: everything else would wait behind it.
    fn failed(&mut self, error: &Error) {
        self.resume_at = self.recent.len() + (self.sizes.recent / RETRY).max(1);
        if matches!(error, Error::Damaged(_)) && self.forgotten.pop().is_none() {
            self.recent.extend(self.moving.take().into_iter().flat_map(|moving| moving.keys));
            self.segments.last_mut().into_iter().for_each(|segment| segment.is_closed = true);
        }
        tracing::error!(
            %error,
            in_memory = self.recent.len(),
            "keys of events could not be moved out of memory; all of them are known, and it will be tried again"
        );
    }
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Error> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}
