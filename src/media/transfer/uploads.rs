//! Under which ids Cloud has which bytes: in memory, and in the store behind it, so that a restart uploads nothing twice.
//!
//! Deadlines are wall-clock times inside the entries: a monotonic clock would not survive the process.

use std::sync::Arc;

use crate::media::key::Key;
use crate::media::memory::{Memory, logged};
use crate::store::{self, Store, UploadRow};

/// The uploads that are remembered.
pub struct UploadCache {
    pub memory: Memory<UploadRow>,
    store: Arc<dyn Store>,
    max: u64,
}

impl UploadCache {
    /// Remembers at most `max`.
    pub fn new(store: Arc<dyn Store>, max: u64) -> Self {
        Self { memory: Memory::new(max), store, max }
    }

    /// An upload that is usable at `now`.
    pub async fn find(&self, key: &Key, now: i64) -> Option<Arc<UploadRow>> {
        let upload = match self.memory.get(key) {
            Some(upload) => upload,
            None => {
                let upload = Arc::new(logged(self.store.upload(*key).await)??);
                self.memory.put(*key, Arc::clone(&upload));
                upload
            }
        };
        Some(upload).filter(|upload| now < upload.usable_until)
    }

    /// Remembers an upload.
    pub async fn put(&self, key: Key, upload: UploadRow) -> Arc<UploadRow> {
        let shared = Arc::new(upload.clone());
        self.memory.put(key, Arc::clone(&shared));
        logged(self.store.put_upload(key, upload, self.max).await);
        shared
    }

    /// Keeps an upload however many others are remembered; says whether that is certain.
    pub async fn pin(&self, key: Key, upload: &UploadRow) -> bool {
        logged(self.store.pin_upload(key, upload.clone()).await).is_some()
    }

    /// Forgets an upload, unless a newer one has taken its place. One that is all that is left of a client's file is
    /// only forgotten if it is certainly dead.
    pub async fn forget(&self, key: &Key, media_id: &str, is_certain: bool) {
        if self.find(key, i64::MIN).await.is_some_and(|upload| upload.media_id == media_id) {
            self.memory.remove(key);
            logged(self.store.delete_upload(*key, is_certain).await);
        } else {
            self.memory.changed();
        }
    }

    /// Forgets uploads that Cloud has forgotten by `now`.
    pub async fn purge(&self, now: i64) -> Result<usize, store::Error> {
        self.store.purge_media(now).await
    }
}
