//! One connection of HTTP/1.1, polled by the call that uses it.
//!
//! Between calls a connection is a socket and a timer. A call writes from and reads into memory of the thread, which is
//! borrowed within one poll only; one that has to wait keeps no more than what is in flight.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::{Answer, BODY_IDLE, CallError, Sent, timed_out};
use super::request::OutgoingRequest;
use super::{Attempt, Outcome};
use crate::http1::{Response, ResponseReader};
use crate::net::Stream;

/// Read at once: a thread needs this once, and most responses are a tenth of it.
const SCRATCH: usize = 16 * 1024;

thread_local! {
    static INCOMING: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// A connection. Nobody polls it between calls; what arrives meanwhile is found by the next one, or by
/// [`is_alive`](Self::is_alive).
pub(super) struct Http1Connection {
    stream: Stream,
    /// Kept from call to call: a timer that is only ever put off costs next to nothing. So it stays set when a call is
    /// done, and wakes the task of that call once, for nothing, if no other call puts it off before that deadline.
    timer: Pin<Box<Sleep>>,
    /// Whether every call so far has come to its end.
    is_reusable: bool,
}

impl Http1Connection {
    /// A connection over `stream`.
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, timer: Box::pin(sleep_until(Instant::now())), is_reusable: true }
    }

    /// Makes a call. [`is_reusable`](Self::is_reusable) says whether another one may follow: never when this future was
    /// dropped before it completed.
    pub(super) async fn call(&mut self, attempt: &Attempt<'_>) -> Outcome {
        let Self { stream, timer, is_reusable } = self;
        *is_reusable = false;
        if let Some(reason) = unconstrained(poll_fn(|context| Poll::Ready(check(stream, context)))).await {
            return Outcome::NotSent(reason);
        }
        let mut exchange = Exchange::new(stream, attempt);
        let mut set = None;
        let (outcome, is_good) = poll_fn(|context| {
            if let Poll::Ready(done) = exchange.poll(context) {
                return Poll::Ready(done);
            }
            let deadline = exchange.deadline();
            if set != Some(deadline) {
                timer.as_mut().reset(deadline);
                set = Some(deadline);
            }
            timer.as_mut().poll(context).map(|()| (exchange.timed_out(), false))
        })
        .await;
        *is_reusable = is_good;
        outcome
    }

    /// Whether another call can be made.
    pub(super) fn is_reusable(&self) -> bool {
        self.is_reusable
    }

    /// Whether an idle connection is still open, as far as this side knows.
    pub(super) fn is_alive(&mut self) -> bool {
        let check = unconstrained(poll_fn(|context| Poll::Ready(check(&mut self.stream, context))));
        // Ready at once.
        let checked = pin!(check).poll(&mut Context::from_waker(Waker::noop()));
        self.is_reusable && checked == Poll::Ready(None)
    }
}

/// Why an idle connection can carry no further call, if that is so: it was closed, or unsolicited bytes have arrived.
///
/// Not at the expense of the task's budget, which pays for the reads of 128 connections: further ones would look as if
/// nothing had come from them. The system is called only when something has come.
fn check(stream: &mut Stream, context: &mut Context<'_>) -> Option<String> {
    let mut byte = [0];
    let mut byte = ReadBuf::new(&mut byte);
    match AsyncRead::poll_read(Pin::new(stream), context, &mut byte) {
        Poll::Pending => None,
        Poll::Ready(read) => Some(unsolicited(read.map(|()| byte.filled()))),
    }
}

/// What was read although nothing was due.
fn unsolicited(read: io::Result<&[u8]>) -> String {
    match read {
        Ok([]) => "the connection was closed".to_owned(),
        Ok(_) => "something came that nobody asked for".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A call in progress.
struct Exchange<'a> {
    stream: &'a mut Stream,
    attempt: &'a Attempt<'a>,
    request: OutgoingRequest,
    reader: ResponseReader,
    /// The deadline of the next part of a body; none when one has come since.
    pause: Option<Instant>,
    /// Whether nothing has happened since the check before the call, which has registered the waker for reading.
    is_watched: bool,
}

impl<'a> Exchange<'a> {
    fn new(stream: &'a mut Stream, attempt: &'a Attempt<'a>) -> Self {
        let reader = ResponseReader::new(attempt.limits.max_body);
        Self { stream, attempt, request: OutgoingRequest::new(), reader, pause: None, is_watched: true }
    }

    /// Its outcome, and whether the connection can carry another call. A server may answer before it has read all of the
    /// request, and then read no more.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Outcome, bool)> {
        if let Err(error) = self.request.poll(self.attempt, self.stream, context) {
            return Poll::Ready((Outcome::NotSent(error.to_string()), false));
        }
        if std::mem::take(&mut self.is_watched) {
            return Poll::Pending;
        }
        INCOMING.with_borrow_mut(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(scratch);
                let read = ready!(AsyncRead::poll_read(Pin::new(&mut *self.stream), context, &mut buffer));
                if let Some(done) = self.read(read.map(|()| buffer.filled())) {
                    return Poll::Ready(done);
                }
            }
        })
    }

    /// The outcome after these bytes, or after the end if there are none.
    fn read(&mut self, read: io::Result<&[u8]>) -> Option<(Outcome, bool)> {
        if self.request.sent() == Sent::No {
            return Some((Outcome::NotSent(unsolicited(read)), false));
        }
        self.pause = None;
        let reason = match read {
            Ok(bytes) => {
                let read =
                    if bytes.is_empty() { self.reader.end().map(Some) } else { self.reader.read(bytes) };
                match read {
                    Ok(None) => return None,
                    Ok(Some(Response { status, retry_after, body, keeps_connection })) => {
                        let answer = Answer { status, retry_after, body: body.into() };
                        return Some((
                            Outcome::Answered(answer),
                            keeps_connection && self.request.is_written(),
                        ));
                    }
                    Err(error) => error.to_string(),
                }
            }
            Err(error) if self.reader.has_head() => format!("the answer broke off: {error}"),
            Err(error) => error.to_string(),
        };
        let error = CallError { sent: self.request.sent(), is_timeout: false, reason };
        Some((Outcome::Failed(error), false))
    }

    fn deadline(&mut self) -> Instant {
        let limits = &self.attempt.limits;
        if !self.reader.has_head() {
            return limits.head;
        }
        (*self.pause.get_or_insert_with(|| Instant::now() + BODY_IDLE)).min(limits.end)
    }

    fn timed_out(&self) -> Outcome {
        let has_head = self.reader.has_head();
        let reason = if has_head { "the answer did not end in time" } else { "no answer in time" };
        Outcome::Failed(CallError { sent: self.request.sent(), ..timed_out(reason) })
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
