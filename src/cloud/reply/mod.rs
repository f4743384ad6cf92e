//! What Graph answers to a message.

mod plain;

use serde::Deserialize;

use crate::wire::{self, Object, Raw, Str};

/// A success body, with what we read of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reply<'a> {
    /// `contacts[0]`: whom the message went to.
    pub contact: Option<Contact<'a>>,
    /// `messages[0]`
    pub message: Option<SentMessage<'a>>,
    /// The answer to a read receipt.
    pub success: bool,
}

/// What keeps an answer from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnObject;

impl<'a> Reply<'a> {
    /// Reads `body`. Only what cannot be read at all is refused: a field of an unexpected type counts
    /// as absent, because a message whose id is in the answer was sent, whatever else is odd.
    pub fn read(body: &'a [u8]) -> Result<Self, NotAnObject> {
        // One check for the whole body is cheaper than one for each string in it.
        let text = std::str::from_utf8(body).map_err(|_| NotAnObject)?;
        if let Some(reply) = plain::read(text) {
            return Ok(reply);
        }
        match serde_json::from_str::<Usual<'_>>(text) {
            Ok(Usual { contacts: [contact], messages: [message] }) => {
                Ok(Self { contact: Some(contact), message: Some(message), success: false })
            }
            Err(_) => Self::read_leniently(text),
        }
    }

    fn read_leniently(text: &'a str) -> Result<Self, NotAnObject> {
        let object = Object::parse(text).map_err(|_| NotAnObject)?;
        let message = first(&object, "messages").and_then(|message| {
            let id = text_of(&message, "id")?;
            Some(SentMessage { id, message_status: text_of(&message, "message_status") })
        });
        let contact = first(&object, "contacts").map(|contact| Contact {
            input: text_of(&contact, "input"),
            wa_id: text_of(&contact, "wa_id"),
            user_id: text_of(&contact, "user_id"),
        });
        Ok(Self {
            contact,
            message,
            success: object.get("success").is_some_and(|raw| matches!(raw.get(), "true" | "\"true\"")),
        })
    }
}

/// The answer to a message as it nearly always is: one contact and one message, read without an
/// allocation.
#[derive(Deserialize)]
struct Usual<'a> {
    #[serde(borrow)]
    contacts: [Contact<'a>; 1],
    #[serde(borrow)]
    messages: [SentMessage<'a>; 1],
}

/// The first element of the array `key`, if it is an object.
fn first<'a>(object: &Object<'a>, key: &str) -> Option<Object<'a>> {
    let first: Raw<'a> = wire::array(object.get(key)?)?.into_iter().next()?;
    Object::parse(first.get()).ok()
}

fn text_of<'a>(object: &Object<'a>, key: &str) -> Option<Str<'a>> {
    wire::string(object.get(key)?)
}

/// One element of `contacts`.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Contact<'a> {
    /// What we sent.
    #[serde(borrow, default)]
    pub input: Option<Str<'a>>,
    /// May differ from the input, and is left out for business-scoped ids.
    #[serde(borrow, default)]
    pub wa_id: Option<Str<'a>>,
    /// The business-scoped id.
    #[serde(borrow, default)]
    pub user_id: Option<Str<'a>>,
}

/// One element of `messages`.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct SentMessage<'a> {
    /// The wamid.
    #[serde(borrow)]
    pub id: Str<'a>,
    /// `accepted`, `held_for_quality_assessment` or `paused`; templates only.
    #[serde(borrow, default)]
    pub message_status: Option<Str<'a>>,
}

#[cfg(test)]
mod tests {
    use super::Reply;

    #[test]
    fn an_id_is_found_whatever_else_is_odd() {
        for rest in [
            r#""contacts":null"#,
            r#""contacts":[{"wa_id":16505551234}]"#,
            r#""contacts":"none""#,
            r#""success":"true""#,
            r#""contacts":[5]"#,
        ] {
            let body = format!(r#"{{"messages":[{{"id":"wamid.X","message_status":{{}}}}],{rest}}}"#);
            let reply = Reply::read(body.as_bytes()).unwrap();
            assert_eq!(
                reply.message.map(|message| message.id.to_string()).as_deref(),
                Some("wamid.X"),
                "{body}"
            );
        }
        for body in ["", "[]", "{", "\"x\"", "{\"messages\":[{\"id\":5}]}"] {
            assert!(Reply::read(body.as_bytes()).map_or(true, |reply| reply.message.is_none()), "{body}");
        }
    }
}
