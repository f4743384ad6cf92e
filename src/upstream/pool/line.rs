//! One connection of HTTP/1.1, moved by whoever makes a call on it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::body::Outgoing;
use super::super::{CallError, Sent, innermost, read};
use super::relay::Relay;
use super::{Attempt, Fate, OpenError, Whole};
use crate::net::Stream;

/// A connection. Nobody moves its bytes between calls; what arrives meanwhile is found by the next one, or by
/// [`is_alive`](Self::is_alive).
pub(super) struct Line {
    sender: SendRequest<Outgoing>,
    motor: Motor,
}

impl Line {
    /// A connection over `stream`.
    pub(super) async fn open(stream: Stream) -> Result<Self, OpenError> {
        // Head and body in one piece: copying a message costs less than having two pieces gathered.
        let (sender, connection) = Builder::new().writev(false).handshake(stream).await?;
        let alarm = Box::pin(sleep_until(Instant::now()));
        Ok(Self {
            sender,
            motor: Motor { connection: Some(Box::pin(connection)), relay: Relay::new(), alarm },
        })
    }

    /// Makes a call. Afterwards the connection is good for another one if [`is_reusable`](Self::is_reusable) says so;
    /// never when this future was dropped before its end.
    pub(super) async fn call(&mut self, attempt: &Attempt<'_>) -> Fate {
        let Attempt { body: grip, limits, .. } = attempt;
        let sent = self.sender.try_send_request(request(attempt));
        let has_head = AtomicBool::new(false);
        let exchange = async {
            let response = match sent.await {
                Ok(response) => response,
                Err(mut error) => {
                    let is_untouched = error.take_message().is_some();
                    let reason = innermost(&error.into_error());
                    if is_untouched {
                        return Fate::Untouched(reason);
                    }
                    return Fate::Failed(CallError { sent: grip.take_back(), is_timeout: false, reason });
                }
            };
            has_head.store(true, Ordering::Relaxed);
            let (parts, body) = response.into_parts();
            match read(body, limits.end, limits.most).await {
                Ok(body) => Fate::Answered(Whole { status: parts.status, headers: parts.headers, body }),
                Err(error) => Fate::Failed(error),
            }
        };
        let until = || if has_head.load(Ordering::Relaxed) { limits.end } else { limits.head };
        let fate = self.motor.run(exchange, until).await;
        fate.unwrap_or_else(|| {
            let (sent, reason) = match has_head.load(Ordering::Relaxed) {
                true => (Sent::Maybe, "the answer did not end in time"),
                false => (grip.take_back(), "no answer in time"),
            };
            Fate::Failed(CallError { sent, is_timeout: true, reason: reason.to_owned() })
        })
    }

    /// Whether another call can be made.
    pub(super) fn is_reusable(&self) -> bool {
        self.motor.connection.is_some() && self.sender.is_ready()
    }

    /// Whether an idle connection is still open, as far as is known on this side.
    ///
    /// Not at the expense of the task's budget, which pays for the reads of 128 connections: further ones would look
    /// as if nothing had come from them.
    pub(super) fn is_alive(&mut self) -> bool {
        let look = unconstrained(poll_fn(|context| {
            turn(&mut self.motor.connection, context);
            Poll::Ready(())
        }));
        // Ready at once.
        let _ = pin!(look).poll(&mut Context::from_waker(Waker::noop()));
        self.is_reusable()
    }
}

/// Moves the bytes of a connection for as long as somebody waits for something from it.
struct Motor {
    /// Gone once it has ended.
    connection: Option<Pin<Box<Connection<Stream, Outgoing>>>>,
    relay: Relay,
    /// Kept from call to call: a timer that is only ever put off costs next to nothing. So it stays set when a call is
    /// done, and wakes the task of that call once, for nothing, if no other call puts it off before that call's deadline.
    alarm: Pin<Box<Sleep>>,
}

impl Motor {
    /// Waits for `work` while the connection moves, for as long as `until` says.
    async fn run<T>(&mut self, work: impl Future<Output = T>, until: impl Fn() -> Instant) -> Option<T> {
        let mut work = pin!(work);
        let mut set = None;
        poll_fn(|task| {
            let Self { connection, relay, alarm } = self;
            let done = relay.poll(task, |context| {
                turn(connection, context);
                work.as_mut().poll(context)
            });
            if let Poll::Ready(done) = done {
                return Poll::Ready(Some(done));
            }
            let end = until();
            if set != Some(end) {
                alarm.as_mut().reset(end);
                set = Some(end);
            }
            alarm.as_mut().poll(task).map(|()| None)
        })
        .await
    }
}

/// Moves what can be moved. What went wrong is told to the caller by hyper, through the call's own future.
fn turn(connection: &mut Option<Pin<Box<Connection<Stream, Outgoing>>>>, context: &mut Context<'_>) {
    if let Some(moving) = connection
        && moving.as_mut().poll(context).is_ready()
    {
        *connection = None;
    }
}

/// As a request to a server is written: the path alone, and the host in a field (RFC 9112 section 3.2.1).
fn request(attempt: &Attempt<'_>) -> Request<Outgoing> {
    let place = &attempt.target.uri;
    let mut request = super::super::request(attempt);
    if let Some(host) = place.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(path) = place.path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    request
}
