//! Files: fetched from where a message links to, uploaded to Cloud once, remembered for as long as
//! their origin allows, and kept when a client uploaded them.
//!
//! # How a message's files are found
//!
//! [`media_refs`](crate::translate::media_refs()) lists them; [`Media::resolve`] finds each one's id at Cloud, all at
//! once; then the same pure translation runs as for any other message. A link goes this way:
//!
//! 1. `link`: checked, its provider looked up, its [key] made. What is remembered and fresh, with bytes that Cloud
//!    has under this number is a hit, without store or task. `hits`: a hit that repeats itself is nothing but a look
//!    at the clock.
//! 2. `flights`: otherwise one task per key looks again, asks whether it changed, or fetches (`fetch`).
//! 3. `spool`: the bytes are hashed as they arrive, in memory while small, in a file without a name beyond that.
//! 4. `upload`: bytes that Cloud has already under this number are not uploaded again.
//!
//! [`http_cache`](crate::http_cache) decides how long an answer may be used; [`reason`] is the closed set of what happened.
//! [`kinds`] says which types and sizes Cloud takes; `sniff` looks into the bytes.
//!
//! An id that we handed out (`files`) leads to the bytes in our folder, and from there goes the same way from 4 on.
//!
//! A profile photo (`photo`) is no file of a message: it is uploaded under the app, and read without a token.
//!
//! What users send is fetched (`prefetch`, in the order of `schedule`) into the same folder under Cloud's own id, when the
//! number wants it.

mod cache;
mod download;
mod errand;
mod error;
mod fetch;
mod files;
mod flights;
mod form;
mod hits;
pub mod key;
pub mod kinds;
mod link;
mod photo;
mod prefetch;
pub mod providers;
pub mod reason;
mod resolve;
mod schedule;
mod sent;
mod sniff;
mod spool;
mod upload;
mod uploaded;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache as Map;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

pub use download::{Download, is_cloud_id};
pub use error::{MediaError, Shared};
pub use files::Folder;
pub use photo::Photo;
pub use resolve::{Missing, Resolution};
pub use spool::{Spool, SpoolError};

use crate::clock::Clock;
use crate::http_cache::Profile;
use crate::net::Connector;
use crate::store::{Store, UploadRow};
use crate::telemetry::MediaMetrics;
use crate::upstream::{MediaUpstream, Target};
use cache::Cache;
use errand::Errand;
use fetch::Fetcher;
use files::Files;
use flights::{Background, Flights};
use hits::Hits;
use key::{Key, Keys};
use prefetch::Wanted;
use providers::Providers;
use reason::{Event, Upload};
use sent::Sent;

/// Files that are fetched at the same time; more wait. Each takes a few hundred KiB.
const FETCHES: usize = 128;
/// And from one host: a slow one must not hold up the others.
const FETCHES_PER_HOST: usize = 64;
/// Links that are kept as they were checked.
const ERRANDS: u64 = 10_000;
/// Hosts whose places are remembered, and for how long after their last use.
const HOSTS: u64 = 10_000;
const HOST_IDLE: Duration = Duration::from_secs(600);
/// Bytes per second that whoever sends a file has to keep up on the average, after a while.
const SLOWEST: u64 = 8 * 1024;
/// That while.
const SLOW_START: Duration = Duration::from_secs(20);
/// Files that are uploaded at the same time.
const UPLOADS: usize = 64;
/// Of these, files that no message waits for yet.
const BACKGROUND: usize = 8;
/// Files that clients upload at the same time; more wait for [`RECEIVE_WAIT`].
const RECEIVED: usize = 64;
/// How long a client's upload waits for its turn.
const RECEIVE_WAIT: Duration = Duration::from_secs(20);
/// What the store calls the key of the cache's keys.
const SECRET: &str = "media-cache-key";

/// Choices of the operator.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whose rules decide how long an answer may be used.
    pub profile: Profile,
    /// Whether links without a provider are left to Cloud.
    pub passes_links: bool,
    /// How long a fetch may take from its beginning to its last byte.
    pub fetch_timeout: Duration,
    /// How long a message waits for its files. They go on arriving after that, for the next try.
    pub wait_timeout: Duration,
    /// How many links, and how many uploads, are remembered.
    pub max_entries: u64,
    /// The folder of kept files and of files on their way.
    pub folder: Folder,
    /// How many bytes of files are kept.
    pub keep: u64,
    /// For how long after its last use a file is kept.
    pub keep_for: Duration,
}

