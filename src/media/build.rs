//! Puts the rooms together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Notify, Semaphore};

use super::error::MediaError;
use super::key::Keys;
use super::library::budget::Budget;
use super::library::files::{Files, Folder};
use super::library::kept::{EARLY_UPLOADS, Library, RECEIVED};
use super::library::prefetch::Prefetch;
use super::links::cache::LinkCache;
use super::links::fetch::Fetcher;
use super::links::hot_cache::HotCache;
use super::links::resolver::Links;
use super::links::slots::FetchSlots;
use super::providers::Providers;
use super::sent::Sent;
use super::single_flight::{Background, SingleFlight};
use super::transfer::download::CloudFiles;
use super::transfer::upload::{UPLOADS, Uploader};
use super::transfer::uploads::UploadCache;
use crate::clock::Clock;
use crate::http_cache::Profile;
use crate::net::Connector;
use crate::store::Store;
use crate::telemetry::MediaMetrics;
use crate::upstream::MediaUpstream;

/// The name of the cache's secret in the store.
const SECRET: &str = "media-cache-key";

/// Choices of the operator.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Whose rules decide how long an answer may be used.
    pub profile: Profile,
    /// Whether links without a provider are left to Cloud.
    pub passes_links: bool,
    /// How long a fetch may take from its beginning to its last byte.
    pub fetch_timeout: Duration,
    /// How long a message waits for its files. They go on arriving after that, for the next attempt.
    pub wait_timeout: Duration,
    /// How many links, and how many uploads, are remembered.
    pub max_entries: u64,
    /// The folder of kept files and of files in transit.
    pub folder: Folder,
    /// How many bytes of files are kept.
    pub keep: u64,
    /// For how long after its last use a file is kept.
    pub keep_for: Duration,
}

/// What files need from the rest of the proxy.
pub struct MediaParts {
    /// To where links lead; has to have a guard.
    pub links: Connector,
    /// To Cloud.
    pub upstream: MediaUpstream,
    /// The media providers.
    pub providers: Providers,
    /// What time it is.
    pub clock: Clock,
    /// Counters.
    pub metrics: MediaMetrics,
}

/// The rooms behind [`Media`](super::Media).
pub struct Rooms {
    pub links: Arc<Links>,
    pub uploader: Arc<Uploader>,
    pub library: Arc<Library>,
    pub prefetch: Arc<Prefetch>,
    pub upstream: MediaUpstream,
    pub sent: Sent,
    pub background: Background,
    pub settings: MediaSettings,
    pub clock: Clock,
    pub metrics: MediaMetrics,
}

impl Rooms {
    /// Opens the folder, and reads the secret of the cache's keys.
    pub async fn open(
        settings: MediaSettings,
        store: Arc<dyn Store>,
        parts: MediaParts,
    ) -> Result<Self, MediaError> {
        let MediaParts { links, upstream, providers, clock, metrics } = parts;
        let background = Background::default();
        let mut candidate = [0; 32];
        getrandom::fill(&mut candidate).map_err(|error| std::io::Error::other(error.to_string()))?;
        let secret = store.secret(SECRET, candidate.to_vec()).await?;
        let keys = Arc::new(Keys::new(&secret.try_into().map_err(|_| MediaError::Secret)?));
        let files = Files::new(settings.folder.clone(), Arc::clone(&store), &keys.owner()).await?;
        let folder = Arc::clone(&files.folder);
        let uploader = Arc::new(Uploader {
            cache: UploadCache::new(Arc::clone(&store), settings.max_entries),
            keys: Arc::clone(&keys),
            running: SingleFlight::new(background.clone()),
            slots: Semaphore::new(UPLOADS),
            upstream: upstream.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        });
        let budget = Budget {
            files,
            uploader: Arc::clone(&uploader),
            clock: clock.clone(),
            max: settings.keep,
            kept: Mutex::new(store.kept_bytes().await?),
        };
        let library = Arc::new(Library {
            budget,
            cloud: CloudFiles(upstream.clone()),
            uploader: Arc::clone(&uploader),
            receive_slots: Arc::new(Semaphore::new(RECEIVED)),
            early_slots: Semaphore::new(EARLY_UPLOADS),
            background: background.clone(),
            clock: clock.clone(),
        });
        let prefetch = Prefetch {
            library: Arc::clone(&library),
            store: Arc::clone(&store),
            notify: Notify::new(),
            background: background.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let links = Links {
            cache: LinkCache::new(store, settings.max_entries),
            hot: HotCache::default(),
            running: SingleFlight::new(background.clone()),
            slots: FetchSlots::default(),
            fetcher: Fetcher::new(links, settings.profile, clock.clone(), metrics.clone()),
            uploader: Arc::clone(&uploader),
            providers,
            keys,
            folder,
            profile: settings.profile,
            fetch_timeout: settings.fetch_timeout,
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        Ok(Self {
            links: Arc::new(links),
            uploader,
            library,
            prefetch: Arc::new(prefetch),
            upstream,
            sent: Sent::default(),
            background,
            settings,
            clock,
            metrics,
        })
    }
}
