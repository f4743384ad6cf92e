//! Cloud errors -> on-prem errors: one table, one documented fallback.
//!
//! Meta publishes no mapping. [`table`] gives each row the reason it rests on; code 100, which Graph
//! uses for everything about parameters, is told apart by its text, and so are a few others ([`words`]).

mod callback;
mod parameter;
pub mod table;
pub mod words;

use super::options::{Options, UndeliverableAs};
use crate::cloud::GraphError;
use crate::onprem::ErrorCode;
use crate::onprem::callback::CallbackError;
use table::{CLOUD_TO_ONPREM, Class, Row};

pub use callback::{Place, error_to_callback, unsupported};

/// `details` stays one line that fits a log and a database column.
const DETAILS_LENGTH: usize = 500;
/// Graph's trace ids have 23 characters; a stranger's may not blow the line up.
const TRACE_LENGTH: usize = 64;

/// "Message template not found", the answer to a deletion (field reports).
const TEMPLATE_NOT_FOUND: i64 = 2_593_002;
/// "Content in this language already exists", the answer to a creation (field reports).
const TEMPLATE_EXISTS: i64 = 2_388_024;

/// The kind of call that failed; a few codes mean different things on different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Messages and read receipts.
    Messages,
    /// Media.
    Media,
    /// Registration, two-step verification.
    Account,
    /// Everything else.
    Other,
}

/// An answer of Graph that is not a success.
#[derive(Clone, Copy, Debug)]
pub struct CloudFailure<'a> {
    /// Its HTTP status.
    pub http: u16,
    /// Its body.
    pub body: &'a [u8],
    /// Its `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// What was called.
    pub endpoint: Endpoint,
    /// The number in whose name; an error about this very object is a fault of the configuration.
    pub phone_number_id: &'a str,
}

/// The on-prem error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnpremError {
    /// The on-prem code.
    pub code: ErrorCode,
    /// The HTTP status.
    pub http: u16,
    /// What clients see in `details`.
    pub details: String,
    /// Seconds for `Retry-After`, for errors that pass by themselves.
    pub retry_after: Option<u32>,
    /// Who can do something about it.
    pub class: Class,
    /// Cloud's code, if the answer was a Graph error.
    pub cloud_code: Option<i64>,
    /// Cloud's trace id, for the log.
    pub trace: Option<String>,
    /// Whether the table had no row for the code.
    pub is_unmapped: bool,
    /// The same error as on-prem would have told it: by a failed status, after it had taken the message. None
    /// for those that were in the answer on-prem, too.
    pub deferred: Option<CallbackError>,
}

/// Turns a Cloud failure into the on-prem error with the same meaning.
///
/// Rule   error.code                Status translated
/// Onprem client error codes
/// Cloud  error codes
/// Golden errors/*
pub fn error_to_onprem(failure: &CloudFailure<'_>, options: &Options) -> OnpremError {
    let Some(error) = GraphError::parse(failure.body) else {
        return without_graph_error(failure);
    };
    let verdict = verdict(&error, failure, options);
    let error = error.without(&options.hidden);
    let callback = || error_to_callback(&error, Place::Status, failure.phone_number_id, options);
    OnpremError {
        deferred: verdict.was_async.then(callback),
        code: verdict.code,
        http: verdict.http,
        details: details(&error, words(&error, failure.endpoint), verdict.code, options),
        retry_after: retry_after(&verdict, failure),
        class: verdict.class,
        cloud_code: error.code,
        trace: error.trace,
        is_unmapped: verdict.is_unmapped,
    }
}

/// What an error becomes, before its text.
struct Verdict {
    code: ErrorCode,
    http: u16,
    class: Class,
    /// Seconds that Cloud documents for this limit, where it documents any.
    wait: Option<u32>,
    is_unmapped: bool,
    was_async: bool,
}

impl Verdict {
    fn new(code: ErrorCode, http: u16, class: Class) -> Self {
        Self { code, http, class, wait: None, is_unmapped: false, was_async: false }
    }
}

impl From<&Row> for Verdict {
    fn from(row: &Row) -> Self {
        Self { wait: row.wait, was_async: row.was_async, ..Self::new(row.onprem, row.http, row.class) }
    }
}

