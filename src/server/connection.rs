//! The byte stream of a client's connection.
//!
//! hyper answers a head that it cannot parse by itself, with an empty body; clients of the on-prem
//! API parse the body of every error. [`ClientStream`] puts the dialect's body into those answers.
//!
//! It also lingers where an answer came before the end of a request's body, as nginx and Apache do
//! (RFC 9112 section 9.6): the sending side is closed, and what still arrives is read and forgotten,
//! because closing at once would make the system reset the connection and destroy the answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use crate::onprem::ErrorCode;
use crate::onprem::error::ErrorBody;

/// How long a connection lingers at most; its client has the answer by then, or never will.
const LINGER: Duration = Duration::from_secs(5);
/// What is read at a time while it lingers.
const LINGER_READ: usize = 16 * 1024;

/// How long a client may take no byte of its answer: a download that nobody reads holds a file, a connection to Cloud
/// and the end of the process.
const STALLED: Duration = Duration::from_secs(60);

/// A client's connection, plain or with TLS.
#[derive(Debug)]
pub struct ClientStream {
    stream: Stream,
    version: Arc<str>,
    substitute: Option<Substitute>,
    linger: Linger,
    lingering: Option<Pin<Box<Sleep>>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

/// The wish that a connection linger at its end.
#[derive(Clone, Debug, Default)]
pub struct Linger(Arc<AtomicBool>);

impl Linger {
    /// Wishes it.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[derive(Debug)]
enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

/// Our bytes in place of hyper's.
#[derive(Debug)]
struct Substitute {
    bytes: Vec<u8>,
    written: usize,
}

impl ClientStream {
    /// A plain connection; `version` is what `meta.version` says.
    pub fn plain(stream: TcpStream, version: Arc<str>) -> Self {
        Self::new(Stream::Plain(TokioIo::new(stream)), version)
    }

    /// A connection with TLS.
    pub fn tls(stream: TlsStream<TcpStream>, version: Arc<str>) -> Self {
        Self::new(Stream::Tls(Box::new(TokioIo::new(stream))), version)
    }

    fn new(stream: Stream, version: Arc<str>) -> Self {
        Self { stream, version, substitute: None, linger: Linger::default(), lingering: None, stalled: None }
    }

    /// By which this connection can be asked to linger.
    pub fn linger(&self) -> Linger {
        self.linger.clone()
    }

    /// Gives a write up that has been waiting for [`STALLED`].
    fn within<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let end = self.stalled.get_or_insert_with(|| Box::pin(sleep(STALLED)));
        end.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads and forgets until the client closes, or for [`LINGER`].
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = self.lingering.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; LINGER_READ];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = match &mut self.stream {
                Stream::Plain(stream) => ready!(Pin::new(stream).poll_read(cx, buffer.unfilled())),
                Stream::Tls(stream) => ready!(Pin::new(&mut **stream).poll_read(cx, buffer.unfilled())),
            };
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Writes the substitute out; `length` is how much of hyper's bytes it stands for.
    fn poll_substitute(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while let Some(substitute) = &mut self.substitute {
            let rest = substitute.bytes.get(substitute.written..).unwrap_or_default();
            if rest.is_empty() {
                self.substitute = None;
                break;
            }
            let count = match &mut self.stream {
                Stream::Plain(stream) => ready!(Pin::new(stream).poll_write(cx, rest))?,
                Stream::Tls(stream) => ready!(Pin::new(&mut **stream).poll_write(cx, rest))?,
            };
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            substitute.written += count;
        }
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
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }
}

impl Write for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.substitute.is_none() {
            this.substitute = in_dialect(bytes, &this.version).map(|bytes| Substitute { bytes, written: 0 });
        }
        if this.substitute.is_some() {
            return this.poll_substitute(cx, bytes.len());
        }
        let written = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        };
        this.within(cx, written)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        };
        this.within(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            let closed = match &mut this.stream {
                Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
                Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
            };
            ready!(this.within(cx, closed))?;
        }
        if this.linger.0.load(Ordering::Relaxed) {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
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
