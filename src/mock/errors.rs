//! The Graph error body and the table of Cloud error codes.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};

/// One error as Graph answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphError {
    /// The code programs are to act on.
    pub code: u32,
    /// The subcode, which only some answers have.
    pub subcode: Option<u32>,
    /// The HTTP status.
    pub http: StatusCode,
    /// `error.type`.
    pub kind: &'static str,
    /// `error.message`, with the `(#code)` in front where Graph writes it.
    pub message: String,
    /// `error_data.details`; without it there is no `error_data`.
    pub details: Option<String>,
    /// `error_user_title` and `error_user_msg`, which only management calls have.
    pub user: Option<(&'static str, String)>,
}

impl GraphError {
    /// The error of `code` as the table has it; an unlisted code is an HTTP 400 without a title.
    pub fn of(code: u32) -> Self {
        let row = row(code);
        let title = row.map_or("Unlisted error", |row| row.title);
        let details = row.map_or(title, |row| if row.details.is_empty() { title } else { row.details });
        Self {
            code,
            subcode: None,
            http: row.and_then(|row| StatusCode::from_u16(row.http).ok()).unwrap_or(StatusCode::BAD_REQUEST),
            kind: "OAuthException",
            message: if matches!(code, 104 | 190) { title.to_owned() } else { format!("(#{code}) {title}") },
            details: Some(details.to_owned()),
            user: None,
        }
    }

    /// A fault of a parameter that says everything in its message: no `error_data`.
    pub fn parameter(message: std::fmt::Arguments<'_>) -> Self {
        Self { message: format!("(#100) {message}"), details: None, ..Self::of(100) }
    }

    /// The error of `code` with its own details.
    pub fn detailed(code: u32, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..Self::of(code) }
    }

    /// The error of `code` with its own message and no `error_data`.
    pub fn worded(code: u32, message: impl Into<String>) -> Self {
        Self { message: message.into(), details: None, ..Self::of(code) }
    }

    /// "Object with ID does not exist", which Graph also says of a verb an object does not have.
    pub fn no_such_object(verb: &str, id: &str) -> Self {
        let verb = verb.to_ascii_lowercase();
        Self {
            subcode: Some(33),
            kind: "GraphMethodException",
            ..Self::worded(
                100,
                format!(
                    "Unsupported {verb} request. Object with ID '{id}' does not exist, cannot be loaded due to \
                     missing permissions, or does not support this operation. Please read the Graph API \
                     documentation at https://developers.facebook.com/docs/graph-api"
                ),
            )
        }
    }

    /// Graph's answer to a message with a media id that it does not know, has forgotten, or gave to another number.
    pub fn no_attachment(param: std::fmt::Arguments<'_>) -> Self {
        Self::parameter(format_args!(
            "Param {param} is not a valid whatsapp business account media attachment ID"
        ))
    }

    /// The JSON body.
    pub fn body(&self, fbtrace_id: &str) -> Bytes {
        let mut error = Map::new();
        error.insert("message".into(), self.message.as_str().into());
        error.insert("type".into(), self.kind.into());
        error.insert("code".into(), self.code.into());
        if let Some(subcode) = self.subcode {
            error.insert("error_subcode".into(), subcode.into());
        }
        if let Some(details) = &self.details {
            error.insert("error_data".into(), json!({"messaging_product": "whatsapp", "details": details}));
        }
        if let Some((title, text)) = &self.user {
            error.insert("is_transient".into(), false.into());
            error.insert("error_user_title".into(), (*title).into());
            error.insert("error_user_msg".into(), text.as_str().into());
        }
        error.insert("fbtrace_id".into(), fbtrace_id.into());
        Bytes::from(json!({ "error": Value::Object(error) }).to_string())
    }
}

/// The title and the HTTP status of a code, or none when the table has no such code.
pub fn lookup(code: u32) -> Option<(&'static str, u16)> {
    row(code).map(|row| (row.title, row.http))
}

