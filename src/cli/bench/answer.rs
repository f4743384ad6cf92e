//! Answers: where each ends, and whether it is the right one.
//!
//! Every answer is looked at, so this is on the way of every message: a success is recognised by the bytes that on-prem
//! and Cloud write, and only what does not look like that is parsed as JSON.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use httparse::{Response, Status};
use serde_json::Value;

use super::failure::Failure;

/// The most fields of an answer's head.
const MOST_FIELDS: usize = 64;
/// The most bytes of an answer; those to messages have a few hundred.
const LARGEST: usize = 1 << 20;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Its HTTP status.
    pub status: u16,
    /// Its body.
    pub body: Cow<'a, [u8]>,
    /// Whether the connection can be used again.
    pub keeps_connection: bool,
}

struct Head {
    status: u16,
    length: usize,
    framing: Framing,
    keeps_connection: bool,
}

#[derive(Clone, Copy)]
enum Framing {
    Length(usize),
    Chunked,
    UntilEnd,
}

/// Reads the answer in `bytes`; none when there is more to come. At the end there is not.
pub fn parse(bytes: &[u8], is_end: bool) -> Result<Option<Answer<'_>>, Failure> {
    let mut bytes = bytes;
    let head = loop {
        let Some(head) = head(bytes)? else { return unfinished(bytes, is_end) };
        // What announces the answer is none (RFC 9110 section 15.2).
        if !(100..200).contains(&head.status) {
            break head;
        }
        bytes = bytes.get(head.length..).unwrap_or_default();
    };
    let rest = bytes.get(head.length..).unwrap_or_default();
    let (body, used) = match head.framing {
        Framing::Length(length) => match rest.get(..length) {
            Some(body) => (Cow::Borrowed(body), length),
            None => return unfinished(bytes, is_end),
        },
        Framing::Chunked => match unchunked(rest)? {
            Some((body, used)) => (Cow::Owned(body), used),
            None => return unfinished(bytes, is_end),
        },
        Framing::UntilEnd if is_end => (Cow::Borrowed(rest), rest.len()),
        Framing::UntilEnd => return unfinished(bytes, is_end),
    };
    // What follows an answer was not asked for: who knows whose it is.
    let keeps_connection = head.keeps_connection && !is_end && used == rest.len();
    Ok(Some(Answer { status: head.status, body, keeps_connection }))
}

fn unfinished<'a>(bytes: &[u8], is_end: bool) -> Result<Option<Answer<'a>>, Failure> {
    if is_end {
        Err(Failure::Closed)
    } else if bytes.len() > LARGEST {
        Err(Failure::Unreadable)
    } else {
        Ok(None)
    }
}

/// RFC 9112 section 6.3: how long a body is.
fn head(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
    let mut response = Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    let Ok(Status::Complete(length)) = parsed else {
        return if parsed.is_ok() { Ok(None) } else { Err(Failure::Unreadable) };
    };
    let status = response.code.ok_or(Failure::Unreadable)?;
    let mut framing = Framing::UntilEnd;
    // Before HTTP/1.1 connections ended with the answer (RFC 9112 section 9.3).
    let mut keeps_connection = response.version == Some(1);
    for field in &*response.headers {
        if field.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(field.value).ok().and_then(|text| text.trim().parse().ok());
            let length = length.filter(|length| *length <= LARGEST).ok_or(Failure::Unreadable)?;
            if !matches!(framing, Framing::Chunked) {
                framing = Framing::Length(length);
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        } else if field.name.eq_ignore_ascii_case("connection") {
            keeps_connection = !field.value.eq_ignore_ascii_case(b"close");
        }
    }
    // These never have a body.
    if matches!(status, 100..200 | 204 | 304) {
        framing = Framing::Length(0);
    }
    Ok(Some(Head { status, length, framing, keeps_connection }))
}

/// The body without its chunks, and how many bytes it took (RFC 9112 section 7.1).
fn unchunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Failure> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (start, size) = match httparse::parse_chunk_size(rest) {
            Ok(Status::Complete(chunk)) => chunk,
            Ok(Status::Partial) => return Ok(None),
            Err(_) => return Err(Failure::Unreadable),
        };
        if size == 0 {
            let trailers = rest.get(start..).unwrap_or_default();
            return Ok(end_of_trailers(trailers).map(|length| (body, at + start + length)));
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= LARGEST).ok_or(Failure::Unreadable)?;
        let end = start + size;
        let (Some(chunk), Some(line_end)) = (rest.get(start..end), rest.get(end..end + 2)) else {
            return Ok(None);
        };
        if line_end != b"\r\n" {
            return Err(Failure::Unreadable);
        }
        body.extend_from_slice(chunk);
        at += end + 2;
    }
}

fn end_of_trailers(bytes: &[u8]) -> Option<usize> {
    if bytes.starts_with(b"\r\n") { Some(2) } else { after(bytes, b"\r\n\r\n") }
}

/// Whether this is the answer to a message to `to`, which are digits.
pub fn check(answer: &Answer<'_>, to: &[u8]) -> Result<(), Failure> {
    let (status, body) = (answer.status, &*answer.body);
    if !matches!(status, 200 | 201) {
        return Err(Failure::Refused { status, code: code(body) });
    }
    if is_plainly_right(body, to) { Ok(()) } else { check_closely(status, body, to) }
}

/// The bytes that everybody writes, with no blanks between them.
fn is_plainly_right(body: &[u8], to: &[u8]) -> bool {
    let has_id = after(body, br#""messages":[{"id":""#)
        .and_then(|at| body.get(at))
        .is_some_and(|first| !matches!(first, b'"' | b'\\'));
    has_id
        && after(body, br#""contacts":[{"input":""#).is_some_and(|at| {
            let rest = body.get(at..).unwrap_or_default();
            let rest = rest.strip_prefix(b"+").unwrap_or(rest);
            rest.strip_prefix(to).is_some_and(|rest| rest.first() == Some(&b'"'))
        })
}

fn check_closely(status: u16, body: &[u8], to: &[u8]) -> Result<(), Failure> {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Some(code) = code(body) {
        return Err(Failure::Refused { status, code: Some(code) });
    }
    let text = |pointer| json.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    if text("/messages/0/id").is_none() {
        return Err(Failure::NoMessageId(status));
    }
    let input = text("/contacts/0/input").or_else(|| text("/contacts/0/wa_id")).unwrap_or_default();
    if input.trim_start_matches('+').as_bytes() == to { Ok(()) } else { Err(Failure::WrongRecipient) }
}

/// The code of an error: on-prem's `errors[0].code`, or Cloud's `error.code`.
fn code(body: &[u8]) -> Option<i64> {
    let json: Value = serde_json::from_slice(body).ok()?;
    json.pointer("/errors/0/code").or_else(|| json.pointer("/error/code"))?.as_i64()
}

/// Where `what` ends in `bytes`.
fn after(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what).map(|start| start + what.len())
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
