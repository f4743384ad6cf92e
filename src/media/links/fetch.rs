//! Fetches what a link leads to: with a provider's credentials, through the egress guard, following redirects by hand.
//!
//! The client is hyper-util's and not reqwest's: the guard has to dial the very address that it judged, literal ones
//! included, and a resolver hook is not asked about those.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::clock::Clock;
use crate::http_cache::{Policy, Profile};
use crate::media::error::MediaError;
use crate::media::providers::Provider;
use crate::net::egress::{redirect, same_origin};
use crate::net::{ConnectError, Connector, innermost, is_coded, user_agent};
use crate::telemetry::MediaMetrics;

/// Redirects that are followed, each judged like the link itself: short links and shared drives take four to six.
const MAX_HOPS: usize = 10;
/// How long a host may take to begin its answer.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(20);
/// What is buffered of one connection: fifty large files at once stay small.
const BUFFER: usize = 64 * 1024;
/// Idle connections that are kept to one host.
const IDLE: usize = 4;
/// And for how long: clients may name any number of hosts, and each connection takes a file descriptor.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// The client for links.
pub struct Fetcher {
    client: Client<Connector, Empty<Bytes>>,
    profile: Profile,
    clock: Clock,
    metrics: MediaMetrics,
}

/// What is remembered of a link, to ask whether it changed.
#[derive(Clone, Copy)]
pub struct Validated<'a> {
    pub policy: &'a Policy,
    /// The URL that its validators belong to.
    pub url: &'a str,
}

/// What a link gave.
pub enum Fetched {
    /// What is remembered is still good, under a new policy.
    NotModified(Policy),
    /// The provider confirmed something else: ask again without a condition.
    Mismatch,
    File(Box<FetchedFile>),
}

/// A file whose body has not been read.
pub struct FetchedFile {
    pub policy: Policy,
    /// Whether its validators are those that are remembered.
    pub is_same: bool,
    pub headers: HeaderMap,
    pub body: Incoming,
    /// Where redirects led to.
    pub url: Url,
}

impl Fetcher {
    /// A client over `connector`, which has to have a guard.
    pub fn new(connector: Connector, profile: Profile, clock: Clock, metrics: MediaMetrics) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_max_buf_size(BUFFER)
            // "A user agent that receives an obs-fold in a response message … MUST replace each received obs-fold with
            // one or more SP octets" (RFC 9112 section 5.2); blanks before a colon are as old.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .build(connector);
        Self { client, profile, clock, metrics }
    }

    /// Fetches `url`; if something is remembered, only when it has changed.
    pub async fn get(
        &self,
        url: &Url,
        provider: Option<&Arc<Provider>>,
        remembered: Option<Validated<'_>>,
        end: Instant,
    ) -> Result<Fetched, MediaError> {
        let mut hops: Vec<(StatusCode, HeaderMap, i64)> = Vec::new();
        let mut here = url.clone();
        loop {
            // Only the place that the client named gets the credentials: a redirect to elsewhere gets none.
            let authorization = provider
                .filter(|_| same_origin(url, &here))
                .and_then(|provider| provider.authorization.as_ref());
            // Validators mean something at the URL that gave them and nowhere else.
            let condition = remembered.filter(|remembered| remembered.url == here.as_str());
            let response = self.request(&here, authorization, condition, end).await?;
            let received_at = self.clock.now();
            let status = response.status();
            let policy = |policy: Policy| {
                hops.iter().fold(policy, |policy, (status, headers, at)| {
                    policy.after_redirect(*status, headers, *at, self.profile)
                })
            };
            match status {
                StatusCode::OK => {
                    let (parts, body) = response.into_parts();
                    check_coding(&here, &parts.headers)?;
                    return Ok(Fetched::File(Box::new(FetchedFile {
                        is_same: condition.is_some_and(|known| known.policy.is_same(&parts.headers)),
                        policy: policy(Policy::of(&parts.headers, received_at, self.profile)),
                        headers: parts.headers,
                        body,
                        url: here,
                    })));
                }
                StatusCode::NOT_MODIFIED => {
                    let refresh = |known: Validated<'_>| {
                        known.policy.refreshed(response.headers(), received_at, self.profile).ok()
                    };
                    return Ok(match condition.and_then(refresh) {
                        Some(refreshed) => Fetched::NotModified(policy(refreshed)),
                        None => Fetched::Mismatch,
                    });
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    if hops.len() == MAX_HOPS {
                        return Err(origin(&here, &format!("it redirects more than {MAX_HOPS} times")));
                    }
                    let next = location(&here, response.headers())?;
                    hops.push((status, response.headers().clone(), received_at));
                    here = next;
                }
                _ => return Err(origin(&here, &format!("it answered HTTP {}", status.as_u16()))),
            }
        }
    }

    async fn request(
        &self,
        url: &Url,
        authorization: Option<&HeaderValue>,
        condition: Option<Validated<'_>>,
        end: Instant,
    ) -> Result<Response<Incoming>, MediaError> {
        let uri: Uri = url
            .as_str()
            .parse()
            .map_err(|_| MediaError::Link("the link has characters that cannot be sent".to_owned()))?;
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        user_agent(headers);
        // The same for everyone, so that any Vary but * is met (RFC 9111 section 4.1).
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        for (name, value) in condition.iter().flat_map(|condition| condition.policy.validators().headers()) {
            headers.insert(name, value);
        }
        let head_end = end.min(Instant::now() + FIRST_BYTE_TIMEOUT);
        match timeout_at(head_end, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.unreachable(url, &error)),
            Err(_) => Err(origin(url, "no answer in time")),
        }
    }

    fn unreachable(&self, url: &Url, error: &hyper_util::client::legacy::Error) -> MediaError {
        match ConnectError::find(error) {
            Some(denied @ ConnectError::Denied { .. }) => {
                self.metrics.egress_denied.inc();
                MediaError::Link(denied.to_string())
            }
            Some(other) => origin(url, &other.to_string()),
            None => origin(url, &format!("the connection failed: {}", innermost(error))),
        }
    }
}

/// The error of the place that `url` names.
pub fn origin(url: &Url, reason: &str) -> MediaError {
    MediaError::Origin { host: host(url), reason: reason.to_owned() }
}

/// What clients and logs may know of a link: paths and queries hold tokens.
pub fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

fn location(here: &Url, headers: &HeaderMap) -> Result<Url, MediaError> {
    let location =
        headers.get(LOCATION).ok_or_else(|| origin(here, "it redirects without saying where to"))?;
    redirect(here, location.as_bytes())
        .map_err(|bad| origin(here, &format!("its redirect cannot be followed: {bad}")))
}

/// We asked for the bytes as they are, so a coding is the provider's mistake; undoing it would let a small
/// answer become a huge file. Of transfer codings hyper undoes `chunked`, and hands over all others as they came.
fn check_coding(url: &Url, headers: &HeaderMap) -> Result<(), MediaError> {
    let mut transfer = headers.get_all(TRANSFER_ENCODING).iter();
    if transfer.any(|coding| !coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")) {
        return Err(origin(url, "it sent the file with a Transfer-Encoding that is not chunked"));
    }
    if !is_coded(headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes)) {
        return Ok(());
    }
    Err(origin(url, "it sent the file with a Content-Encoding although none was asked for"))
}