/// Every code of the table; of a range its first and its last.
pub fn codes() -> impl Iterator<Item = u32> {
    CODES.iter().flat_map(|row| [row.first, row.last]).collect::<std::collections::BTreeSet<_>>().into_iter()
}

struct Row {
    first: u32,
    last: u32,
    http: u16,
    title: &'static str,
    details: &'static str,
}

fn row(code: u32) -> Option<&'static Row> {
    CODES.iter().find(|row| (row.first..=row.last).contains(&code))
}

const fn one(code: u32, http: u16, title: &'static str) -> Row {
    Row { first: code, last: code, http, title, details: "" }
}

const fn told(code: u32, http: u16, title: &'static str, details: &'static str) -> Row {
    Row { first: code, last: code, http, title, details }
}

const fn range(first: u32, last: u32, http: u16, title: &'static str) -> Row {
    Row { first, last, http, title, details: "" }
}

/// Titles and HTTP statuses: Cloud API "Error Codes". Throttling is 400 there, though some models say 429;
/// a fault rule can override the status.
const CODES: &[Row] = &[
    one(0, 401, "AuthException"),
    one(1, 400, "API Unknown"),
    one(2, 503, "API Service"),
    one(3, 500, "API Method"),
    one(4, 400, "API Too Many Calls"),
    one(10, 403, "Permission Denied"),
    one(33, 400, "Parameter value is not valid"),
    one(100, 400, "Invalid parameter"),
    one(104, 401, "An access token is required to request this resource."),
    one(190, 401, "Invalid OAuth access token - Cannot parse access token"),
    range(200, 299, 403, "API Permission"),
    one(368, 403, "Temporarily blocked for policies violations"),
    one(506, 400, "Duplicate post"),
    one(613, 400, "Calls to this api have exceeded the rate limit."),
    one(2500, 400, "Unknown path components"),
    one(80007, 400, "Rate limit issues"),
    one(80008, 400, "Rate limit issues"),
    one(130403, 400, "Business has blocked this user"),
    told(
        130429,
        400,
        "Rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number in a short period of time",
    ),
    told(
        130472,
        400,
        "User's number is part of an experiment",
        "Failed to send message because this user's phone number is part of an experiment",
    ),
    one(130497, 403, "Business account is restricted from messaging users in this country"),
    one(131000, 500, "Something went wrong"),
    one(131001, 400, "Message too long"),
    one(131002, 400, "Invalid recipient type"),
    one(131005, 403, "Access denied"),
    one(131006, 400, "Resource not found"),
    one(131008, 400, "Required parameter is missing"),
    one(131009, 400, "Parameter value is not valid"),
    one(131016, 500, "Service unavailable"),
    one(131020, 400, "Bad group"),
    told(131021, 400, "Recipient cannot be sender", "Sender and recipient phone number is the same."),
    told(131026, 400, "Message Undeliverable", "Message Undeliverable."),
    told(
        131030,
        400,
        "Recipient phone number not in allowed list",
        "Recipient phone number not in allowed list: Add recipient phone number to recipient list and try again.",
    ),
    one(131031, 403, "Account has been locked"),
    one(131037, 400, "555 number needs display name approval"),
    one(131041, 400, "Group does not exist"),
    one(131042, 400, "Business eligibility payment issue"),
    one(131043, 400, "Message expired"),
    one(131044, 400, "Business eligibility payment issue"),
    one(131045, 500, "Incorrect certificate"),
    told(
        131047,
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
    ),
    told(
        131048,
        400,
        "Spam rate limit hit",
        "Message failed to send because there are restrictions on how many messages can be sent from this phone number.",
    ),
    told(
        131049,
        400,
        "Meta chose not to deliver",
        "This message was not delivered to maintain healthy ecosystem engagement.",
    ),
    told(
        131050,
        400,
        "User stopped marketing messages",
        "Unable to deliver the message. This recipient has chosen to stop receiving marketing messages on WhatsApp from your business",
    ),
    one(131051, 400, "Unsupported message type"),
    one(131052, 400, "Media download error"),
    one(131053, 400, "Media upload error"),
    one(131055, 400, "Method not allowed"),
    told(
        131056,
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time.",
    ),
    one(131057, 500, "Account in maintenance mode"),
    one(131059, 400, "Group error"),
    one(131062, 400, "Business-scoped user IDs are not supported for this message"),
    one(131063, 400, "Marketing templates disabled for Cloud API"),
    one(131064, 400, "Limit reached, template classification violations"),
    range(131201, 131215, 400, "Group error"),
    told(
        132000,
        400,
        "Template Param Count Mismatch",
        "Number of parameters does not match the expected number of params",
    ),
    one(132001, 404, "Template does not exist"),
    one(132005, 400, "Template Hydrated Text Too Long"),
    one(132007, 400, "Template Format Character Policy Violated"),
    one(132008, 400, "Template parameter value invalid"),
    one(132012, 400, "Template Parameter Format Mismatch"),
    one(132015, 400, "Template is Paused"),
    one(132016, 400, "Template is Disabled"),
    one(132018, 400, "Template validation error"),
    one(132068, 400, "Flow is blocked"),
    one(132069, 400, "Flow is throttled"),
    one(133000, 500, "Incomplete Deregistration"),
    range(133001, 133003, 400, "Registration error"),
    one(133004, 503, "Server Temporarily Unavailable"),
    one(133005, 400, "Two step verification PIN Mismatch"),
    one(133006, 400, "Phone number re-verification needed"),
    one(133007, 400, "Account blocked"),
    one(133008, 400, "Too Many two step verification PIN Guesses"),
    one(133009, 400, "Two step verification PIN Guessed Too Fast"),
    told(
        133010,
        400,
        "Phone number not registered",
        "Phone number not registered on the WhatsApp Business Platform",
    ),
    one(133015, 400, "Please wait a few minutes before attempting to register this phone number"),
    one(133016, 400, "Account register deregister rate limit exceeded"),
    one(134011, 400, "WhatsApp Payments terms of service have not been accepted"),
    range(134100, 134101, 400, "Marketing messages template error"),
    one(134102, 500, "Template unavailable for marketing messages"),
    one(135000, 400, "Generic user error"),
    one(136024, 400, "Phone number already verified"),
    one(136025, 400, "Verify code error"),
    one(137000, 400, "Recipient identity key mismatch"),
    range(138000, 138999, 400, "Calling error"),
    range(139000, 139999, 400, "Block users or flows error"),
    range(147000, 147999, 400, "Username error"),
    range(2_388_000, 2_388_999, 400, "Template management error"),
    range(2_494_000, 2_494_999, 400, "Migration error"),
    range(2_593_000, 2_593_999, 400, "Synchronization error"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_overlap() {
        for pair in CODES.windows(2) {
            assert!(pair[0].first <= pair[0].last && pair[0].last < pair[1].first, "{}", pair[1].first);
        }
    }

    #[test]
    fn an_error_reads_as_graph_writes_it() {
        let error = GraphError::of(131047);
        assert_eq!(error.message, "(#131047) Re-engagement message");
        let body: Value = serde_json::from_slice(&error.body("Atrace")).unwrap();
        assert_eq!(body["error"]["error_data"]["messaging_product"], "whatsapp");
        assert_eq!(body["error"]["fbtrace_id"], "Atrace");
        assert_eq!(GraphError::of(132001).http, 404);
        assert_eq!(GraphError::of(250).http, 403);
    }

    #[test]
    fn an_unlisted_code_is_a_plain_400() {
        assert_eq!(lookup(999_999), None);
        assert_eq!(GraphError::of(999_999).http, 400);
    }
}
