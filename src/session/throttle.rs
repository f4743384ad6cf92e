//! Brute force: who has to wait before the next attempt.
//!
//! What counts is one user at one address. Addresses alone say nothing, because behind a load balancer all
//! clients share one; and a user alone must not be locked by strangers for long, hence only a short delay
//! once very many attempts fail from everywhere. No lock is permanent: `admin` cannot be locked out.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Failures of a user at an address before it has to wait.
const TRIES: u32 = 5;
/// The wait doubles from one second up to this.
const LONGEST_WAIT: i64 = 60;
/// Failures are forgotten after this many quiet seconds.
const MEMORY: i64 = 900;
/// Failures of a user from anywhere, within `WINDOW` seconds, before everybody waits `BUDGET_WAIT`.
const BUDGET: u32 = 50;
const WINDOW: i64 = 60;
const BUDGET_WAIT: i64 = 5;
/// Entries per table. Pushing somebody's entry out takes as many hashes, which take longer than the wait.
const ENTRIES: usize = 10_000;

/// Counts failed attempts. Time comes from the caller.
#[derive(Default)]
pub(super) struct Throttle {
    keys: RandomState,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    pairs: Table<Pair>,
    users: Table<Budget>,
}

/// One user at one address.
#[derive(Clone, Copy, Default)]
struct Pair {
    failures: u32,
    last_failure: i64,
    locked_until: i64,
    /// After the first lock attempts go one at a time: otherwise a burst sent in parallel would get all its
    /// guesses checked before the first of them counts.
    trying: bool,
}

/// One user, from anywhere.
#[derive(Clone, Copy, Default)]
struct Budget {
    failures: u32,
    since: i64,
    locked_until: i64,
}

/// An attempt that may go on. Dropped without a verdict, for example because the client went away, it
/// counts as neither: the client has learnt nothing.
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    pair: u64,
    user: u64,
    alone: bool,
}

impl Throttle {
    /// Lets an attempt go on, or says how long to wait.
    pub(super) fn begin(
        &self,
        number: &str,
        user: &str,
        peer: IpAddr,
        now: i64,
    ) -> Result<Attempt<'_>, Duration> {
        // Hashed with a random key: entries then have one size, and nobody can aim at a collision.
        let pair = self.keys.hash_one((number, user, network(peer)));
        let user = self.keys.hash_one((number, user));
        let mut tables = self.tables();
        if let Some(budget) = tables.users.get(user) {
            free(budget.locked_until, now, BUDGET_WAIT)?;
        }
        let mut alone = false;
        if let Some(entry) = tables.pairs.get(pair) {
            free(entry.locked_until, now, LONGEST_WAIT)?;
            if entry.trying {
                return Err(Duration::from_secs(1));
            }
            if now.saturating_sub(entry.last_failure) >= MEMORY {
                entry.failures = 0;
            }
            alone = entry.failures >= TRIES;
            entry.trying = alone;
        }
        Ok(Attempt { throttle: self, pair, user, alone })
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The credentials were right: what this address did wrong before is forgiven.
    pub(super) fn succeeded(self) {
        self.throttle.tables().pairs.remove(self.pair);
    }

