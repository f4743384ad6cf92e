//! What a [`Provider`](super::Provider) answers.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// One answer: a status, headers as they are, a body, and what goes wrong with it.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Payload,
    pub(super) framing: Framing,
    pub(super) ending: Ending,
    /// The headers of a 304, if it can be one.
    not_modified: Option<Vec<(String, String)>>,
}

/// A body.
#[derive(Clone, Debug)]
pub enum Payload {
    Bytes(Vec<u8>),
    /// So many zeros, which are made as they are sent.
    Zeros(u64),
}

/// How a client learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length,
    /// This length, whatever it really is.
    Declared(u64),
    Chunked,
    UntilClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Whole,
    /// Closes after so many bytes of the body.
    Truncate(u64),
    /// Sends so many and then nothing more, until the client goes.
    Stall(u64),
}

impl Answer {
    /// With this status and nothing else.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Payload::Bytes(Vec::new()),
            framing: Framing::Length,
            ending: Ending::Whole,
            not_modified: None,
        }
    }

    /// 200 with these bytes, as `image/jpeg`.
    pub fn ok(bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Payload::Bytes(bytes.into()), ..Self::new(200) }.header("Content-Type", "image/jpeg")
    }

    /// 200 with so many zeros, as `application/pdf`.
    pub fn zeros(length: u64) -> Self {
        Self { body: Payload::Zeros(length), ..Self::new(200) }.header("Content-Type", "application/pdf")
    }

    /// A further header line; the same name may come again.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Another type than the usual one.
    pub fn content_type(self, value: &str) -> Self {
        self.no_content_type().header("Content-Type", value)
    }

    /// No type at all.
    pub fn no_content_type(mut self) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        self
    }

    /// In chunks, without a length.
    pub fn chunked(self) -> Self {
        Self { framing: Framing::Chunked, ..self }
    }

    /// Without a length: the end of the connection is the end of the body.
    pub fn until_close(self) -> Self {
        Self { framing: Framing::UntilClose, ..self }
    }

    /// Says that the body has this length; the connection ends after what it really has.
    pub fn declare_length(self, length: u64) -> Self {
        Self { framing: Framing::Declared(length), ..self }
    }

    /// Closes after so many bytes of the body.
    pub fn truncate_after(self, bytes: u64) -> Self {
        Self { ending: Ending::Truncate(bytes), ..self }
    }

    /// Sends so many bytes of the body and nothing more, until the client goes.
    pub fn stall_after(self, bytes: u64) -> Self {
        Self { ending: Ending::Stall(bytes), ..self }
    }

    /// Becomes a 304 with these headers when the request's condition names this answer's `ETag` or, without
    /// one, its `Last-Modified`.
    pub fn revalidating<'a>(self, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { not_modified: Some(headers), ..self }
    }

    /// The answer to a request with these headers.
    pub(super) fn for_request(self, request: &BTreeMap<String, String>) -> Self {
        // If-None-Match decides alone when it is there (RFC 9110 section 13.1.3); its comparison is weak.
        let is_known = match (request.get("if-none-match"), request.get("if-modified-since")) {
            (Some(tags), _) => self.value("etag").is_some_and(|tag| {
                tags.split(',').any(|known| strong(known.trim()) == strong(tag) || known.trim() == "*")
            }),
            (None, Some(date)) => self.value("last-modified") == Some(date),
            (None, None) => false,
        };
        match &self.not_modified {
            Some(headers) if is_known => Self { headers: headers.clone(), ..Self::new(304) },
            _ => self,
        }
    }

    pub(super) fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            // These have no body (RFC 9110 section 8.6).
            _ if matches!(self.status, 204 | 304) => {}
            Framing::Length => head.push_str(&format!("Content-Length: {}\r\n", self.body.len())),
            Framing::Declared(length) => head.push_str(&format!("Content-Length: {length}\r\n")),
            Framing::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
            Framing::UntilClose => head.push_str("Connection: close\r\n"),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    pub(super) fn stalls(&self) -> bool {
        matches!(self.ending, Ending::Stall(_))
    }

    /// Whether the client can tell where a next answer begins.
    pub(super) fn keeps_connection(&self) -> bool {
        self.ending == Ending::Whole && matches!(self.framing, Framing::Length | Framing::Chunked)
    }

    fn value(&self, name: &str) -> Option<&String> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

impl Payload {
    pub fn len(&self) -> u64 {
        match self {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::Zeros(length) => *length,
        }
    }

    /// At most `most` of the bytes between `from` and `to`.
    pub(super) fn piece(&self, from: u64, to: u64, most: usize) -> Cow<'_, [u8]> {
        let length = usize::try_from(to - from).unwrap().min(most);
        match self {
            Payload::Bytes(bytes) => bytes[usize::try_from(from).unwrap()..][..length].into(),
            Payload::Zeros(_) => vec![0; length].into(),
        }
    }
}
