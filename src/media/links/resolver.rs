//! From a link to Cloud's id: remembered, revalidated, or fetched and uploaded.

use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::cache::{CachedLink, LinkCache};
use super::fetch::{Fetched, FetchedFile, Fetcher, Validated, origin};
use super::hot_cache::{Hit, Hot, HotCache};
use super::intake::{content_length, media_type, take_in, unfit};
use super::request::{LinkRef, MediaRequest};
use super::slots::{FetchSlot, FetchSlots};
use crate::clock::Clock;
use crate::http_cache::{Decision, Keep, Policy, Profile, Why};
use crate::media::account::Account;
use crate::media::error::{MediaError, SharedError};
use crate::media::found::Found;
use crate::media::key::{Key, Keys};
use crate::media::kinds::Unfit;
use crate::media::providers::Provider;
use crate::media::reason::{Event, Lookup};
use crate::media::single_flight::SingleFlight;
use crate::media::transfer::upload::Uploader;
use crate::onprem::message::Link;
use crate::store::UploadRow;
use crate::telemetry::MediaMetrics;
use crate::translate::MediaRef;

/// Finds the files of links.
pub struct Links {
    pub cache: LinkCache,
    pub hot: HotCache,
    pub running: SingleFlight<Result<Found, SharedError>>,
    pub slots: FetchSlots,
    pub fetcher: Fetcher,
    pub uploader: Arc<Uploader>,
    pub keys: Arc<Keys>,
    /// Where files lie that are too large for memory.
    pub folder: Arc<Path>,
    pub profile: Profile,
    pub fetch_timeout: Duration,
    pub clock: Clock,
    pub metrics: MediaMetrics,
}

impl Links {
    /// The file of a link, if it is fresh and Cloud has it: no store, no task, no wait.
    pub fn find_fresh(
        &self,
        account: &Arc<Account>,
        reference: &MediaRef<'_>,
        link: &Link<'_>,
    ) -> Option<Found> {
        let provider = self.provider(account, link).ok()?;
        let link = link_ref(account, reference, provider.as_ref(), link);
        // The changes are counted before anything is looked up, and the time is read after it: an earlier one would look as
        // if the clock had been set back.
        match self.hot.find(&link, self.changes(), || self.clock.now())? {
            Hot::Found(found) => Some(found),
            Hot::Known(request, link, key) => self.find_in_memory(&request, Some((link, key))),
        }
    }

    /// The file of a link, wherever it comes from.
    pub async fn find(
        self: &Arc<Self>,
        account: &Arc<Account>,
        reference: &MediaRef<'_>,
        link: &Link<'_>,
    ) -> Result<Found, SharedError> {
        let provider = self.provider(account, link)?;
        let link = link_ref(account, reference, provider.as_ref(), link);
        let request = Arc::new(MediaRequest::new(&link, &self.keys, self.profile)?);
        if let Some(found) = self.find_in_memory(&request, None) {
            return Ok(found);
        }
        let work = || {
            let (links, request) = (Arc::clone(self), Arc::clone(&request));
            async move { links.obtain(&request).await.map_err(Arc::new) }
        };
        let alone = || async { self.running.alone(work()).await.map_err(|_| Arc::new(MediaError::Lost))? };
        if self.cache.is_unshared(&request.key, self.clock.now()) {
            return alone().await;
        }
        let key = self.keys.flight(&request.key, request.kind.name());
        match self.running.join(key, work).await.map_err(|_| Arc::new(MediaError::Lost))? {
            // What is for one send alone is not shared with those that waited.
            (Ok(found), false) if !found.is_shared => alone().await,
            (outcome, _) => outcome,
        }
    }

    fn provider(&self, account: &Account, link: &Link<'_>) -> Result<Option<Arc<Provider>>, MediaError> {
        let Some(name) = &link.provider else { return Ok(None) };
        account.providers.find(name).map(Some).ok_or_else(|| {
            MediaError::Link(format!(
                "no media provider is called \"{name}\"; register it with POST /v1/settings/application/media/providers"
            ))
        })
    }

    /// Either count only grows, so their sum is the same only while both are.
    fn changes(&self) -> u64 {
        self.cache.memory.changes().wrapping_add(self.uploader.cache.memory.changes())
    }

