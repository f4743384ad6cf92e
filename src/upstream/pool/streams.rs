//! Connections of HTTP/2, each of which carries many calls at once.

use std::error::Error as _;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Uri};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor as _;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::MutexGuard as Turn;
use tokio::time::{Instant, timeout_at};

use super::super::body::{Outgoing, RevocableBody};
use super::super::{CallError, Sent, innermost, read};
use super::line::Line;
use super::{Attempt, Fate, OpenError};
use crate::net::{Connector, Stream};

/// Calls at once on one connection. RFC 9113 section 6.5.2 recommends that servers allow no fewer than this.
const AT_ONCE: usize = 100;
/// A connection over which nothing comes back for so long is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(10);
/// And is given up when it does not say so in this time.
const PING_TIME: Duration = Duration::from_secs(5);

/// What a call can be made on.
pub(super) enum Choice {
    /// A connection of HTTP/1.1.
    Line(Line),
    /// A place on one of HTTP/2, and whether it was opened for this call.
    Streams(Channel, bool),
}

/// The open connections.
pub(super) struct Streams {
    channels: Mutex<Vec<(Channel, Instant)>>,
    /// Held while one is opened, so that a rush of calls opens one and not one each. What it holds is why the last
    /// opening that failed did so.
    opening: tokio::sync::Mutex<String>,
    /// How many of those failed. It changes only while `opening` is held.
    failures: AtomicU64,
    /// Whether the server was found to speak HTTP/1.1 only.
    is_declined: AtomicBool,
    keep: Duration,
}

/// A connection, or a place on it.
#[derive(Clone)]
pub(super) struct Channel {
    sender: SendRequest<Outgoing>,
    traffic: Arc<Traffic>,
}

/// What goes on on a connection.
#[derive(Default)]
struct Traffic {
    /// Calls under way.
    calls: AtomicUsize,
    /// Calls that heard from the server, whatever it was.
    heard: AtomicUsize,
    /// Whether a call waited until its deadline and nobody heard anything meanwhile.
    is_silent: AtomicBool,
}

impl Streams {
    /// None yet; each is kept for `keep` without a call.
    pub(super) fn new(keep: Duration) -> Self {
        Self {
            channels: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            failures: AtomicU64::new(0),
            is_declined: false.into(),
            keep,
        }
    }

    /// A place on a connection with room, or a new connection.
    ///
    /// Calls that waited for an opening share its failure. If each tried for itself, one after the other, the last of
    /// a rush to a server that is stuck would learn of it only after so many times the deadline.
    pub(super) async fn open(&self, connector: &Connector, place: &Uri) -> Result<Choice, OpenError> {
        if let Some(channel) = self.with_room(Instant::now()) {
            return Ok(Choice::Streams(channel, false));
        }
        let failures = self.failures.load(Ordering::Relaxed);
        let turn = self.turn().await;
        if let Some(channel) = self.with_room(Instant::now()) {
            return Ok(Choice::Streams(channel, false));
        }
        let Some(mut turn) = turn else { return self.connect(connector, place).await };
        // Those who wait are served in the order they came, so the last failure is the one of the opening that this
        // call waited for.
        if self.failures.load(Ordering::Relaxed) != failures {
            return Err(OpenError::Shared(turn.clone()));
        }
        let opened = self.connect(connector, place).await;
        if let Err(error) = &opened {
            *turn = innermost(error);
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        drop(turn);
        opened
    }

    /// A new connection.
    async fn connect(&self, connector: &Connector, place: &Uri) -> Result<Choice, OpenError> {
        let stream = connector.open(place).await?;
        // Of each connection alone: behind one address there may be servers that decline and others that do not.
        let is_declined = stream.is_tls() && !stream.is_http2();
        self.is_declined.store(is_declined, Ordering::Relaxed);
        if is_declined {
            return Ok(Choice::Line(Line::new(stream)));
        }
        let channel = Channel::open(stream).await?;
        self.channels().push((channel.clone(), Instant::now()));
        Ok(Choice::Streams(channel, true))
    }

    /// Waits while another call opens a connection that may have room for this one too. A connection of HTTP/1.1 has
    /// none, so that nobody waits for those.
    async fn turn(&self) -> Option<Turn<'_, String>> {
        if self.is_declined.load(Ordering::Relaxed) {
            return None;
        }
        let turn = self.opening.lock().await;
        (!self.is_declined.load(Ordering::Relaxed)).then_some(turn)
    }

    /// Lets go of connections that were not used for long, or have ended.
    pub(super) fn tend(&self, now: Instant) {
        self.channels().retain_mut(|(channel, since)| {
            if channel.calls() > 0 {
                *since = now;
            }
            channel.is_good() && now.duration_since(*since) < self.keep
        });
    }

    fn with_room(&self, now: Instant) -> Option<Channel> {
        let mut channels = self.channels();
        channels.retain(|(channel, _)| channel.is_good());
        let (channel, since) = channels.iter_mut().find(|(channel, since)| match channel.calls() {
            0 => now.duration_since(*since) < self.keep,
            calls => calls < AT_ONCE,
        })?;
        *since = now;
        Some(channel.clone())
    }

    fn channels(&self) -> MutexGuard<'_, Vec<(Channel, Instant)>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel {
    async fn open(stream: Stream) -> Result<Self, OpenError> {
        let (sender, connection) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIME)
            .handshake(stream)
            .await?;
        // It ends by itself when the last sender is gone, or the server ends it; each call is told of its own end.
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

    /// Whether a further call may get an answer. A dead connection ends only when a ping stays without one, and
    /// until then every message on it would be in doubt.
    fn is_good(&self) -> bool {
        !self.sender.is_closed() && !self.traffic.is_silent.load(Ordering::Relaxed)
    }

    /// Makes a call.
    pub(super) async fn call(mut self, attempt: &Attempt<'_>) -> Fate {
        let limits = &attempt.limits;
        let revocable = RevocableBody::new(attempt.body.clone());
        let counted = Counted::new(Arc::clone(&self.traffic));
        let sent = self.sender.try_send_request(request(attempt, &revocable));
        let sent = timeout_at(limits.head, sent).await;
        counted.note(sent.is_ok());
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(mut error)) => {
                let is_untouched = error.take_message().is_some();
                let error = error.into_error();
                let reason = innermost(&error);
                if is_untouched {
                    return Fate::Untouched(reason);
                }
                // Taken back in any case, so that nothing of it can leave any more.
                let taken = revocable.revoke();
                let sent = if is_refused(&error) { Sent::No } else { taken };
                return Fate::Failed(CallError { sent, is_timeout: false, reason });
            }
            Err(_) => {
                let reason = "no answer in time".to_owned();
                return Fate::Failed(CallError { sent: revocable.revoke(), is_timeout: true, reason });
            }
        };
        match read(response, limits.end, limits.most).await {
            Ok(answer) => Fate::Answered(answer),
            Err(error) => Fate::Failed(error),
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

/// One among the calls of a connection, for as long as it lives.
struct Counted {
    traffic: Arc<Traffic>,
    /// How many had heard from the server when this one began.
    heard: usize,
}

impl Counted {
    fn new(traffic: Arc<Traffic>) -> Self {
        traffic.calls.fetch_add(1, Ordering::Relaxed);
        let heard = traffic.heard.load(Ordering::Relaxed);
        Self { traffic, heard }
    }

    /// Whether the call heard from the server before its deadline.
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

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams").field("channels", &self.channels().len()).finish_non_exhaustive()
    }
}
