//! The fast path: requests as clients usually send them, served without hyper.
//!
//! Such a request has one path, one length that is not large, no coding, and asks for nothing but a reply.
//! [`http1`](crate::http1) reads it and writes the reply's head: an idle connection has no buffer at all, and a message
//! costs half of what it takes on a connection of hyper's. The first request that is anything else, well-formed or not,
//! goes to the fallback, hyper, with all bytes that were read, and the connection stays there.

mod wait;

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::wait::{Next, Wait};
use super::connection::ClientStream;
use super::crowd::Crowd;
use super::request::Request;
use super::respond::{After, Body, Reply};
use crate::http1::HeadWriter;
use crate::net::ByteStream;

/// Larger bodies are not copied behind their heads.
const SMALL: usize = 16 * 1024;

thread_local! {
    /// The buffer that replies are written from. Taken out while a write waits for its client.
    static OUTGOING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How the fast path of a connection ended.
pub(super) enum Ended {
    /// With the connection.
    Closed,
    /// With these bytes of a request, which hyper reads.
    Fallback(Bytes),
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("Closed"),
            // It holds secrets.
            Self::Fallback(bytes) => write!(f, "Fallback({} bytes)", bytes.len()),
        }
    }
}

/// Limits of waiting for a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct WaitLimits<'a> {
    /// Whether other connections wait for this one to end.
    pub(super) crowd: &'a Crowd,
    /// The timeout of an idle connection.
    pub(super) idle: Duration,
    /// Bytes of a head.
    pub(super) head_bytes: usize,
    /// Cancelled when the listener closes.
    pub(super) closing: &'a CancellationToken,
    /// The timeout from then on of a connection without any request so far.
    pub(super) silent: Duration,
}

/// Serves requests of `stream` until its end, or until one that is not for the fast path.
pub(super) async fn serve<F>(
    stream: &mut ClientStream,
    limits: WaitLimits<'_>,
    is_closing: impl Fn() -> bool,
    answer: impl Fn(Request) -> F,
) -> io::Result<Ended>
where
    F: Future<Output = Reply>,
{
    let mut closed = pin!(limits.closing.cancelled());
    let mut wait = Wait::new(limits.idle, limits.head_bytes, limits.crowd);
    loop {
        let next = poll_fn(|context| {
            if let Poll::Ready(next) = wait.poll(stream, context) {
                return Poll::Ready(next);
            }
            let ended = wait.poll_closing(closed.as_mut(), context, limits.silent, is_closing());
            ended.map(|ended| Ok(Err(ended)))
        });
        let Next { request, is_last } = match next.await? {
            Ok(next) => next,
            Err(Ended::Closed) => break,
            Err(fallback @ Ended::Fallback(_)) => return Ok(fallback),
        };
        let reply = answer(request).await;
        if reply.after == After::Unread {
            stream.linger().ask();
        }
        let is_last = is_last || reply.after != After::Open;
        wait.since = write_reply(stream, reply, is_last).await?;
        if is_last {
            break;
        }
    }
    poll_fn(|context| stream.poll_end(context)).await?;
    Ok(Ended::Closed)
}

/// Writes a reply, and says when its last byte was handed over.
async fn write_reply(stream: &mut ClientStream, reply: Reply, is_last: bool) -> io::Result<Instant> {
    let ready_at = reply.ready_at.unwrap_or_else(Instant::now);
    let is_small = matches!(&reply.body, Body::Whole(whole) if whole.len() <= SMALL);
    let mut out = OUTGOING.take();
    write_head(&mut out, &reply, is_last, ready_at);
    if let Body::Whole(whole) = &reply.body
        && is_small
    {
        out.extend_from_slice(whole);
    }
    let has_waited = write(stream, &out).await?;
    out.clear();
    OUTGOING.set(out);
    match reply.body {
        Body::Whole(_) if is_small && !has_waited => return Ok(ready_at),
        Body::Whole(_) if is_small => {}
        Body::Whole(whole) => {
            write(stream, &whole).await?;
        }
        Body::Stream { bytes, length } => pass(stream, bytes, length).await?,
    }
    Ok(Instant::now())
}

fn write_head(out: &mut Vec<u8>, reply: &Reply, is_last: bool, now: Instant) {
    let mut head = HeadWriter::response(out, reply.status);
    for (name, value) in reply.fields() {
        head.field(name, value.as_bytes());
    }
    if is_last {
        head.field("connection", b"close");
    }
    head.content_length(reply.body.length());
    head.date(now);
    head.end();
}

/// Streams a file to the client as it arrives. If it is shorter or longer than announced, the connection ends: nothing
/// else would tell the client.
async fn pass(stream: &mut ClientStream, mut bytes: ByteStream, length: u64) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        let frame = poll_fn(|context| bytes.as_mut().poll_frame(context)).await;
        let frame = frame.ok_or(io::ErrorKind::UnexpectedEof)??;
        let Ok(data) = frame.into_data() else { continue };
        left = left.checked_sub(data.len() as u64).ok_or(io::ErrorKind::InvalidData)?;
        write(stream, &data).await?;
    }
    Ok(())
}

/// Writes and flushes all of `bytes`, and says whether that had to wait for the client.
async fn write(stream: &mut ClientStream, bytes: &[u8]) -> io::Result<bool> {
    let (mut left, mut has_waited) = (bytes, false);
    poll_fn(|context| {
        while !left.is_empty() {
            let Poll::Ready(count) = stream.poll_write_out(context, left)? else {
                has_waited = true;
                return Poll::Pending;
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            left = left.get(count..).unwrap_or_default();
        }
        // The TLS buffer; without TLS there is none.
        let flushed = stream.poll_flush_out(context);
        has_waited |= flushed.is_pending();
        flushed
    })
    .await?;
    Ok(has_waited)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
