//! Whether a response is the right one.
//!
//! Every response is checked, so this is on the way of every message: a success is recognised by the bytes that on-prem
//! and Cloud write, and only what does not look like that is parsed as JSON.

use memchr::memmem;
use serde_json::Value;

use super::failure::Failure;

/// Whether this answers a message to `to`, which are digits.
pub fn check(status: u16, body: &[u8], to: &[u8]) -> Result<(), Failure> {
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
    memmem::find(bytes, what).map(|start| start + what.len())
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
