//! What can become of a message that is not answered as it should be.

use std::fmt;
use std::io;
use std::time::Duration;

use super::text::span;
use crate::http1::ResponseError;

/// One kind of failure; failures are counted by what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    Refused {
        status: u16,
        /// The code in its body, on-prem's or Cloud's.
        code: Option<i64>,
    },
    /// The answer to another message: the worst there is.
    WrongRecipient,
    /// A success that does not say which message it made.
    NoMessageId(u16),
    /// Not HTTP, or more than anybody would answer.
    Unreadable,
    /// The connection ended before the answer was there.
    Closed,
    Unreachable(String),
    Broken(String),
    TimedOut(Duration),
    /// Every connection was busy until the end.
    NotSent,
}

impl Failure {
    /// What went wrong with an open connection.
    pub fn broken(error: &io::Error) -> Self {
        let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
        if is(&[io::ErrorKind::UnexpectedEof]) {
            Self::Closed
        } else if is(&[io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe]) {
            // The second is what writing to a closed connection gives.
            Self::Broken("connection reset".to_owned())
        } else {
            Self::Broken(format!("connection broken: {error}"))
        }
    }

    /// What is wrong with a response.
    pub fn unreadable(error: &ResponseError) -> Self {
        let is_closed = matches!(error, ResponseError::NoResponse | ResponseError::Incomplete);
        if is_closed { Self::Closed } else { Self::Unreadable }
    }

    /// Why no connection could be opened.
    pub fn unreachable(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            Self::Unreachable("connection refused".to_owned())
        } else {
            Self::Unreachable(format!("cannot connect: {error}"))
        }
    }

    /// Whether the answer was read to its end, so that the connection can be used again.
    pub fn left_connection_usable(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::WrongRecipient | Self::NoMessageId(_) => true,
            Self::Unreadable
            | Self::Closed
            | Self::Unreachable(_)
            | Self::Broken(_)
            | Self::TimedOut(_)
            | Self::NotSent => false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, code: Some(code) } => write!(f, "http {status}, code {code}"),
            Self::Refused { status, code: None } => write!(f, "http {status}"),
            Self::WrongRecipient => f.write_str("wrong recipient"),
            Self::NoMessageId(status) => write!(f, "http {status} without a message id"),
            Self::Unreadable => f.write_str("unreadable answer"),
            Self::Closed => f.write_str("connection closed before the answer"),
            Self::Unreachable(reason) | Self::Broken(reason) => f.write_str(reason),
            Self::TimedOut(limit) => write!(f, "timed out after {}", span(*limit)),
            Self::NotSent => f.write_str("not sent: every connection was busy until the end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::ResponseReader;

    #[test]
    fn half_a_response_and_none_are_told_from_what_cannot_be_read() {
        for (text, failure) in [
            ("", Failure::Closed),
            ("HTTP/1.1 200 OK\r\n", Failure::Closed),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", Failure::Closed),
            ("SSH-2.0-OpenSSH\r\n", Failure::Unreadable),
            ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Failure::Unreadable),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", Failure::Unreadable),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", Failure::Unreadable),
        ] {
            let mut reader = ResponseReader::new(1 << 20);
            let error = match reader.read(text.as_bytes()) {
                Ok(_) => reader.end().unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(Failure::unreadable(&error), failure, "{text}");
        }
    }
}
