//! The byte stream of a client's connection.
//!
//! The [fast path](super::fast_path) reads from it and writes to it directly; hyper takes over with the bytes that were
//! read already, as if they were still to come.
//!
//! hyper answers a head that it cannot parse by itself, with an empty body; clients of the on-prem
//! API parse the body of every error. [`ClientStream`] puts the dialect's body into those answers.
//!
//! It also lingers where an answer came before the end of a request's body, as nginx and Apache do
//! (RFC 9112 section 9.6): the sending side is closed, and what still arrives is read and discarded,
//! because closing at once would make the system reset the connection and destroy the answer.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io};

use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use crate::onprem::ErrorCode;
use crate::onprem::error::ErrorBody;

/// The longest that a connection lingers; its client has the answer by then, or never will.
const LINGER: Duration = Duration::from_secs(5);
/// What is read at a time while it lingers.
const LINGER_READ: usize = 16 * 1024;

/// How long a client may take no byte of its answer: a download that nobody reads holds a file, a connection to Cloud
/// and the end of the process.
const STALLED: Duration = Duration::from_secs(60);

/// A client's connection, with or without TLS.
pub struct ClientStream {
    stream: TokioIo<Either<TcpStream, Box<TlsStream<TcpStream>>>>,
    /// Bytes that hyper reads first.
    unread: Bytes,
    version: Arc<str>,
    /// What is left of our bytes in place of hyper's.
    substitute: Option<Bytes>,
    linger: Linger,
    lingering: Option<Pin<Box<Sleep>>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// Whether a connection lingers at its end.
#[derive(Clone, Debug, Default)]
pub struct Linger(Arc<AtomicBool>);

impl Linger {
    /// Says that it does.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Without what was read, which may hold secrets.
impl fmt::Debug for ClientStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientStream").field("stream", self.stream.inner()).finish_non_exhaustive()
    }
}

impl ClientStream {
    /// A connection without TLS; `version` is what `meta.version` says.
    pub fn tcp(stream: TcpStream, version: Arc<str>) -> Self {
        Self::new(Either::Left(stream), version)
    }

    /// A connection with TLS.
    pub fn tls(stream: TlsStream<TcpStream>, version: Arc<str>) -> Self {
        Self::new(Either::Right(Box::new(stream)), version)
    }

    fn new(stream: Either<TcpStream, Box<TlsStream<TcpStream>>>, version: Arc<str>) -> Self {
        Self {
            stream: TokioIo::new(stream),
            unread: Bytes::new(),
            version,
            substitute: None,
            linger: Linger::default(),
            lingering: None,
            stalled: None,
        }
    }

    /// The same, with `bytes` to be read again.
    pub fn unread(self, bytes: Bytes) -> Self {
        Self { unread: bytes, ..self }
    }

    /// Reads what has arrived; nothing at the end.
    pub fn poll_read_in(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(into);
        ready!(Pin::new(self.stream.inner_mut()).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes some of `bytes`.
    pub fn poll_write_out(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(self.stream.inner_mut()).poll_write(cx, bytes);
        self.within(cx, written)
    }

    /// Flushes the TLS buffer.
    pub fn poll_flush_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(self.stream.inner_mut()).poll_flush(cx);
        self.within(cx, flushed)
    }

    /// Closes the sending side, and lingers if that was asked for.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let closed = Pin::new(self.stream.inner_mut()).poll_shutdown(cx);
            ready!(self.within(cx, closed))?;
        }
        if self.linger.0.load(Ordering::Relaxed) {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }

    /// By which this connection is asked to linger.
    pub fn linger(&self) -> Linger {
        self.linger.clone()
    }

    /// Fails a write that has been pending for [`STALLED`].
    fn within<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let end = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        end.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads and discards until the client closes, or for [`LINGER`].
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; LINGER_READ];
        loop {
            if !matches!(ready!(self.poll_read_in(cx, &mut bytes)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
    }

    /// Writes the substitute for `length` bytes of hyper's.
    fn poll_substitute(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while let Some(rest) = self.substitute.as_mut().filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(self.stream.inner_mut()).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            rest.advance(count);
        }
        self.substitute = None;
        Poll::Ready(Ok(length))
    }
}

/// The dialect's answer, when `head` is one that hyper wrote by itself: an error without a body and without
/// the request id that every answer of ours has.
fn in_dialect(head: &[u8], version: &str) -> Option<Vec<u8>> {
    // The quickest look first, since every answer passes here.
    if !head.starts_with(b"HTTP/1.1 4") {
        return None;
    }
    let head = std::str::from_utf8(head).ok()?;
    if !head.ends_with("\r\n\r\n")
        || !head.contains("content-length: 0\r\n")
        || head.contains("\r\nx-request-id: ")
    {
        return None;
    }
    let (status, details) = match head.get(9..12)? {
        "431" => ("431 Request Header Fields Too Large", "the headers are too large"),
        "414" => ("414 URI Too Long", "the URL is too long"),
        _ => ("400 Bad Request", "this is not a well-formed HTTP/1.1 request"),
    };
    let body = serde_json::to_string(&ErrorBody::new(ErrorCode::InvalidRequest, details, version)).ok()?;
    Some(
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

impl Read for ClientStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.unread.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let length = buffer.remaining().min(this.unread.len());
        buffer.put_slice(this.unread.get(..length).unwrap_or_default());
        this.unread.advance(length);
        if this.unread.is_empty() {
            // Empty bytes would keep their memory.
            this.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.substitute.is_none() {
            this.substitute = in_dialect(bytes, &this.version).map(Bytes::from);
        }
        if this.substitute.is_some() {
            // hyper has not read the request to its end.
            this.linger.ask();
            return this.poll_substitute(cx, bytes.len());
        }
        this.poll_write_out(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_out(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_end(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::in_dialect;

    #[test]
    fn only_empty_errors_are_replaced() {
        let own = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let text = String::from_utf8(in_dialect(own, "v2.45.1").unwrap()).unwrap();
        assert!(text.contains("\"code\":1025"), "{text}");
        assert_eq!(
            in_dialect(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\n{\"a\":\"b\"}", "v"),
            None
        );
        let absent = b"HTTP/1.1 404 Not Found\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(in_dialect(absent, "v"), None, "media that is not there has an empty answer");
        assert_eq!(in_dialect(b"HTTP/1.1 100 Continue\r\n\r\n", "v"), None);
        assert_eq!(in_dialect(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "v"), None);
    }
}
