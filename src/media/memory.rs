//! What the caches of links and of uploads have in common: a bounded map in front of the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::policy::EvictionPolicy;
use moka::sync::Cache as Map;

use super::key::Key;
use crate::store;

/// A bounded map that counts its changes.
pub struct Memory<V> {
    entries: Map<Key, Arc<V>>,
    changes: AtomicU64,
}

impl<V: Send + Sync + 'static> Memory<V> {
    /// Evicts the least recently used entry: a policy of frequency would keep new links out among old ones.
    pub fn new(max: u64) -> Self {
        let entries = Map::builder().max_capacity(max).eviction_policy(EvictionPolicy::lru()).build();
        Self { entries, changes: AtomicU64::default() }
    }

    /// How often an entry was put in or removed; counted after it was. What was found under the present count would be
    /// found again.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The entry of `key`.
    pub fn get(&self, key: &Key) -> Option<Arc<V>> {
        self.entries.get(key)
    }

    /// Adds an entry, or replaces it.
    pub fn put(&self, key: Key, value: Arc<V>) {
        self.entries.insert(key, value);
        self.changed();
    }

    /// Removes an entry. That counts as a change even where there is none: it may have been evicted here and still be
    /// in use elsewhere.
    pub fn remove(&self, key: &Key) {
        self.entries.invalidate(key);
        self.changed();
    }

    /// Counts a change that was not made here.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// A cache that cannot be stored costs time and no message, so the error goes no further than the log.
pub fn logged<T>(outcome: Result<T, store::Error>) -> Option<T> {
    outcome.inspect_err(|error| tracing::warn!(%error, "the media cache is not stored")).ok()
}
