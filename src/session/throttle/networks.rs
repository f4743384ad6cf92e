//! How much of the queue for hashes one network may fill.
//!
//! The queue is everybody's, first come first served. Whoever guesses with a new user name each time is
//! never the same pair, and would keep it full for all others.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::super::password::QUEUE;
use super::table::Table;

/// A network with more failures than this in the last `WINDOW` seconds is noisy.
const FAILURES: usize = 20;
const WINDOW: i64 = 60;
/// A noisy network's logins go one at a time, so that it holds one place of the queue.
const NOISY: usize = 1;
/// Everybody else is limited only so far that a few places stay free for others: a burst has filled the
/// queue before its first failure is known, and no count of failures comes early enough for that. It is
/// still more than any fleet sends at once from behind one address (50 is what we test).
const QUIET: usize = QUEUE - 8;
/// One hash takes far less, but Retry-After has no smaller unit.
const WAIT: Duration = Duration::from_secs(1);

/// Failures and logins under way, by network. Clones share everything.
#[derive(Clone, Default)]
pub(super) struct Networks(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// When the latest failures were, up to the one that makes the network noisy.
    failures: Table<VecDeque<i64>>,
    /// Not a `Table`: forgetting an entry would lose count. It has no more entries than there are logins.
    under_way: HashMap<u64, usize>,
}

/// A place among the logins of a network that are under way. It belongs to the hash as much as to the
/// attempt: a client that hangs up while its hash is computed must not get another one beside it.
pub(in crate::session) struct Place {
    networks: Networks,
    network: u64,
}

impl Networks {
    /// Takes a place, if the network may have one more.
    pub(super) fn enter(&self, network: u64, now: i64) -> Result<Place, Duration> {
        let mut counts = self.counts();
        let allowed = if counts.noisy(network, now) { NOISY } else { QUIET };
        let taken = counts.under_way.get(&network).copied().unwrap_or(0);
        if taken >= allowed {
            return Err(WAIT);
        }
        counts.under_way.insert(network, taken + 1);
        Ok(Place { networks: self.clone(), network })
    }

    /// Whether many logins from there have failed lately.
    pub(super) fn is_noisy(&self, network: u64, now: i64) -> bool {
        self.counts().noisy(network, now)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Failures in the future come from a clock that was moved back, and are void.
    fn noisy(&mut self, network: u64, now: i64) -> bool {
        let recent = |at: &&i64| (0..WINDOW).contains(&now.saturating_sub(**at));
        self.failures.get(network).is_some_and(|failures| failures.iter().filter(recent).count() > FAILURES)
    }
}

impl Place {
    /// The attempt that has this place was a failure.
    pub(super) fn failed(&self, now: i64) {
        let mut counts = self.networks.counts();
        let failures = counts.failures.entry(self.network);
        if failures.len() > FAILURES {
            failures.pop_front();
        }
        failures.push_back(now);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.networks.counts();
        match counts.under_way.get_mut(&self.network) {
            Some(taken) if *taken > 1 => *taken -= 1,
            Some(_) | None => drop(counts.under_way.remove(&self.network)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noisy_network_goes_one_at_a_time_until_it_has_been_quiet() {
        let networks = Networks::default();
        fail(&networks, 1, 20, 1_000);
        assert_eq!(room(&networks, 1, 1_000), QUIET, "twenty are not more than twenty");
        fail(&networks, 1, 1, 1_059);
        assert_eq!(room(&networks, 1, 1_059), NOISY);
        assert_eq!(room(&networks, 2, 1_059), QUIET, "another network");
        assert_eq!(room(&networks, 1, 1_060), QUIET, "the first twenty are forgotten");
        fail(&networks, 1, 20, 1_060);
        assert_eq!(room(&networks, 1, 1_060), NOISY, "the last minute counts, not the one on the clock");
    }

    #[test]
    fn a_network_that_goes_on_stays_noisy() {
        let networks = Networks::default();
        for now in (1_000..2_000).step_by(2) {
            fail(&networks, 1, 1, now);
            assert_eq!(room(&networks, 1, now) == NOISY, now >= 1_040, "{now}");
        }
        assert_eq!(room(&networks, 1, 2_018), QUIET);
    }

    #[test]
    fn what_was_under_way_before_counts() {
        let networks = Networks::default();
        let before: Vec<_> = (0..10).map(|_| networks.enter(1, 1_000).unwrap()).collect();
        before.iter().chain(&before).chain(&before).for_each(|place| place.failed(1_000));
        assert_eq!(room(&networks, 1, 1_000), 0);
        drop(before);
        assert_eq!(room(&networks, 1, 1_000), NOISY);
        assert!(networks.counts().under_way.is_empty());
    }

    #[test]
    fn a_clock_moved_back_forgives() {
        let networks = Networks::default();
        fail(&networks, 1, 50, 1_000_000);
        assert_eq!(room(&networks, 1, 1_000), QUIET);
        assert_eq!(networks.counts().failures.entry(1).len(), FAILURES + 1, "no more than needed is kept");
    }

    /// How many places a network would get.
    fn room(networks: &Networks, network: u64, now: i64) -> usize {
        let places: Vec<_> = std::iter::from_fn(|| networks.enter(network, now).ok()).collect();
        places.len()
    }

    fn fail(networks: &Networks, network: u64, times: usize, now: i64) {
        (0..times).for_each(|_| networks.enter(network, now).unwrap().failed(now));
    }
}
