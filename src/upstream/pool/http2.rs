//! Connections of HTTP/2, each of which carries many calls at once.

use std::error::Error as _;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Uri};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor as _;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::MutexGuard as AsyncMutexGuard;
use tokio::time::{Instant, timeout_at};

use super::super::body::{Outgoing, RevocableBody};
use super::super::{CallError, Sent, read};
use super::connection::Http1Connection;
use super::{Attempt, OpenError, Outcome};
use crate::net::{Connector, Stream, innermost};

/// Calls at once on one connection. RFC 9113 section 6.5.2 recommends that servers allow no fewer than this.
const AT_ONCE: usize = 100;
/// A connection on which nothing arrives for so long is pinged.
const PING_AFTER: Duration = Duration::from_secs(10);
/// The timeout of a ping, after which the connection is given up.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What a call can be made on.
pub(super) enum Opened {
    /// A connection of HTTP/1.1.
    Http1(Http1Connection),
    /// A stream of HTTP/2, and whether its connection was opened for this call.
    Http2(Http2Stream, bool),
}

/// The open connections.
pub(super) struct Http2Pool {
    connections: Mutex<Vec<(Http2Stream, Instant)>>,
    /// Held while a connection is opened, so that a rush of calls opens one and not one each. It holds the reason of the
    /// last failure to open one.
    opening: tokio::sync::Mutex<String>,
    /// How many of those there were. Changes only while `opening` is held.
    failures: AtomicU64,
    /// Whether the server was found to speak HTTP/1.1 only.
    is_declined: AtomicBool,
    keep: Duration,
}

/// A connection, or a stream of one: hyper's handle is the same.
#[derive(Clone)]
pub(super) struct Http2Stream {
    sender: SendRequest<Outgoing>,
    traffic: Arc<Traffic>,
}

/// The state of a connection.
#[derive(Default)]
struct Traffic {
    /// Calls in progress.
    calls: AtomicUsize,
    /// Calls that the server has reacted to in any way.
    heard: AtomicUsize,
    /// Whether a call timed out while the server reacted to no other.
    is_silent: AtomicBool,
}