    /// `known` is the key of the upload of what was remembered before, which saves working it out again.
    fn find_in_memory(
        &self,
        request: &Arc<MediaRequest>,
        known: Option<(Arc<CachedLink>, Key)>,
    ) -> Option<Found> {
        let changes = self.changes();
        let link = self.cache.memory.get(&request.key)?;
        let now = self.clock.now();
        if link.policy.decide(now) != Decision::Fresh {
            return None;
        }
        let key = match known {
            Some((before, key)) if Arc::ptr_eq(&before, &link) => key,
            Some(_) | None => self.upload_key(request, &link).ok()?,
        };
        let upload = self.uploader.cache.memory.get(&key).filter(|upload| now < upload.usable_until)?;
        let found = found(request, &upload, Some(key), Event::HIT);
        let (usable_until, request) = (upload.usable_until, Arc::clone(request));
        self.hot.add(Hit { changes, link, key, usable_until, found: found.clone(), request });
        Some(found)
    }

    /// Looks, asks or fetches.
    async fn obtain(&self, request: &MediaRequest) -> Result<Found, MediaError> {
        let known = self.look(request).await?;
        if let Known::Fresh(found) = known {
            return Ok(found);
        }
        // Waiting for a slot is not the provider's fault and takes none of its time.
        let timeout = self.fetch_timeout;
        let slot = self.slots.take(&request.url, Instant::now() + timeout).await?;
        let end = Instant::now() + timeout;
        match known {
            Known::Fresh(found) => Ok(found),
            Known::Stale(stale) => self.revalidate(request, stale, slot, end).await,
            Known::Unusable(lookup) => self.fetch(request, lookup, slot, end).await,
        }
    }

    /// What is known before the provider is asked.
    async fn look(&self, request: &MediaRequest) -> Result<Known, MediaError> {
        let Some(link) = self.cache.find(&request.key).await else {
            let why = self.cache.why_rejected(&request.key);
            return Ok(Known::Unusable(why.map_or(Lookup::First, Lookup::Stale)));
        };
        let now = self.clock.now();
        let key = self.upload_key(request, &link);
        let upload = match &key {
            Ok(key) => self.uploader.cache.find(key, now).await.map(|upload| (*key, upload)),
            Err(_) => None,
        };
        // Without a copy at Cloud a 304 would be useless: the bytes are not kept here.
        Ok(match (link.policy.decide(now), upload) {
            (Decision::Fresh, Some((key, upload))) => {
                Known::Fresh(found(request, &upload, Some(key), Event::HIT))
            }
            (Decision::Fresh, None) => {
                // A file that cannot be sent as this is not fetched again to say so.
                key.map_err(|error| unfit(&request.url, error))?;
                Known::Unusable(Lookup::NoUpload)
            }
            (Decision::Revalidate(why), Some((key, upload))) => {
                Known::Stale(Stale { link, key, upload, why })
            }
            (Decision::Revalidate(_), None) => Known::Unusable(Lookup::NoUpload),
            (Decision::Refetch(why), _) => Known::Unusable(Lookup::Stale(why)),
        })
    }

    /// Fetches without a condition.
    async fn fetch(
        &self,
        request: &MediaRequest,
        lookup: Lookup,
        slot: FetchSlot,
        end: Instant,
    ) -> Result<Found, MediaError> {
        // "304 to an unconditional GET => one unconditional GET, else download error"
        for _ in 0..2 {
            match self.fetcher.get(&request.url, request.provider.as_ref(), None, end).await? {
                Fetched::File(file) => return self.store(request, *file, lookup, slot, end).await,
                Fetched::NotModified(_) | Fetched::Mismatch => {}
            }
        }
        Err(origin(&request.url, "it answered 304 although nothing was asked"))
    }

    /// Asks whether what is remembered has changed.
    async fn revalidate(
        &self,
        request: &MediaRequest,
        stale: Stale,
        slot: FetchSlot,
        end: Instant,
    ) -> Result<Found, MediaError> {
        let (link, why) = (&stale.link, stale.why);
        let url = link.final_url.as_deref().unwrap_or(request.url.as_str());
        let known = Some(Validated { policy: &link.policy, url });
        let fetched = self.fetcher.get(&request.url, request.provider.as_ref(), known, end).await?;
        let confirmed = match fetched {
            Fetched::NotModified(policy) => Some((policy, Lookup::NotModified(why))),
            Fetched::File(file) if self.is_unchanged(&file, link) => {
                Some((file.policy, Lookup::SameValidators(why)))
            }
            Fetched::File(file) => {
                return self.store(request, *file, Lookup::Changed(why), slot, end).await;
            }
            Fetched::Mismatch => None,
        };
        if let Some((policy, lookup)) = confirmed
            && let Some(found) = self.confirmed(request, &stale, policy, lookup).await
        {
            return Ok(found);
        }
        self.fetch(request, Lookup::Changed(why), slot, end).await
    }

