//! Many small runs become a large one, so that few have to be asked.
//!
//! A run that came from the log has level 0. When a level has [`Sizes::fan`] runs, the oldest of them become one of the
//! next level. Since a run is forgotten as a whole, when its latest key is old enough, no merged run covers more than
//! [`Sizes::span`]: a level whose oldest runs together would cover more merges as many as may be, to a run that is merged
//! no more. So a key is written once for each level, and two neighbours among the last runs cover more than that span.

use rusqlite::Transaction;

use super::Sizes;
use super::run::{self, LAST, Output, Run};
use crate::store::Error;

/// What is to be done about runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// These become one run of that level.
    Merge(Vec<i64>, i64),
    /// It covers too much to be merged with the next one.
    Last(i64),
}

/// Finds a level with runs enough, the lowest first: it is quickly done.
pub(super) fn plan(runs: &[Run], sizes: &Sizes) -> Option<Plan> {
    let mut levels: Vec<i64> = runs.iter().map(|run| run.level).filter(|level| *level != LAST).collect();
    levels.sort_unstable();
    let level = *levels.chunk_by(i64::eq).find(|same| same.len() >= sizes.fan)?.first()?;
    let of_level = || runs.iter().filter(|run| run.level == level).take(sizes.fan);
    let mut covered = (i64::MAX, i64::MIN);
    let ids: Vec<i64> = of_level()
        .take_while(|run| {
            covered = both(covered, run.times);
            covered.1.saturating_sub(covered.0) <= sizes.span
        })
        .map(|run| run.id)
        .collect();
    Some(match ids.len() {
        0 | 1 => Plan::Last(of_level().next()?.id),
        few if few < sizes.fan => Plan::Merge(ids, LAST),
        _ => Plan::Merge(ids, level + 1),
    })
}

fn both(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0.min(other.0), one.1.max(other.1))
}

/// A merge under way. Nothing of it is in use before [`Merge::finish`].
pub(super) struct Merge {
    output: Output,
    sources: Vec<Source>,
}

struct Source {
    run: i64,
    /// The place behind the part that was read last; none when that was the last.
    next: Option<i64>,
    /// What is left of that part, the next key last.
    keys: Vec<u128>,
}

impl Merge {
    pub(super) fn begin(
        tx: &Transaction<'_>,
        sources: &[&Run],
        level: i64,
        part_length: usize,
    ) -> Result<Self, Error> {
        let times = sources.iter().map(|run| run.times).fold((i64::MAX, i64::MIN), both);
        let count = sources.iter().map(|run| run.held).sum();
        let output = Output::begin(tx, level, times, count, part_length)?;
        let sources = sources.iter().map(|run| Source { run: run.id, next: Some(0), keys: Vec::new() });
        Ok(Self { output, sources: sources.collect() })
    }

    /// The run that is being made.
    pub(super) fn id(&self) -> i64 {
        self.output.id()
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = i64> {
        self.sources.iter().map(|source| source.run)
    }

    /// Writes `most` keys more; true when these were the last.
    pub(super) fn step(&mut self, tx: &Transaction<'_>, most: usize) -> Result<bool, Error> {
        for _ in 0..most {
            for source in &mut self.sources {
                source.fill(tx)?;
            }
            let heads = self.sources.iter_mut().filter_map(|source| Some((*source.keys.last()?, source)));
            let Some((key, source)) = heads.min_by_key(|(key, _)| *key) else { return Ok(true) };
            source.keys.pop();
            self.output.push(tx, key)?;
        }
        self.output.write_chunks(tx)?;
        Ok(false)
    }

    /// With the end of this transaction the new run takes the place of its sources.
    pub(super) fn finish(self, tx: &Transaction<'_>) -> Result<Run, Error> {
        for source in &self.sources {
            run::end(tx, source.run)?;
        }
        self.output.finish(tx)
    }
}

impl Source {
    fn fill(&mut self, tx: &Transaction<'_>) -> Result<(), Error> {
        if let (true, Some(from)) = (self.keys.is_empty(), self.next) {
            let part = run::part(tx, self.run, from)?;
            self.next = part.as_ref().map(|(place, _)| place + 1);
            self.keys = part.map(|(_, keys)| keys).unwrap_or_default();
            self.keys.reverse();
        }
        Ok(())
    }
}