impl Http2Pool {
    /// Keeps idle connections for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            connections: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            failures: AtomicU64::new(0),
            is_declined: false.into(),
            keep,
        }
    }

    /// A stream of an open connection, or of a new one.
    ///
    /// Calls that waited for a connection share the failure to open it. If each tried for itself, one after the other, the
    /// last of a rush to a server that is stuck would learn of it only after so many times the deadline.
    pub(super) async fn open(&self, connector: &Connector, origin: &Uri) -> Result<Opened, OpenError> {
        if let Some(stream) = self.with_capacity(Instant::now()) {
            return Ok(Opened::Http2(stream, false));
        }
        let failures = self.failures.load(Ordering::Relaxed);
        let opening = self.lock_opening().await;
        if let Some(stream) = self.with_capacity(Instant::now()) {
            return Ok(Opened::Http2(stream, false));
        }
        let Some(mut reason) = opening else { return self.connect(connector, origin).await };
        // The lock is fair, so the last failure is that of the connection that this call waited for.
        if self.failures.load(Ordering::Relaxed) != failures {
            return Err(OpenError::Shared(reason.clone()));
        }
        let opened = self.connect(connector, origin).await;
        if let Err(error) = &opened {
            *reason = innermost(error);
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        drop(reason);
        opened
    }

    /// Opens a connection.
    async fn connect(&self, connector: &Connector, origin: &Uri) -> Result<Opened, OpenError> {
        let stream = connector.open(origin).await?;
        // Of each connection alone: behind one address there may be servers that decline and others that do not.
        let is_declined = stream.is_tls() && !stream.is_http2();
        self.is_declined.store(is_declined, Ordering::Relaxed);
        if is_declined {
            return Ok(Opened::Http1(Http1Connection::new(stream)));
        }
        let stream = Http2Stream::open(stream).await?;
        self.connections().push((stream.clone(), Instant::now()));
        Ok(Opened::Http2(stream, true))
    }

    /// Waits while another call opens a connection, which may have capacity for this one too. One of HTTP/1.1 has none,
    /// so nobody waits for those.
    async fn lock_opening(&self) -> Option<AsyncMutexGuard<'_, String>> {
        if self.is_declined.load(Ordering::Relaxed) {
            return None;
        }
        let opening = self.opening.lock().await;
        (!self.is_declined.load(Ordering::Relaxed)).then_some(opening)
    }

    /// Drops connections that are idle for too long, or have ended.
    pub(super) fn tend(&self, now: Instant) {
        self.connections().retain_mut(|(connection, since)| {
            if connection.calls() > 0 {
                *since = now;
            }
            connection.is_good() && now.duration_since(*since) < self.keep
        });
    }

    fn with_capacity(&self, now: Instant) -> Option<Http2Stream> {
        let mut connections = self.connections();
        connections.retain(|(connection, _)| connection.is_good());
        let (connection, since) =
            connections.iter_mut().find(|(connection, since)| match connection.calls() {
                0 => now.duration_since(*since) < self.keep,
                calls => calls < AT_ONCE,
            })?;
        *since = now;
        Some(connection.clone())
    }

    fn connections(&self) -> MutexGuard<'_, Vec<(Http2Stream, Instant)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Http2Stream {
    async fn open(stream: Stream) -> Result<Self, OpenError> {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(stream))
            .await?;
        // It ends when the last sender is dropped, or the server ends it; each call learns of its own end.
        TokioExecutor::new().execute(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to Cloud ended");
            }
        });
        Ok(Self { sender, traffic: Arc::default() })
    }

    fn calls(&self) -> usize {
        self.traffic.calls.load(Ordering::Relaxed)
    }

    /// Whether a further call may get a response. A dead connection ends only when a ping times out, and until then every
    /// message on it would be in doubt.
    fn is_good(&self) -> bool {
        !self.sender.is_closed() && !self.traffic.is_silent.load(Ordering::Relaxed)
    }

    /// Makes a call.
    pub(super) async fn call(mut self, attempt: &Attempt<'_>) -> Outcome {
        let limits = &attempt.limits;
        let revocable = RevocableBody::new(attempt.body.clone());
        let counted = Counted::new(Arc::clone(&self.traffic));
        let sent = self.sender.try_send_request(request(attempt, &revocable));
        let sent = timeout_at(limits.head, sent).await;
        counted.note(sent.is_ok());
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(mut error)) => {
                let is_unsent = error.take_message().is_some();
                let error = error.into_error();
                let reason = innermost(&error);
                if is_unsent {
                    return Outcome::NotSent(reason);
                }
                // Taken back in any case, so that nothing of it can leave any more.
                let taken = revocable.revoke();
                let sent = if is_refused(&error) { Sent::No } else { taken };
                return Outcome::Failed(CallError { sent, is_timeout: false, reason });
            }
            Err(_) => {
                let reason = "no answer in time".to_owned();
                return Outcome::Failed(CallError { sent: revocable.revoke(), is_timeout: true, reason });
            }
        };
        match read(response, limits.end, limits.max_body).await {
            Ok(answer) => Outcome::Answered(answer),
            Err(error) => Outcome::Failed(error),
        }
    }
}

/// The request of an attempt, of whose body `revocable` decides.
fn request(attempt: &Attempt<'_>, revocable: &RevocableBody) -> Request<Outgoing> {
    let mut request = Request::new(revocable.body());
    *request.method_mut() = attempt.method.clone();
    *request.uri_mut() = attempt.target.uri.clone();
    request.headers_mut().extend(attempt.fields().map(|(name, value)| (name, value.clone())));
    request
}

/// Counts one call of a connection for as long as it lives.
struct Counted {
    traffic: Arc<Traffic>,
    /// [`Traffic::heard`] when this call began.
    heard: usize,
}

impl Counted {
    fn new(traffic: Arc<Traffic>) -> Self {
        traffic.calls.fetch_add(1, Ordering::Relaxed);
        let heard = traffic.heard.load(Ordering::Relaxed);
        Self { traffic, heard }
    }

    /// Notes whether the server reacted before the deadline.
    fn note(&self, has_heard: bool) {
        if has_heard {
            self.traffic.heard.fetch_add(1, Ordering::Relaxed);
        } else if self.traffic.heard.load(Ordering::Relaxed) == self.heard {
            self.traffic.is_silent.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.traffic.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the server says that it did not look at the call and never will: `REFUSED_STREAM`, or a `GOAWAY` whose
/// last stream is below the call's, whatever its reason (RFC 9113 sections 6.8 and 8.7). h2 ends a call with the
/// error of a received `GOAWAY` in that one case only; those below the last stream go on, and end in another way.
fn is_refused(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| {
        let is_reset = cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
        cause.is_remote() && (is_reset || cause.is_go_away())
    })
}

impl fmt::Debug for Http2Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Pool").field("connections", &self.connections().len()).finish_non_exhaustive()
    }
}
