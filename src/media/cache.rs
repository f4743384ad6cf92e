//! What is remembered, on two levels: what a link's last answer said (*source*), and under which id Cloud has
//! which bytes (*upload*). In memory, bounded, and in the store behind it, so that a restart uploads nothing twice.
//!
//! Deadlines are wall-clock times inside the entries: a monotonic clock would not survive the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache as Map;
use serde::{Deserialize, Serialize};

use super::key::Key;
use super::sniff::Sniffed;
use super::spool::Digest;
use crate::http_cache::{Policy, Why};
use crate::store::{self, Store, UploadRow};

/// How long it is remembered that an answer may not be shared, so that sends of it do not queue up behind one
/// another only to fetch it themselves.
const UNSHARED: Duration = Duration::from_secs(120);
/// How long it is remembered why an answer was not remembered, to tell it when the link is fetched again.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// What a link's last answer said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// How long it may be used.
    pub policy: Policy,
    /// Of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub length: u64,
    /// Its `Content-Type`.
    pub declared: Option<String>,
    /// What its bytes told.
    pub sniffed: Sniffed,
    /// How its name ended in its `Content-Disposition`, if that tells a type.
    #[serde(default)]
    pub ending: Option<String>,
    /// Where redirects led to, when they did: its validators are those of that URL.
    pub final_url: Option<String>,
}

/// Two bounded maps before the store.
pub struct Cache {
    sources: Map<Key, Arc<Source>>,
    uploads: Map<Key, Arc<UploadRow>>,
    unshared: Map<Key, ()>,
    forgotten: Map<Key, Why>,
    /// Counts what was put into sources and uploads or taken out of them, after it was.
    changes: AtomicU64,
    store: Arc<dyn Store>,
    most: u64,
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("most", &self.most).finish_non_exhaustive()
    }
}

impl Cache {
    /// Remembers at most `most` of each.
    pub fn new(store: Arc<dyn Store>, most: u64) -> Self {
        Self {
            sources: bounded(most),
            uploads: bounded(most),
            unshared: Map::builder().max_capacity(most).time_to_live(UNSHARED).build(),
            forgotten: Map::builder().max_capacity(most).time_to_live(FORGOTTEN).build(),
            changes: AtomicU64::default(),
            store,
            most,
        }
    }

    /// How often something has changed: what was at hand under the present count still is.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// What is known of a link without looking into the store.
    pub fn source_at_hand(&self, key: &Key) -> Option<Arc<Source>> {
        self.sources.get(key)
    }

    /// What is known of a link.
    pub async fn source(&self, key: &Key) -> Option<Arc<Source>> {
        if let Some(source) = self.sources.get(key) {
            return Some(source);
        }
        let bytes = told(self.store.source(*key).await)??;
        // An entry of another version is no entry.
        let source: Source = serde_json::from_slice(&bytes).ok()?;
        let source = Arc::new(source);
        self.sources.insert(*key, Arc::clone(&source));
        self.changed();
        Some(source)
    }

    /// Remembers a link. What cannot be stored is remembered until the process ends.
    pub async fn keep_source(&self, key: Key, source: Source) {
        self.unshared.invalidate(&key);
        let bytes = serde_json::to_vec(&source).unwrap_or_default();
        self.sources.insert(key, Arc::new(source));
        self.changed();
        told(self.store.put_source(key, bytes, self.most).await);
    }

    /// Forgets a link.
    pub async fn forget_source(&self, key: &Key) {
        let is_known = self.source(key).await.is_some();
        self.sources.invalidate(key);
        // Whatever was known: it may have made room here and still be at hand elsewhere.
        self.changed();
        if is_known {
            told(self.store.delete_source(*key).await);
        }
    }

    /// Cloud's id of an upload that is usable at `now`, without looking into the store.
    pub fn upload_at_hand(&self, key: &Key, now: i64) -> Option<Arc<UploadRow>> {
        self.uploads.get(key).filter(|upload| now < upload.usable_until)
    }

    /// Cloud's id of an upload that is usable at `now`.
    pub async fn upload(&self, key: &Key, now: i64) -> Option<Arc<UploadRow>> {
        if let Some(upload) = self.uploads.get(key) {
            return Some(upload).filter(|upload| now < upload.usable_until);
        }
        let upload = Arc::new(told(self.store.upload(*key).await)??);
        self.uploads.insert(*key, Arc::clone(&upload));
        self.changed();
        Some(upload).filter(|upload| now < upload.usable_until)
    }

    /// Remembers an upload.
    pub async fn keep_upload(&self, key: Key, upload: UploadRow) -> Arc<UploadRow> {
        let kept = Arc::new(upload.clone());
        self.uploads.insert(key, Arc::clone(&kept));
        self.changed();
        told(self.store.put_upload(key, upload, self.most).await);
        kept
    }

    /// Keeps an upload whatever others are remembered; says whether that is certain.
    pub async fn pin_upload(&self, key: Key, upload: &UploadRow) -> bool {
        told(self.store.pin_upload(key, upload.clone()).await).is_some()
    }

    /// Forgets an upload, unless a newer one has taken its place. One that is all that is left of a client's file goes
    /// only if it is certain that it is worth nothing.
    pub async fn forget_upload(&self, key: &Key, media_id: &str, is_certain: bool) {
        let is_this = self.upload(key, i64::MIN).await.is_some_and(|upload| upload.media_id == media_id);
        if is_this {
            self.uploads.invalidate(key);
        }
        self.changed();
        if is_this {
            told(self.store.delete_upload(*key, is_certain).await);
        }
    }

    /// Forgets uploads that have lapsed.
    pub async fn purge(&self, now: i64) -> Result<usize, store::Error> {
        self.store.purge_media(now).await
    }

    /// Whether the last answer of a link was for its sender alone.
    pub fn is_unshared(&self, key: &Key) -> bool {
        self.unshared.contains_key(key)
    }

    /// Why the last answer of a link was not remembered.
    pub fn why_forgotten(&self, key: &Key) -> Option<Why> {
        self.forgotten.get(key)
    }

    /// Forgets a link, and remembers for a while why, and whether its answer was for its sender alone.
    pub async fn give_up_source(&self, key: Key, why: Why, is_shared: bool) {
        self.forgotten.insert(key, why);
        if is_shared {
            self.unshared.invalidate(&key);
        } else {
            self.unshared.insert(key, ());
        }
        self.forget_source(&key).await;
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// Least recently used first: with a policy of frequency a new link would not get in among old ones.
fn bounded<V: Clone + Send + Sync + 'static>(most: u64) -> Map<Key, V> {
    Map::builder().max_capacity(most).eviction_policy(EvictionPolicy::lru()).build()
}

/// A cache that cannot be stored costs time and no message, so the failure ends here, in the log.
fn told<T>(outcome: Result<T, store::Error>) -> Option<T> {
    outcome.inspect_err(|error| tracing::warn!(%error, "the media cache is not stored")).ok()
}
