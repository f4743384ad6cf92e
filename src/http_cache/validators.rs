//! What an answer can be recognised by: its `ETag` and its `Last-Modified`, as they came.

use http::HeaderMap;
use http::header::{ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use serde::{Deserialize, Serialize};

/// No entry of the cache is to grow with what a provider sends; usual ETags have less than 100 bytes.
const MAX_LENGTH: usize = 512;

/// The validators of one answer, verbatim (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// `ETag` with its quotes and its `W/`, or without quotes if it came without.
    #[serde(default, with = "verbatim", skip_serializing_if = "Option::is_none")]
    pub etag: Option<HeaderValue>,
    /// `Last-Modified`, in whichever of the three date forms it came.
    #[serde(default, with = "verbatim", skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<HeaderValue>,
}

impl Validators {
    /// Those of an answer. Where a header is there twice, is too long or would mean something else if
    /// it were sent back, there are none at all: asking without a condition is never wrong.
    pub fn of(headers: &HeaderMap) -> Self {
        Self::clear(headers).unwrap_or_default()
    }

    /// The same, or nothing where the headers leave a doubt.
    pub(super) fn clear(headers: &HeaderMap) -> Option<Self> {
        let etag = only(headers, ETAG).ok()?;
        if etag.as_ref().is_some_and(|etag| !is_etag(etag.as_bytes())) {
            return None;
        }
        // RFC 9110 section 13.1.3 has a receiver ignore what is no date, so we do not send it.
        let last_modified = only(headers, LAST_MODIFIED).ok()?;
        Some(Self { etag, last_modified: last_modified.filter(|value| date(value.as_bytes()).is_some()) })
    }

    /// Whether there is nothing to ask with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// The conditions of a revalidation, values as they were received (RFC 9110 section 13.1).
    pub fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> + '_ {
        let etag = self.etag.iter().map(|value| (IF_NONE_MATCH, value.clone()));
        etag.chain(self.last_modified.iter().map(|value| (IF_MODIFIED_SINCE, value.clone())))
    }

    /// Whether a whole answer with these `headers` is byte for byte the one that is remembered: the
    /// same strong `ETag` or, where not both have an `ETag`, the same `Last-Modified`.
    pub(super) fn same_bytes(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (Some(ours), Some(theirs)) => ours == theirs && !is_weak(ours),
            (Some(_), None) | (None, Some(_) | None) => self.same_last_modified(other),
        }
    }

    /// Whether both have a `Last-Modified` and neither differs; as text, since any difference counts.
    pub(super) fn same_last_modified(&self, other: &Self) -> bool {
        self.last_modified.is_some() && self.last_modified == other.last_modified
    }

    /// Whether both have an `ETag` and they name different things; weakness aside, as
    /// `If-None-Match` compares (RFC 9110 section 13.1.2).
    pub(super) fn other_etag(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (Some(ours), Some(theirs)) => opaque(ours) != opaque(theirs),
            (Some(_), None) | (None, Some(_) | None) => false,
        }
    }

    /// Whether a 304 that names `theirs` may be about the answer with these validators (the first
    /// match of RFC 9111 section 4.3.4). One that names nothing confirms what we asked about.
    pub(super) fn confirmed_by(&self, theirs: &Self) -> bool {
        match (&self.etag, &theirs.etag) {
            (Some(_), Some(_)) => !self.other_etag(theirs),
            (None, Some(new)) if !is_weak(new) => self.same_last_modified(theirs),
            (Some(_) | None, None) | (None, Some(_)) => {
                theirs.last_modified.is_none()
                    || self.last_modified.is_none()
                    || self.same_last_modified(theirs)
            }
        }
    }
}

/// A header that is there twice or is too long to keep.
struct Doubtful;

/// The only value of the header, if it has one.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<HeaderValue>, Doubtful> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.as_bytes();
    if values.next().is_some() || text.len() > MAX_LENGTH {
        return Err(Doubtful);
    }
    // A copy, since a received value keeps the whole buffer alive that it was read into.
    HeaderValue::from_bytes(text).map(Some).map_err(|_| Doubtful)
}

/// An entity-tag, or a bare word as some servers send it. `*` and lists would ask `If-None-Match`
/// another question.
fn is_etag(text: &[u8]) -> bool {
    match text.strip_prefix(b"W/").unwrap_or(text) {
        [b'"', inner @ .., b'"'] => !inner.contains(&b'"'),
        word => {
            let separates = |byte: &u8| matches!(byte, b'"' | b',' | b' ' | b'\t');
            !word.is_empty() && word != b"*" && !word.iter().any(separates)
        }
    }
}

/// Seconds since the Unix epoch of a date in one of the three forms of RFC 9110 section 5.6.7.
pub(super) fn date(text: &[u8]) -> Option<i64> {
    let date = httpdate::parse_http_date(std::str::from_utf8(text).ok()?).ok()?;
    i64::try_from(date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs()).ok()
}

