//! Calls to the Cloud API.
//!
//! The rule of this floor: no message is sent twice. A call is retried only when it failed before anything was sent
//! ([`Sent::No`]); in doubt it is reported. Only idempotent calls ([`Upstream::post_again`]) and those about files are
//! retried after that. What Cloud rejected for the rate was not sent either: [`pacing`].

mod body;
mod health;
mod media;
pub mod pacing;
mod pool;

pub use health::{Health, Standing};
pub use media::{MediaUpstream, is_success};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Body;
use thiserror::Error;
use tokio::time::Instant;

use self::pool::{Attempt, Limits, Pool};
use crate::config::HttpVersion;
use crate::http1::retry_after;
use crate::net::Connector;
use crate::runtime::{Collected, this_worker, within};

/// Graph's answers to messages are a few hundred bytes; more than this is not Graph.
const MAX_ANSWER: usize = 1024 * 1024;
/// A page of 200 templates, of which few have more than 10 KiB: Graph writes most letters in six bytes.
const MAX_READ: usize = 4 * 1024 * 1024;
/// Pauses before the retries of a call that was not sent.
const RETRY_PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// The pause before an idempotent call is retried.
const AGAIN: Duration = Duration::from_millis(250);
/// How often idle connections are checked.
const TEND_EVERY: Duration = Duration::from_secs(5);
/// The timeout of each part of a body.
const BODY_IDLE: Duration = Duration::from_secs(10);

/// Timeouts of a call.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// From the call to the answer's head.
    pub first_byte: Duration,
    /// From the call to the end of the answer.
    pub total: Duration,
    /// How long an idle connection is kept.
    pub pool_idle: Duration,
}

/// The pooled client.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// One for each worker, and the first for all other threads.
    pools: Arc<[Pool]>,
    deadlines: Deadlines,
}

/// Where a number's calls go, and with which token.
#[derive(Clone, Debug)]
pub struct Target {
    /// The URL of the edge.
    pub uri: Uri,
    /// `Bearer …`, marked as sensitive; nothing where no token may go.
    pub authorization: Option<HeaderValue>,
    /// Where the outcome of each call is noted; nothing where it says nothing about the number.
    pub health: Option<Arc<Health>>,
}

/// Whether anything may have reached Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Nothing was sent: a retry is safe.
    No,
    /// Cloud may have it: a retry could double a message.
    Maybe,
}

/// Why there is no whole answer.
#[derive(Debug, Error)]
#[error("{reason}")]
pub struct CallError {
    /// Whether a retry is safe.
    pub sent: Sent,
    /// Whether a deadline passed.
    pub is_timeout: bool,
    /// What happened, for the log and the client; holds no secrets.
    pub reason: String,
}

/// A whole answer.
#[derive(PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its `Retry-After`, when that is a number of seconds.
    pub retry_after: Option<u32>,
    /// Its body.
    pub body: Bytes,
}

/// Without its body, which is about people.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

impl Target {
    /// The same, at another place of the same API.
    pub fn at(&self, uri: Uri) -> Self {
        Self { uri, ..self.clone() }
    }

    /// Records the outcome of a call, and returns it.
    fn noted(&self, outcome: Result<Answer, CallError>) -> Result<Answer, CallError> {
        if let Some(health) = &self.health {
            health.note(&outcome);
        }
        outcome
    }

    fn authorize(&self, headers: &mut HeaderMap) {
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
    }
}

impl Upstream {
    /// A client over `connector` for `workers` threads, for calls to one place only.
    pub fn new(connector: &Connector, version: HttpVersion, deadlines: Deadlines, workers: usize) -> Self {
        let pool = || Pool::new(connector.clone(), version, deadlines.pool_idle);
        Self { pools: (0..=workers).map(|_| pool()).collect(), deadlines }
    }

    /// Closes connections that are idle for too long, from time to time.
    pub async fn tend(&self) {
        let mut clock = tokio::time::interval(TEND_EVERY.min(self.deadlines.pool_idle));
        loop {
            clock.tick().await;
            let now = Instant::now();
            self.pools.iter().for_each(|pool| pool.tend(now));
        }
    }

    /// This thread's connections; a message never waits for those of another one.
    fn pool(&self) -> Result<&Pool, CallError> {
        let pool = self.pools.get(this_worker()).or_else(|| self.pools.first());
        pool.ok_or_else(|| CallError { sent: Sent::No, is_timeout: false, reason: "no pool".to_owned() })
    }

