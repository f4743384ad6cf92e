//! Requests of HTTP/1.1: how each is written, and whether any of it was sent.

use std::cell::RefCell;
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use tokio::io::AsyncWrite;

use super::super::Sent;
use super::Attempt;
use crate::http1::HeadWriter;
use crate::net::Stream;

/// A buffer up to this size is kept for the next request, whatever the last one needed: most have less than 1 KiB.
const KEPT: usize = 64 * 1024;

thread_local! {
    /// Borrowed within one poll only.
    static OUTGOING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A request that is being sent.
pub(super) struct OutgoingRequest {
    state: State,
    /// What the stream has not taken yet.
    left: Bytes,
    sent: Sent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unwritten,
    Writing,
    Written,
    /// The rest cannot be written. What was may be enough for a response.
    Stuck,
}

impl OutgoingRequest {
    pub(super) fn new() -> Self {
        Self { state: State::Unwritten, left: Bytes::new(), sent: Sent::No }
    }

    /// Whether anything may have been sent. Without TLS nothing was before the system took a byte; with it nobody can
    /// tell how much of what TLS was given has left.
    pub(super) fn sent(&self) -> Sent {
        self.sent
    }

    /// Whether all of it was written.
    pub(super) fn is_written(&self) -> bool {
        self.state == State::Written
    }

    /// Writes as much as the stream takes. An error means that nothing was sent, nor will be.
    pub(super) fn poll(
        &mut self,
        attempt: &Attempt<'_>,
        stream: &mut Stream,
        context: &mut Context<'_>,
    ) -> io::Result<()> {
        let written = match self.state {
            State::Written | State::Stuck => return Ok(()),
            State::Unwritten => OUTGOING.with_borrow_mut(|bytes| {
                serialize(bytes, attempt);
                let mut left = bytes.as_slice();
                let written = write(&mut left, &mut self.sent, stream, context);
                self.left = Bytes::copy_from_slice(left);
                if bytes.capacity() > KEPT {
                    *bytes = Vec::new();
                }
                written
            }),
            State::Writing => {
                let mut bytes = mem::take(&mut self.left);
                let mut left = &*bytes;
                let written = write(&mut left, &mut self.sent, stream, context);
                let count = bytes.len() - left.len();
                self.left = bytes.split_off(count);
                written
            }
        };
        self.state = match written {
            Poll::Pending => State::Writing,
            Poll::Ready(Ok(())) => State::Written,
            Poll::Ready(Err(_)) if self.sent == Sent::Maybe => State::Stuck,
            Poll::Ready(Err(error)) => return Err(error),
        };
        Ok(())
    }
}

/// Writes what is left until the stream takes no more, and flushes it.
fn write(
    left: &mut &[u8],
    sent: &mut Sent,
    stream: &mut Stream,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !left.is_empty() {
        if stream.is_tls() {
            *sent = Sent::Maybe;
        }
        let taken = ready!(AsyncWrite::poll_write(Pin::new(stream), context, left))?;
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        *sent = Sent::Maybe;
        *left = left.get(taken..).unwrap_or_default();
    }
    AsyncWrite::poll_flush(Pin::new(stream), context)
}

/// Serializes head and body in one piece: copying a message costs less than a vectored write.
fn serialize(bytes: &mut Vec<u8>, attempt: &Attempt<'_>) {
    let Attempt { method, target, body, .. } = attempt;
    bytes.clear();
    let path = target.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = target.uri.authority().map_or("", |host| host.as_str());
    let mut head = HeadWriter::request(bytes, method, path, host);
    for (name, value) in attempt.fields() {
        head.field(name.as_str(), value.as_bytes());
    }
    // A POST without a body says so (RFC 9110 section 8.6).
    if **method == Method::POST || !body.is_empty() {
        head.content_length(body.len() as u64);
    }
    head.end();
    bytes.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderValue, Method};
    use tokio::time::Instant;

    use super::super::super::Target;
    use super::super::{Attempt, Limits};
    use super::serialize;

    fn written(method: &Method, uri: &str, token: Option<&'static str>, body: &'static str) -> String {
        let authorization = token.map(HeaderValue::from_static);
        let target = Target { uri: uri.parse().unwrap(), authorization, health: None };
        let begun = Instant::now();
        let limits = Limits { begun, head: begun, end: begun + Duration::from_secs(1), max_body: 0 };
        let attempt = Attempt { method, target: &target, body: Bytes::from_static(body.as_bytes()), limits };
        // Over what an earlier request has left.
        let mut bytes = b"an earlier request".to_vec();
        serialize(&mut bytes, &attempt);
        String::from_utf8(bytes).unwrap().replace(env!("CARGO_PKG_VERSION"), "0")
    }

    #[test]
    fn requests_are_written_to_the_letter() {
        let post = "POST /v1/1/messages HTTP/1.1\r\nhost: graph.example:8443\r\nauthorization: Bearer t\r\n\
                    user-agent: prembridge/0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let uri = "https://graph.example:8443/v1/1/messages";
        assert_eq!(written(&Method::POST, uri, Some("Bearer t"), "{}"), post);

        let empty = "POST / HTTP/1.1\r\nhost: a\r\nuser-agent: prembridge/0\r\n\
                     content-type: application/json\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(written(&Method::POST, "http://a", None, ""), empty);

        for method in [Method::GET, Method::DELETE] {
            let bare =
                format!("{method} /b?c=d&e HTTP/1.1\r\nhost: [::1]\r\nuser-agent: prembridge/0\r\n\r\n");
            assert_eq!(written(&method, "http://[::1]/b?c=d&e", None, ""), bare);
        }
    }
}