fn is_weak(etag: &HeaderValue) -> bool {
    etag.as_bytes().starts_with(b"W/")
}

fn opaque(etag: &HeaderValue) -> &[u8] {
    let text = etag.as_bytes();
    text.strip_prefix(b"W/").unwrap_or(text)
}

/// Header values as text in which every character is one byte: JSON has no bytes, and header values
/// may have bytes that are not UTF-8 (obs-text, RFC 9110 section 5.5).
mod verbatim {
    use http::HeaderValue;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<HeaderValue>, to: S) -> Result<S::Ok, S::Error> {
        let text =
            value.as_ref().map(|value| value.as_bytes().iter().map(|byte| char::from(*byte)).collect());
        Option::<String>::serialize(&text, to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<HeaderValue>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        let value = HeaderValue::from_bytes(&bytes.map_err(D::Error::custom)?);
        value.map(Some).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONDAY: &str = "Mon, 20 Jan 2025 10:00:00 GMT";
    const TUESDAY: &str = "Tue, 21 Jan 2025 10:00:00 GMT";

    fn read(etags: &[&[u8]], dates: &[&str]) -> Validators {
        let mut headers = HeaderMap::new();
        for etag in etags {
            headers.append(ETAG, HeaderValue::from_bytes(etag).unwrap());
        }
        for date in dates {
            headers.append(LAST_MODIFIED, date.parse().unwrap());
        }
        Validators::of(&headers)
    }

    #[test]
    fn they_are_sent_as_they_came() {
        for etag in [&b"\"33a64df5\""[..], b"W/\"a\"", b"\"a, b\"", b"\"\"", b"bare", b"\"\xfc\""] {
            let sent: Vec<_> = read(&[etag], &["Monday, 20-Jan-25 10:00:00 GMT"]).headers().collect();
            let expected = [
                (IF_NONE_MATCH, HeaderValue::from_bytes(etag).unwrap()),
                (IF_MODIFIED_SINCE, HeaderValue::from_static("Monday, 20-Jan-25 10:00:00 GMT")),
            ];
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn doubtful_ones_are_not_sent() {
        let long = [b'a'; MAX_LENGTH + 1];
        for etags in [
            &[&b"*"[..]][..],
            &[b"W/*"],
            &[b"W/"],
            &[b""],
            &[b"a, b"],
            &[b"\"a\", \"b\""],
            &[b"\"a"],
            &[b"\"a\"", b"\"b\""],
            &[b"\"a\"", b"\"a\""],
            &[&long],
        ] {
            assert!(read(etags, &[MONDAY]).is_empty(), "{etags:?}");
        }
        assert!(read(&[b"\"a\""], &[MONDAY, MONDAY]).is_empty());
        // What is no date is ignored, and says nothing about the ETag.
        assert_eq!(read(&[b"\"a\""], &["0"]), read(&[b"\"a\""], &[]));
    }

    #[test]
    fn same_bytes_needs_a_strong_etag_or_the_date() {
        for (ours, theirs, expected) in [
            (read(&[b"\"a\""], &[MONDAY]), read(&[b"\"a\""], &[TUESDAY]), true),
            (read(&[b"\"a\""], &[MONDAY]), read(&[b"\"b\""], &[MONDAY]), false),
            (read(&[b"W/\"a\""], &[MONDAY]), read(&[b"W/\"a\""], &[MONDAY]), false),
            (read(&[b"W/\"a\""], &[]), read(&[b"\"a\""], &[]), false),
            (read(&[b"a"], &[]), read(&[b"\"a\""], &[]), false),
            (read(&[b"\"a\""], &[MONDAY]), read(&[], &[MONDAY]), true),
            (read(&[], &[MONDAY]), read(&[], &[TUESDAY]), false),
            (read(&[], &[MONDAY]), read(&[], &["Monday, 20-Jan-25 10:00:00 GMT"]), false),
            (read(&[b"\"a\""], &[]), read(&[], &[]), false),
            (read(&[], &[]), read(&[], &[]), false),
        ] {
            assert_eq!(ours.same_bytes(&theirs), expected, "{ours:?} {theirs:?}");
            assert_eq!(theirs.same_bytes(&ours), expected, "{theirs:?} {ours:?}");
        }
    }

    #[test]
    fn json_keeps_every_byte() {
        let ours = read(&[b"\"\xfc\xff\""], &[MONDAY]);
        let json = serde_json::to_string(&ours).unwrap();
        assert_eq!(serde_json::from_str::<Validators>(&json).unwrap(), ours, "{json}");
        assert_eq!(serde_json::from_str::<Validators>("{}").unwrap(), Validators::default());
        for broken in [r#"{"etag":"\n"}"#, r#"{"etag":"\u0416"}"#] {
            assert!(serde_json::from_str::<Validators>(broken).is_err(), "{broken}");
        }
    }
}
