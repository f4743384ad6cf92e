//! Reads the body of `POST /{phone-number-id}/messages` and answers it as Cloud would.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::errors::GraphError;
use super::recipient;
use super::schema::{ENVELOPE, Kind, Path, READ, TYPES, check, check_object, not_one_of, present};

/// What was found out about one body.
#[derive(Debug)]
pub(super) struct Inspected {
    /// The body, unless it is not JSON.
    pub(super) json: Option<Value>,
    /// The message type, or `read` for a read receipt; fault rules match on it.
    pub(super) kind: Option<String>,
    /// `to`, or else `recipient`, as sent.
    pub(super) to: Option<String>,
    /// What Cloud accepts but a client had better not send.
    pub(super) notes: Vec<String>,
    /// What Cloud makes of it.
    pub(super) verdict: Result<Verdict, GraphError>,
}

/// A body that Cloud accepts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A message to somebody.
    Send(Recipient),
    /// A read receipt.
    Read,
}

/// Whom a message goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Recipient {
    Phone { wa_id: String },
    User { user_id: String },
    Group,
}

/// Parses and checks a body; never fails, what is wrong becomes the verdict.
pub(super) fn inspect(body: &[u8], country: &str) -> Inspected {
    let mut notes = Vec::new();
    let json = match serde_json::from_slice::<Value>(body) {
        Ok(json) => json,
        Err(error) => {
            let refusal = GraphError::detailed(100, format!("Body is not valid JSON: {error}"));
            return Inspected { json: None, kind: None, to: None, notes, verdict: Err(refusal) };
        }
    };
    let (kind, to, verdict) = match json.as_object() {
        Some(message) => {
            let to = present(message, "to").or_else(|| present(message, "recipient")).map(plain);
            (kind_of(message), to, examine(message, country, &mut notes))
        }
        None => (None, None, Err(GraphError::detailed(100, "Body is not a JSON object"))),
    };
    Inspected { json: Some(json), kind, to, notes, verdict }
}

/// The answer to an accepted message (Messages reference, successful response); only templates have a status.
pub(super) fn sent(input: &str, recipient: &Recipient, wamid: &str, status: Option<&str>) -> Bytes {
    let (wa_id, user_id) = match recipient {
        Recipient::Phone { wa_id } => (Some(wa_id.as_str()), None),
        Recipient::User { user_id } => (None, Some(user_id.as_str())),
        Recipient::Group => (None, None),
    };
    let reply = Reply {
        messaging_product: "whatsapp",
        contacts: [Contact { input, wa_id, user_id }],
        messages: [Sent { id: wamid, message_status: status }],
    };
    Bytes::from(serde_json::to_vec(&reply).unwrap_or_default())
}

#[derive(Serialize)]
struct Reply<'a> {
    messaging_product: &'a str,
    contacts: [Contact<'a>; 1],
    messages: [Sent<'a>; 1],
}

#[derive(Serialize)]
struct Contact<'a> {
    input: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wa_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Sent<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_status: Option<&'a str>,
}

fn kind_of(message: &Map<String, Value>) -> Option<String> {
    if message.contains_key("status") {
        return Some("read".to_owned());
    }
    // A message without a type is a text (messages reference, "type").
    Some(present(message, "type").map_or_else(|| "text".to_owned(), plain))
}

fn examine(
    message: &Map<String, Value>,
    country: &str,
    notes: &mut Vec<String>,
) -> Result<Verdict, GraphError> {
    if message.contains_key("status") {
        check_object(&READ, message, &Path::Root, notes)?;
        return Ok(Verdict::Read);
    }
    check_object(&ENVELOPE, message, &Path::Root, notes)?;
    let recipient = recipient_of(message, country, notes)?;
    check_type(message, notes)?;
    Ok(Verdict::Send(recipient))
}

fn check_type(message: &Map<String, Value>, notes: &mut Vec<String>) -> Result<(), GraphError> {
    let kind = present(message, "type").and_then(Value::as_str).unwrap_or("text");
    let Some((name, shape)) = TYPES.iter().find(|(name, _)| *name == kind) else {
        let at = Path::Key(&Path::Root, "type");
        return Err(not_one_of(&at, TYPES.iter().map(|(name, _)| *name), &kind.into()));
    };
    for (other, _) in TYPES.iter().filter(|(other, _)| other != name) {
        if message.contains_key(*other) {
            notes.push(format!("ignored object \"{other}\" in a message of type {name}"));
        }
    }
    check_typed(name, shape, message, notes)
}

fn check_typed(
    name: &str,
    shape: &'static Kind,
    message: &Map<String, Value>,
    notes: &mut Vec<String>,
) -> Result<(), GraphError> {
    let Some(object) = present(message, name) else {
        let details = format!("Parameter '{name}' is mandatory for type '{name}'");
        return Err(GraphError::detailed(131008, details));
    };
    check(shape, object, &Path::Key(&Path::Root, name), notes)
}

/// `to` wins over `recipient` when both are sent (Business-scoped user IDs).
fn recipient_of(
    message: &Map<String, Value>,
    country: &str,
    notes: &mut Vec<String>,
) -> Result<Recipient, GraphError> {
    let Some(to) = present(message, "to") else {
        let Some(user) = present(message, "recipient") else {
            return Err(GraphError::parameter(format_args!("The parameter to is required.")));
        };
        return Ok(Recipient::User { user_id: plain(user) });
    };
    if present(message, "recipient_type").and_then(Value::as_str) == Some("group") {
        return Ok(Recipient::Group);
    }
    if to.is_number() {
        notes.push("to is a number, not a string".to_owned());
    }
    let to = plain(to);
    let Some(phone) = recipient::phone(&to, country) else {
        return Err(GraphError::detailed(100, format!("Param to is not a valid phone number: \"{to}\"")));
    };
    if !phone.plus {
        notes.push("digits without +".to_owned());
    }
    Ok(Recipient::Phone { wa_id: phone.wa_id })
}

/// A string as itself, anything else as its JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
