//! One connection of HTTP/1.1, moved by whoever makes a call on it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::body::Outgoing;
use super::super::{CallError, Sent, innermost, read};
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
        let (sender, connection) = handshake(stream).await?;
        let alarm = Box::pin(sleep_until(Instant::now()));
        Ok(Self { sender, motor: Motor { connection: Some(Box::pin(connection)), alarm } })
    }

    /// Makes a call. Afterwards the connection is good for another one if [`is_reusable`](Self::is_reusable) says so;
    /// never when this future was dropped before its end.
    pub(super) async fn call(&mut self, attempt: &Attempt<'_>) -> Fate {
        let Attempt { body: grip, limits, .. } = attempt;
        let sent = self.sender.try_send_request(request(attempt));
        let response = match self.motor.run(limits.head, sent).await {
            Some(Ok(response)) => response,
            Some(Err(mut error)) => {
                let is_untouched = error.take_message().is_some();
                let reason = innermost(&error.into_error());
                return if is_untouched {
                    Fate::Untouched(reason)
                } else {
                    Fate::Failed(CallError { sent: grip.take_back(), is_timeout: false, reason })
                };
            }
            None => {
                let reason = "no answer in time".to_owned();
                return Fate::Failed(CallError { sent: grip.take_back(), is_timeout: true, reason });
            }
        };
        let (parts, body) = response.into_parts();
        match self.motor.run(limits.end, read(body, limits.end, limits.most)).await {
            Some(Ok(body)) => Fate::Answered(Whole { status: parts.status, headers: parts.headers, body }),
            Some(Err(error)) => Fate::Failed(error),
            None => {
                let reason = "the answer did not end in time".to_owned();
                Fate::Failed(CallError { sent: Sent::Maybe, is_timeout: true, reason })
            }
        }
    }

    /// Whether another call can be made.
    pub(super) fn is_reusable(&self) -> bool {
        self.motor.connection.is_some() && self.sender.is_ready()
    }

    /// Whether an idle connection is still open, as far as is known on this side.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        self.motor.turn(&mut context);
        self.is_reusable()
    }
}

/// Moves the bytes of a connection for as long as somebody waits for something from it.
struct Motor {
    /// Gone once it has ended.
    connection: Option<Pin<Box<Connection<Stream, Outgoing>>>>,
    /// Kept from call to call: a timer that is only ever put off costs next to nothing.
    alarm: Pin<Box<Sleep>>,
}

impl Motor {
    /// Waits for `work` while the connection moves, until `end`.
    async fn run<T>(&mut self, end: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut is_set = false;
        std::future::poll_fn(|context| {
            self.turn(context);
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if !is_set {
                self.alarm.as_mut().reset(end);
                is_set = true;
            }
            self.alarm.as_mut().poll(context).map(|()| None)
        })
        .await
    }

    /// Moves what can be moved. What went wrong is told to the caller by hyper, through the call's own future.
    fn turn(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && connection.as_mut().poll(context).is_ready()
        {
            self.connection = None;
        }
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
