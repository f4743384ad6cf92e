//! Files: fetched from where a message links to, uploaded to Cloud once, remembered for as long as their origin allows, and
//! kept when a client uploaded them.
//!
//! # How a message's files are found
//!
//! [`media_refs`](crate::translate::media_refs()) lists them; [`Media::resolve`] finds each one's id at Cloud, all at once;
//! then the same pure translation runs as for any other message. A link goes this way (`links`):
//!
//! 1. It is checked, its provider is looked up, and its `key` is made. What is remembered, fresh, and at Cloud under this
//!    number is a hit, without store or task; a repeated hit costs no more than a look at the clock.
//! 2. Otherwise one task per key looks again, revalidates, or fetches. [`http_cache`](crate::http_cache) decides how long an
//!    answer may be used.
//! 3. The bytes are hashed as they arrive, in memory while they are few, then in a file without a name (`transfer::spool`).
//! 4. They are uploaded, unless Cloud has them already under this number (`transfer::upload`).
//!
//! An id that we handed out leads to the bytes in our folder (`library`), and from there to step 4. What users send is
//! fetched into the same folder, under Cloud's own id, when the number wants it.
//!
//! A profile photo (`transfer::photo`) is no file of a message: it is uploaded under the app, and read without a token.
//!
//! [`reason`] is the closed set of what can happen to a file. `kinds` says which types and sizes Cloud accepts; `sniff`
//! looks into the bytes.

mod account;
mod build;
mod error;
mod found;
mod key;
mod kinds;
mod library;
mod links;
mod memory;
pub mod providers;
pub mod reason;
mod resolve;
mod sent;
mod single_flight;
mod sniff;
mod transfer;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

pub use account::Account;
pub use build::MediaParts;
pub use error::{MediaError, SharedError};
pub use found::{Found, Missing, Resolution};
pub use library::files::Folder;
pub use transfer::download::{Download, is_cloud_id};
pub use transfer::photo::Photo;
pub use transfer::spool::{Spool, SpoolError, is_too_slow};

use crate::config;
use crate::store::Store;
use crate::telemetry::MediaMetrics;
use crate::translate::MediaRef;
use build::Rooms;

/// Everything about files.
#[derive(Clone)]
pub struct Media(Arc<Rooms>);

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Media")
    }
}

impl Media {
    /// Opens the folder, and reads the secret of the cache's keys.
    pub async fn open(
        config: config::Media,
        store: Arc<dyn Store>,
        parts: MediaParts,
    ) -> Result<Self, MediaError> {
        Ok(Self(Arc::new(Rooms::open(config, store, parts).await?)))
    }

    /// Until when a message that came now waits for its files.
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.0.config.wait_timeout
    }

    /// Finds the files of a message, all at once, until `end`.
    pub async fn resolve(
        &self,
        account: &Arc<Account>,
        references: &[MediaRef<'_>],
        end: Instant,
    ) -> Result<Resolution, Missing> {
        self.0.resolve(account, references, end).await
    }

    /// What [`Media::resolve`] would find, when all of it was found lately and nothing has changed since.
    pub fn resolve_cached(&self, account: &Arc<Account>, references: &[MediaRef<'_>]) -> Option<Resolution> {
        self.0.resolve_cached(account, references)
    }

    /// Forgets ids that Cloud says it does not have: the next [`Media::resolve`] uploads the files again.
    pub async fn forget(&self, found: &[Found]) {
        // Of several, nobody says which one it is.
        let is_certain = found.len() == 1;
        for found in found {
            if let Some(key) = &found.upload {
                self.0.uploader.cache.forget(key, &found.media_id, is_certain).await;
            }
        }
    }

    /// Remembers which files a message was sent with, in case that Cloud cannot use them (131053).
    pub fn note_sent(&self, message_id: &str, found: Vec<Found>) {
        self.0.sent.note(message_id, found, self.0.clock.now());
    }

    /// Cloud could not use the files of this message (131053 "Media upload error", by webhook): they are fetched and
    /// uploaded anew by the next message that wants them. This one is not sent again.
    pub async fn forget_sent(&self, message_id: &str) {
        let Some(found) = self.0.sent.take(message_id) else {
            return;
        };
        self.forget(&found).await;
        for link in found.iter().filter_map(|found| found.link.as_ref()) {
            self.0.links.cache.forget(link).await;
        }
    }

    /// A place for a file of at most `limit` bytes that a client uploads, to be used while the permit is held; `None` when
    /// too many others are being uploaded.
    pub async fn receive(&self, limit: u64) -> Option<(Spool, OwnedSemaphorePermit)> {
        self.0.library.receive(limit).await
    }

    /// Keeps an uploaded file, of which its client may have said type and name, gives it an id, and begins to upload it
    /// to Cloud.
    pub async fn keep(
        &self,
        account: &Arc<Account>,
        declared: Option<&str>,
        filename: Option<&str>,
        spool: Spool,
    ) -> Result<String, MediaError> {
        self.0.library.keep(account, declared, filename, spool).await
    }

    /// The file that `id` names; `None` when neither we nor Cloud have it.
    pub async fn download(&self, account: &Account, id: &str) -> Result<Option<Download>, MediaError> {
        self.0.library.download(account, id).await
    }

    /// Deletes a file; `false` when there is none.
    pub async fn delete(&self, account: &Account, id: &str) -> Result<bool, MediaError> {
        self.0.library.delete(account, id).await
    }

    /// The file at a place that Cloud named and that anybody can read; `None` when it is not there.
    pub async fn public_file(&self, account: &Account, url: &str) -> Result<Option<Download>, MediaError> {
        self.0.library.cloud.public_file(account, url).await
    }

    /// Uploads a photo under the number's app, and gives the handle that a profile takes for it.
    pub async fn upload_photo(
        &self,
        account: &Account,
        photo: Photo,
        bytes: Bytes,
    ) -> Result<String, MediaError> {
        let _slot = self.0.uploader.slot().await?;
        transfer::photo::upload(&self.0.upstream, account, photo, &bytes).await
    }

    /// Begins to fetch the files that the store notes as wanted, each with its number's account; `accounts` are by
    /// phone number id. To be called once.
    pub fn serve_wanted(&self, accounts: HashMap<String, Arc<Account>>) {
        self.0.background.spawn(Arc::clone(&self.0.prefetch).run(accounts));
    }

    /// More files were noted as wanted.
    pub fn notify_wanted(&self) {
        self.0.prefetch.notify.notify_one();
    }

    /// Forgets what has lapsed.
    pub async fn purge(&self) -> Result<(), MediaError> {
        let now = self.0.clock.now();
        let keep_for = i64::try_from(self.0.config.keep_for.as_secs()).unwrap_or(i64::MAX);
        let budget = &self.0.library.budget;
        budget.expire(now.saturating_sub(keep_for)).await?;
        budget.files.sweep().await?;
        self.0.uploader.cache.purge(now).await?;
        Ok(())
    }

    /// Cancels what no message waits for; the next one that needs it begins it anew.
    pub async fn stop(&self) {
        self.0.background.stop().await;
    }

    /// Counters of bytes that clients move.
    pub fn metrics(&self) -> &MediaMetrics {
        &self.0.metrics
    }
}
