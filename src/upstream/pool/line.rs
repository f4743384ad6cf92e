//! One connection of HTTP/1.1, moved by whoever makes a call on it.
//!
//! Between calls a line is a socket and a timer. What a call writes and reads goes through memory of the thread, which
//! is borrowed within one poll only; a call that has to wait keeps no more than what is on its way.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::{BODY_IDLE, CallError, Sent, timed_out};
use super::answer::{Ended, Reader};
use super::request::Request;
use super::{Attempt, Fate};
use crate::net::Stream;

/// What is read at once: a thread needs this once, and most answers are a tenth of it.
const SCRATCH: usize = 16 * 1024;

thread_local! {
    static INCOMING: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// A connection. Nobody moves its bytes between calls; what arrives meanwhile is found by the next one, or by
/// [`is_alive`](Self::is_alive).
pub(super) struct Line {
    stream: Stream,
    /// Kept from call to call: a timer that is only ever put off costs next to nothing. So it stays set when a call is
    /// done, and wakes the task of that call once, for nothing, if no other call puts it off before that call's deadline.
    alarm: Pin<Box<Sleep>>,
    /// Whether all that was begun on it has come to its end.
    is_reusable: bool,
}

impl Line {
    /// A connection over `stream`.
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, alarm: Box::pin(sleep_until(Instant::now())), is_reusable: true }
    }

    /// Makes a call. Afterwards the connection is good for another one if [`is_reusable`](Self::is_reusable) says so;
    /// never when this future was dropped before its end.
    pub(super) async fn call(&mut self, attempt: &Attempt<'_>) -> Fate {
        let Self { stream, alarm, is_reusable } = self;
        *is_reusable = false;
        if let Some(reason) = unconstrained(poll_fn(|context| Poll::Ready(look(stream, context)))).await {
            return Fate::Untouched(reason);
        }
        let mut exchange = Exchange::new(stream, attempt);
        let mut set = None;
        let (fate, is_good) = poll_fn(|context| {
            if let Poll::Ready(done) = exchange.poll(context) {
                return Poll::Ready(done);
            }
            let until = exchange.until();
            if set != Some(until) {
                alarm.as_mut().reset(until);
                set = Some(until);
            }
            alarm.as_mut().poll(context).map(|()| (exchange.too_late(), false))
        })
        .await;
        *is_reusable = is_good;
        fate
    }

    /// Whether another call can be made.
    pub(super) fn is_reusable(&self) -> bool {
        self.is_reusable
    }

    /// Whether an idle connection is still open, as far as is known on this side.
    pub(super) fn is_alive(&mut self) -> bool {
        let look = unconstrained(poll_fn(|context| Poll::Ready(look(&mut self.stream, context))));
        // Ready at once.
        let looked = pin!(look).poll(&mut Context::from_waker(Waker::noop()));
        self.is_reusable && looked == Poll::Ready(None)
    }
}

/// Why no call can be made any more on a connection that nobody uses, if that is so: it was closed, or something came
/// that nobody asked for.
///
/// Who looks is not to do so at the expense of the task's budget, which pays for the reads of 128 connections: further
/// ones would look as if nothing had come from them. The system is called only when something has come.
fn look(stream: &mut Stream, context: &mut Context<'_>) -> Option<String> {
    let mut byte = [0];
    let mut byte = ReadBuf::new(&mut byte);
    match AsyncRead::poll_read(Pin::new(stream), context, &mut byte) {
        Poll::Pending => None,
        Poll::Ready(read) => Some(unasked(read.map(|()| byte.filled()))),
    }
}

/// What this is that nobody asked for.
fn unasked(read: io::Result<&[u8]>) -> String {
    match read {
        Ok([]) => "the connection was closed".to_owned(),
        Ok(_) => "something came that nobody asked for".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// A call under way.
struct Exchange<'a> {
    stream: &'a mut Stream,
    attempt: &'a Attempt<'a>,
    request: Request,
    reader: Reader,
    /// Until when a body may pause that has begun; none when more of it has come since.
    pause: Option<Instant>,
    /// Whether nothing has happened since the look before the call, which has left word to be told if something does.
    is_watched: bool,
}

impl<'a> Exchange<'a> {
    fn new(stream: &'a mut Stream, attempt: &'a Attempt<'a>) -> Self {
        let reader = Reader::new(attempt.limits.most);
        Self { stream, attempt, request: Request::new(), reader, pause: None, is_watched: true }
    }

    /// How it ended, and whether the connection is good for another one. A server may answer before it has taken all of
    /// the request, and then take no more.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Fate, bool)> {
        if let Err(error) = self.request.poll(self.attempt, self.stream, context) {
            return Poll::Ready((Fate::Untouched(error.to_string()), false));
        }
        if std::mem::take(&mut self.is_watched) {
            return Poll::Pending;
        }
        INCOMING.with_borrow_mut(|scratch| {
            loop {
                let mut buffer = ReadBuf::new(scratch);
                let read = ready!(AsyncRead::poll_read(Pin::new(&mut *self.stream), context, &mut buffer));
                if let Some(done) = self.came(read.map(|()| buffer.filled())) {
                    return Poll::Ready(done);
                }
            }
        })
    }

    /// What came of these bytes, or of the end if there are none.
    fn came(&mut self, read: io::Result<&[u8]>) -> Option<(Fate, bool)> {
        if self.request.sent() == Sent::No {
            return Some((Fate::Untouched(unasked(read)), false));
        }
        self.pause = None;
        let reason = match read {
            Ok(bytes) => {
                let read =
                    if bytes.is_empty() { self.reader.end().map(Some) } else { self.reader.read(bytes) };
                match read {
                    Ok(None) => return None,
                    Ok(Some(Ended { answer, keeps_line })) => {
                        return Some((Fate::Answered(answer), keeps_line && self.request.is_gone()));
                    }
                    Err(broken) => broken.to_string(),
                }
            }
            Err(error) if self.reader.has_head() => format!("the answer broke off: {error}"),
            Err(error) => error.to_string(),
        };
        let error = CallError { sent: self.request.sent(), is_timeout: false, reason };
        Some((Fate::Failed(error), false))
    }

    /// When it has waited long enough.
    fn until(&mut self) -> Instant {
        let limits = &self.attempt.limits;
        if !self.reader.has_head() {
            return limits.head;
        }
        (*self.pause.get_or_insert_with(|| Instant::now() + BODY_IDLE)).min(limits.end)
    }

    fn too_late(&self) -> Fate {
        let has_head = self.reader.has_head();
        let reason = if has_head { "the answer did not end in time" } else { "no answer in time" };
        Fate::Failed(CallError { sent: self.request.sent(), ..timed_out(reason) })
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
