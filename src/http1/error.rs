//! What can be wrong with a response.

use thiserror::Error;

/// Why a response cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResponseError {
    /// The head is not one of HTTP/1.x, or has too many fields.
    #[error("the answer's head cannot be read: {0}")]
    Head(httparse::Error),
    /// There is no status of this number.
    #[error("the answer's head cannot be read: no such status")]
    Status,
    /// A line, or lines together, without an end.
    #[error("the answer has lines of more than {0} bytes")]
    LongLines(usize),
    /// It switches to another protocol (101), which nobody asked for.
    #[error("the answer switches to another protocol")]
    Switch,
    /// Interim responses without end (RFC 9110 section 15.2).
    #[error("the answer is announced again and again")]
    Interim,
    /// A transfer coding other than `chunked`, or one of HTTP/1.0, which has none.
    #[error("the answer's transfer coding is not known")]
    Coding,
    /// A `Content-Length` that is no number, or several that differ.
    #[error("the answer's length is not clear")]
    Length,
    /// Chunks and a `Content-Length`.
    #[error("the answer has chunks and a length")]
    TwoFramings,
    /// A chunk does not begin or end as it should, or a trailer is no field.
    #[error("the answer broke off: a chunk cannot be read")]
    Chunk,
    /// The body is too large.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection ended before the head was there.
    #[error("the connection ended before the answer")]
    NoResponse,
    /// The connection ended within the body.
    #[error("the answer broke off: the connection ended")]
    Incomplete,
}

/// What was found in some bytes, and how many of them it took; nothing when more are needed.
pub(super) type Parsed<T> = Result<Option<(T, usize)>, ResponseError>;
