//! How often one number writes to one user: pure but for a short lock, the time passed in.
//!
//! Cloud lets a number send one message in six seconds to the same user, and 45 at once that are paid for later ("Pair
//! rate limits", error 131056). A bucket like that of [`Rate`](super::rate::Rate) for each user that was lately
//! written to, by a keyed hash: recipients are not kept.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rate::{Nanos, SECOND};

/// The time between two messages.
const INTERVAL: Nanos = 6 * SECOND;
/// How many may go at once.
const BURST: u64 = 45;
/// How much may be saved up.
const TOLERANCE: Nanos = (BURST - 1) * INTERVAL;
/// "4^X seconds", up to 256.
const MOST_FAILURES: u32 = 4;
/// How long after a closure failures are remembered: by then Cloud's bucket is full, and the past says nothing.
const MEMORY: Nanos = BURST * INTERVAL;

/// The most users that are kept for one number. Each message keeps one for six seconds, so that even a thousand per
/// second come to 6,000; beyond this many nobody new is counted, and Cloud's own limit stands alone.
const MOST: usize = 50_000;

/// A user, for the time of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u64);

/// When a message to a user may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Nanos,
    /// Whether Cloud refused messages to the user lately, so that a success is worth telling.
    pub(super) has_failed: bool,
}

/// Why a message to a user may not go in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late {
    /// When it could.
    pub(super) at: Nanos,
    /// Whether that is because Cloud refused one.
    pub(super) has_failed: bool,
}

/// The users that one number lately wrote to.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Chosen at random, so that nobody can aim two recipients at one bucket.
    hash: RandomState,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    pairs: HashMap<u64, Pair, BuildHasherDefault<Hashed>>,
    /// Each user once, and when to look whether its bucket is full again; the delays are equal, so this is in order.
    looks: VecDeque<(Nanos, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Pair {
    /// When the next message would be due if none came early.
    next: Nanos,
    /// Until when Cloud is to be left alone with this user.
    closed: Nanos,
    /// How many messages in a row Cloud refused for the pair.
    failures: u32,
    /// When it did last.
    failed: Nanos,
}

impl Pairs {
    /// The key of `recipient`.
    pub(super) fn key(&self, recipient: &str) -> Key {
        Key(self.hash.hash_one(recipient))
    }

    /// Counts a message and says when it may go, or that this would be after `latest`; then it is not counted.
    pub(super) fn reserve(&self, key: Key, now: Nanos, latest: Nanos) -> Result<Due, Late> {
        self.lock().reserve(key, now, latest)
    }

    /// Takes back a message that was counted and never reached Cloud.
    pub(super) fn give_back(&self, key: Key) {
        if let Some(pair) = self.lock().pairs.get_mut(&key.0) {
            pair.next = pair.next.saturating_sub(INTERVAL);
        }
    }

    /// Until when the user is closed, if that is not over.
    pub(super) fn closed(&self, key: Key, now: Nanos) -> Option<Nanos> {
        self.lock().pairs.get(&key.0).map(|pair| pair.closed).filter(|closed| *closed > now)
    }

    /// Cloud refused a message for the pair, one that left at `sent`, and asked for a pause of so long.
    pub(super) fn failed(&self, key: Key, sent: Nanos, now: Nanos, asked: Nanos) {
        let mut table = self.lock();
        let Some(pair) = table.get(key, now) else { return };
        // Messages that were on their way together fail together; that is one failure.
        if pair.failures > 0 && sent <= pair.failed {
            return;
        }
        let seconds = 4_u64.pow(pair.failures.min(MOST_FAILURES));
        pair.closed = now.saturating_add(asked.max(seconds * SECOND));
        (pair.failures, pair.failed) = (pair.failures.saturating_add(1), now);
    }

    /// Cloud took a message that left at `sent`.
    pub(super) fn succeeded(&self, key: Key, sent: Nanos) {
        if let Some(pair) = self.lock().pairs.get_mut(&key.0)
            && sent > pair.failed
        {
            pair.failures = 0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    /// Whether it tells nothing that a new one would not.
    fn is_over(&self, now: Nanos) -> bool {
        let forgotten = if self.failures > 0 { self.closed.saturating_add(MEMORY) } else { self.closed };
        self.next.max(forgotten) <= now
    }
}

impl Table {
    fn reserve(&mut self, key: Key, now: Nanos, latest: Nanos) -> Result<Due, Late> {
        self.tidy(now);
        let Some(pair) = self.get(key, now) else { return Ok(Due { at: now, has_failed: false }) };
        let has_failed = pair.failures > 0;
        let at = pair.next.saturating_sub(TOLERANCE).max(now);
        if at.max(pair.closed) > latest {
            let has_failed = pair.closed > at;
            return Err(Late { at: at.max(pair.closed), has_failed });
        }
        let at = at.max(pair.closed);
        pair.next = pair.next.max(now).saturating_add(INTERVAL);
        Ok(Due { at, has_failed })
    }

    /// The user's bucket, a new one if need be; nothing when there are too many.
    fn get(&mut self, key: Key, now: Nanos) -> Option<&mut Pair> {
        if !self.pairs.contains_key(&key.0) {
            if self.pairs.len() >= MOST {
                return None;
            }
            self.looks.push_back((now.saturating_add(INTERVAL), key.0));
        }
        Some(self.pairs.entry(key.0).or_default())
    }

    /// Forgets users whose buckets are full again. Two looks for each message keep up: each message causes one at
    /// most in six seconds.
    fn tidy(&mut self, now: Nanos) {
        for _ in 0..2 {
            let Some((_, key)) = self.looks.pop_front_if(|(at, _)| *at <= now) else { return };
            if self.pairs.get(&key).is_none_or(|pair| pair.is_over(now)) {
                self.pairs.remove(&key);
            } else {
                self.looks.push_back((now.saturating_add(INTERVAL), key));
            }
        }
    }
}

/// The keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only `u64` is hashed here; whatever else came would still be hashed somehow.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
#[path = "pairs_tests.rs"]
mod tests;
