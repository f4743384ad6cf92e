//! Puts the rooms together.

use std::sync::Arc;

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
use super::sent::Sent;
use super::single_flight::{Background, SingleFlight};
use super::transfer::download::CloudFiles;
use super::transfer::upload::{UPLOADS, Uploader};
use super::transfer::uploads::UploadCache;
use crate::clock::Clock;
use crate::config;
use crate::net::Connector;
use crate::store::Store;
use crate::telemetry::MediaMetrics;
use crate::upstream::MediaUpstream;

/// The name of the cache's secret in the store.
const SECRET: &str = "media-cache-key";

/// What files need from the rest of the proxy.
pub struct MediaParts {
    /// The folder of kept files and of files in transit.
    pub folder: Folder,
    /// To where links lead; has to have a guard.
    pub links: Connector,
    /// To Cloud.
    pub upstream: MediaUpstream,
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
    pub config: config::Media,
    pub clock: Clock,
    pub metrics: MediaMetrics,
}

impl Rooms {
    /// Opens the folder, and reads the secret of the cache's keys.
    pub async fn open(
        config: config::Media,
        store: Arc<dyn Store>,
        parts: MediaParts,
    ) -> Result<Self, MediaError> {
        let MediaParts { folder, links, upstream, clock, metrics } = parts;
        let (background, max_entries) = (Background::default(), config.max_entries as u64);
        let mut candidate = [0; 32];
        getrandom::fill(&mut candidate).map_err(|error| std::io::Error::other(error.to_string()))?;
        let secret = store.secret(SECRET, candidate.to_vec()).await?;
        let keys = Arc::new(Keys::new(&secret.try_into().map_err(|_| MediaError::Secret)?));
        let files = Files::new(folder, Arc::clone(&store), &keys.owner()).await?;
        let folder = Arc::clone(&files.folder);
        let uploader = Arc::new(Uploader {
            cache: UploadCache::new(Arc::clone(&store), max_entries),
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
            max: config.keep as u64,
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
            cache: LinkCache::new(store, max_entries),
            hot: HotCache::default(),
            running: SingleFlight::new(background.clone()),
            slots: FetchSlots::default(),
            fetcher: Fetcher::new(links, config.cache_profile, clock.clone(), metrics.clone()),
            uploader: Arc::clone(&uploader),
            keys,
            folder,
            profile: config.cache_profile,
            fetch_timeout: config.fetch_timeout,
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
            config,
            clock,
            metrics,
        })
    }
}
