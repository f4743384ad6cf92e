//! Webhook bodies, as Graph has sent them since v24.0.

use serde_json::{Map, Value, json};

use super::super::Options;
use super::super::errors::GraphError;
use super::super::recipient::digits;
use super::super::state::Accepted;
use super::subscription::StatusWord;

/// Who the user of Meta's samples is.
pub(super) const USER_NAME: &str = "Kerry Fisher";
/// Where errors say that they are explained.
const ERROR_CODES: &str =
    "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes/";

/// The digits of the business's number, as webhooks write it.
pub(super) fn business(options: &Options) -> String {
    digits(&options.display_phone_number).collect()
}

/// A webhook of the field `messages` about one number, with what `content` adds to its value.
pub(super) fn envelope(
    options: &Options,
    waba_id: &str,
    phone_number_id: &str,
    content: Map<String, Value>,
) -> Value {
    let metadata = json!({"display_phone_number": business(options), "phone_number_id": phone_number_id});
    let mut value = content;
    value.insert("messaging_product".into(), "whatsapp".into());
    value.insert("metadata".into(), metadata);
    json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": waba_id, "changes": [{"value": value, "field": "messages"}]}],
    })
}

/// Whom a status is about.
enum User<'a> {
    Phone(&'a str),
    /// A user who is known by a business-scoped id only.
    Id(&'a str),
    Group(&'a str),
}

impl<'a> User<'a> {
    fn of(message: &'a Accepted) -> Self {
        match &message.wa_id {
            Some(wa_id) => Self::Phone(wa_id),
            None if message.body.get("recipient_type").and_then(Value::as_str) == Some("group") => {
                Self::Group(&message.to)
            }
            None => Self::Id(&message.to),
        }
    }

    fn recipient(&self) -> Map<String, Value> {
        let members = match self {
            Self::Phone(wa_id) => json!({ "recipient_id": wa_id }),
            Self::Id(user_id) => json!({ "recipient_user_id": user_id }),
            Self::Group(id) => json!({"recipient_id": id, "recipient_type": "group"}),
        };
        object(members)
    }

    fn contact(&self) -> Option<Value> {
        match self {
            Self::Phone(wa_id) => Some(json!({"profile": {"name": USER_NAME}, "wa_id": wa_id})),
            Self::Id(user_id) => Some(json!({"profile": {"name": USER_NAME}, "user_id": user_id})),
            Self::Group(_) => None,
        }
    }
}

/// What a status webhook adds to its value. There is no `conversation` any more.
pub(super) fn status(
    message: &Accepted,
    word: StatusWord,
    errors: &[GraphError],
    timestamp: u64,
) -> Map<String, Value> {
    let user = User::of(message);
    let mut status = user.recipient();
    status.insert("id".into(), message.wamid.as_str().into());
    status.insert("status".into(), word.as_str().into());
    status.insert("timestamp".into(), timestamp.to_string().into());
    if let Some(tag) = message.body.get("biz_opaque_callback_data") {
        status.insert("biz_opaque_callback_data".into(), tag.clone());
    }
    // Prices come with `sent` and with one of `delivered` and `read`; contacts with what went well.
    let (has_price, has_contact) = match word {
        StatusWord::Sent | StatusWord::Delivered => (true, true),
        StatusWord::Read => (false, true),
        StatusWord::Played | StatusWord::Failed => (false, false),
    };
    if has_price {
        status.insert("pricing".into(), pricing(&message.kind));
    }
    if !errors.is_empty() {
        status.insert("errors".into(), errors.iter().map(error).collect());
    }
    let mut content = Map::new();
    if let Some(contact) = user.contact().filter(|_| has_contact) {
        content.insert("contacts".into(), json!([contact]));
    }
    content.insert("statuses".into(), json!([status]));
    content
}

/// The mock knows no categories: templates cost what a utility template costs, the rest is service.
fn pricing(kind: &str) -> Value {
    if kind == "template" {
        json!({"billable": true, "pricing_model": "PMP", "type": "regular", "category": "utility"})
    } else {
        json!({"billable": false, "pricing_model": "PMP", "type": "free_customer_service", "category": "service"})
    }
}

fn error(error: &GraphError) -> Value {
    // Answers have the code in front of the title, webhooks do not.
    let prefix = format!("(#{}) ", error.code);
    let title = error.message.strip_prefix(&prefix).unwrap_or(&error.message);
    let mut json = json!({"code": error.code, "title": title, "message": title, "href": ERROR_CODES});
    if let (Some(details), Some(json)) = (&error.details, json.as_object_mut()) {
        json.insert("error_data".into(), json!({ "details": details }));
    }
    json
}

/// The members of what was just written as an object.
pub(super) fn object(json: Value) -> Map<String, Value> {
    match json {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(wa_id: Option<&str>, body: Value) -> Accepted {
        Accepted {
            wamid: "wamid.A".into(),
            phone_number_id: "1".into(),
            kind: "text".into(),
            to: "as sent".into(),
            wa_id: wa_id.map(str::to_owned),
            body,
        }
    }

    #[test]
    fn a_status_names_its_user_as_cloud_does() {
        let service = json!({"billable": false, "pricing_model": "PMP", "type": "free_customer_service",
                             "category": "service"});
        let content = status(&accepted(Some("15551234567"), json!({})), StatusWord::Sent, &[], 7);
        let expected = json!({"id": "wamid.A", "status": "sent", "timestamp": "7",
                              "recipient_id": "15551234567", "pricing": service});
        assert_eq!(content["statuses"], json!([expected]));
        assert_eq!(content["contacts"], json!([{"profile": {"name": USER_NAME}, "wa_id": "15551234567"}]));

        let user = accepted(None, json!({"biz_opaque_callback_data": "order 7"}));
        let content = status(&user, StatusWord::Read, &[], 7);
        let expected = json!({"id": "wamid.A", "status": "read", "timestamp": "7",
                              "recipient_user_id": "as sent", "biz_opaque_callback_data": "order 7"});
        assert_eq!(content["statuses"], json!([expected]));
        assert_eq!(content["contacts"], json!([{"profile": {"name": USER_NAME}, "user_id": "as sent"}]));

        let group = accepted(None, json!({"recipient_type": "group"}));
        let content = status(&group, StatusWord::Read, &[], 7);
        let expected = json!({"id": "wamid.A", "status": "read", "timestamp": "7",
                              "recipient_id": "as sent", "recipient_type": "group"});
        assert_eq!((&content["statuses"], content.get("contacts")), (&json!([expected]), None));
    }

    #[test]
    fn a_failed_status_has_the_errors_of_the_table() {
        let errors = [GraphError::of(131026), GraphError::worded(131049, "Not now")];
        let content = status(&accepted(Some("1"), json!({})), StatusWord::Failed, &errors, 7);
        let status = &content["statuses"][0];
        let (title, _) = super::super::super::lookup(131026).unwrap();
        let error = &status["errors"][0];
        assert_eq!(error["code"], 131026);
        assert_eq!((&error["title"], &error["message"]), (&json!(title), &json!(title)));
        assert!(error["error_data"]["details"].is_string() && error["href"].is_string(), "{error}");
        let expected = json!({"code": 131049, "title": "Not now", "message": "Not now", "href": ERROR_CODES});
        assert_eq!(status["errors"][1], expected);
        assert_eq!((status.get("pricing"), content.get("contacts")), (None, None));
    }
}
