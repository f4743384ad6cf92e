//! What is done between transactions: runs are written, merged and removed.
//!
//! Each piece of it is a short transaction of its own. Under load, work follows the keys that arrive, [`WORK`] for each;
//! when the store has nothing else to do it goes on until all is done.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::Seen;
use super::log::{self, Rows, Stretch};
use super::merge::{Merge, Plan, plan};
use super::run::{self, LAST};
use crate::store::Error;

/// How many keys are merged for each that arrives: more than there are levels, since each level merges each key once.
const WORK: usize = 8;
/// How many slices may follow one commit; what is left of the work is done after the next ones.
const SLICES: usize = 8;
/// How many times what a run has may be known in memory, where no run can be written.
const PATIENCE: usize = 4;
/// How many keys come before what failed is tried again, as a fraction of what a run has.
const RETRY: usize = 8;
/// One of so many failures in a row is told: those of as many keys as a run has.
const TOLD: u64 = 8;

/// How upkeep goes.
#[derive(Default)]
pub(super) struct Upkeep {
    pub(super) merge: Option<Merge>,
    /// Runs that are to be removed.
    dead: Vec<i64>,
    /// There are no runs to merge, unless these have changed.
    is_planned: bool,
    /// Work for keys that have come.
    due: usize,
    /// Keys that have come, and how many it will be when what failed is tried again.
    added: u64,
    again: u64,
    failures: u64,
}

impl Upkeep {
    pub(super) fn new(dead: Vec<i64>) -> Self {
        Self { dead, ..Self::default() }
    }

    pub(super) fn added(&mut self, count: usize) {
        self.due = self.due.saturating_add(count.saturating_mul(WORK));
        self.added = self.added.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A run is in use no more. What was being made of it is worth nothing then.
    pub(super) fn run_ended(&mut self, id: i64) {
        self.dead.push(id);
        if self.merge.as_ref().is_some_and(|merge| merge.sources().any(|source| source == id)) {
            self.dead.extend(self.merge.take().map(|merge| merge.id()));
        }
        self.is_planned = false;
    }

    fn waits(&self) -> bool {
        self.added < self.again
    }
}

impl Seen {
    /// Between two transactions: does what has become due. What fails has changed nothing, and is tried again when there
    /// is somewhat more.
    pub(in crate::store::sqlite) fn settle(&mut self, connection: &mut Connection) {
        self.write_run(connection);
        for _ in 0..SLICES {
            if self.upkeep.due < self.sizes.slice {
                break;
            }
            if !self.go_on(connection) {
                self.upkeep.due = 0;
            }
        }
    }

    /// Does a piece of what can be done at leisure; false when there is nothing to do, or it failed.
    pub(in crate::store::sqlite) fn go_on(&mut self, connection: &mut Connection) -> bool {
        if self.upkeep.waits() {
            return false;
        }
        match self.slice(connection) {
            Ok(is_done) => {
                self.upkeep.due = self.upkeep.due.saturating_sub(self.sizes.slice);
                is_done
            }
            Err(error) => {
                self.failed(&error);
                false
            }
        }
    }

    /// Something could not be written.
    pub(in crate::store::sqlite) fn failed(&mut self, error: &Error) {
        let upkeep = &mut self.upkeep;
        upkeep.again = upkeep.added.saturating_add(u64::try_from(self.sizes.run / RETRY).unwrap_or(u64::MAX));
        if upkeep.failures.is_multiple_of(TOLD) {
            tracing::error!(
                %error,
                failures = upkeep.failures + 1,
                in_memory = self.recent.len(),
                stretches_on_disk = self.stretches.len(),
                "keys of seen events could not be sorted; they are known all the same, at a higher cost"
            );
        }
        upkeep.failures += 1;
    }

    /// Writes a run if there are keys enough. If there are far more, since none could be written, they stay on the disk
    /// alone.
    pub(super) fn write_run(&mut self, connection: &mut Connection) {
        let is_due = self.recent.len() >= self.sizes.run || !self.stretches.is_empty();
        if is_due && !self.upkeep.waits() {
            match self.sort(connection) {
                Ok(()) => self.upkeep.failures = 0,
                Err(error) => {
                    self.failed(&error);
                    self.put_by(connection);
                }
            }
        }
        // What a large commit has doubled is given back.
        if self.recent.len() < self.sizes.run && self.recent.capacity() > self.sizes.run * 3 / 2 {
            self.recent.shrink_to(self.sizes.run);
        }
    }

