//! Waiting for the next request of a connection.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFuture;

use super::super::connection::ClientStream;
use super::super::listener::Crowd;
use super::Ended;
use super::head::{Plain, Unready, read};

/// What is read at once: any plain request, mostly.
const READ: usize = 16 * 1024 + 4096;
/// How long the rest of a request is waited for. Many clients send head and body one after the other.
const MOMENT: Duration = Duration::from_secs(1);
/// How many requests that came together are taken before others have their turn.
const IN_A_ROW: usize = 16;

thread_local! {
    /// What has just been read; nothing stays in it.
    static INCOMING: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// What comes next on a connection.
pub(super) type Next = Result<Plain, Ended>;

/// Waiting for the next request.
pub(super) struct Wait<'a> {
    /// Since when it is waited for.
    pub(super) since: Instant,
    /// What there is of it.
    begun: Begun,
    /// What came with the request before it.
    after: Bytes,
    /// How many came so, one after the other.
    in_a_row: usize,
    /// How long it is waited for.
    idle: Duration,
    /// The largest head.
    head_bytes: usize,
    /// Who may be waiting for this connection to end.
    crowd: &'a Crowd,
    /// Set to some time that is not later than it has to be, and put off only when it rings: requests come more often
    /// than anybody has to be told that there are none.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whether the end of the listener would wake this connection.
    is_watched: bool,
    /// Whether there was a request.
    has_asked: bool,
}

/// What there is of a request that is not whole.
struct Begun {
    bytes: Vec<u8>,
    /// The whole of it, once its head is there.
    length: Option<usize>,
    /// When its rest has to be there; nothing while nothing is.
    end: Option<Instant>,
}

impl Begun {
    const NOTHING: Self = Self { bytes: Vec::new(), length: None, end: None };
}

impl<'a> Wait<'a> {
    /// For requests with heads of `head_bytes` at most, and never longer than `idle` without one.
    pub(super) fn new(idle: Duration, head_bytes: usize, crowd: &'a Crowd) -> Self {
        Self {
            since: Instant::now(),
            begun: Begun::NOTHING,
            after: Bytes::new(),
            in_a_row: 0,
            idle,
            head_bytes,
            crowd,
            alarm: None,
            is_watched: false,
            has_asked: false,
        }
    }

    /// Reads until there is a whole request.
    pub(super) fn poll(
        &mut self,
        stream: &mut ClientStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<Next>> {
        if !self.after.is_empty() {
            self.in_a_row += 1;
            if self.in_a_row > IN_A_ROW {
                self.in_a_row = 0;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let after = mem::take(&mut self.after);
            if let Some(next) = self.take(after) {
                return Poll::Ready(Ok(next));
            }
        }
        self.in_a_row = 0;
        loop {
            let read = INCOMING.with_borrow_mut(|buffer| {
                let count = ready!(stream.poll_take(context, buffer))?;
                let read = buffer.get(..count).unwrap_or_default();
                Poll::Ready(io::Result::Ok(match read {
                    [] => Some(Err(self.end())),
                    read if self.begun.end.is_none() => self.take(Bytes::copy_from_slice(read)),
                    read => self.add(read),
                }))
            });
            match read {
                Poll::Ready(Ok(Some(next))) => return Poll::Ready(Ok(next)),
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_alarm(context).map(|ended| Ok(Err(ended))),
            }
        }
    }

    /// Nothing more is waited for. What was begun is for hyper to wait for, or to refuse.
    fn end(&mut self) -> Ended {
        let bytes = mem::replace(&mut self.begun, Begun::NOTHING).bytes;
        if bytes.is_empty() { Ended::Closed } else { Ended::Odd(bytes.into()) }
    }

    /// Takes the request off the front of `bytes`, or keeps them for later.
    fn take(&mut self, bytes: Bytes) -> Option<Next> {
        let length = match read(&bytes, self.head_bytes) {
            Ok(plain) => {
                self.begun = Begun::NOTHING;
                self.has_asked = true;
                if plain.length < bytes.len() {
                    self.after = bytes.slice(plain.length..);
                }
                return Some(Ok(plain));
            }
            Err(Unready::Odd) => return Some(Err(Ended::Odd(bytes))),
            Err(Unready::Head) => None,
            Err(Unready::Body(length)) => Some(length),
        };
        let end = self.begun.end.unwrap_or_else(|| Instant::now() + MOMENT.min(self.idle));
        self.begun = Begun { bytes: bytes.into(), length, end: Some(end) };
        None
    }

    /// Adds what has arrived to what is there of a request.
    fn add(&mut self, read: &[u8]) -> Option<Next> {
        let Begun { bytes, length, .. } = &mut self.begun;
        let seen = bytes.len();
        bytes.extend_from_slice(read);
        let is_ready = match *length {
            Some(length) => length <= bytes.len(),
            // Reading a head again for each of its bytes would take the square of its length.
            None => {
                ends_head(bytes.get(seen.saturating_sub(3)..).unwrap_or_default())
                    || bytes.len() > self.head_bytes
            }
        };
        if !is_ready {
            return None;
        }
        let bytes = mem::take(bytes);
        self.take(bytes.into())
    }

    /// Whether it was waited for long enough.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        let end = self.begun.end.unwrap_or(self.since + self.idle);
        // It rings now and then, to see whether anybody waits.
        let next = |now: Instant| end.min(now + Crowd::IDLE);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(next(Instant::now()))));
        if alarm.deadline() > end {
            alarm.as_mut().reset(end);
        }
        while alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if end <= now || (self.crowd.waits() && self.since + Crowd::IDLE <= now) {
                return Poll::Ready(self.end());
            }
            alarm.as_mut().reset(next(now));
        }
        Poll::Pending
    }

    /// Whether nobody is to be waited for any more, because the listener closes, which it does not before `is_closing`.
    /// A connection that has asked nothing yet is left for the time `silent`.
    ///
    /// Asking the listener takes a lock which all connections share. So it is asked once, and again when there is reason
    /// to; a task's waker stays the same, so what was once left with the token does not have to be renewed.
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
        if self.begun.end.is_some() || !self.after.is_empty() {
            return Poll::Pending;
        }
        if self.has_asked {
            return Poll::Ready(Ended::Closed);
        }
        if self.idle != silent {
            (self.since, self.idle) = (Instant::now(), silent);
        }
        self.poll_alarm(context)
    }
}

/// Whether a head ends in `bytes`, in lines of either kind.
fn ends_head(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\n\r\n").is_some() || memmem::find(bytes, b"\n\n").is_some()
}
