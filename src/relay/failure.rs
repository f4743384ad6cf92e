//! Why a request fails, in the terms of the on-prem dialect.

use crate::onprem::callback::CallbackError;
use crate::onprem::{ErrorCode, Invalid};

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The client's request.
    Client,
    /// The Cloud API.
    Upstream,
    /// The server that a link points to.
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

/// A request that failed: what its client is told, and what the log says beyond that.
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
    /// The methods that the path takes, for a 405.
    pub allow: Option<String>,
    /// Whether the connection cannot go on: its next bytes would be misread.
    pub close: bool,
    /// The same as on-prem would have told it later, by a failed status.
    pub deferred: Option<Box<CallbackError>>,
    /// Graph's error, where Graph answered with one.
    pub cloud: Option<Box<CloudError>>,
}

/// What the log says of an error of Graph.
#[derive(Debug, Default)]
pub struct CloudError {
    /// Graph's error code.
    pub code: Option<i64>,
    /// Graph's trace id.
    pub trace: Option<String>,
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
            cloud: None,
        }
    }

    /// A client's mistake.
    pub fn client(code: ErrorCode, details: impl Into<String>) -> Self {
        Self::new(Source::Client, code, details)
    }

    /// 1016: nothing was done, and trying again after `seconds` makes sense.
    pub fn overloaded(source: Source, details: impl Into<String>, seconds: u32) -> Self {
        Self::new(source, ErrorCode::SystemOverloaded, details).retry_after(seconds)
    }

    /// A fault of our own; the client learns nothing about it.
    pub fn internal(reason: impl Into<String>) -> Self {
        Self::new(Source::Internal, ErrorCode::InternalError, "the proxy failed on this request").log(reason)
    }

    /// The store failed on a change.
    pub fn store(error: &crate::store::Error) -> Self {
        let details = "the change could not be stored; nothing was changed";
        Self::new(Source::Internal, ErrorCode::DatabaseError, details).log(error.to_string())
    }

    /// Not logged in, or not any more: exactly what on-prem said, whatever the reason was.
    pub fn unauthenticated(log: impl Into<String>) -> Self {
        Self::client(ErrorCode::AccessDenied, "Invalid credentials.").http(401).log(log)
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

    /// With a pause that the client is asked for, in seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// After which the connection closes.
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::client(invalid.code, invalid.details)
    }
}
