//! Answers. Every one that is not a success has the on-prem error body, written by one function.

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::onprem::error::{ErrorBody, Meta};
use crate::onprem::reply::EmptyReply;
use crate::onprem::{ErrorCode, Invalid};

/// The body of every answer.
pub type Reply = Response<Full<Bytes>>;

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The client's request.
    Client,
    /// The Cloud API.
    Upstream,
    /// Ours.
    Internal,
}

impl Source {
    /// Its name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
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
    pub allow: Option<&'static str>,
    /// Whether the connection cannot go on: its next bytes would be misread.
    pub close: bool,
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

    /// The one function that writes an error.
    pub fn response(&self, version: &str) -> Reply {
        let body = ErrorBody::new(self.code, &self.details, version);
        let status = StatusCode::from_u16(self.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = json(status, &body);
        let headers = reply.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(verbs) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(verbs));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
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
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

/// The answer of an operation that has nothing to return.
pub fn empty(version: &str) -> Reply {
    json(StatusCode::OK, &EmptyReply { meta: Meta::stable(version) })
}