/// What files need from the rest of the proxy.
#[derive(Debug)]
pub struct Tools {
    /// To where links lead; has to have a guard.
    pub links: Connector,
    /// To Cloud.
    pub upstream: MediaUpstream,
    /// To places that Cloud names outside its API; has to have a guard.
    pub elsewhere: MediaUpstream,
    /// The media providers.
    pub providers: Providers,
    /// What time it is.
    pub clock: Clock,
    /// Counters.
    pub metrics: MediaMetrics,
}

/// The number on whose behalf something is fetched or uploaded.
#[derive(Debug)]
pub struct Account {
    /// Its phone number id.
    pub number: String,
    /// Its name, for the log.
    pub name: String,
    /// The Graph API with its version.
    pub graph: String,
    /// Where it uploads, and with which token.
    pub edge: Target,
    /// The id of its app, once that is known.
    pub app_id: OnceLock<String>,
}

impl Account {
    /// A place of the Graph API, below its version.
    pub fn at(&self, path: &str) -> Option<Target> {
        format!("{}/{path}", self.graph).parse().ok().map(|uri| self.edge.at(uri))
    }

    /// Its token.
    fn token(&self) -> Option<&str> {
        self.edge.authorization.as_ref()?.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// The object of a file. `phone_number_id` has Cloud check that the file is this number's.
    fn node(&self, id: &str) -> Result<Target, MediaError> {
        let uri = format!("{}/{id}?phone_number_id={}", self.graph, self.number);
        uri.parse().map(|uri| self.edge.at(uri)).map_err(|_| MediaError::Unknown)
    }
}

/// A file that Cloud has.
#[derive(Clone, Debug)]
pub struct Found {
    /// Cloud's id.
    pub media_id: Arc<str>,
    /// How it came about.
    pub event: Event,
    source: Option<Key>,
    upload: Option<Key>,
    is_shared: bool,
}

/// Everything about files.
#[derive(Clone, Debug)]
pub struct Media(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    keys: Keys,
    cache: Cache,
    hits: Hits,
    flights: Flights<Result<Found, Shared>>,
    uploads: Flights<Result<(Arc<UploadRow>, Upload), Shared>>,
    fetcher: Fetcher,
    fetch_slots: Arc<Semaphore>,
    host_slots: Map<String, Arc<Semaphore>>,
    /// Links that were checked lately.
    errands: Map<String, Arc<Errand>>,
    upload_slots: Semaphore,
    background_slots: Semaphore,
    receive_slots: Arc<Semaphore>,
    upstream: MediaUpstream,
    elsewhere: MediaUpstream,
    providers: Providers,
    files: Files,
    wanted: Wanted,
    sent: Sent,
    clock: Clock,
    metrics: MediaMetrics,
    background: Background,
}

impl Media {
    /// Opens the folder and reads the key of the keys.
    pub async fn open(settings: Settings, store: Arc<dyn Store>, tools: Tools) -> Result<Self, MediaError> {
        let Tools { links, upstream, elsewhere, providers, clock, metrics } = tools;
        let background = Background::default();
        let mut candidate = [0; 32];
        getrandom::fill(&mut candidate).map_err(|error| std::io::Error::other(error.to_string()))?;
        let secret = store.secret(SECRET, candidate.to_vec()).await?;
        let keys = Keys::new(&secret.try_into().map_err(|_| MediaError::Secret)?);
        let files =
            Files::open(settings.folder.clone(), Arc::clone(&store), settings.keep, &keys.owner()).await?;
        Ok(Self(Arc::new(Inner {
            keys,
            wanted: Wanted::new(Arc::clone(&store)),
            cache: Cache::new(store, settings.max_entries),
            hits: Hits::default(),
            flights: Flights::new(background.clone()),
            uploads: Flights::new(background.clone()),
            fetcher: Fetcher::new(links, settings.profile, clock.clone(), metrics.clone()),
            fetch_slots: Arc::new(Semaphore::new(FETCHES)),
            errands: Map::builder().max_capacity(ERRANDS).eviction_policy(EvictionPolicy::lru()).build(),
            host_slots: Map::builder()
                .max_capacity(HOSTS)
                .eviction_policy(EvictionPolicy::lru())
                .time_to_idle(HOST_IDLE)
                .build(),
            upload_slots: Semaphore::new(UPLOADS),
            background_slots: Semaphore::new(BACKGROUND),
            receive_slots: Arc::new(Semaphore::new(RECEIVED)),
            upstream,
            elsewhere,
            providers,
            files,
            sent: Sent::default(),
            clock,
            metrics,
            background,
            settings,
        })))
    }

