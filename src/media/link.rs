//! From a link to Cloud's id: remembered, revalidated, or fetched and uploaded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::cache::Source;
use super::errand::{Errand, LONGEST_NAME, name_of};
use super::error::{MediaError, Shared};
use super::fetch::{Fetched, File, Remembered, host, origin};
use super::hits::Hit;
use super::key::{Key, Origin};
use super::kinds::{self, Evidence, Unfit};
use super::providers::Provider;
use super::reason::{Event, Lookup};
use super::spool::{SpoolError, Spooled};
use super::upload::Bytes as UploadBytes;
use super::{Account, FETCHES_PER_HOST, Found, Inner, is_too_slow};
use crate::http_cache::{Decision, Keep, Policy, Profile, Why};
use crate::net::egress::vet_url;
use crate::onprem::form::parameter;
use crate::onprem::message::{Link, MediaKind};
use crate::store::UploadRow;

/// How long a file may pause on its way.
const BODY_IDLE: Duration = Duration::from_secs(10);

impl Inner {
    /// Checks a link before anything is asked. Links repeat: what was checked lately is at hand.
    pub fn errand(
        &self,
        account: &Arc<Account>,
        kind: MediaKind,
        link: &Link<'_>,
        filename: Option<&str>,
    ) -> Result<Arc<Errand>, MediaError> {
        let provider = self.provider(account, link)?;
        let name = name_of(account, kind, provider.as_deref(), link.url(), filename);
        if let Some(errand) = self.errands.get(name.as_str()) {
            return Ok(errand);
        }
        let url = vet_url(link.url()).map_err(|bad| MediaError::Link(bad.to_string()))?;
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
            profile: self.settings.profile.name(),
            url: url.as_str(),
        });
        let errand = Arc::new(Errand {
            account: Arc::clone(account),
            kind,
            written: link.url().into(),
            url,
            provider,
            filename: filename.map(str::to_owned),
            key,
            upload: Mutex::default(),
        });
        if name.len() <= LONGEST_NAME {
            self.errands.insert(name, Arc::clone(&errand));
        }
        Ok(errand)
    }

    /// The provider that a link names.
    pub fn provider(&self, account: &Account, link: &Link<'_>) -> Result<Option<Arc<Provider>>, MediaError> {
        let Some(name) = &link.provider else { return Ok(None) };
        self.providers.find(&account.number, name).map(Some).ok_or_else(|| {
            MediaError::Link(format!(
                "no media provider is called \"{name}\"; register it with POST /v1/settings/application/media/providers"
            ))
        })
    }

    /// The id of a link's file at Cloud.
    pub async fn link(self: &Arc<Self>, errand: Arc<Errand>) -> Result<Found, Shared> {
        if let Some(found) = self.at_hand(&errand) {
            return Ok(found);
        }
        let work = || Arc::clone(self).run(Arc::clone(&errand));
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
    fn at_hand(&self, errand: &Arc<Errand>) -> Option<Found> {
        let changes = self.cache.changes();
        let source = self.cache.source_at_hand(&errand.key)?;
        // Read after the entry: an earlier time would look as if the clock had been set back.
        let now = self.clock.now();
        if source.policy.decide(now) != Decision::Fresh {
            return None;
        }
        let key = self.upload_key(errand, &source).ok()?;
        let upload = self.cache.upload_at_hand(&key, now)?;
        let found = self.found(errand, &upload, Some(key), Event::HIT);
        let asked = errand.asked();
        if asked.url.len() + asked.filename.map_or(0, str::len) <= LONGEST_NAME {
            let (errand, found) = (Arc::clone(errand), found.clone());
            self.hits.add(Hit { changes, source, usable_until: upload.usable_until, found, errand });
        }
        Some(found)
    }

    async fn run(self: Arc<Self>, errand: Arc<Errand>) -> Result<Found, Shared> {
        self.obtain(&errand).await.map_err(Arc::new)
    }

    /// Looks, asks or fetches.
    async fn obtain(self: &Arc<Self>, errand: &Errand) -> Result<Found, MediaError> {
        let known = self.look(errand).await?;
        // Waiting for a place is not the provider's fault and takes none of its time.
        let limit = self.settings.fetch_timeout;
        match known {
            Known::Hit(found) => Ok(found),
            Known::Fetch(lookup) => {
                let slot = self.slot(errand, Instant::now() + limit).await?;
                self.fetch(errand, lookup, slot, Instant::now() + limit).await
            }
            Known::Ask(question) => {
                let slot = self.slot(errand, Instant::now() + limit).await?;
                self.ask(errand, question, slot, Instant::now() + limit).await
            }
        }
    }

    /// What is known before anybody is asked.
    async fn look(&self, errand: &Errand) -> Result<Known, MediaError> {
        let Some(source) = self.cache.source(&errand.key).await else {
            let why = self.cache.why_forgotten(&errand.key);
            return Ok(Known::Fetch(why.map_or(Lookup::First, Lookup::Stale)));
        };
        // Read after the entry: an earlier time would look as if the clock had been set back.
        let now = self.clock.now();
        let upload = match self.upload_key(errand, &source) {
            Ok(key) => self.cache.upload(&key, now).await.map(|upload| (key, upload)),
            Err(_) => None,
        };
        // Without a copy at Cloud a 304 would be useless: the bytes are not kept here.
        Ok(match (source.policy.decide(now), upload) {
            (Decision::Fresh, Some((key, upload))) => {
                Known::Hit(self.found(errand, &upload, Some(key), Event::HIT))
            }
            (Decision::Fresh, None) => {
                // A file that cannot be sent as this is told without fetching it again.
                self.upload_key(errand, &source).map_err(|unfit| link_unfit(&errand.url, unfit))?;
                Known::Fetch(Lookup::NoUpload)
            }
            (Decision::Revalidate(why), Some((key, upload))) => {
                Known::Ask(Question { source, key, upload, why })
            }
            (Decision::Revalidate(_), None) => Known::Fetch(Lookup::NoUpload),
            (Decision::Refetch(why), _) => Known::Fetch(Lookup::Stale(why)),
        })
    }

    /// A place among those that fetch, first among those of the same host: a slow one holds up only itself.
    async fn slot(&self, errand: &Errand, end: Instant) -> Result<Slot, MediaError> {
        let host = self.host_slots.get_with(host(&errand.url), || Arc::new(Semaphore::new(FETCHES_PER_HOST)));
        let turn = async {
            let of_host = host.acquire_owned().await.ok()?;
            let of_all = Arc::clone(&self.fetch_slots).acquire_owned().await.ok()?;
            Some(Slot { _of_host: of_host, _of_all: of_all })
        };
        let turn = timeout_at(end, turn).await.ok().flatten();
        turn.ok_or_else(|| origin(&errand.url, "too many other files are being fetched"))
    }

    /// Fetches without a condition.
    async fn fetch(
        self: &Arc<Self>,
        errand: &Errand,
        lookup: Lookup,
        slot: Slot,
        end: Instant,
    ) -> Result<Found, MediaError> {
        // "304 to an unconditional GET => one unconditional GET, else download error"
        for _ in 0..2 {
            match self.fetcher.get(&errand.url, errand.provider.as_ref(), None, end).await? {
                Fetched::File(file) => return self.take_in(errand, file, lookup, slot, end).await,
                Fetched::NotModified(_) | Fetched::Confused => {}
            }
        }
        Err(origin(&errand.url, "it answered 304 although nothing was asked"))
    }

    /// Asks whether what is remembered changed.
    async fn ask(
        self: &Arc<Self>,
        errand: &Errand,
        question: Question,
        slot: Slot,
        end: Instant,
    ) -> Result<Found, MediaError> {
        let Question { source, why, .. } = &question;
        let (url, why) = (source.final_url.as_deref().unwrap_or(errand.url.as_str()), *why);
        let remembered = Some(Remembered { policy: &source.policy, url });
        let confirmed = match self.fetcher.get(&errand.url, errand.provider.as_ref(), remembered, end).await?
        {
            Fetched::NotModified(policy) => Some((policy, Lookup::NotModified(why))),
            Fetched::File(file) if self.is_unchanged(&file, source) => {
                Some((file.policy, Lookup::SameValidators(why)))
            }
            Fetched::File(file) => return self.take_in(errand, file, Lookup::Changed(why), slot, end).await,
            Fetched::Confused => None,
        };
        if let Some((policy, lookup)) = confirmed
            && let Some(found) = self.confirmed(errand, &question, policy, lookup).await
        {
            return Ok(found);
        }
        self.fetch(errand, Lookup::Changed(why), slot, end).await
    }

    /// The provider confirmed what is remembered. `None` when Cloud's copy went meanwhile, or was taken to be dead by
    /// another send.
    async fn confirmed(
        &self,
        errand: &Errand,
        question: &Question,
        policy: Policy,
        lookup: Lookup,
    ) -> Option<Found> {
        let Question { source, key, upload, .. } = question;
        let current = self.cache.upload(key, self.clock.now()).await?;
        if current.media_id != upload.media_id {
            return None;
        }
        let event = Event { lookup, ..Event::HIT };
        match policy.keep() {
            Keep::Yes => {
                self.cache.keep_source(errand.key, Source { policy, ..Source::clone(source) }).await;
                Some(self.found(errand, upload, Some(*key), event))
            }
            Keep::Unusable(why) => {
                self.cache.give_up_source(errand.key, why, true).await;
                Some(self.found(errand, upload, Some(*key), Event { forgotten: Some(why), ..event }))
            }
            // From now on it is for one send alone: not even the digest stays, and who waited asks anew.
            Keep::Never(why) => {
                self.cache.give_up_source(errand.key, why, false).await;
                self.cache.forget_upload(key, &upload.media_id, false).await;
                *errand.upload.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let event = Event { forgotten: Some(why), ..event };
                Some(Found { is_shared: false, ..self.found(errand, upload, None, event) })
            }
        }
    }

    /// Reads a file, uploads it unless Cloud has the bytes already, and remembers what may be remembered.
    async fn take_in(
        self: &Arc<Self>,
        errand: &Errand,
        file: Box<File>,
        lookup: Lookup,
        slot: Slot,
        end: Instant,
    ) -> Result<Found, MediaError> {
        let File { policy, headers, body, url, .. } = *file;
        let declared = content_type(&headers);
        let unfit = |unfit| link_unfit(&url, unfit);
        let spooled = self.read(errand, &url, &headers, body, end).await?;
        // The upload has slots of its own.
        drop(slot);
        let sniffed = spooled.sniffed().await?;
        kinds::check_size(errand.kind, spooled.length, sniffed.is_animated).map_err(unfit)?;
        let (forgotten, is_shared) = match policy.keep() {
            Keep::Yes => (None, true),
            Keep::Unusable(why) => (Some(why), true),
            Keep::Never(why) => (Some(why), false),
        };
        let source = Source {
            digest: spooled.digest,
            length: spooled.length,
            declared: declared.and_then(kinds::remembered),
            sniffed,
            ending: ending(&headers),
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
        if length(headers).or(body.size_hint().exact()).is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut spool = self.files.passing(limit);
        let started = Instant::now();
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
            if is_too_slow(started.elapsed(), spool.length()) {
                return Err(origin(url, "the file comes too slowly"));
            }
            spool.push(data).await.map_err(|error| match error {
                SpoolError::TooLarge(_) => too_large(),
                SpoolError::Disk(error) => error.into(),
            })?;
        }
        Ok(spool.finish().await?)
    }

    /// Whether an answer with the same validators is what is remembered. What has become private is read anew; and a
    /// `Last-Modified` counts whole seconds, so the length has to agree too, though Meta's own rules do not say so.
    fn is_unchanged(&self, file: &File, source: &Source) -> bool {
        let is_same_length = match self.settings.profile {
            Profile::Rfc => length(&file.headers).is_none_or(|length| length == source.length),
            Profile::Documented => true,
        };
        file.is_same && is_same_length && !matches!(file.policy.keep(), Keep::Never(_))
    }

    fn upload_key(&self, errand: &Errand, source: &Arc<Source>) -> Result<Key, Unfit> {
        let mut known = errand.upload.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, key)) = known.as_ref().filter(|(of, _)| Arc::ptr_eq(of, source)) {
            return Ok(*key);
        }
        kinds::check_size(errand.kind, source.length, source.sniffed.is_animated)?;
        let media_type = media_type(errand, source)?;
        let Account { graph, number, .. } = &*errand.account;
        let key = self.keys.upload(graph, number, &source.digest, &media_type);
        *known = Some((Arc::clone(source), key));
        Ok(key)
    }

    fn found(&self, errand: &Errand, upload: &UploadRow, key: Option<Key>, event: Event) -> Found {
        Found {
            media_id: upload.media_id.as_str().into(),
            source: Some(errand.key),
            upload: key,
            event,
            is_shared: true,
        }
    }
}

