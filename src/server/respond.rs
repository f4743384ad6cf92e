//! Answers. Every one that is not a success has the on-prem error body, written by one function, but for
//! [`nothing_there`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use tokio::time::Instant;

use crate::net::ByteStream;
use crate::onprem::error::{ErrorBody, Meta};
use crate::onprem::reply::EmptyReply;
use crate::relay::Failure;

/// The field that says what a body is.
pub const CONTENT_TYPE: &str = "content-type";
/// Most answers have no more fields.
const FIELDS: usize = 4;

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Body,
    /// What becomes of the connection.
    pub after: After,
    /// When it was ready, if anybody looked at the clock.
    pub ready_at: Option<Instant>,
    /// Few enough to be searched, with names in lower case.
    fields: Vec<(&'static str, HeaderValue)>,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// It goes on.
    Open,
    /// It ends.
    Close,
    /// It ends although the request was not read to its end: closing at once would reset it under a client that is
    /// still sending, and destroy the answer on its way.
    Unread,
}

impl Reply {
    /// An answer without fields.
    pub fn new(status: StatusCode, body: impl Into<Body>) -> Self {
        Self {
            status,
            body: body.into(),
            after: After::Open,
            ready_at: None,
            fields: Vec::with_capacity(FIELDS),
        }
    }

    /// Sets a field, whose name is in lower case.
    pub fn set(&mut self, name: &'static str, value: HeaderValue) {
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.fields.push((name, value)),
        }
    }

    /// The fields.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &HeaderValue)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }
}

impl From<Reply> for Response<Body> {
    fn from(reply: Reply) -> Self {
        let length = HeaderValue::from(reply.body.length());
        let mut response = Response::new(reply.body);
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        // hyper would leave an empty body's out of the answer to HEAD.
        headers.insert(CONTENT_LENGTH, length);
        for (name, value) in reply.fields {
            headers.insert(HeaderName::from_static(name), value);
        }
        if reply.after != After::Open {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The body of an answer.
pub enum Body {
    /// Written in one go.
    Whole(Bytes),
    /// A file on its way to the client, passed on as it arrives.
    Stream {
        /// It.
        bytes: ByteStream,
        /// How many there will be.
        length: u64,
    },
}

impl Body {
    /// How long it is.
    pub fn length(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.len() as u64,
            Self::Stream { length, .. } => *length,
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Stream { .. } => "Stream",
        })
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(whole) if whole.is_empty() => Poll::Ready(None),
            Self::Whole(whole) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(whole))))),
            Self::Stream { bytes, .. } => bytes.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_empty(),
            Self::Stream { bytes, .. } => bytes.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length())
    }
}

/// The one function that writes an error to a client.
pub fn failure(failure: &Failure, version: &str) -> Reply {
    dressed(failure, &ErrorBody::new(failure.code, &failure.details, version))
}

/// The same for Cloud, in Graph's form ("Handle errors": an object `error` with a `message`).
pub fn failure_to_cloud(failure: &Failure) -> Reply {
    dressed(failure, &serde_json::json!({"error": {"message": failure.details}}))
}

fn dressed(failure: &Failure, body: &impl Serialize) -> Reply {
    let status = StatusCode::from_u16(failure.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = json(status, body);
    if let Some(seconds) = failure.retry_after {
        reply.set("retry-after", HeaderValue::from(seconds));
    }
    if let Some(methods) = failure.allow.as_deref().and_then(|methods| HeaderValue::from_str(methods).ok()) {
        reply.set("allow", methods);
    }
    if failure.close {
        reply.after = After::Unread;
    }
    reply
}

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Reply {
    // Our own types always serialize; an empty body would still carry the right status.
    bytes(status, serde_json::to_vec(body).unwrap_or_default())
}

/// An answer with a JSON body that is already written.
pub fn bytes(status: StatusCode, body: Vec<u8>) -> Reply {
    let mut reply = Reply::new(status, Bytes::from(body));
    reply.set(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// An answer with a text.
pub fn text(body: String) -> Reply {
    let mut reply = Reply::new(StatusCode::OK, Bytes::from(body));
    reply.set(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    reply
}

/// The one answer that is no success and has no error body, because on-prem's had none: where a certificate, a file
/// or a photo is asked for that is not there, clients would take any body for it.
pub fn nothing_there() -> Reply {
    Reply::new(StatusCode::NOT_FOUND, Bytes::new())
}

/// The answer of an operation that has nothing to return.
pub fn empty(version: &str) -> Reply {
    json(StatusCode::OK, &EmptyReply { meta: Meta::stable(version) })
}

/// `GET /`: official deployment templates probe it and want 200.
pub fn root() -> Reply {
    bytes(StatusCode::OK, b"{}".to_vec())
}
