//! The connections to Graph that messages travel on.
//!
//! A connection of HTTP/1.1 serves one call at a time, so the call itself moves its bytes ([`Line`]): no second task
//! has to be woken to write a request, and none to hand the answer over. hyper-util's client has both, and they cost
//! as much as translating a message several times over. Nor does a line keep a buffer, which hyper's connections do:
//! requests are written out of, and answers read into, memory that all calls of a thread share. What an answer's bytes
//! mean is decided by [`answer`]. Only the connections of HTTP/2 ([`Streams`]) are hyper's.

pub mod answer;
mod idle;
mod line;
mod request;
mod streams;

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Method};
use tokio::time::{Instant, timeout_at};

use self::idle::Idle;
use self::line::Line;
use self::streams::{Choice, Streams};
use super::{Answer, CallError, Sent, Target, WE, innermost};
use crate::config::HttpVersion;
use crate::net::{ConnectError, Connector};

/// What is posted.
static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One attempt at a call. Everything on the way looks at this one; nothing has to carry a request along.
pub(super) struct Attempt<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a Target,
    pub(super) body: Bytes,
    pub(super) limits: Limits,
}

/// By when a call has to have come how far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// When it began.
    pub(super) begun: Instant,
    /// The answer's head is there.
    pub(super) head: Instant,
    /// Its body is there.
    pub(super) end: Instant,
    /// The largest body that is read.
    pub(super) most: usize,
}

impl Attempt<'_> {
    /// What a call says in its head, whichever way it goes; not where it goes, nor how long its body is.
    fn fields(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let authorization = self.target.authorization.as_ref().map(|value| (AUTHORIZATION, value));
        let content_type = (*self.method == Method::POST).then_some((CONTENT_TYPE, &JSON));
        authorization.into_iter().chain([(USER_AGENT, &WE)]).chain(content_type)
    }
}

/// Connections to one place.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    idle: Idle,
    streams: Option<Streams>,
}

impl Pool {
    /// Opens with `connector`, and keeps what is not in use for `keep`.
    pub(super) fn new(connector: Connector, version: HttpVersion, keep: Duration) -> Self {
        let streams = (version == HttpVersion::Http2).then(|| Streams::new(keep));
        Self { connector, idle: Idle::new(keep), streams }
    }

    /// Makes one call, and says when its answer was there.
    pub(super) async fn call(&self, attempt: &Attempt<'_>) -> Result<(Answer, Instant), CallError> {
        loop {
            let (mut line, is_used) = match self.idle.take(attempt.limits.begun) {
                Some(line) => (line, true),
                // In a box, since a call that finds a connection needs no room for opening one.
                None => match Box::pin(self.open(attempt)).await? {
                    Choice::Line(line) => (line, false),
                    Choice::Streams(channel, is_new) => match Box::pin(channel.call(attempt)).await {
                        Fate::Untouched(_) if !is_new => continue,
                        fate @ (Fate::Answered(_) | Fate::Untouched(_) | Fate::Failed(_)) => {
                            return fate.into_result().map(|answer| (answer, Instant::now()));
                        }
                    },
                },
            };
            match line.call(attempt).await {
                Fate::Answered(answer) => {
                    let now = Instant::now();
                    if line.is_reusable() {
                        self.idle.put(line, now);
                    }
                    return Ok((answer, now));
                }
                // Closed while it lay idle: that says nothing about Cloud, and the next one may live.
                Fate::Untouched(_) if is_used => {}
                fate @ (Fate::Untouched(_) | Fate::Failed(_)) => {
                    return fate.into_result().map(|answer| (answer, Instant::now()));
                }
            }
        }
    }

    /// Closes what is idle for too long at `now`, or was closed by the other side.
    pub(super) fn tend(&self, now: Instant) {
        self.idle.tend(now);
        if let Some(streams) = &self.streams {
            streams.tend(now);
        }
    }

    async fn open(&self, attempt: &Attempt<'_>) -> Result<Choice, CallError> {
        let place = &attempt.target.uri;
        let opened = timeout_at(attempt.limits.head, async {
            match &self.streams {
                None => Ok(Choice::Line(Line::new(self.connector.open(place).await?))),
                Some(streams) => streams.open(&self.connector, place).await,
            }
        });
        match opened.await {
            Ok(opened) => opened.map_err(|error: OpenError| CallError {
                sent: Sent::No,
                is_timeout: false,
                reason: innermost(&error),
            }),
            Err(_) => {
                let reason = "no connection in time".to_owned();
                Err(CallError { sent: Sent::No, is_timeout: true, reason })
            }
        }
    }
}

/// What became of a call on one connection.
enum Fate {
    /// There is an answer.
    Answered(Answer),
    /// The connection ended before it took anything of the request; and why.
    Untouched(String),
    /// There is no whole answer.
    Failed(CallError),
}

impl Fate {
    fn into_result(self) -> Result<Answer, CallError> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::Untouched(reason) => Err(CallError { sent: Sent::No, is_timeout: false, reason }),
            Self::Failed(error) => Err(error),
        }
    }
}

/// Why there is no connection; nothing was sent.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Handshake(#[from] hyper::Error),
    /// That of the opening that this call waited for.
    #[error("{0}")]
    Shared(String),
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
