//! From a link to Cloud's id: remembered, revalidated, or fetched and uploaded.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::cache::Source;
use super::error::{MediaError, Shared};
use super::fetch::{Fetched, File, Remembered, host, origin};
use super::freshness::{Decision, Keep, Policy};
use super::key::{Key, Origin};
use super::kinds::{self, Evidence, Sniffed, Unfit};
use super::providers::Provider;
use super::reason::{Event, Lookup, Upload};
use super::spool::{SpoolError, Spooled};
use super::upload::Bytes as UploadBytes;
use super::{Account, Found, Inner};
use crate::net::egress::vet_url;
use crate::onprem::message::{Link, MediaKind};
use crate::store::UploadRow;

/// How long a file may pause on its way.
const BODY_IDLE: Duration = Duration::from_secs(10);

/// One link of one message, with everything that decides about it.
#[derive(Clone, Debug)]
pub struct Errand {
    account: Arc<Account>,
    kind: MediaKind,
    url: Url,
    provider: Option<Arc<Provider>>,
    filename: Option<String>,
    key: Key,
}

impl Inner {
    /// Checks a link before anything is asked.
    pub fn errand(
        &self,
        account: &Arc<Account>,
        kind: MediaKind,
        link: &Link<'_>,
        filename: Option<&str>,
    ) -> Result<Errand, MediaError> {
        let url = vet_url(link.url()).map_err(|bad| MediaError::Link(bad.to_string()))?;
        let provider = match &link.provider {
            None => None,
            Some(name) => Some(self.providers.find(&account.number, name).ok_or_else(|| {
                MediaError::Link(format!(
                    "no media provider is called \"{name}\"; register it with POST /v1/settings/application/media/providers"
                ))
            })?),
        };
        if let Some(provider) = &provider {
            check_host(provider, &url)?;
        }
        let key = self.keys.source(&Origin {
            number: &account.number,
            provider: provider.as_ref().map_or("", |provider| &provider.name),
            generation: provider.as_ref().map_or(0, |provider| provider.generation),
            authorization: provider
                .as_ref()
                .and_then(|provider| provider.authorization.as_ref())
                .map_or(&[], |authorization| authorization.as_bytes()),
            profile: self.settings.profile_name(),
            url: url.as_str(),
        });
        Ok(Errand {
            account: Arc::clone(account),
            kind,
            url,
            provider,
            filename: filename.map(str::to_owned),
            key,
        })
    }

    /// The id of a link's file at Cloud.
    pub async fn link(self: &Arc<Self>, errand: Errand) -> Result<Found, Shared> {
        if let Some(found) = self.at_hand(&errand) {
            return Ok(found);
        }
        let work = || Arc::clone(self).run(errand.clone());
        if self.cache.is_unshared(&errand.key) {
            return self.flights.alone(work()).await.map_err(|_| Arc::new(MediaError::Lost))?;
        }
        let flight = self.keys.flight(&errand.key, errand.kind.name());
        let (outcome, leads) =
            self.flights.join(flight, work).await.map_err(|_| Arc::new(MediaError::Lost))?;
        match outcome {
            // What is for one send alone is not shared with those that waited.
            Ok(found) if !leads && !found.is_shared => {
                self.flights.alone(work()).await.map_err(|_| Arc::new(MediaError::Lost))?
            }
            outcome => outcome,
        }
    }

    /// The way of a fresh hit: no store, no task, no wait.
    fn at_hand(&self, errand: &Errand) -> Option<Found> {
        let source = self.cache.source_at_hand(&errand.key)?;
        // Read after the entry: an earlier time would look as if the clock had been set back.
        let now = self.clock.now();
        if source.policy.decide(now) != Decision::Fresh {
            return None;
        }
        let key = self.upload_key(errand, &source).ok()?;
        let upload = self.cache.upload_at_hand(&key, now)?;
        Some(self.found(errand, &upload, Some(key), Event { lookup: Lookup::Fresh, ..KNOWN }))
    }

    async fn run(self: Arc<Self>, errand: Errand) -> Result<Found, Shared> {
        self.obtain(&errand).await.map_err(Arc::new)
    }

