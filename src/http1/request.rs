//! Requests that everybody reads alike, from the bytes that have arrived.

use std::mem;

use http::HeaderName;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use httparse::Status;
use memchr::memmem;

use super::fields::{Field, Room, digits};

/// The largest body of a request that is read here; a larger one has to be read as it arrives.
pub const LARGEST_BODY: usize = 16 * 1024;
/// Digits of that number.
const LENGTH_DIGITS: usize = 5;
/// Bytes of a target; hyper takes no more.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// Why there is no request yet, or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Its head is incomplete.
    Head,
    /// Its body is incomplete; with it the request has so many bytes.
    Body(usize),
    /// It is unusual or malformed, and not read here.
    Unusual,
}

/// A whole request, which borrows from the bytes it was read from.
#[derive(Debug)]
pub struct Request<'h, 'b> {
    /// Its method.
    pub method: &'b str,
    /// Its target, which is a path with or without a query.
    pub target: &'b str,
    /// Its fields, in order.
    pub fields: &'h [Field<'b>],
    /// Bytes of the head.
    pub head_length: usize,
    /// Its body.
    pub body: &'b [u8],
    /// Whether the client closes the connection after it.
    pub is_last: bool,
}

impl<'h, 'b> Request<'h, 'b> {
    /// Reads the first request of `bytes`, if its head has at most `max_head` bytes.
    pub fn read(bytes: &'b [u8], max_head: usize, room: &'h mut Room<'b>) -> Result<Self, Unready> {
        let mut head = httparse::Request::new(&mut []);
        let head_length = match head.parse_with_uninit_headers(bytes, room) {
            Ok(Status::Complete(length)) if length <= max_head => length,
            Ok(Status::Partial) if bytes.len() <= max_head => return Err(Unready::Head),
            Ok(Status::Complete(_) | Status::Partial) | Err(_) => return Err(Unready::Unusual),
        };
        let (Some(method), Some(target), Some(1)) = (head.method, head.path, head.version) else {
            return Err(Unready::Unusual);
        };
        let fields: &'h [Field<'b>] = head.headers;
        if !is_usual(method, target) {
            return Err(Unready::Unusual);
        }
        let Framing { body_length, is_last } = framing(fields).ok_or(Unready::Unusual)?;
        let length = head_length + body_length;
        let body = bytes.get(head_length..length).ok_or(Unready::Body(length))?;
        Ok(Self { method, target, fields, head_length, body, is_last })
    }

    /// Bytes of head and body; what follows is another request.
    pub fn length(&self) -> usize {
        self.head_length + self.body.len()
    }
}

/// The response to HEAD, and the tunnel after CONNECT, have rules of their own; as has a target that is no path.
fn is_usual(method: &str, target: &str) -> bool {
    !matches!(method, "HEAD" | "CONNECT")
        && target.starts_with('/')
        && target.len() <= LONGEST_TARGET
        && target.bytes().all(is_unambiguous)
}

/// Of a target that everybody reads alike: whether hyper takes others, and what for, is its own business.
fn is_unambiguous(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%?&=+:,;@!$'()*".contains(&byte)
}

/// What a head says of where the request ends.
struct Framing {
    body_length: usize,
    is_last: bool,
}

/// Where the request ends, if that is beyond doubt and it asks for nothing but a response.
fn framing(fields: &[Field<'_>]) -> Option<Framing> {
    let (mut length, mut is_last) = (None, false);
    for field in fields {
        let is = |name: &HeaderName| field.name.eq_ignore_ascii_case(name.as_str());
        // By length first: most names are none of these.
        match field.name.len() {
            6 if is(&EXPECT) => return None,
            7 if is(&UPGRADE) => return None,
            10 if is(&CONNECTION) => {
                is_last |= field.value.eq_ignore_ascii_case(b"close");
                if !is_last && !field.value.eq_ignore_ascii_case(b"keep-alive") {
                    return None;
                }
            }
            14 if is(&CONTENT_LENGTH) => {
                let earlier = length.replace(body_length(field.value)?);
                // Which of several counts is not decided here (RFC 9112 section 6.3).
                earlier.is_none().then_some(())?;
            }
            17 if is(&TRANSFER_ENCODING) => return None,
            _ => {}
        }
    }
    Some(Framing { body_length: length.unwrap_or_default(), is_last })
}

/// Digits and nothing else (RFC 9110 section 8.6), of a body that is not large.
fn body_length(value: &[u8]) -> Option<usize> {
    digits(value).filter(|length| value.len() <= LENGTH_DIGITS && *length <= LARGEST_BODY)
}

/// The beginning of a request, kept until the rest has arrived.
#[derive(Debug, Default)]
pub struct Partial {
    bytes: Vec<u8>,
    /// Bytes of the whole request, once its head is there.
    length: Option<usize>,
}

impl Partial {
    /// Of `bytes`; `length` is that of [`Unready::Body`].
    pub fn new(bytes: Vec<u8>, length: Option<usize>) -> Self {
        Self { bytes, length }
    }

    /// Appends what has arrived, and says whether reading again makes sense: reading a head again for each of its bytes
    /// would take the square of its length.
    pub fn push(&mut self, more: &[u8], max_head: usize) -> bool {
        let seen = self.bytes.len();
        self.bytes.extend_from_slice(more);
        match self.length {
            Some(length) => length <= self.bytes.len(),
            None => {
                ends_head(self.bytes.get(seen.saturating_sub(3)..).unwrap_or_default())
                    || self.bytes.len() > max_head
            }
        }
    }

    /// Takes all bytes out.
    pub fn take(&mut self) -> Vec<u8> {
        mem::take(self).bytes
    }
}

/// Whether a head ends in `bytes`, in lines of either kind.
fn ends_head(bytes: &[u8]) -> bool {
    memmem::find(bytes, b"\n\r\n").is_some() || memmem::find(bytes, b"\n\n").is_some()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