    /// Posts a JSON body that Cloud must not take twice, a message for one.
    pub async fn post(&self, target: &Target, body: Bytes) -> Result<Answer, CallError> {
        self.call(Method::POST, target, body).await
    }

    /// The same, and how long it took. A message pays for each look at the clock.
    pub async fn post_timed(&self, target: &Target, body: Bytes) -> (Result<Answer, CallError>, Duration) {
        let begun = Instant::now();
        let (outcome, ended) = self.call_since(begun, Method::POST, target, body).await;
        (outcome, ended - begun)
    }

    /// Posts a JSON body that is idempotent. After a fault of Cloud, or in doubt, it is posted once more.
    pub async fn post_again(&self, target: &Target, body: Bytes) -> Result<Answer, CallError> {
        let first = self.post(target, body.clone()).await;
        let may_pass = match &first {
            Ok(answer) => answer.status.is_server_error(),
            // A client that has waited for the whole timeout has waited long enough.
            Err(error) => error.sent == Sent::Maybe && !error.is_timeout,
        };
        if !may_pass {
            return first;
        }
        tokio::time::sleep(AGAIN).await;
        self.post(target, body).await
    }

    /// Reads an object, or a page of a list.
    pub async fn get(&self, target: &Target) -> Result<Answer, CallError> {
        self.call(Method::GET, target, Bytes::new()).await
    }

    /// Deletes something.
    pub async fn delete(&self, target: &Target) -> Result<Answer, CallError> {
        self.call(Method::DELETE, target, Bytes::new()).await
    }

    async fn call(&self, method: Method, target: &Target, body: Bytes) -> Result<Answer, CallError> {
        self.call_since(Instant::now(), method, target, body).await.0
    }

    /// Makes a call that begins now, and says when it ended.
    async fn call_since(
        &self,
        begun: Instant,
        method: Method,
        target: &Target,
        body: Bytes,
    ) -> (Result<Answer, CallError>, Instant) {
        let (outcome, ended) = match self.persist(begun, method, target, body).await {
            Ok((answer, ended)) => (Ok(answer), ended),
            Err(error) => (Err(error), Instant::now()),
        };
        (target.noted(outcome), ended)
    }

    async fn persist(
        &self,
        mut begun: Instant,
        method: Method,
        target: &Target,
        body: Bytes,
    ) -> Result<(Answer, Instant), CallError> {
        let end = begun + self.deadlines.total;
        let mut pauses = RETRY_PAUSES.iter();
        loop {
            let error = match self.attempt(&method, target, body.clone(), begun, end).await {
                Ok(answered) => return Ok(answered),
                Err(error) => error,
            };
            let pause = match (error.sent, pauses.next()) {
                (Sent::No, Some(pause)) if Instant::now() + *pause < end => *pause,
                (Sent::No | Sent::Maybe, _) => return Err(error),
            };
            tokio::time::sleep(pause).await;
            begun = Instant::now();
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        target: &Target,
        body: Bytes,
        begun: Instant,
        end: Instant,
    ) -> Result<(Answer, Instant), CallError> {
        let limits = Limits {
            begun,
            head: end.min(begun + self.deadlines.first_byte),
            end,
            max_body: if method == Method::GET { MAX_READ } else { MAX_ANSWER },
        };
        self.pool()?.call(&Attempt { method, target, body, limits }).await
    }
}

fn timed_out(reason: &str) -> CallError {
    CallError { sent: Sent::Maybe, is_timeout: true, reason: reason.to_owned() }
}

/// Reads the whole answer; a broken or endless one leaves the call in doubt.
async fn read<B>(response: Response<B>, end: Instant, max_body: usize) -> Result<Answer, CallError>
where
    B: Body<Data = Bytes, Error: fmt::Display> + Unpin,
{
    let (parts, mut body) = response.into_parts();
    let mut whole = Collected::default();
    loop {
        let frame = within(|| end.min(Instant::now() + BODY_IDLE), body.frame())
            .await
            .map_err(|_| timed_out("the answer did not end in time"))?;
        let Some(frame) = frame else {
            break;
        };
        let broken = |reason: String| CallError { sent: Sent::Maybe, is_timeout: false, reason };
        let frame = frame.map_err(|error| broken(format!("the answer broke off: {error}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if whole.len() + data.len() > max_body {
            return Err(broken(format!("the answer is larger than {max_body} bytes")));
        }
        whole.push(data);
    }
    let retry_after = parts.headers.get(RETRY_AFTER).and_then(|value| retry_after(value.as_bytes()));
    Ok(Answer { status: parts.status, retry_after, body: whole.finish() })
}
