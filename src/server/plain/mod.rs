//! Plain requests: what clients send as long as nothing is unusual.
//!
//! A plain request has one path, one length that is not large, no coding, and asks for nothing but an answer. hyper's
//! own parser reads its head, and what follows from it is so little that it is done here: a connection that waits has no
//! buffer at all, and a message costs half of what a connection in hyper's hands takes. The first request that is
//! anything else, well-formed or not, goes to hyper with all that was read, and the connection stays there: nothing is
//! interpreted here that two servers could see differently.

mod answer;
pub mod head;
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

use self::head::Plain;
use self::wait::Wait;
use super::asked::Asked;
use super::connection::ClientStream;
use super::listener::Crowd;
use super::respond::{After, Body, Reply};
use crate::upstream::Stream;

/// Answers that are larger are not copied behind their heads.
const SMALL: usize = 16 * 1024;

thread_local! {
    /// Room for an answer that is about to be written; not there while one waits for its client.
    static OUTGOING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// How the plain part of a connection ended.
pub(super) enum Ended {
    /// With the connection.
    Closed,
    /// With this request, which hyper reads.
    Odd(Bytes),
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("Closed"),
            // With secrets in it.
            Self::Odd(bytes) => write!(f, "Odd({} bytes)", bytes.len()),
        }
    }
}

/// When to stop waiting for a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience<'a> {
    /// Who may be waiting for this connection to end.
    pub(super) crowd: &'a Crowd,
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
    let mut wait = Wait::new(patience.idle, patience.head_bytes, patience.crowd);
    loop {
        let next = poll_fn(|context| {
            if let Poll::Ready(next) = wait.poll(stream, context) {
                return Poll::Ready(next);
            }
            let ended = wait.poll_closing(closed.as_mut(), context, patience.silent, is_closing());
            ended.map(|ended| Ok(Err(ended)))
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
        wait.since = give(stream, reply, is_last).await?;
        if is_last {
            break;
        }
    }
    poll_fn(|context| stream.poll_end(context)).await?;
    Ok(Ended::Closed)
}

/// Writes an answer, and says since when the client has it.
async fn give(stream: &mut ClientStream, reply: Reply, is_last: bool) -> io::Result<Instant> {
    let ready_at = reply.ready_at.unwrap_or_else(Instant::now);
    let is_small = matches!(&reply.body, Body::Whole(whole) if whole.len() <= SMALL);
    let mut out = OUTGOING.take();
    answer::head(&mut out, &reply, is_last, ready_at);
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

/// Passes a file on as it arrives. If it ends too early or too late, so does the connection: nothing else would tell the
/// client.
async fn pass(stream: &mut ClientStream, mut bytes: Stream, length: u64) -> io::Result<()> {
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

/// Writes all of `bytes`, and says whether the client had to be waited for.
async fn write(stream: &mut ClientStream, bytes: &[u8]) -> io::Result<bool> {
    let (mut left, mut has_waited) = (bytes, false);
    poll_fn(|context| {
        while !left.is_empty() {
            let Poll::Ready(count) = stream.poll_give(context, left)? else {
                has_waited = true;
                return Poll::Pending;
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            left = left.get(count..).unwrap_or_default();
        }
        // What TLS holds back; without it there is nothing.
        let let_go = stream.poll_let_go(context);
        has_waited |= let_go.is_pending();
        let_go
    })
    .await?;
    Ok(has_waited)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use hyper::body::{Body, Frame};
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::super::connection::ClientStream;
    use super::pass;

    /// Gives these, and then says nothing more.
    struct Stalling(Vec<Bytes>);

    impl Body for Stalling {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
            self.0.pop().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
        }
    }

    async fn pair() -> (ClientStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (ClientStream::plain(listener.accept().await.unwrap().0, Arc::from("v")), client)
    }

    #[tokio::test]
    async fn a_file_is_over_with_its_last_byte() {
        let (mut stream, mut client) = pair().await;
        let body = Stalling(vec![Bytes::from_static(b"llo"), Bytes::from_static(b"he")]);
        pass(&mut stream, Box::pin(body), 5).await.unwrap();
        let mut read = [0; 5];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
    }

    #[tokio::test]
    async fn a_file_that_is_not_as_long_as_it_said_ends_the_connection() {
        let (mut stream, _client) = pair().await;
        let body = Stalling(vec![Bytes::from_static(b"too long")]);
        let error = pass(&mut stream, Box::pin(body), 5).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let body = http_body_util::Full::new(Bytes::from_static(b"short"));
        let body = http_body_util::BodyExt::map_err(body, |never| match never {});
        let error = pass(&mut stream, Box::pin(body), 6).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
