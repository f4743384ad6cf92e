//! Brute force: who has to wait before the next attempt.
//!
//! What counts is one user at one address. A user alone must not be locked by strangers for long, hence only
//! a short delay once very many attempts fail from everywhere, and none where the user has logged in lately
//! (`visitors`). No lock is permanent: `admin` cannot be locked out. Addresses alone lock nobody, but they share the
//! queue for hashes: where many logins fail, whoever they are for, they go on one at a time (`networks`).
//!
//! A load balancer that hides addresses makes all clients behind it one address, its own; we look at the
//! connection and believe no header, which a client could write itself. A fleet with the right credentials
//! does not mind, 56 at once go through. But one client's wrong passwords slow that user for everybody there,
//! and once more than 20 logins fail within a minute, for whatever users, all logins through that load
//! balancer take turns: some hear 429 and succeed a second later; while somebody floods it, most hear 429, as
//! they would with a full queue. Logins from other addresses, and tokens and API keys from anywhere, are not
//! concerned. Whoever cannot accept that lets the load balancer keep the addresses, or limit
//! `/v1/users/login` per client.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use networks::{Networks, Place};
use table::Table;
use visitors::Visitors;

use crate::net::peer_network;

mod networks;
mod table;
#[cfg(test)]
mod tests;
mod visitors;

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

/// Counts failed attempts. Time comes from the caller.
#[derive(Default)]
pub(super) struct Throttle {
    keys: RandomState,
    tables: Mutex<Tables>,
    networks: Networks,
}

/// Pushing somebody's entry out takes as many hashes as a table has entries, which take longer than the wait.
#[derive(Default)]
struct Tables {
    pairs: Table<Pair>,
    users: Table<Budget>,
    visitors: Table<Visitors>,
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
/// counts as neither for the user: the client has learnt nothing. For the network it is a failure, because
/// it may have cost a hash all the same; otherwise hanging up early would be the way to fill the queue.
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    pair: u64,
    user: u64,
    /// The network and the number.
    visited: u64,
    alone: bool,
    place: Arc<Place>,
    began: i64,
    judged: bool,
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
        let network = peer_network(peer);
        let pair = self.keys.hash_one((number, user, network));
        let user = self.keys.hash_one((number, user));
        let visited = self.keys.hash_one((number, network));
        let network = self.keys.hash_one(network);
        let mut tables = self.tables();
        let locked =
            tables.users.get(user).map_or(Ok(()), |budget| free(budget.locked_until, now, BUDGET_WAIT));
        if locked.is_err() {
            // `listen.trusted_proxies` belongs here: the address of one of those is nobody's own.
            let is_visitor = tables.visitors.get(visited).is_some_and(|visitors| visitors.has(user, now));
            if !is_visitor || self.networks.is_noisy(network, now) {
                locked?;
            }
        }
        let mut entry = tables.pairs.get(pair);
        if let Some(entry) = &entry {
            free(entry.locked_until, now, LONGEST_WAIT)?;
            if entry.trying {
                return Err(Duration::from_secs(1));
            }
        }
        // Of all numbers together, because they share the queue.
        let place = Arc::new(self.networks.enter(network, now)?);
        let mut alone = false;
        if let Some(entry) = &mut entry {
            if now.saturating_sub(entry.last_failure) >= MEMORY {
                entry.failures = 0;
            }
            alone = entry.failures >= TRIES;
            entry.trying = alone;
        }
        Ok(Attempt { throttle: self, pair, user, visited, alone, place, began: now, judged: false })
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// To be kept until the hash is done.
    pub(super) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    /// We could not look at the credentials, which is not the client's fault.
    pub(super) fn turned_away(mut self) {
        self.judged = true;
    }

    /// The credentials were right: what this address did wrong with this user before is forgiven. What it did
    /// with others is not, or one account would do to guess all the others at full speed.
    pub(super) fn succeeded(mut self) {
        self.judged = true;
        let mut tables = self.throttle.tables();
        tables.pairs.remove(self.pair);
        tables.visitors.entry(self.visited).add(self.user, self.began);
    }

    /// The credentials were wrong.
    pub(super) fn failed(mut self, now: i64) {
        self.judged = true;
        self.place.failed(now);
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
        if !self.judged {
            self.place.failed(self.began);
        }
        if self.alone
            && let Some(entry) = self.throttle.tables().pairs.get(self.pair)
        {
            entry.trying = false;
        }
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
