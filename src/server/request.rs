//! A request, whichever way it was read.
//!
//! Most fields of a head are of no interest here. The closed list of those that are ([`Name`]) is found once, the others
//! are only counted, and all stay as they were sent for whoever passes them on: building a map of them would cost a
//! message as much as translating it.

use std::fmt;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::header::EXPECT;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Version};
use hyper::body::Incoming;
use memchr::memmem;

use super::body::RequestBody;
use crate::http1;
use crate::webhook::SIGNATURE;

/// A request.
#[derive(Debug)]
pub struct Request {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: RequestBody,
}

/// What a request's head says.
#[derive(Debug)]
pub struct Head {
    /// What is to be done.
    pub method: Method,
    /// With what.
    pub target: Target,
    /// Whether it speaks HTTP/1.1, and not 1.0.
    pub is_http11: bool,
    /// Its fields.
    pub fields: Fields,
}

impl Request {
    /// The request that the codec has read from `bytes`, without a copy of them.
    pub fn from_http1(bytes: &Bytes, request: &http1::Request<'_, '_>) -> Option<Self> {
        let (start, end) = http1::span(bytes, request.target.as_bytes())?;
        let head = Head {
            method: Method::from_bytes(request.method.as_bytes()).ok()?,
            target: Target::new(bytes.slice(start..end)),
            is_http11: true,
            fields: Fields::from_http1(bytes, request)?,
        };
        Some(Self { head, body: RequestBody::Whole(bytes.slice(request.head_length..request.length())) })
    }
}

impl From<http::Request<Incoming>> for Request {
    fn from(request: http::Request<Incoming>) -> Self {
        let (parts, body) = request.into_parts();
        let target = parts.uri.path_and_query().map_or(parts.uri.path(), PathAndQuery::as_str);
        let head = Head {
            method: parts.method,
            target: Target::new(Bytes::copy_from_slice(target.as_bytes())),
            is_http11: parts.version == Version::HTTP_11,
            fields: Fields::from(&parts.headers),
        };
        Self { head, body: RequestBody::Arriving { body, is_expecting: parts.headers.contains_key(EXPECT) } }
    }
}

/// What is known of a request beyond its route.
#[derive(Debug)]
pub struct Context {
    /// For the log.
    pub request_id: String,
    /// Who is asking.
    pub peer: SocketAddr,
}

/// A path, and a query.
#[derive(Clone)]
pub struct Target {
    text: Bytes,
    path: usize,
}

/// Without the query, which may hold a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.path()).finish()
    }
}

impl Target {
    /// Of `text`, which is a path with or without a query.
    pub fn new(text: Bytes) -> Self {
        let path = memchr::memchr(b'?', &text).unwrap_or(text.len());
        match text.get(..path) {
            Some(b"/") | None => Self { text, path },
            Some(given) if !given.ends_with(b"/") && memmem::find(given, b"//").is_none() => {
                Self { text, path }
            }
            Some(given) => Self::without_empty_segments(given, text.get(path..).unwrap_or_default()),
        }
    }

    /// Whoever joins a base URL that ends in a slash and a path that begins with one means one slash.
    fn without_empty_segments(path: &[u8], query: &[u8]) -> Self {
        let mut text = BytesMut::with_capacity(path.len() + query.len());
        for segment in path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            text.extend_from_slice(b"/");
            text.extend_from_slice(segment);
        }
        if text.is_empty() {
            text.extend_from_slice(b"/");
        }
        let path = text.len();
        text.extend_from_slice(query);
        Self { text: text.freeze(), path }
    }

    /// The path, without its empty segments.
    pub fn path(&self) -> &str {
        text(self.text.get(..self.path)).unwrap_or_default()
    }

    /// The query as it was sent, without its question mark.
    pub fn query(&self) -> &str {
        text(self.text.get(self.path + 1..)).unwrap_or_default()
    }
}

/// A field that somebody looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// Selects the number.
    Host,
    /// Who is asking.
    Authorization,
    /// The same, as 360dialog's clients say it.
    D360ApiKey,
    /// The client's own id for the request.
    RequestId,
    /// The type of the body.
    ContentType,
    /// How the body is coded.
    ContentEncoding,
    /// How the body is cut.
    TransferEncoding,
    /// Who has signed a webhook.
    Signature,
}

