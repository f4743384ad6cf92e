//! A small cache for each worker thread.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use super::workers::this_worker;

/// Further threads share. A shard is allocated with its first entry.
const SHARDS: usize = 64;
/// Sets of a shard: an entry belongs to one of them, so that finding it, or one to evict, takes a few steps.
const SETS: usize = 128;
/// Entries of a set, which makes 1,024 a thread.
const WAYS: usize = 8;

/// A set-associative cache of which each worker has a shard: no thread waits for another. Values are found by the hash of
/// their key, and the caller compares the keys. A full set evicts its least recently used entry.
pub struct Recent<T> {
    hashes: RandomState,
    shards: [OnceLock<Box<Mutex<Shard<T>>>>; SHARDS],
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { hashes: RandomState::new(), shards: [const { OnceLock::new() }; SHARDS] }
    }
}

/// Without the values, which may be secrets.
impl<T> fmt::Debug for Recent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").finish_non_exhaustive()
    }
}

impl<T> Recent<T> {
    /// A hasher with a random key, so that nobody can choose hashes that collide.
    pub fn hasher(&self) -> impl Hasher + use<T> {
        self.hashes.build_hasher()
    }

    /// Passes the value under `hash` that `is` the right one to `look`, which says whether it stays.
    pub fn find<R>(
        &self,
        hash: u64,
        is: impl Fn(&T) -> bool,
        look: impl FnOnce(&mut T) -> (R, bool),
    ) -> Option<R> {
        let mut shard = free(self.shards.get(this_worker() % SHARDS)?.get()?)?;
        let (found, stays) = look(shard.find(hash, &is)?);
        if !stays {
            shard.forget(hash, &is);
        }
        Some(found)
    }

    /// Adds `value`, in place of one that `is` for the same key.
    pub fn add(&self, hash: u64, is: impl Fn(&T) -> bool, value: T) {
        let Some(shard) = self.shards.get(this_worker() % SHARDS) else { return };
        if let Some(mut shard) = free(shard.get_or_init(Box::default)) {
            shard.add(hash, is, value);
        }
    }

    /// Removes the values of all threads that `keep` does not want.
    pub fn retain(&self, mut keep: impl FnMut(&mut T) -> bool) {
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.sets.iter_mut().for_each(|set| set.retain_mut(|entry| keep(&mut entry.value)));
        }
    }
}

/// The shard, unless another thread has locked it: computing the value again takes less time than waiting might.
fn free<T>(shard: &Mutex<Shard<T>>) -> Option<MutexGuard<'_, Shard<T>>> {
    match shard.try_lock() {
        Ok(shard) => Some(shard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// The entries of one thread.
struct Shard<T> {
    sets: [Vec<Entry<T>>; SETS],
    /// The number of uses, which orders the entries by their last one.
    uses: u64,
}

struct Entry<T> {
    hash: u64,
    used: u64,
    value: T,
}

impl<T> Default for Shard<T> {
    fn default() -> Self {
        Self { sets: [const { Vec::new() }; SETS], uses: 0 }
    }
}

impl<T> Shard<T> {
    fn find(&mut self, hash: u64, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.uses += 1;
        let uses = self.uses;
        let entry = self.set(hash)?.iter_mut().find(|entry| entry.hash == hash && is(&entry.value))?;
        entry.used = uses;
        Some(&mut entry.value)
    }

    fn add(&mut self, hash: u64, is: impl Fn(&T) -> bool, value: T) {
        self.uses += 1;
        let used = self.uses;
        self.forget(hash, is);
        let Some(set) = self.set(hash) else { return };
        let entry = Entry { hash, used, value };
        if set.len() < WAYS {
            set.push(entry);
        } else if let Some(oldest) = set.iter_mut().min_by_key(|entry| entry.used) {
            *oldest = entry;
        }
    }

    fn forget(&mut self, hash: u64, is: impl Fn(&T) -> bool) {
        if let Some(set) = self.set(hash) {
            set.retain(|entry| entry.hash != hash || !is(&entry.value));
        }
    }

    fn set(&mut self, hash: u64) -> Option<&mut Vec<Entry<T>>> {
        // The remainder is below a small number, so it fits.
        self.sets.get_mut((hash % SETS as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::become_worker;

    #[test]
    fn of_many_the_ones_in_use_stay() {
        let recent = Recent::default();
        add(&recent, u64::MAX);
        for value in 0..10_000 {
            add(&recent, value);
            assert!(has(&recent, u64::MAX), "{value}");
        }
        assert_eq!(count(&recent), SETS * WAYS, "and there are no more than that");
        add(&recent, 9_999);
        assert_eq!(count(&recent), SETS * WAYS, "the same one twice is one");
    }

    #[test]
    fn what_meets_in_one_hash_is_told_apart() {
        let recent = Recent::default();
        for value in ["a", "b"] {
            recent.add(7, |other| *other == value, value);
        }
        for value in ["a", "b"] {
            assert_eq!(recent.find(7, |other| *other == value, |found| (*found, true)), Some(value));
        }
        assert_eq!(recent.find(7, |other| *other == "a", |found| (*found, false)), Some("a"));
        assert_eq!(recent.find(7, |other| *other == "a", |found| (*found, true)), None, "it did not stay");
        assert_eq!(recent.find(7, |other| *other == "b", |found| (*found, true)), Some("b"));
    }

    #[test]
    fn a_thread_has_its_own_and_waits_for_no_other() {
        let recent = Recent::default();
        add(&recent, 5);
        let on_worker = |worker| {
            let there = || {
                become_worker(worker);
                has(&recent, 5)
            };
            std::thread::scope(|scope| scope.spawn(there).join().unwrap())
        };
        assert!(!on_worker(1));
        assert!(on_worker(SHARDS), "one too many, which shares");
        let _held = recent.shards[0].get().unwrap().lock().unwrap();
        assert!(!on_worker(SHARDS), "not found rather than waited for");
        add(&recent, 6);
    }

    #[test]
    fn what_is_not_wanted_goes_and_nothing_is_printed() {
        let recent = Recent::default();
        (0..4).for_each(|value| add(&recent, value));
        recent.retain(|value| *value % 2 == 0);
        assert_eq!([0, 1, 2, 3].map(|value| has(&recent, value)), [true, false, true, false]);
        assert_eq!(format!("{recent:?}"), "Recent { .. }");
    }

    fn hash(recent: &Recent<u64>, value: u64) -> u64 {
        let mut hasher = recent.hasher();
        hasher.write_u64(value);
        hasher.finish()
    }

    fn add(recent: &Recent<u64>, value: u64) {
        recent.add(hash(recent, value), |other| *other == value, value);
    }

    fn has(recent: &Recent<u64>, value: u64) -> bool {
        recent.find(hash(recent, value), |other| *other == value, |_| ((), true)).is_some()
    }

    fn count(recent: &Recent<u64>) -> usize {
        let shards = recent.shards.iter().filter_map(OnceLock::get);
        shards.map(|shard| shard.lock().unwrap().sets.iter().map(Vec::len).sum::<usize>()).sum()
    }
}
