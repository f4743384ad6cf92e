//! Counting on many threads at once without one of them waiting for another.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Threads beyond that many share.
const SHARDS: usize = 16;

/// What [`Sharded`] counts with.
pub trait Cell: Default {
    /// Counts one that took `time`.
    fn add(&mut self, time: Duration);
    /// Adds what another one has counted.
    fn merge(&mut self, other: &Self);
}

/// Cells by a key of a closed set. Each thread counts in a list of its own, whose lock nobody else wants but a reader;
/// the lists are short, and what is counted most is at their beginning, so a search costs less than a hash.
pub struct Sharded<K, C> {
    /// Made when a thread first counts: of thousands of numbers, few are used by all threads.
    shards: [OnceLock<Box<Shard<K, C>>>; SHARDS],
}

type Shard<K, C> = Mutex<Vec<(K, C)>>;

impl<K, C> Default for Sharded<K, C> {
    fn default() -> Self {
        Self { shards: [const { OnceLock::new() }; SHARDS] }
    }
}

impl<K: Copy + Ord, C: Cell> Sharded<K, C> {
    /// Counts one that took `time`.
    pub fn add(&self, key: K, time: Duration) {
        let Some(shard) = self.shards.get(this_shard()) else { return };
        let mut cells = shard.get_or_init(Box::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, cell)) = cells.iter_mut().find(|(known, _)| *known == key) {
            return cell.add(time);
        }
        let mut cell = C::default();
        cell.add(time);
        cells.push((key, cell));
    }

    /// All that was counted, in the order of the keys.
    pub fn merged(&self) -> BTreeMap<K, C> {
        let mut merged: BTreeMap<K, C> = BTreeMap::new();
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            for (key, cell) in shard.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                merged.entry(*key).or_default().merge(cell);
            }
        }
        merged
    }
}

impl<K, C> fmt::Debug for Sharded<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sharded").finish_non_exhaustive()
    }
}

/// Where this thread counts: threads take turns in choosing.
fn this_shard() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    SHARD.with(|shard| *shard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Tallies;

    #[test]
    fn threads_count_together() {
        let tallies = Tallies::default();
        std::thread::scope(|scope| {
            for thread in 0..2 * SHARDS {
                let tallies = &tallies;
                scope.spawn(move || {
                    (0..100).for_each(|n| tallies.add((thread + n) % 3, Duration::from_millis(1)));
                });
            }
        });
        let totals = tallies.totals();
        assert_eq!(totals.iter().map(|total| total.count).sum::<u64>(), 200 * SHARDS as u64);
        assert_eq!(totals.iter().map(|total| total.key).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