    /// The credentials were wrong.
    pub(super) fn failed(self, now: i64) {
        let mut tables = self.throttle.tables();
        let pair = tables.pairs.entry(self.pair);
        pair.failures = pair.failures.saturating_add(1);
        pair.last_failure = now;
        if let Some(beyond) = pair.failures.checked_sub(TRIES) {
            let wait = (1 << beyond.min(6)).min(LONGEST_WAIT);
            pair.locked_until = now.saturating_add(wait);
        }
        let budget = tables.users.entry(self.user);
        if now.saturating_sub(budget.since) >= WINDOW {
            *budget = Budget { since: now, ..Budget::default() };
        }
        budget.failures = budget.failures.saturating_add(1);
        if budget.failures >= BUDGET {
            budget.locked_until = now.saturating_add(BUDGET_WAIT);
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if self.alone
            && let Some(entry) = self.throttle.tables().pairs.get(self.pair)
        {
            entry.trying = false;
        }
    }
}

/// An IPv6 client owns its whole /64, so that is what counts; IPv4 in IPv6 clothes is IPv4.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// A lock further away than we ever set comes from a clock that was moved back, and is void.
fn free(locked_until: i64, now: i64, longest: i64) -> Result<(), Duration> {
    let left = locked_until.saturating_sub(now);
    match u64::try_from(left) {
        Ok(seconds) if (1..=longest).contains(&left) => Err(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A map that forgets what was changed longest ago when it is full.
#[derive(Default)]
struct Table<T> {
    entries: HashMap<u64, (u64, T)>,
    changes: u64,
}

impl<T: Default> Table<T> {
    fn get(&mut self, key: u64) -> Option<&mut T> {
        self.entries.get_mut(&key).map(|(_, value)| value)
    }

    fn entry(&mut self, key: u64) -> &mut T {
        // Looking for the oldest takes microseconds, next to the milliseconds of the hash before it.
        if self.entries.len() >= ENTRIES
            && !self.entries.contains_key(&key)
            && let Some(oldest) =
                self.entries.iter().min_by_key(|(_, (change, _))| *change).map(|(key, _)| *key)
        {
            self.entries.remove(&oldest);
        }
        self.changes += 1;
        let (change, value) = self.entries.entry(key).or_default();
        *change = self.changes;
        value
    }

    fn remove(&mut self, key: u64) {
        self.entries.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_minute() {
        let throttle = Throttle::default();
        let mut now = 1_000;
        for _ in 0..4 {
            assert_eq!(wait(&throttle, "alice", 1, now), None);
            fail(&throttle, "alice", 1, now);
        }
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            fail(&throttle, "alice", 1, now);
            assert_eq!(wait(&throttle, "alice", 1, now), Some(expected));
            assert_eq!(wait(&throttle, "alice", 1, now + 1).unwrap_or(0), expected - 1);
            now += expected.cast_signed();
        }
        for _ in 0..100 {
            fail(&throttle, "alice", 1, now);
            assert_eq!(wait(&throttle, "alice", 1, now), Some(60), "the wait never wraps around");
            now += 60;
        }
    }

    #[test]
    fn others_are_not_slowed() {
        let throttle = Throttle::default();
        for now in (1_000..=1_540).step_by(60) {
            fail(&throttle, "alice", 1, now);
        }
        assert!(wait(&throttle, "alice", 1, 1_540).is_some());
        assert_eq!(wait(&throttle, "bob", 1, 1_540), None, "another user at the same address");
        assert_eq!(wait(&throttle, "alice", 2, 1_540), None, "the same user at another address");
    }

    #[test]
    fn success_forgives_and_so_does_time() {
        let throttle = Throttle::default();
        (0..5).for_each(|_| fail(&throttle, "alice", 1, 1_000));
        throttle.begin("support", "alice", address(1), 1_001).unwrap().succeeded();
        fail(&throttle, "alice", 1, 1_001);
        assert_eq!(wait(&throttle, "alice", 1, 1_001), None);
        (0..4).for_each(|_| fail(&throttle, "bob", 1, 1_000));
        fail(&throttle, "bob", 1, 1_000 + MEMORY);
        assert_eq!(wait(&throttle, "bob", 1, 1_000 + MEMORY), None);
    }

    #[test]
    fn after_a_lock_attempts_go_one_at_a_time() {
        let throttle = Throttle::default();
        (0..5).for_each(|_| fail(&throttle, "alice", 1, 1_000));
        let first = throttle.begin("support", "alice", address(1), 1_001).unwrap();
        assert_eq!(wait(&throttle, "alice", 1, 1_001), Some(1));
        drop(first);
        assert_eq!(wait(&throttle, "alice", 1, 1_001), None, "an attempt without a verdict makes room");
    }

    #[test]
    fn a_spread_attack_costs_everybody_five_seconds_at_most() {
        let throttle = Throttle::default();
        (0..49).for_each(|n| fail(&throttle, "alice", n, 1_000));
        assert_eq!(wait(&throttle, "alice", 99, 1_000), None);
        fail(&throttle, "alice", 50, 1_059);
        assert_eq!(wait(&throttle, "alice", 99, 1_059), Some(5));
        assert_eq!(wait(&throttle, "bob", 99, 1_059), None);
        assert_eq!(wait(&throttle, "alice", 99, 1_064), None);
        fail(&throttle, "alice", 51, 1_064);
        assert_eq!(wait(&throttle, "alice", 99, 1_064), None, "a new minute, a new budget");
    }

    #[test]
    fn a_clock_moved_back_locks_nobody() {
        let throttle = Throttle::default();
        (0..5).for_each(|_| fail(&throttle, "alice", 1, 1_000_000));
        assert_eq!(wait(&throttle, "alice", 1, 1_000), None);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let at = |text: &str| network(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:0:0:2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }

    #[test]
    fn the_tables_are_bounded_and_forget_the_oldest() {
        let mut table = Table::<u8>::default();
        for key in 0..ENTRIES as u64 {
            *table.entry(key) = 1;
        }
        table.entry(0);
        table.entry(u64::MAX);
        assert_eq!(table.entries.len(), ENTRIES);
        assert!(table.get(0).is_some() && table.get(1).is_none());
    }

    fn wait(throttle: &Throttle, user: &str, host: u8, now: i64) -> Option<u64> {
        throttle.begin("support", user, address(host), now).err().map(|wait| wait.as_secs())
    }

    fn fail(throttle: &Throttle, user: &str, host: u8, now: i64) {
        throttle.begin("support", user, address(host), now).unwrap().failed(now);
    }

    fn address(host: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, host])
    }
}