    /// When a message that came now has waited long enough for its files.
    pub fn patience(&self) -> Instant {
        Instant::now() + self.0.settings.wait_timeout
    }

    /// Forgets ids that Cloud says it does not have: the next [`Media::resolve`] uploads the files again.
    pub async fn forget(&self, found: &[Found]) {
        // Of several, nobody says which one it is.
        let is_certain = found.len() == 1;
        for found in found {
            if let Some(key) = &found.upload {
                self.0.cache.forget_upload(key, &found.media_id, is_certain).await;
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
        for source in found.iter().filter_map(|found| found.source.as_ref()) {
            self.0.cache.forget_source(source).await;
        }
    }

    /// A place for a file of at most `limit` bytes that a client uploads, and the turn that lasts as long as the
    /// permit; `None` when too many others are being uploaded.
    pub async fn receive(&self, limit: u64) -> Option<(Spool, OwnedSemaphorePermit)> {
        let turn = Arc::clone(&self.0.receive_slots).acquire_owned();
        let permit = timeout(RECEIVE_WAIT, turn).await.ok()?.ok()?;
        Some((self.0.files.staying(limit), permit))
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
        self.0.keep(account, declared, filename, spool).await
    }

    /// The file that `id` names; `None` when neither we nor Cloud have it.
    pub async fn download(&self, account: &Account, id: &str) -> Result<Option<Download>, MediaError> {
        self.0.download(account, id).await
    }

    /// Deletes a file; `false` when there is none.
    pub async fn delete(&self, account: &Account, id: &str) -> Result<bool, MediaError> {
        self.0.delete(account, id).await
    }

    /// The file at a place that Cloud named and that anybody can read; `None` when it is not there.
    pub async fn public_file(&self, account: &Account, url: &str) -> Result<Option<Download>, MediaError> {
        self.0.public_file(account, url).await
    }

    /// Uploads a photo under the number's app, and gives the handle that a profile takes for it.
    pub async fn upload_photo(
        &self,
        account: &Account,
        photo: Photo,
        bytes: Bytes,
    ) -> Result<String, MediaError> {
        self.0.upload_photo(account, photo, bytes).await
    }

    /// Begins to fetch the files that the store notes as wanted, each with its number's account; `accounts` are by
    /// phone number id. To be called once.
    pub fn serve_wanted(&self, accounts: HashMap<String, Arc<Account>>) {
        let work = Arc::clone(&self.0).serve_wanted(accounts);
        self.0.background.spawn(work);
    }

    /// More files are noted as wanted.
    pub fn wanted(&self) {
        self.0.wanted.wake();
    }

    /// Forgets what has lapsed.
    pub async fn purge(&self) -> Result<(), MediaError> {
        let now = self.0.clock.now();
        let keep_for = i64::try_from(self.0.settings.keep_for.as_secs()).unwrap_or(i64::MAX);
        self.0.files.expire(now.saturating_sub(keep_for)).await?;
        self.0.files.sweep().await?;
        self.0.cache.purge(now).await?;
        Ok(())
    }

    /// Ends what no message waits for; the next one that needs it begins it anew.
    pub async fn stop(&self) {
        self.0.background.stop().await;
    }

    /// Counters of bytes that clients move.
    pub fn metrics(&self) -> &MediaMetrics {
        &self.0.metrics
    }
}

/// Whether a file comes so slowly that it only holds a place.
pub fn is_too_slow(elapsed: Duration, bytes: u64) -> bool {
    elapsed > SLOW_START && bytes < elapsed.as_secs() * SLOWEST
}
