//! Code 100, Graph's "Invalid parameter", told apart by its text.

use super::{Class, Endpoint, Verdict, words};
use crate::onprem::ErrorCode;

/// The first pattern that matches decides (wordings from field reports of Graph's answers).
pub(super) fn verdict(text: &str, subcode: Option<i64>, endpoint: Endpoint) -> Verdict {
    let fix = |code: ErrorCode| Verdict::new(code, code.http(), Class::Fix);
    let lower = text.to_ascii_lowercase();
    let says = |pattern: &str| lower.contains(pattern);
    if says("unexpected key") {
        return fix(ErrorCode::ParameterNotRequired);
    }
    if endpoint == Endpoint::Messages
        && let Some(code) = words::code_of(100, text)
    {
        return fix(code);
    }
    if says("at most") && says("characters") || says("too long") {
        return fix(if says("text['body']") || says("text.body") || says("param body") {
            ErrorCode::MessageTooLong
        } else {
            ErrorCode::ParameterInvalid
        });
    }
    if says("is required") || says("is mandatory") || says("missing or empty") {
        return fix(ErrorCode::ParameterMissing);
    }
    if says("must be a file with one of the following types") {
        return fix(ErrorCode::ParameterInvalid);
    }
    if says("does not exist") && says("object with id") || subcode == Some(33) && endpoint == Endpoint::Media
    {
        return fix(ErrorCode::ResourceNotFound);
    }
    if is_about_recipient(&lower) {
        return Verdict::new(ErrorCode::UserNotValid, 400, Class::Recipient);
    }
    fix(ErrorCode::ParameterInvalid)
}

/// `to` as a parameter, not the word in a sentence.
fn is_about_recipient(lower: &str) -> bool {
    lower.replace("recipient_type", "").contains("recipient")
        || [
            "param to ",
            "parameter to ",
            "param to.",
            "param 'to'",
            "parameter 'to'",
            "'to' ",
            "\"to\"",
            "`to`",
        ]
        .iter()
        .any(|pattern| lower.contains(pattern))
}