/// A code of a fault that only another request mends.
fn fix(code: ErrorCode) -> Verdict {
    Verdict::new(code, code.http(), Class::Fix)
}

fn verdict(error: &GraphError, failure: &CloudFailure<'_>, options: &Options) -> Verdict {
    let text = format!("{} {}", error.message, error.details.as_deref().unwrap_or_default());
    // Faults of the token that the operator gave us: never a 401, which would start the client's
    // login over and over.
    let is_token_fault = text.contains("appsecret_proof") || text.contains("valid app ID");
    if is_token_fault && matches!(error.code, Some(100 | 190 | 200)) {
        return Verdict::new(ErrorCode::InternalError, 500, Class::Operator);
    }
    let is_own_number = names_object(&text, failure.phone_number_id);
    let Some(code) = error.code else {
        return from_status(failure.http);
    };
    match (code, failure.endpoint) {
        (100, _) if is_own_number => Verdict::new(ErrorCode::ServiceNotReady, 503, Class::Operator),
        (100, Endpoint::Other) if error.subcode == Some(TEMPLATE_NOT_FOUND) => {
            fix(ErrorCode::ResourceNotFound)
        }
        (100, Endpoint::Other) if error.subcode == Some(TEMPLATE_EXISTS) => {
            fix(ErrorCode::ResourceAlreadyExists)
        }
        // A fault of the template that was sent, whatever it is.
        (2_388_000..=2_388_999, Endpoint::Other) if failure.http < 500 => fix(ErrorCode::ParameterInvalid),
        (100, endpoint) => parameter::verdict(&text, error.subcode, endpoint),
        // On this endpoint it can only be about the template that was asked for.
        (132_001, Endpoint::Other) => fix(ErrorCode::ResourceNotFound),
        (code, Endpoint::Messages) if let Some(said) = words::code_of(code, &text) => fix(said),
        (131_026, _) if options.undeliverable_as == UndeliverableAs::UserNotValid => {
            let verdict = Verdict::new(ErrorCode::UserNotValid, 400, Class::Recipient);
            Verdict { was_async: true, ..verdict }
        }
        (33, Endpoint::Media | Endpoint::Account | Endpoint::Other) => {
            Verdict::new(ErrorCode::ResourceNotFound, 404, Class::Operator)
        }
        (131_031, Endpoint::Account) => Verdict::new(ErrorCode::AccessDenied, 403, Class::Fix),
        (code, _) => from_table(code, failure.http),
    }
}

/// Whether `text` says that the object `id` does not exist.
fn names_object(text: &str, id: &str) -> bool {
    !id.is_empty() && text.contains("does not exist") && text.contains(&format!("'{id}'"))
}

fn from_table(code: i64, http: u16) -> Verdict {
    match table::row_of(code) {
        Some(row) => Verdict::from(row),
        None => from_status(http),
    }
}

/// Anything else, or no code at all: the class of the HTTP status is all that is known.
fn from_status(http: u16) -> Verdict {
    let verdict = match http {
        // Whatever the code: an HTTP 401 of Graph is about the token that the operator gave us.
        401 => Verdict::new(ErrorCode::InternalError, 500, Class::Operator),
        429 => Verdict::new(ErrorCode::TooManyRequests, 429, Class::Retry),
        500.. => Verdict::new(ErrorCode::InternalError, 500, Class::Retry),
        _ => Verdict::new(ErrorCode::GenericError, 400, Class::Fix),
    };
    Verdict { is_unmapped: true, ..verdict }
}

/// HTML from the edge, other JSON, nothing: the status is all there is, and on a 5xx nobody knows
/// whether the message was taken.
fn without_graph_error(failure: &CloudFailure<'_>) -> OnpremError {
    let http = failure.http;
    let (code, status, class, advice) = match http {
        429 => (ErrorCode::TooManyRequests, 429, Class::Retry, "it was not taken; send it again later"),
        500.. if failure.endpoint == Endpoint::Other => (
            ErrorCode::InternalError,
            500,
            Class::Retry,
            "it may have been done all the same: look before you send it again",
        ),
        500.. => (
            ErrorCode::InternalError,
            500,
            Class::Retry,
            "the message may have been sent: check its status before sending it again",
        ),
        _ => (
            ErrorCode::InternalError,
            500,
            Class::Operator,
            "is cloud.base_url right, and nothing in between?",
        ),
    };
    let verdict = Verdict::new(code, status, class);
    OnpremError {
        code,
        http: status,
        details: format!("Cloud answered HTTP {http} without a Graph error; {advice}"),
        retry_after: retry_after(&verdict, failure),
        class,
        cloud_code: None,
        trace: None,
        is_unmapped: false,
        deferred: None,
    }
}