    /// Looks, asks or fetches.
    async fn obtain(self: &Arc<Self>, errand: &Errand) -> Result<Found, MediaError> {
        let mut lookup = self.cache.why_forgotten(&errand.key).map_or(Lookup::First, Lookup::Stale);
        let mut asks = None;
        if let Some(source) = self.cache.source(&errand.key).await {
            let now = self.clock.now();
            let upload = match self.upload_key(errand, &source) {
                Ok(key) => self.cache.upload(&key, now).await.map(|upload| (key, upload)),
                Err(_) => None,
            };
            // Without a copy at Cloud a 304 would be useless: the bytes are not kept here.
            match (source.policy.decide(now), upload) {
                (Decision::Fresh, Some((key, upload))) => {
                    let event = Event { lookup: Lookup::Fresh, ..KNOWN };
                    return Ok(self.found(errand, &upload, Some(key), event));
                }
                (Decision::Fresh, None) => {
                    // A file that cannot be sent as this is told without fetching it again.
                    self.upload_key(errand, &source).map_err(|unfit| link_unfit(&errand.url, unfit))?;
                    lookup = Lookup::NoUpload;
                }
                (Decision::Revalidate(why), Some((key, upload))) => {
                    lookup = Lookup::Changed(why);
                    asks = Some((source, key, upload, why));
                }
                (Decision::Revalidate(_), None) => lookup = Lookup::NoUpload,
                (Decision::Refetch(why), _) => lookup = Lookup::Stale(why),
            }
        }
        let end = Instant::now() + self.settings.fetch_timeout;
        let _slot = timeout_at(end, self.fetch_slots.acquire())
            .await
            .map_err(|_| origin(&errand.url, "too many other files are being fetched"))?;
        let get = |remembered| self.fetcher.get(&errand.url, errand.provider.as_ref(), remembered, end);
        let Some((source, key, upload, why)) = asks else {
            return match get(None).await? {
                Fetched::File(file) => self.take_in(errand, file, lookup, end).await,
                Fetched::NotModified(_) | Fetched::Confused => Err(unasked(errand)),
            };
        };
        let url = source.final_url.as_deref().unwrap_or(errand.url.as_str());
        match get(Some(Remembered { policy: &source.policy, url })).await? {
            Fetched::NotModified(policy) => {
                let event = Event { lookup: Lookup::NotModified(why), ..KNOWN };
                Ok(self.confirmed(errand, &source, policy, key, &upload, event).await)
            }
            Fetched::File(file) if file.is_same => {
                let event = Event { lookup: Lookup::SameValidators(why), ..KNOWN };
                Ok(self.confirmed(errand, &source, file.policy, key, &upload, event).await)
            }
            Fetched::File(file) => self.take_in(errand, file, lookup, end).await,
            Fetched::Confused => match get(None).await? {
                Fetched::File(file) => self.take_in(errand, file, lookup, end).await,
                Fetched::NotModified(_) | Fetched::Confused => Err(unasked(errand)),
            },
        }
    }

    /// The provider confirmed what is remembered.
    async fn confirmed(
        &self,
        errand: &Errand,
        source: &Source,
        policy: Policy,
        key: Key,
        upload: &UploadRow,
        mut event: Event,
    ) -> Found {
        match policy.keep() {
            Keep::Yes => self.cache.keep_source(errand.key, Source { policy, ..source.clone() }).await,
            Keep::Unusable(why) | Keep::Never(why) => {
                event.forgotten = Some(why);
                self.cache.give_up_source(errand.key, why, matches!(policy.keep(), Keep::Unusable(_))).await;
            }
        }
        self.found(errand, upload, Some(key), event)
    }

