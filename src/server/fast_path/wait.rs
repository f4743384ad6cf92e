//! Waiting for the next request of a connection.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFuture;

use super::super::connection::ClientStream;
use super::super::crowd::Crowd;
use super::super::request::Request;
use super::Ended;
use crate::http1::{self, LARGEST_BODY, Partial, Unready};

/// Read at once: mostly a whole request.
const READ: usize = LARGEST_BODY + 4096;
/// The timeout for the rest of a request. Many clients send head and body one after the other.
const REST: Duration = Duration::from_secs(1);
/// How many pipelined requests are served before other connections get their turn.
const IN_A_ROW: usize = 16;

thread_local! {
    /// What has just been read; nothing stays in it.
    static INCOMING: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// The next request of a connection.
pub(super) struct Next {
    pub(super) request: Request,
    /// Whether the client wants nothing after it.
    pub(super) is_last: bool,
}

/// Waiting for the next request.
pub(super) struct Wait<'a> {
    /// Since when it is waited for.
    pub(super) since: Instant,
    /// What has arrived of an incomplete request.
    partial: Partial,
    /// When its rest has to be there; nothing while nothing has arrived.
    rest_until: Option<Instant>,
    /// What came with the request before.
    pipelined: Bytes,
    /// How many came so, one after the other.
    in_a_row: usize,
    /// The timeout without a request.
    idle: Duration,
    /// The largest head.
    head_bytes: usize,
    /// Whether other connections wait for this one to end.
    crowd: &'a Crowd,
    /// Set to a time that is never too late, and put off only when it fires: requests come more often than timeouts.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the end of the listener would wake this connection.
    is_watched: bool,
    /// Whether there was a request.
    has_asked: bool,
}

impl<'a> Wait<'a> {
    /// For requests with heads of at most `head_bytes`, and never longer than `idle` without one.
    pub(super) fn new(idle: Duration, head_bytes: usize, crowd: &'a Crowd) -> Self {
        Self {
            since: Instant::now(),
            partial: Partial::default(),
            rest_until: None,
            pipelined: Bytes::new(),
            in_a_row: 0,
            idle,
            head_bytes,
            crowd,
            timer: None,
            is_watched: false,
            has_asked: false,
        }
    }

    /// Reads until there is a whole request.
    pub(super) fn poll(
        &mut self,
        stream: &mut ClientStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Result<Next, Ended>>> {
        if !self.pipelined.is_empty() {
            self.in_a_row += 1;
            if self.in_a_row > IN_A_ROW {
                self.in_a_row = 0;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let pipelined = mem::take(&mut self.pipelined);
            if let Some(next) = self.read(pipelined) {
                return Poll::Ready(Ok(next));
            }
        }
        self.in_a_row = 0;
        loop {
            let read = INCOMING.with_borrow_mut(|buffer| {
                let count = ready!(stream.poll_read_in(context, buffer))?;
                let bytes = buffer.get(..count).unwrap_or_default();
                Poll::Ready(io::Result::Ok(match bytes {
                    [] => Some(Err(self.end())),
                    bytes if self.rest_until.is_none() => self.read(Bytes::copy_from_slice(bytes)),
                    bytes if self.partial.push(bytes, self.head_bytes) => {
                        let bytes = self.partial.take();
                        self.read(bytes.into())
                    }
                    _ => None,
                }))
            });
            match read {
                Poll::Ready(Ok(Some(next))) => return Poll::Ready(Ok(next)),
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_timer(context).map(|ended| Ok(Err(ended))),
            }
        }
    }

    /// Stops waiting. An incomplete request is for hyper to wait for, or to refuse.
    fn end(&mut self) -> Ended {
        let bytes = self.partial.take();
        if bytes.is_empty() { Ended::Closed } else { Ended::Fallback(bytes.into()) }
    }

    /// Reads the request at the front of `bytes`, or keeps them until there are more.
    fn read(&mut self, bytes: Bytes) -> Option<Result<Next, Ended>> {
        let mut room = http1::ROOM;
        let length = match http1::Request::read(&bytes, self.head_bytes, &mut room) {
            Ok(read) => {
                let Some(request) = Request::from_http1(&bytes, &read) else {
                    return Some(Err(Ended::Fallback(bytes)));
                };
                self.rest_until = None;
                self.has_asked = true;
                if read.length() < bytes.len() {
                    self.pipelined = bytes.slice(read.length()..);
                }
                return Some(Ok(Next { request, is_last: read.is_last }));
            }
            Err(Unready::Unusual) => return Some(Err(Ended::Fallback(bytes))),
            Err(Unready::Head) => None,
            Err(Unready::Body(length)) => Some(length),
        };
        self.rest_until.get_or_insert_with(|| Instant::now() + REST.min(self.idle));
        self.partial = Partial::new(bytes.into(), length);
        None
    }

    /// Ready when a timeout is over.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        let end = self.rest_until.unwrap_or(self.since + self.idle);
        // It fires now and then, to see whether other connections wait.
        let next = |now: Instant| end.min(now + Crowd::IDLE);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(next(Instant::now()))));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        while timer.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if end <= now || (self.crowd.waits() && self.since + Crowd::IDLE <= now) {
                return Poll::Ready(self.end());
            }
            timer.as_mut().reset(next(now));
        }
        Poll::Pending
    }

    /// Ready when the connection is to end because the listener closes, which it does not before `is_closing`. One
    /// without any request so far gets the time `silent`.
    ///
    /// Polling the token takes a lock that all connections share. So that is done once, and again when `is_closing`; a
    /// task's waker stays the same, so the one that the token has does not have to be renewed.
    pub(super) fn poll_closing(
        &mut self,
        closed: Pin<&mut WaitForCancellationFuture<'_>>,
        context: &mut Context<'_>,
        silent: Duration,
        is_closing: bool,
    ) -> Poll<Ended> {
        if self.is_watched && !is_closing {
            return Poll::Pending;
        }
        self.is_watched = true;
        ready!(closed.poll(context));
        if self.rest_until.is_some() || !self.pipelined.is_empty() {
            return Poll::Pending;
        }
        if self.has_asked {
            return Poll::Ready(Ended::Closed);
        }
        if self.idle != silent {
            (self.since, self.idle) = (Instant::now(), silent);
        }
        self.poll_timer(context)
    }
}
