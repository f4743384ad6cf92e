//! Heads as they are written.

use http::{Method, StatusCode};
use tokio::time::Instant;

use super::date::with_date;

/// Appends a head to a buffer, line by line. Nothing is escaped: what is written has to come from types that cannot
/// hold the end of a line, such as `Uri` and `HeaderValue`.
pub struct HeadWriter<'a>(&'a mut Vec<u8>);

impl<'a> HeadWriter<'a> {
    /// Begins a request. Only the path stands in its first line; the host is a field (RFC 9112 section 3.2.1).
    pub fn request(out: &'a mut Vec<u8>, method: &Method, target: &str, host: &str) -> Self {
        for piece in [method.as_str(), " ", target, " HTTP/1.1\r\nhost: ", host, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        Self(out)
    }

    /// Begins a response.
    pub fn response(out: &'a mut Vec<u8>, status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or_default();
        for piece in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        Self(out)
    }

    /// Writes a field.
    pub fn field(&mut self, name: &str, value: &[u8]) {
        for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
            self.0.extend_from_slice(piece);
        }
    }

    /// Writes the length of the body.
    pub fn content_length(&mut self, length: u64) {
        self.field("content-length", itoa::Buffer::new().format(length).as_bytes());
    }

    /// Writes the date; `now` is the present.
    pub fn date(&mut self, now: Instant) {
        with_date(now, |date| self.field("date", date.as_bytes()));
    }

    /// Ends the head. The body may follow.
    pub fn end(self) {
        self.0.extend_from_slice(b"\r\n");
    }
}
