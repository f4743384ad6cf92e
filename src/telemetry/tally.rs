//! Counters that can be read again: what a number's own clients are shown under on-prem's names.
//!
//! The families of the metrics page are of the whole process and give nothing back but the page.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// How often something happened and how long it took, by a key of a closed set.
#[derive(Debug)]
pub struct Tallies<K>(RwLock<HashMap<K, Tally>>);

impl<K> Default for Tallies<K> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

#[derive(Debug, Default)]
struct Tally {
    count: AtomicU64,
    micros: AtomicU64,
}

impl Tally {
    fn add(&self, time: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// One line of a [`Tallies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total<K> {
    /// What.
    pub key: K,
    /// How often.
    pub count: u64,
    /// How long altogether, in whole milliseconds.
    pub millis: u64,
}

impl<K: Copy + Eq + Hash + Ord> Tallies<K> {
    /// Counts one that took `time`.
    pub fn add(&self, key: K, time: Duration) {
        if let Some(tally) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return tally.add(time);
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().add(time);
    }

    /// All that was counted, in the order of the keys.
    pub fn totals(&self) -> Vec<Total<K>> {
        let tallies = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut totals: Vec<_> = tallies
            .iter()
            .map(|(key, tally)| Total {
                key: *key,
                count: tally.count.load(Ordering::Relaxed),
                millis: tally.micros.load(Ordering::Relaxed) / 1000,
            })
            .collect();
        totals.sort_unstable_by_key(|total| total.key);
        totals
    }
}

/// How many of something are under way.
#[derive(Debug, Default)]
pub struct Ongoing(AtomicU64);

impl Ongoing {
    /// One more, until the guard goes.
    pub fn begin(&self) -> Busy<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Busy(self)
    }

    /// How many there are now.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One that is under way.
#[derive(Debug)]
pub struct Busy<'a>(&'a Ongoing);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A kind of request to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallKey {
    /// The route, as a template.
    pub endpoint: &'static str,
    /// The verb, `OTHER` for unusual ones.
    pub method: &'static str,
    /// The HTTP status of the answer.
    pub code: u16,
}

/// What was asked of one number.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Requests that were answered.
    pub calls: Tallies<CallKey>,
    /// Requests whose body is being read.
    pub reading: Ongoing,
    /// Requests that are being answered.
    pub handling: Ongoing,
}

/// A kind of delivery to the client of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryKey {
    /// What the callback told, as a word of a closed set.
    pub kind: &'static str,
    /// What became of it, as a word of a closed set.
    pub outcome: &'static str,
    /// The HTTP status that refused it; 0 where there was none.
    pub code: u16,
}

/// Deliveries to the client of one number, repeated ones too.
pub type Deliveries = Tallies<DeliveryKey>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_is_counted_for_itself_and_shown_in_order() {
        let tallies = Tallies::default();
        for (key, micros) in [("b", 900), ("a", 1), ("b", 1_100), ("b", 0)] {
            tallies.add(key, Duration::from_micros(micros));
        }
        let expected = [Total { key: "a", count: 1, millis: 0 }, Total { key: "b", count: 3, millis: 2 }];
        assert_eq!(tallies.totals(), expected, "the sum is rounded, not each part");
    }

    #[test]
    fn what_ends_is_not_under_way() {
        let ongoing = Ongoing::default();
        let first = ongoing.begin();
        let second = ongoing.begin();
        assert_eq!(ongoing.now(), 2);
        drop(first);
        assert_eq!(ongoing.now(), 1);
        drop(second);
        assert_eq!(ongoing.now(), 0);
    }
}
