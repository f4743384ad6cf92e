//! What is remembered of links: what the last answer of each said, or why it was not remembered. In memory, and answers
//! in the store behind it too, so that a restart fetches nothing twice.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache as Map;
use serde::{Deserialize, Serialize};

use crate::http_cache::{Policy, Why};
use crate::media::key::Key;
use crate::media::memory::{Memory, logged};
use crate::media::sniff::Sniffed;
use crate::media::transfer::spool::Digest;
use crate::store::Store;

/// For how many seconds it is remembered that an answer may not be shared, so that sends of it do not queue up behind one
/// another only to fetch it themselves.
const UNSHARED: i64 = 120;
/// For how long it is remembered why an answer was not remembered, to tell it when the link is fetched again.
const REJECTED: Duration = Duration::from_secs(3600);

/// What a link's last answer said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachedLink {
    pub policy: Policy,
    pub digest: Digest,
    pub length: u64,
    /// Its `Content-Type`.
    pub declared: Option<String>,
    pub sniffed: Sniffed,
    /// The ending of the file name in its `Content-Disposition`, if that tells a type.
    #[serde(default)]
    pub ending: Option<String>,
    /// Where redirects led to, when they did: its validators are those of that URL.
    pub final_url: Option<String>,
}

/// Why a link's last answer was not remembered.
#[derive(Clone, Copy)]
struct Rejected {
    why: Why,
    /// Until then its sends do not wait for one another.
    unshared_until: i64,
}

/// The links that are remembered.
pub struct LinkCache {
    pub memory: Memory<CachedLink>,
    rejected: Map<Key, Rejected>,
    store: Arc<dyn Store>,
    max: u64,
}

impl LinkCache {
    /// Remembers at most `max`.
    pub fn new(store: Arc<dyn Store>, max: u64) -> Self {
        let rejected = Map::builder().max_capacity(max).time_to_live(REJECTED).build();
        Self { memory: Memory::new(max), rejected, store, max }
    }

    /// What is known of a link.
    pub async fn find(&self, key: &Key) -> Option<Arc<CachedLink>> {
        if let Some(link) = self.memory.get(key) {
            return Some(link);
        }
        let bytes = logged(self.store.source(*key).await)??;
        // An entry of another version is no entry.
        let link: Arc<CachedLink> = Arc::new(serde_json::from_slice(&bytes).ok()?);
        self.memory.put(*key, Arc::clone(&link));
        Some(link)
    }

    /// Remembers a link. What cannot be stored is remembered until the process ends.
    pub async fn put(&self, key: Key, link: CachedLink) {
        self.rejected.invalidate(&key);
        let bytes = serde_json::to_vec(&link).unwrap_or_default();
        self.memory.put(key, Arc::new(link));
        logged(self.store.put_source(key, bytes, self.max).await);
    }

    /// Forgets a link.
    pub async fn forget(&self, key: &Key) {
        let is_known = self.find(key).await.is_some();
        self.memory.remove(key);
        if is_known {
            logged(self.store.delete_source(*key).await);
        }
    }

    /// Forgets a link, and remembers for a while why, and whether its answer was for one send alone.
    pub async fn reject(&self, key: Key, why: Why, is_shared: bool, now: i64) {
        let unshared_until = if is_shared { i64::MIN } else { now.saturating_add(UNSHARED) };
        self.rejected.insert(key, Rejected { why, unshared_until });
        self.forget(&key).await;
    }

    /// Why the last answer of a link was not remembered.
    pub fn why_rejected(&self, key: &Key) -> Option<Why> {
        self.rejected.get(key).map(|rejected| rejected.why)
    }

    /// Whether the last answer of a link was for one send alone.
    pub fn is_unshared(&self, key: &Key, now: i64) -> bool {
        self.rejected.get(key).is_some_and(|rejected| now < rejected.unshared_until)
    }
}