/// What is known of a link before anybody is asked.
enum Known {
    /// It is fresh, and Cloud has it.
    Hit(Found),
    /// It is stale, and its validators may be asked about.
    Ask(Question),
    /// It has to be fetched.
    Fetch(Lookup),
}

/// What is remembered of a link, to be confirmed.
struct Question {
    source: Arc<Source>,
    key: Key,
    upload: Arc<UploadRow>,
    why: Why,
}

/// A place among those that fetch.
struct Slot {
    _of_host: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

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
    let led_to = source.final_url.as_deref().map(|url| url.split(['?', '#']).next().unwrap_or_default());
    let evidence = Evidence {
        declared: source.declared.as_deref(),
        sniffed: source.sniffed.media_type.as_deref(),
        names: [errand.filename.as_deref(), source.ending.as_deref(), led_to, Some(errand.url.path())],
    };
    kinds::media_type(errand.kind, evidence)
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// The ending of the name that the server gives the file (RFC 6266 section 4.3: `filename*` first).
fn ending(headers: &HeaderMap) -> Option<String> {
    let disposition = String::from_utf8_lossy(headers.get(CONTENT_DISPOSITION)?.as_bytes());
    let (_, parameters) = disposition.split_once(';')?;
    let names = ["filename*", "filename"].map(|name| parameter(parameters, name));
    names.iter().flatten().find_map(|name| kinds::telling_ending(name))
}

fn link_unfit(url: &Url, unfit: Unfit) -> MediaError {
    MediaError::LinkUnfit { host: host(url), unfit }
}