    /// The provider confirmed what is remembered. `None` when Cloud's copy lapsed meanwhile, or was found dead by
    /// another send.
    async fn confirmed(
        &self,
        request: &MediaRequest,
        stale: &Stale,
        policy: Policy,
        lookup: Lookup,
    ) -> Option<Found> {
        let Stale { link, key, upload, .. } = stale;
        let Self { cache, uploader, clock, .. } = self;
        let current = uploader.cache.find(key, clock.now()).await?;
        if current.media_id != upload.media_id {
            return None;
        }
        let event = Event { lookup, ..Event::HIT };
        Some(match policy.keep() {
            Keep::Yes => {
                cache.put(request.key, CachedLink { policy, ..CachedLink::clone(link) }).await;
                found(request, upload, Some(*key), event)
            }
            Keep::Unusable(why) => {
                cache.reject(request.key, why, true, clock.now()).await;
                found(request, upload, Some(*key), Event { forgotten: Some(why), ..event })
            }
            // From now on it is for one send alone: not even the digest stays, and those that waited ask anew.
            Keep::Never(why) => {
                cache.reject(request.key, why, false, clock.now()).await;
                uploader.cache.forget(key, &upload.media_id, false).await;
                found(request, upload, None, Event { forgotten: Some(why), ..event })
            }
        })
    }

    /// Reads a file, uploads it unless Cloud has the bytes already, and remembers what may be remembered.
    async fn store(
        &self,
        request: &MediaRequest,
        file: FetchedFile,
        lookup: Lookup,
        slot: FetchSlot,
        end: Instant,
    ) -> Result<Found, MediaError> {
        let Self { cache, uploader, folder, clock, metrics, .. } = self;
        let (link, media_type, contents) = take_in(request, file, folder, metrics, end).await?;
        // The upload has slots of its own.
        drop(slot);
        let (forgotten, is_shared) = match link.policy.keep() {
            Keep::Yes => (None, true),
            Keep::Unusable(why) => (Some(why), true),
            Keep::Never(why) => (Some(why), false),
        };
        let file = ready(Ok(contents));
        let (key, row, upload) =
            uploader.upload(&request.account, link.digest, &media_type, file, is_shared).await?;
        match forgotten {
            None => cache.put(request.key, link).await,
            Some(why) => cache.reject(request.key, why, is_shared, clock.now()).await,
        }
        Ok(found(request, &row, is_shared.then_some(key), Event { lookup, upload, forgotten }))
    }

    /// Whether an answer with the same validators is what is remembered. What has become private is read anew; and a
    /// `Last-Modified` counts whole seconds, so the length has to agree too, though Meta's own rules do not say so.
    fn is_unchanged(&self, file: &FetchedFile, link: &CachedLink) -> bool {
        let is_same_length = match self.profile {
            Profile::Rfc => content_length(&file.headers).is_none_or(|length| length == link.length),
            Profile::Documented => true,
        };
        file.is_same && is_same_length && !matches!(file.policy.keep(), Keep::Never(_))
    }

    fn upload_key(&self, request: &MediaRequest, link: &CachedLink) -> Result<Key, Unfit> {
        let media_type = media_type(request, link)?;
        let account = &request.account;
        Ok(self.uploader.key(account, &account.number, &link.digest, &media_type))
    }
}

/// What is known of a link before the provider is asked.
enum Known {
    /// It is fresh, and Cloud has it.
    Fresh(Found),
    /// Its validators may be asked about.
    Stale(Stale),
    /// It has to be fetched.
    Unusable(Lookup),
}

/// What is remembered of a link, to be confirmed.
struct Stale {
    link: Arc<CachedLink>,
    key: Key,
    upload: Arc<UploadRow>,
    why: Why,
}

fn link_ref<'a>(
    account: &'a Arc<Account>,
    reference: &MediaRef<'a>,
    provider: Option<&'a Arc<Provider>>,
    link: &'a Link<'_>,
) -> LinkRef<'a> {
    LinkRef { account, kind: reference.kind, provider, url: link.url(), filename: reference.filename }
}

/// What has no key of an upload is for one send alone.
fn found(request: &MediaRequest, upload: &UploadRow, key: Option<Key>, event: Event) -> Found {
    Found {
        media_id: upload.media_id.as_str().into(),
        link: Some(request.key),
        is_shared: key.is_some(),
        upload: key,
        event,
    }
}
