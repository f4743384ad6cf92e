//! Plain requests: what clients send as long as nothing is unusual.
//!
//! A plain request has one path, one length that is not large, no coding, and asks for nothing but an answer. hyper's
//! own parser reads its head, and what follows from it is so little that it is done here: a connection that waits has no
//! buffer at all, and a message costs half of what a connection in hyper's hands takes. The first request that is
//! anything else, well-formed or not, goes to hyper with all that was read, and the connection stays there: nothing is
//! interpreted here that two servers could see differently.

mod answer;
mod head;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use memchr::memmem;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use self::head::{Plain, Unready};
use super::asked::Asked;
use super::connection::ClientStream;
use super::respond::{After, Body, Reply};
use crate::upstream::Stream;

/// What is read at once: any plain request, mostly.
const READ: usize = 16 * 1024 + 4096;
/// How long the rest of a request is waited for. Many clients send head and body one after the other.
const MOMENT: Duration = Duration::from_secs(1);
/// Answers that are larger are not copied behind their heads.
const SMALL: usize = 16 * 1024;

thread_local! {
    /// What has just been read; nothing stays in it.
    static INCOMING: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
    /// Room for an answer that is about to be written; not there while one waits for its client.
    static OUTGOING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How the plain part of a connection ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// With the connection.
    Closed,
    /// With this request, which hyper reads.
    Odd(Bytes),
}

impl Ended {
    /// With what there is of a request that does not go on.
    fn with(bytes: Vec<u8>) -> Self {
        if bytes.is_empty() { Self::Closed } else { Self::Odd(bytes.into()) }
    }
}

/// When to stop waiting for a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience<'a> {
    /// After this long without one.
    pub(super) idle: Duration,
    /// Bytes of a head.
    pub(super) head_bytes: usize,
    /// When the listener closes.
    pub(super) closing: &'a CancellationToken,
    /// How long a connection that has asked nothing yet is left when it does.
    pub(super) silent: Duration,
}

/// Serves the plain requests of `stream`.
pub(super) async fn serve<F>(
    stream: &mut ClientStream,
    patience: Patience<'_>,
    is_closing: impl Fn() -> bool,
    answer: impl Fn(Asked) -> F,
) -> io::Result<Ended>
where
    F: Future<Output = Reply>,
{
    let mut closed = pin!(patience.closing.cancelled());
    let mut wait = Wait::new(patience.idle);
    loop {
        let next = poll_fn(|context| {
            if let Poll::Ready(next) = wait.poll(stream, context, patience.head_bytes) {
                return Poll::Ready(next);
            }
            wait.poll_closing(closed.as_mut(), context, patience.silent, &is_closing).map(|()| Ok(END))
        });
        let Plain { asked, is_last, .. } = match next.await? {
            Ok(plain) => plain,
            Err(Ended::Closed) => break,
            Err(odd @ Ended::Odd(_)) => return Ok(odd),
        };
        let reply = answer(asked).await;
        if reply.after == After::Unread {
            stream.linger().ask();
        }
        let is_last = is_last || reply.after != After::Open;
        wait.since = reply.ready_at.unwrap_or_else(Instant::now);
        give(stream, reply, is_last, wait.since).await?;
        if is_last {
            break;
        }
    }
    poll_fn(|context| stream.poll_end(context)).await?;
    Ok(Ended::Closed)
}

/// What comes next on a connection.
type Next = Result<Plain, Ended>;

/// Nothing does.
const END: Next = Err(Ended::Closed);

/// Waiting for the next request.
struct Wait {
    /// What there is of it.
    begun: Begun,
    /// Since when it is waited for.
    since: Instant,
    idle: Duration,
    /// Set to some time that is not later than it has to be, and put off only when it rings: requests come more often
    /// than anybody has to be told that there are none.
    alarm: Option<Pin<Box<Sleep>>>,
    /// Whether the end of the listener would wake this connection.
    is_watched: bool,
    /// Whether there was a request.
    has_asked: bool,
}

/// What there is of a request.
struct Begun {
    bytes: Vec<u8>,
    /// The whole of it, once its head is there.
    length: Option<usize>,
    /// When its rest has to be there.
    end: Option<Instant>,
}

impl Begun {
    const NOTHING: Self = Self { bytes: Vec::new(), length: None, end: None };
}

impl Wait {
    fn new(idle: Duration) -> Self {
        Self {
            begun: Begun::NOTHING,
            since: Instant::now(),
            idle,
            alarm: None,
            is_watched: false,
            has_asked: false,
        }
    }