    /// Reads a file, uploads it unless Cloud has the bytes already, and remembers what may be remembered.
    async fn take_in(
        self: &Arc<Self>,
        errand: &Errand,
        file: Box<File>,
        lookup: Lookup,
        end: Instant,
    ) -> Result<Found, MediaError> {
        let File { policy, headers, body, url, .. } = *file;
        let declared = content_type(&headers);
        let unfit = |unfit| link_unfit(&url, unfit);
        kinds::check_declared(errand.kind, declared).map_err(unfit)?;
        let spooled = self.read(errand, &url, &headers, body, end).await?;
        let sniffed = Sniffed::of(&spooled.head);
        kinds::check_size(errand.kind, spooled.length, sniffed.is_animated).map_err(unfit)?;
        let (forgotten, is_shared) = match policy.keep() {
            Keep::Yes => (None, true),
            Keep::Unusable(why) => (Some(why), true),
            Keep::Never(why) => (Some(why), false),
        };
        let source = Source {
            digest: spooled.digest,
            length: spooled.length,
            declared: declared.map(str::to_owned),
            sniffed,
            final_url: (url != errand.url).then(|| url.to_string()),
            policy,
        };
        let media_type = media_type(errand, &source).map_err(unfit)?;
        let bytes = UploadBytes::Spooled(Arc::new(spooled));
        let (key, row, upload) =
            self.upload(&errand.account, source.digest, &media_type, bytes, is_shared).await?;
        match forgotten {
            None => self.cache.keep_source(errand.key, source).await,
            Some(why) => self.cache.give_up_source(errand.key, why, is_shared).await,
        }
        let mut found =
            self.found(errand, &row, is_shared.then_some(key), Event { lookup, upload, forgotten });
        found.is_shared = is_shared;
        Ok(found)
    }

    /// Reads the file, and never more than its kind may have.
    async fn read(
        &self,
        errand: &Errand,
        url: &Url,
        headers: &HeaderMap,
        mut body: Incoming,
        end: Instant,
    ) -> Result<Spooled, MediaError> {
        let limit = kinds::limit(errand.kind);
        let too_large = || link_unfit(url, Unfit::TooLarge(errand.kind, limit));
        let declared =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
        if declared.or(body.size_hint().exact()).is_some_and(|length: u64| length > limit) {
            return Err(too_large());
        }
        let mut spool = self.files.passing(limit);
        loop {
            let frame = timeout_at(end.min(Instant::now() + BODY_IDLE), body.frame())
                .await
                .map_err(|_| origin(url, "the file did not arrive in time"))?;
            let Some(frame) = frame else {
                break;
            };
            let frame = frame.map_err(|_| origin(url, "the file broke off"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.metrics.fetched(data.len());
            spool.push(data).await.map_err(|error| match error {
                SpoolError::TooLarge(_) => too_large(),
                SpoolError::Disk(error) => error.into(),
            })?;
        }
        spool.finish().await.map_err(MediaError::from)
    }

    fn upload_key(&self, errand: &Errand, source: &Source) -> Result<Key, Unfit> {
        kinds::check_size(errand.kind, source.length, source.sniffed.is_animated)?;
        let media_type = media_type(errand, source)?;
        let Account { graph, number, .. } = &*errand.account;
        Ok(self.keys.upload(graph, number, &source.digest, &media_type))
    }

    fn found(&self, errand: &Errand, upload: &UploadRow, key: Option<Key>, event: Event) -> Found {
        Found {
            media_id: upload.media_id.clone(),
            source: Some(errand.key),
            upload: key,
            event,
            is_shared: true,
        }
    }
}

/// What the ways without a new upload have in common.
const KNOWN: Event = Event { lookup: Lookup::Fresh, upload: Upload::Known, forgotten: None };

/// A provider's credentials go only where its operator lets them.
fn check_host(provider: &Provider, url: &Url) -> Result<(), MediaError> {
    let host = url.host_str().unwrap_or_default();
    if provider.allowed_hosts.is_empty() || provider.allowed_hosts.iter().any(|allowed| allowed == host) {
        return Ok(());
    }
    Err(MediaError::Link(format!(
        "{host} is not one of the allowed_hosts of the media provider \"{}\"",
        provider.name
    )))
}

fn media_type(errand: &Errand, source: &Source) -> Result<String, Unfit> {
    let evidence = Evidence {
        declared: source.declared.as_deref(),
        sniffed: source.sniffed.media_type.as_deref(),
        names: [errand.filename.as_deref(), Some(errand.url.path())],
    };
    kinds::media_type(errand.kind, evidence)
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

fn link_unfit(url: &Url, unfit: Unfit) -> MediaError {
    MediaError::LinkUnfit { host: host(url), unfit }
}

fn unasked(errand: &Errand) -> MediaError {
    origin(&errand.url, "it answered 304 although nothing was asked")
}
