//! Counters that can be read again: what a number's own clients are shown under on-prem's names.
//!
//! The families of the metrics page are of the whole process and give nothing back but the page.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::shard::{Cell, Sharded};

/// How often something happened and how long it took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    count: u64,
    time: Duration,
}

impl Cell for Tally {
    fn add(&mut self, time: Duration) {
        self.count += 1;
        self.time = self.time.saturating_add(time);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.time = self.time.saturating_add(other.time);
    }
}

/// How often something happened and how long it took, by a key of a closed set.
pub type Tallies<K> = Sharded<K, Tally>;

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

impl<K: Copy + Ord> Tallies<K> {
    /// All that was counted, in the order of the keys.
    pub fn totals(&self) -> Vec<Total<K>> {
        let total = |(key, tally): (K, Tally)| Total {
            key,
            count: tally.count,
            millis: u64::try_from(tally.time.as_millis()).unwrap_or(u64::MAX),
        };
        self.merged().into_iter().map(total).collect()
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