/// `Retry-After` goes with every 429 and 503: Cloud's own, else what its limit documents, else 1 s.
fn retry_after(verdict: &Verdict, failure: &CloudFailure<'_>) -> Option<u32> {
    matches!(verdict.http, 429 | 503).then(|| failure.retry_after.or(verdict.wait).unwrap_or(1))
}

/// What Cloud says. Management calls have a sentence for people beside a message that says nothing.
fn words(error: &GraphError, endpoint: Endpoint) -> &str {
    let for_people = match endpoint {
        Endpoint::Account | Endpoint::Other => error.user_message.as_deref(),
        Endpoint::Messages | Endpoint::Media => None,
    };
    error.details.as_deref().or(for_people).unwrap_or(&error.message)
}

/// Cloud's own words on one line, then its code and trace id: several Cloud codes fold into one
/// on-prem code, and the text is the only place where the difference survives. Where Cloud has no
/// words, the on-prem title: `details` is never empty.
fn details(error: &GraphError, words: &str, code: ErrorCode, options: &Options) -> String {
    let mut line = one_line(words, DETAILS_LENGTH);
    if line.is_empty() {
        line.push_str(code.title());
    }
    // Courier sends a message again on exactly these words; they are its on-prem client's, not Cloud's.
    if code == ErrorCode::ResourceNotFound && !options.expose_cloud_code {
        line.push_str(" (from Cloud)");
    }
    if options.expose_cloud_code {
        let trace = error.trace.as_deref().map(|trace| one_line(trace, TRACE_LENGTH));
        match (error.code, trace) {
            (Some(code), Some(trace)) => line.push_str(&format!(" (cloud {code}, trace {trace})")),
            (Some(code), None) => line.push_str(&format!(" (cloud {code})")),
            (None, Some(trace)) => line.push_str(&format!(" (cloud without a code, trace {trace})")),
            (None, None) => {}
        }
    }
    line
}

/// `text` without line breaks, doubled blanks and control characters, and at most `most` characters.
fn one_line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(4 * most));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.chars().count() > most {
        line = line.chars().take(most - 1).chain(['…']).collect();
    }
    line
}

/// Every row whose Cloud code is `code`, and every row that becomes on-prem `code`.
pub fn explain(code: i64) -> (Option<&'static Row>, Vec<&'static Row>) {
    let onprem = CLOUD_TO_ONPREM.iter().filter(|row| i64::from(row.onprem.code()) == code).collect();
    (table::row_of(code), onprem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_faults_of_their_own() {
        for (error, endpoint, code, http) in [
            (r#""code":100,"error_subcode":2593002"#, Endpoint::Other, ErrorCode::ResourceNotFound, 404),
            (r#""code":100,"error_subcode":2388024"#, Endpoint::Other, ErrorCode::ResourceAlreadyExists, 400),
            (r#""code":100,"error_subcode":2388024"#, Endpoint::Messages, ErrorCode::ParameterInvalid, 400),
            (r#""code":2388093"#, Endpoint::Other, ErrorCode::ParameterInvalid, 400),
            (r#""code":2388093"#, Endpoint::Messages, ErrorCode::GenericError, 500),
        ] {
            let body = format!(
                r#"{{"error":{{"message":"Invalid parameter","error_user_msg":"Look here.",{error}}}}}"#
            );
            let (body, phone_number_id) = (body.as_bytes(), "1");
            let failure = CloudFailure { http: 400, body, retry_after: None, endpoint, phone_number_id };
            let found = error_to_onprem(&failure, &Options::default());
            assert_eq!((found.code, found.http), (code, http), "{error}");
            let words = if endpoint == Endpoint::Other { "Look here. (" } else { "Invalid parameter (" };
            assert!(found.details.starts_with(words), "{}", found.details);
        }
    }
}
