//! The connections to Graph that messages travel on.
//!
//! A connection of HTTP/1.1 serves one call at a time, so the call itself moves its bytes ([`Http1Connection`]): no second
//! task has to be woken to write a request, and none to hand the response over. hyper-util's client has both, and they
//! cost as much as translating a message several times over. Nor does a connection keep a buffer, as hyper's do:
//! requests are written from, and responses read into, memory that all calls of a thread share. What the bytes mean is
//! decided by [`http1`](crate::http1). Only the connections of HTTP/2 ([`Http2Pool`]) are hyper's.

mod connection;
mod http2;
mod idle;
mod request;

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Method};
use tokio::time::{Instant, timeout_at};

use self::connection::Http1Connection;
use self::http2::{Http2Pool, Opened};
use self::idle::Idle;
use super::{Answer, CallError, Sent, Target};
use crate::config::HttpVersion;
use crate::net::{AGENT, ConnectError, Connector, innermost};

/// The type of what is posted.
static JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One attempt at a call. Everything on the way borrows this one, so that no request is passed along.
pub(super) struct Attempt<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a Target,
    pub(super) body: Bytes,
    pub(super) limits: Limits,
}

/// Deadlines and limits of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// When it began.
    pub(super) begun: Instant,
    /// The deadline of the response's head.
    pub(super) head: Instant,
    /// The deadline of its body.
    pub(super) end: Instant,
    /// The largest body that is read.
    pub(super) max_body: usize,
}

impl Attempt<'_> {
    /// The fields of the request in either version, without `Host` and `Content-Length`.
    fn fields(&self) -> impl Iterator<Item = (HeaderName, &HeaderValue)> {
        let authorization = self.target.authorization.as_ref().map(|value| (AUTHORIZATION, value));
        let content_type = (*self.method == Method::POST).then_some((CONTENT_TYPE, &JSON));
        authorization.into_iter().chain([(USER_AGENT, &AGENT)]).chain(content_type)
    }
}

/// Connections to one origin.
#[derive(Debug)]
pub(super) struct Pool {
    connector: Connector,
    idle: Idle,
    http2: Option<Http2Pool>,
}

impl Pool {
    /// Opens connections with `connector`, and keeps idle ones for `keep`.
    pub(super) fn new(connector: Connector, version: HttpVersion, keep: Duration) -> Self {
        let http2 = (version == HttpVersion::Http2).then(|| Http2Pool::new(keep));
        Self { connector, idle: Idle::new(keep), http2 }
    }

    /// Makes one call, and says when its response was there.
    pub(super) async fn call(&self, attempt: &Attempt<'_>) -> Result<(Answer, Instant), CallError> {
        loop {
            let (mut connection, is_used) = match self.idle.take(attempt.limits.begun) {
                Some(connection) => (connection, true),
                // Boxed, since a call that finds a connection needs no room for opening one.
                None => match Box::pin(self.open(attempt)).await? {
                    Opened::Http1(connection) => (connection, false),
                    Opened::Http2(stream, is_new) => match Box::pin(stream.call(attempt)).await {
                        Outcome::NotSent(_) if !is_new => continue,
                        outcome @ (Outcome::Answered(_) | Outcome::NotSent(_) | Outcome::Failed(_)) => {
                            return outcome.into_result().map(|answer| (answer, Instant::now()));
                        }
                    },
                },
            };
            match connection.call(attempt).await {
                Outcome::Answered(answer) => {
                    let now = Instant::now();
                    if connection.is_reusable() {
                        self.idle.put(connection, now);
                    }
                    return Ok((answer, now));
                }
                // Closed while it was idle: that says nothing about Cloud, and the next one may be open.
                Outcome::NotSent(_) if is_used => {}
                outcome @ (Outcome::NotSent(_) | Outcome::Failed(_)) => {
                    return outcome.into_result().map(|answer| (answer, Instant::now()));
                }
            }
        }
    }

    /// Closes connections that are idle for too long at `now`, or that the other side has closed.
    pub(super) fn tend(&self, now: Instant) {
        self.idle.tend(now);
        if let Some(http2) = &self.http2 {
            http2.tend(now);
        }
    }

    async fn open(&self, attempt: &Attempt<'_>) -> Result<Opened, CallError> {
        let origin = &attempt.target.uri;
        let opened = timeout_at(attempt.limits.head, async {
            match &self.http2 {
                None => Ok(Opened::Http1(Http1Connection::new(self.connector.open(origin).await?))),
                Some(http2) => http2.open(&self.connector, origin).await,
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

/// How a call ended on one connection.
enum Outcome {
    /// There is a response.
    Answered(Answer),
    /// The connection ended before any of the request was sent, for this reason.
    NotSent(String),
    /// There is no whole response.
    Failed(CallError),
}

impl Outcome {
    fn into_result(self) -> Result<Answer, CallError> {
        match self {
            Self::Answered(answer) => Ok(answer),
            Self::NotSent(reason) => Err(CallError { sent: Sent::No, is_timeout: false, reason }),
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
    /// The connection that this call waited for could not be opened.
    #[error("{0}")]
    Shared(String),
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
