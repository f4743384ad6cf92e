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
use crate::onprem::callback::CallbackError;
use crate::onprem::error::{ErrorBody, Meta};
use crate::onprem::reply::EmptyReply;
use crate::onprem::{ErrorCode, Invalid};

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

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The client's request.
    Client,
    /// The Cloud API.
    Upstream,
    /// The place that a link leads to.
    Provider,
    /// Ours.
    Internal,
}

impl Source {
    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Provider => "provider",
            Self::Internal => "internal",
        }
    }
}

/// An answer that is not a success.
#[derive(Debug)]
pub struct Failure {
    /// Whose fault it is.
    pub source: Source,
    /// The on-prem code.
    pub code: ErrorCode,
    /// The HTTP status.
    pub http: u16,
    /// What the client reads.
    pub details: String,
    /// What the log says beyond that.
    pub log: Option<String>,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u32>,
    /// The verbs of the path, for a 405.
    pub allow: Option<String>,
    /// Whether the connection cannot go on: its next bytes would be misread.
    pub close: bool,
    /// The same as on-prem would have told it later, by a failed status.
    pub deferred: Option<CallbackError>,
}

impl Failure {
    /// A failure with the usual status of `code`.
    pub fn new(source: Source, code: ErrorCode, details: impl Into<String>) -> Self {
        Self {
            source,
            code,
            http: code.http(),
            details: details.into(),
            log: None,
            retry_after: None,
            allow: None,
            close: false,
            deferred: None,
        }
    }

    /// A client's mistake.
    pub fn client(code: ErrorCode, details: impl Into<String>) -> Self {
        Self::new(Source::Client, code, details)
    }

    /// With another status.
    pub fn http(mut self, http: u16) -> Self {
        self.http = http;
        self
    }

    /// With a line for the log.
    pub fn log(mut self, line: impl Into<String>) -> Self {
        self.log = Some(line.into());
        self
    }

    /// After which the connection closes.
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// Not logged in, or not any more: exactly what on-prem said, whatever the reason was.
    pub fn unauthenticated(log: impl Into<String>) -> Self {
        Self::client(ErrorCode::AccessDenied, "Invalid credentials.").http(401).log(log)
    }

    /// The one function that writes an error to a client.
    pub fn response(&self, version: &str) -> Reply {
        self.dress(&ErrorBody::new(self.code, &self.details, version))
    }

    /// The same for Cloud, in Graph's form ("Handle errors": an object `error` with a `message`).
    pub fn response_to_cloud(&self) -> Reply {
        self.dress(&serde_json::json!({"error": {"message": self.details}}))
    }

    fn dress(&self, body: &impl Serialize) -> Reply {
        let status = StatusCode::from_u16(self.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = json(status, body);
        if let Some(seconds) = self.retry_after {
            reply.set("retry-after", HeaderValue::from(seconds));
        }
        if let Some(verbs) = self.allow.as_deref().and_then(|verbs| HeaderValue::from_str(verbs).ok()) {
            reply.set("allow", verbs);
        }
        if self.close {
            reply.after = After::Unread;
        }
        reply
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::client(invalid.code, invalid.details)
    }
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