impl Name {
    /// The one that is spelt so, in whatever case.
    fn of(name: &[u8]) -> Option<Self> {
        // By length first: most names are none of these.
        let (spelling, found): (&[u8], Self) = match name.len() {
            4 => (b"host", Self::Host),
            12 if name.first().is_some_and(|first| first.eq_ignore_ascii_case(&b'c')) => {
                (b"content-type", Self::ContentType)
            }
            12 if name.get(1) == Some(&b'-') => (b"x-request-id", Self::RequestId),
            12 => (b"d360-api-key", Self::D360ApiKey),
            13 => (b"authorization", Self::Authorization),
            16 => (b"content-encoding", Self::ContentEncoding),
            17 => (b"transfer-encoding", Self::TransferEncoding),
            19 => (SIGNATURE.as_bytes(), Self::Signature),
            _ => return None,
        };
        name.eq_ignore_ascii_case(spelling).then_some(found)
    }
}

/// A field that may be there once is there several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Several;

/// The fields of a head.
#[derive(Clone, Default)]
pub struct Fields {
    count: usize,
    /// The lines of the head that hold them.
    lines: Bytes,
    known: Vec<Known>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    name: Name,
    start: usize,
    end: usize,
}

/// Without the values, some of which are secrets.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Fields {
    /// Those of a request that was read from `bytes`.
    fn from_http1(bytes: &Bytes, request: &http1::Request<'_, '_>) -> Option<Self> {
        let start = match request.fields.first() {
            Some(first) => http1::span(bytes, first.name.as_bytes())?.0,
            None => request.head_length,
        };
        let mut fields = Self::within(bytes.slice(start..request.head_length));
        for field in request.fields {
            let (start, end) = http1::span(&fields.lines, field.value)?;
            fields.add(field.name.as_bytes(), start, end);
        }
        Some(fields)
    }

    fn within(lines: Bytes) -> Self {
        // More than most heads have of the known ones.
        Self { count: 0, lines, known: Vec::with_capacity(4) }
    }

    /// Adds one with a value that is `start..end` of the lines.
    fn add(&mut self, name: &[u8], start: usize, end: usize) {
        self.count += 1;
        if let Some(name) = Name::of(name) {
            self.known.push(Known { name, start, end });
        }
    }

    /// Names and values of all fields, known or not, in order. A name is spelt as it was sent on the fast path; hyper
    /// gives it in lower case, and the values of one name one after the other.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        http1::field_lines(&self.lines)
    }

    /// How many there were.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The values of `name`, in order.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &[u8]> {
        let known = self.known.iter().filter(move |known| known.name == name);
        known.map(|known| self.lines.get(known.start..known.end).unwrap_or_default())
    }

    /// The first value of `name`.
    pub fn get(&self, name: Name) -> Option<&[u8]> {
        self.all(name).next()
    }

    /// The value of a field that may be there once: where there are several, two readers could see two.
    pub fn once(&self, name: Name) -> Result<Option<&[u8]>, Several> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_none() { Ok(value) } else { Err(Several) }
    }

    /// The first value of `name`, if it is of visible letters of ASCII, blanks and tabs.
    pub fn text(&self, name: Name) -> Option<&str> {
        visible(self.get(name)?)
    }
}

impl From<&HeaderMap> for Fields {
    fn from(headers: &HeaderMap) -> Self {
        let mut lines = BytesMut::new();
        let mut fields = Self::default();
        for (name, value) in headers {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b": ");
            let start = lines.len();
            lines.extend_from_slice(value.as_bytes());
            fields.add(name.as_str().as_bytes(), start, lines.len());
            lines.extend_from_slice(b"\r\n");
        }
        Self { lines: lines.freeze(), ..fields }
    }
}

/// A value that is a text.
pub fn visible(value: &[u8]) -> Option<&str> {
    let is_visible = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    if is_visible { text(Some(value)) } else { None }
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
