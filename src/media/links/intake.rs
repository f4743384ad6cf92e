//! From an answer with a file to its bytes, and to what is remembered of them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use hyper::body::Body;
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::cache::CachedLink;
use super::fetch::{FetchedFile, host, origin};
use super::request::MediaRequest;
use crate::media::error::MediaError;
use crate::media::kinds::{self, Evidence, Unfit};
use crate::media::transfer::spool::{Contents, FillError, Spool, SpoolError};
use crate::onprem::form::parameter;
use crate::telemetry::MediaMetrics;

/// How long a file may pause on its way.
const BODY_IDLE: Duration = Duration::from_secs(10);

/// Reads a file, but never more of it than its kind may have, and says under which type it goes to Cloud. What is large
/// lies in `folder` meanwhile.
pub async fn take_in(
    request: &MediaRequest,
    file: FetchedFile,
    folder: &Arc<Path>,
    metrics: &MediaMetrics,
    end: Instant,
) -> Result<(CachedLink, String, Contents), MediaError> {
    let FetchedFile { policy, headers, body, url, .. } = file;
    let limit = kinds::limit(request.kind);
    let too_large = || unfit(&url, Unfit::TooLarge(request.kind, limit));
    if content_length(&headers).or(body.size_hint().exact()).is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let filled = Spool::in_transit(folder, limit).fill(body, BODY_IDLE, |count| metrics.fetched(count));
    let spooled =
        timeout_at(end, filled).await.unwrap_or(Err(FillError::Late)).map_err(|error| match error {
            FillError::Late => origin(&url, "the file did not arrive in time"),
            FillError::Broken(_) => origin(&url, "the file broke off"),
            FillError::TooSlow => origin(&url, "the file comes too slowly"),
            FillError::Spool(SpoolError::TooLarge(_)) => too_large(),
            FillError::Spool(SpoolError::Disk(error)) => error.into(),
        })?;
    let link = CachedLink {
        digest: spooled.digest,
        length: spooled.contents.length(),
        declared: headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(kinds::remembered),
        sniffed: spooled.contents.clone().sniffed().await?,
        ending: ending(&headers),
        final_url: (url != request.url).then(|| url.to_string()),
        policy,
    };
    let media_type = media_type(request, &link).map_err(|error| unfit(&url, error))?;
    Ok((link, media_type, spooled.contents))
}

/// The type under which a file goes to Cloud, if it may be sent as what the message says it is.
pub fn media_type(request: &MediaRequest, link: &CachedLink) -> Result<String, Unfit> {
    kinds::check_size(request.kind, link.length, link.sniffed.is_animated)?;
    let led_to = link.final_url.as_deref().map(|url| url.split(['?', '#']).next().unwrap_or_default());
    let evidence = Evidence {
        declared: link.declared.as_deref(),
        sniffed: link.sniffed.media_type.as_deref(),
        names: [request.filename.as_deref(), link.ending.as_deref(), led_to, Some(request.url.path())],
    };
    kinds::media_type(request.kind, evidence)
}

/// The error of a file that cannot be sent.
pub fn unfit(url: &Url, unfit: Unfit) -> MediaError {
    MediaError::LinkUnfit { host: host(url), unfit }
}

/// The announced length of a file.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// The ending of the name that the server gives the file (RFC 6266 section 4.3: `filename*` first).
fn ending(headers: &HeaderMap) -> Option<String> {
    let disposition = String::from_utf8_lossy(headers.get(CONTENT_DISPOSITION)?.as_bytes());
    let (_, parameters) = disposition.split_once(';')?;
    let names = ["filename*", "filename"].map(|name| parameter(parameters, name));
    names.iter().flatten().find_map(|name| kinds::telling_ending(name))
}