    /// Reads until there is a whole request.
    fn poll(
        &mut self,
        stream: &mut ClientStream,
        context: &mut Context<'_>,
        head_bytes: usize,
    ) -> Poll<io::Result<Next>> {
        // One that came with the request before it.
        if self.begun.end.is_none() && !self.begun.bytes.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.begun.bytes));
            if let Some(next) = self.take(bytes, head_bytes) {
                return Poll::Ready(Ok(next));
            }
        }
        loop {
            let read = INCOMING.with_borrow_mut(|buffer| {
                let count = ready!(stream.poll_take(context, buffer))?;
                let read = buffer.get(..count).unwrap_or_default();
                Poll::Ready(io::Result::Ok(match read {
                    [] => self.end(),
                    read if self.begun.bytes.is_empty() => {
                        self.take(Bytes::copy_from_slice(read), head_bytes)
                    }
                    read => self.add(read, head_bytes),
                }))
            });
            match read {
                Poll::Ready(Ok(Some(next))) => return Poll::Ready(Ok(next)),
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return self.poll_alarm(context).map(Ok),
            }
        }
    }

    /// The client sends nothing more. What it began is for hyper to refuse.
    fn end(&mut self) -> Option<Next> {
        let bytes = std::mem::replace(&mut self.begun, Begun::NOTHING).bytes;
        Some(Err(Ended::with(bytes)))
    }

    /// Takes the request off the front of `bytes`, or keeps them for later.
    fn take(&mut self, bytes: Bytes, head_bytes: usize) -> Option<Next> {
        match head::read(&bytes) {
            Ok(plain) => {
                let after = bytes.get(plain.length..).unwrap_or_default();
                self.begun = Begun { bytes: after.to_vec(), ..Begun::NOTHING };
                self.has_asked = true;
                Some(Ok(plain))
            }
            Err(Unready::Head) if bytes.len() <= head_bytes => {
                self.keep(&bytes, None);
                None
            }
            Err(Unready::Body(length)) => {
                self.keep(&bytes, Some(length));
                None
            }
            Err(Unready::Head | Unready::Odd) => Some(Err(Ended::Odd(bytes))),
        }
    }

    fn keep(&mut self, bytes: &[u8], length: Option<usize>) {
        let end = self.begun.end.unwrap_or_else(|| Instant::now() + MOMENT);
        self.begun = Begun { bytes: bytes.to_vec(), length, end: Some(end) };
    }

    /// Adds what has arrived to what is there of a request.
    fn add(&mut self, read: &[u8], head_bytes: usize) -> Option<Next> {
        let Begun { bytes, length, .. } = &mut self.begun;
        let seen = bytes.len();
        bytes.extend_from_slice(read);
        let is_ready = match *length {
            Some(length) => length <= bytes.len(),
            // Reading a head again for each of its bytes would take the square of its length.
            None => {
                ends_head(bytes.get(seen.saturating_sub(3)..).unwrap_or_default()) || bytes.len() > head_bytes
            }
        };
        if is_ready {
            let bytes = std::mem::take(bytes);
            return self.take(bytes.into(), head_bytes);
        }
        None
    }

    /// A connection that asks nothing for too long ends; a request that does not go on is for hyper to wait for.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        let end = self.begun.end.unwrap_or(self.since + self.idle);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if alarm.deadline() > end {
            alarm.as_mut().reset(end);
        }
        while alarm.as_mut().poll(context).is_ready() {
            if end <= Instant::now() {
                let bytes = std::mem::replace(&mut self.begun, Begun::NOTHING).bytes;
                return Poll::Ready(Err(Ended::with(bytes)));
            }
            alarm.as_mut().reset(end);
        }
        Poll::Pending
    }

    /// Whether nobody is to be waited for any more, because the listener closes.
    ///
    /// Asking that takes a lock which all connections share. So it is asked once, and again when there is reason to; a
    /// task's waker stays the same, so what was once left with the token does not have to be renewed.
    fn poll_closing(
        &mut self,
        closed: Pin<&mut WaitForCancellationFuture<'_>>,
        context: &mut Context<'_>,
        silent: Duration,
        is_closing: impl Fn() -> bool,
    ) -> Poll<()> {
        if self.is_watched && !is_closing() {
            return Poll::Pending;
        }
        self.is_watched = true;
        ready!(closed.poll(context));
        if self.begun.end.is_some() {
            return Poll::Pending;
        }
        if self.has_asked {
            return Poll::Ready(());
        }
        if self.idle != silent {
            (self.since, self.idle) = (Instant::now(), silent);
        }
        self.poll_alarm(context).map(|_| ())
    }
}

/// Whether a head ends in `bytes`, in lines of either kind.
fn ends_head(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\n\r\n").is_some() || memmem::find(bytes, b"\n\n").is_some()
}

/// Writes an answer.
async fn give(stream: &mut ClientStream, reply: Reply, is_last: bool, now: Instant) -> io::Result<()> {
    let is_small = matches!(&reply.body, Body::Whole(whole) if whole.len() <= SMALL);
    let mut out = OUTGOING.take();
    answer::head(&mut out, &reply, is_last, now);
    if let Body::Whole(whole) = &reply.body
        && is_small
    {
        out.extend_from_slice(whole);
    }
    write(stream, &out).await?;
    out.clear();
    OUTGOING.set(out);
    match reply.body {
        Body::Whole(_) if is_small => {}
        Body::Whole(whole) => write(stream, &whole).await?,
        Body::Stream { bytes, length } => pass(stream, bytes, length).await?,
    }
    poll_fn(|context| stream.poll_let_go(context)).await
}

/// Passes a file on as it arrives. If it ends too early or too late, so does the connection: nothing else would tell the
/// client.
async fn pass(stream: &mut ClientStream, mut bytes: Stream, length: u64) -> io::Result<()> {
    let mut left = length;
    while let Some(frame) = bytes.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        left = left.checked_sub(data.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
        write(stream, &data).await?;
    }
    if left == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

async fn write(stream: &mut ClientStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|context| stream.poll_give(context, bytes)).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}
