//! Errors that come by webhook -> errors of callbacks.

use super::{CloudFailure, Endpoint, Options, details, one_line, verdict, words};
use crate::cloud::GraphError;
use crate::onprem::ErrorCode;
use crate::onprem::callback::CallbackError;

/// Where in a webhook an error stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a status: a message to a user failed.
    Status,
    /// In a message from a user.
    Message,
    /// At the top: about the number.
    Number,
}

/// The words of on-prem's own 501.
const UNSUPPORTED: &str = "Message type is not currently supported";

/// Turns an error of a webhook into the callback's form.
///
/// On-prem told some faults by webhook under another code than in an answer; and a code that Cloud does not
/// have but on-prem does, as in the Cloud guide's own sample, is an on-prem code already.
///
/// Rule   webhook.error             Status translated
/// Onprem client error codes; webhooks, `errors`
/// Cloud  error codes; webhooks, "errors" object
/// Golden webhooks/failed/*, webhooks/errors/*, webhooks/unsupported/*
pub fn error_to_callback(
    error: &GraphError,
    place: Place,
    phone_number_id: &str,
    options: &Options,
) -> CallbackError {
    let failure = CloudFailure {
        http: 400,
        body: &[],
        retry_after: None,
        endpoint: Endpoint::Messages,
        phone_number_id,
    };
    let verdict = verdict(error, &failure, options);
    let error = &error.clone().without(&options.hidden);
    if verdict.is_unmapped
        && let Some(code) = error.code.and_then(onprem_code)
    {
        return CallbackError { code, details: error.details.as_deref().map(one_line_of) };
    }
    let code = match (error.code, place) {
        (Some(130_429 | 131_056), _) => ErrorCode::RateLimitHit,
        (Some(131_000), _) => ErrorCode::AsyncGenericError,
        (Some(131_051), Place::Message) => return unsupported(),
        // Whatever it is, the message is not all there.
        _ if verdict.is_unmapped && place == Place::Message => ErrorCode::UnknownMessageType,
        _ if verdict.is_unmapped => ErrorCode::AsyncGenericError,
        _ => verdict.code,
    };
    CallbackError { code, details: Some(details(error, words(error, Endpoint::Messages), code, options)) }
}

/// The error of a message whose content on-prem clients cannot be given.
pub fn unsupported() -> CallbackError {
    CallbackError { code: ErrorCode::UnknownMessageType, details: Some(UNSUPPORTED.to_owned()) }
}

fn onprem_code(code: i64) -> Option<ErrorCode> {
    u16::try_from(code).ok().and_then(ErrorCode::from_code)
}

fn one_line_of(text: &str) -> String {
    one_line(text, super::DETAILS_LENGTH)
}
