//! Requests of HTTP/1.1: how each is written, and what of it is gone.

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
use crate::net::Stream;

/// Memory of this size is kept for the next request, whatever the last one needed: most have less than 1 KiB.
const KEPT: usize = 64 * 1024;

thread_local! {
    /// Borrowed within one poll only.
    static OUTGOING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A request on its way.
pub(super) struct Request {
    state: State,
    /// What is left of it while it is leaving.
    left: Bytes,
    /// Whether anything of it may have left.
    sent: Sent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unwritten,
    Leaving,
    Gone,
    /// The rest cannot leave. What did may have been enough for an answer.
    Stuck,
}

impl Request {
    /// Nothing is written yet.
    pub(super) fn new() -> Self {
        Self { state: State::Unwritten, left: Bytes::new(), sent: Sent::No }
    }

    /// Whether anything may have left. Without TLS nothing has before the system took a byte; with it nobody can tell
    /// how much of what was given to TLS has.
    pub(super) fn sent(&self) -> Sent {
        self.sent
    }

    /// Whether all of it has left.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Moves as much as there is room for. An error means that nothing has left, nor will.
    pub(super) fn poll(
        &mut self,
        attempt: &Attempt<'_>,
        stream: &mut Stream,
        context: &mut Context<'_>,
    ) -> io::Result<()> {
        let moved = match self.state {
            State::Gone | State::Stuck => return Ok(()),
            State::Unwritten => OUTGOING.with_borrow_mut(|bytes| {
                write(bytes, attempt);
                let mut left = bytes.as_slice();
                let moved = push(&mut left, &mut self.sent, stream, context);
                self.left = Bytes::copy_from_slice(left);
                if bytes.capacity() > KEPT {
                    *bytes = Vec::new();
                }
                moved
            }),
            State::Leaving => {
                let mut bytes = mem::take(&mut self.left);
                let mut left = &*bytes;
                let moved = push(&mut left, &mut self.sent, stream, context);
                let gone = bytes.len() - left.len();
                self.left = bytes.split_off(gone);
                moved
            }
        };
        self.state = match moved {
            Poll::Pending => State::Leaving,
            Poll::Ready(Ok(())) => State::Gone,
            Poll::Ready(Err(_)) if self.sent == Sent::Maybe => State::Stuck,
            Poll::Ready(Err(error)) => return Err(error),
        };
        Ok(())
    }
}

/// Moves what is left for as long as it is taken.
fn push(
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

/// Writes the request of an attempt, head and body in one piece: copying a message costs less than having two pieces
/// gathered. No value can end its line early: all are parts of a `Uri`, or `HeaderValue`s.
fn write(bytes: &mut Vec<u8>, attempt: &Attempt<'_>) {
    let Attempt { method, target, body, .. } = attempt;
    bytes.clear();
    let mut put = |pieces: &[&[u8]]| pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    // The path alone, and the host in a field (RFC 9112 section 3.2.1).
    let path = target.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = target.uri.authority().map_or("", |host| host.as_str());
    put(&[
        method.as_str().as_bytes(),
        b" ",
        path.as_bytes(),
        b" HTTP/1.1\r\nhost: ",
        host.as_bytes(),
        b"\r\n",
    ]);
    for (name, value) in attempt.fields() {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    // What posts nothing says so (RFC 9110 section 8.6).
    if **method == Method::POST || !body.is_empty() {
        put(&[b"content-length: ", itoa::Buffer::new().format(body.len()).as_bytes(), b"\r\n"]);
    }
    bytes.extend_from_slice(b"\r\n");
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
    use super::write;

    fn written(method: &Method, uri: &str, token: Option<&'static str>, body: &'static str) -> String {
        let authorization = token.map(HeaderValue::from_static);
        let target = Target { uri: uri.parse().unwrap(), authorization, health: None };
        let begun = Instant::now();
        let limits = Limits { begun, head: begun, end: begun + Duration::from_secs(1), most: 0 };
        let attempt = Attempt { method, target: &target, body: Bytes::from_static(body.as_bytes()), limits };
        // Over what an earlier request has left.
        let mut bytes = b"an earlier request".to_vec();
        write(&mut bytes, &attempt);
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