    /// Turns the first stretch into a run, or what is known in memory if there is none.
    fn sort(&mut self, connection: &mut Connection) -> Result<(), Error> {
        let stretch = self.stretches.first().map(|stretch| stretch.rows);
        let rows = stretch.unwrap_or(Rows { behind: i64::MIN, through: self.through });
        let run = log::to_run(connection, rows, self.sizes.part)?;
        self.runs.extend(run);
        self.upkeep.is_planned = false;
        if stretch.is_some() {
            self.stretches.remove(0);
        } else {
            self.recent.clear();
        }
        Ok(())
    }

    /// Lets the disk alone know what is known in memory, but for a filter, if that is too much. What cannot be done stays
    /// in memory until the next time.
    fn put_by(&mut self, connection: &Connection) {
        if self.recent.len() >= self.sizes.run * PATIENCE
            && let Ok(Some(last)) = log::last(connection)
        {
            let behind = self.stretches.last().map_or(i64::MIN, |stretch| stretch.rows.through);
            let rows = Rows { behind, through: last.min(self.through) };
            self.stretches.push(Stretch::new(rows, self.recent.iter().copied()));
            self.recent.clear();
        }
    }

    /// One short transaction; false when there is nothing to do.
    fn slice(&mut self, connection: &mut Connection) -> Result<bool, Error> {
        if let Some(id) = self.upkeep.dead.last().copied() {
            let tx = begin(connection)?;
            let is_all = run::remove_some(&tx, id)?;
            tx.commit()?;
            if is_all {
                self.upkeep.dead.pop();
            }
            return Ok(true);
        }
        match self.upkeep.merge.take() {
            Some(merge) => self.merge(connection, merge).map(|()| true),
            None if self.upkeep.is_planned => Ok(false),
            None => self.plan(connection),
        }
    }

    /// Begins the next merge; false if there is none.
    fn plan(&mut self, connection: &mut Connection) -> Result<bool, Error> {
        match plan(&self.runs, &self.sizes) {
            None => {
                self.upkeep.is_planned = true;
                return Ok(false);
            }
            Some(Plan::Last(id)) => {
                let tx = begin(connection)?;
                tx.execute("UPDATE seen_runs SET level = ?2 WHERE run = ?1", params![id, LAST])?;
                tx.commit()?;
                self.runs.iter_mut().filter(|run| run.id == id).for_each(|run| run.level = LAST);
            }
            Some(Plan::Merge(ids, level)) => {
                let sources: Vec<_> = self.runs.iter().filter(|run| ids.contains(&run.id)).collect();
                let tx = begin(connection)?;
                let merge = Merge::begin(&tx, &sources, level, self.sizes.part)?;
                tx.commit()?;
                self.upkeep.merge = Some(merge);
            }
        }
        Ok(true)
    }

    /// Goes on with a merge. If that fails it begins anew, some time later, but not with runs that are damaged: others would
    /// wait behind them.
    fn merge(&mut self, connection: &mut Connection, mut merge: Merge) -> Result<(), Error> {
        let id = merge.id();
        let sources: Vec<i64> = merge.sources().collect();
        let slice = self.sizes.slice;
        let step = |connection: &mut Connection| {
            let tx = begin(connection)?;
            if !merge.step(&tx, slice)? {
                tx.commit()?;
                return Ok((Some(merge), None));
            }
            let run = merge.finish(&tx)?;
            tx.commit()?;
            Ok((None, Some(run)))
        };
        match step(connection) {
            Ok((merge, run)) => {
                self.upkeep.merge = merge;
                if let Some(run) = run {
                    self.replace(&sources, run);
                }
                Ok(())
            }
            Err(error) => {
                self.upkeep.dead.push(id);
                if matches!(error, Error::Damaged(_)) {
                    let damaged = self.runs.iter_mut().filter(|run| sources.contains(&run.id));
                    damaged.for_each(|run| run.level = LAST);
                }
                Err(error)
            }
        }
    }

    /// A merged run stands where its first source stood, so that runs stay in the order of their age.
    fn replace(&mut self, sources: &[i64], run: run::Run) {
        let place = self.runs.iter().position(|run| sources.contains(&run.id)).unwrap_or_default();
        self.runs.retain(|run| !sources.contains(&run.id));
        self.runs.insert(place.min(self.runs.len()), run);
        self.upkeep.dead.extend(sources);
        self.upkeep.failures = 0;
    }
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Error> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}
