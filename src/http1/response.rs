//! Heads of responses, and what they say of the body.

use http::StatusCode;
use httparse::{ParserConfig, Status};
use memchr::memrchr;

use super::ResponseError;
use super::error::Parsed;
use super::fields::{Field, ROOM, Room, digits, retry_after, values};

/// What a head says.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) framing: Framing,
    pub(super) retry_after: Option<u32>,
    /// Whether the connection can carry another response behind this one.
    pub(super) keeps_connection: bool,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilEnd,
}

/// Reads a head. Only whole lines are looked at, so that it does not matter in which pieces they come.
pub(super) fn head(bytes: &[u8]) -> Parsed<Head> {
    let lines = memrchr(b'\n', bytes).and_then(|last| bytes.get(..=last)).unwrap_or_default();
    let mut room: Room<'_> = ROOM;
    let mut response = httparse::Response::new(&mut []);
    let config = ParserConfig::default();
    let parsed = config.parse_response_with_uninit_headers(&mut response, lines, &mut room);
    let Status::Complete(length) = parsed.map_err(ResponseError::Head)? else { return Ok(None) };
    let status =
        response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(ResponseError::Status)?;
    let fields: &[Field<'_>] = response.headers;
    // Before HTTP/1.1 connections ended with the response (RFC 9112 section 9.3).
    let is_old = response.version != Some(1);
    let mut keeps_connection = !is_old && !values(fields, "connection").any(closes);
    let framing = if status.is_informational() {
        Framing::Length(0)
    } else if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // There is no body, whatever the head says; but who announces one may send it.
        keeps_connection &= matches!(framing(fields, is_old), Ok(Framing::Length(0) | Framing::UntilEnd));
        Framing::Length(0)
    } else {
        framing(fields, is_old)?
    };
    let retry_after = values(fields, "retry-after").next().and_then(retry_after);
    Ok(Some((Head { status, framing, retry_after, keeps_connection }, length)))
}

/// Whether a `Connection` field says that the connection ends (RFC 9112 section 9.6).
fn closes(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// How a body that may be there is framed (RFC 9112 section 6.3, rules 3 to 8).
fn framing(fields: &[Field<'_>], is_old: bool) -> Result<Framing, ResponseError> {
    let mut codings = values(fields, "transfer-encoding");
    let mut lengths = values(fields, "content-length").peekable();
    if let Some(coding) = codings.next() {
        let is_known = coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none() && !is_old;
        return match (is_known, lengths.peek()) {
            (false, _) => Err(ResponseError::Coding),
            (true, Some(_)) => Err(ResponseError::TwoFramings),
            (true, None) => Ok(Framing::Chunked),
        };
    }
    let mut length = None;
    // A list of the same number over and over is as good as the number (RFC 9110 section 8.6).
    for number in lengths.flat_map(|value| value.split(|byte| *byte == b',')) {
        let number = digits(number.trim_ascii()).ok_or(ResponseError::Length)?;
        if length.is_some_and(|known| known != number) {
            return Err(ResponseError::Length);
        }
        length = Some(number);
    }
    Ok(length.map_or(Framing::UntilEnd, Framing::Length))
}
