//! How many files are fetched at the same time, in all and from one host: a slow host holds up only its own files.

use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache as Map;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::fetch::{host, origin};
use crate::media::error::MediaError;

/// Files that are fetched at the same time; more wait. Each takes a few hundred KiB.
const FETCHES: usize = 128;
/// And from one host.
const FETCHES_PER_HOST: usize = 64;
/// Hosts whose slots are remembered, and for how long after their last use.
const HOSTS: u64 = 10_000;
const HOST_IDLE: Duration = Duration::from_secs(600);

/// The slots of fetches.
pub struct FetchSlots {
    all: Arc<Semaphore>,
    by_host: Map<String, Arc<Semaphore>>,
}

/// A slot that is taken.
pub struct FetchSlot {
    _of_host: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for FetchSlots {
    fn default() -> Self {
        let by_host = Map::builder().max_capacity(HOSTS).eviction_policy(EvictionPolicy::lru());
        Self { all: Arc::new(Semaphore::new(FETCHES)), by_host: by_host.time_to_idle(HOST_IDLE).build() }
    }
}

impl FetchSlots {
    /// Takes a slot for `url`, first one of its host's.
    pub async fn take(&self, url: &Url, end: Instant) -> Result<FetchSlot, MediaError> {
        let of_host = self.by_host.get_with(host(url), || Arc::new(Semaphore::new(FETCHES_PER_HOST)));
        let both = async {
            let _of_host = of_host.acquire_owned().await.ok()?;
            let _of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
            Some(FetchSlot { _of_host, _of_all })
        };
        let slot = timeout_at(end, both).await.ok().flatten();
        slot.ok_or_else(|| origin(url, "too many other files are being fetched"))
    }
}
