//! What Graph posts to a webhook: the envelope, read leniently.
//!
//! Source: the "messages" webhook reference. One broken element never costs the others of its body: what
//! can be read is given, and what cannot is listed with its place. Only what translation looks at is
//! typed; everything else stays raw.

mod event;

pub use event::{Contact, Message, Status, User};

use serde_json::Value as Json;

use super::GraphError;
use crate::wire::{self, Object, Path, Raw, Str};

/// The one field that on-prem has a counterpart of.
const MESSAGES: &str = "messages";

/// A webhook's body, its entries and changes in one row.
#[derive(Debug, Default)]
pub struct Webhook<'a> {
    /// The changes, in order.
    pub changes: Vec<Change<'a>>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// One element of `changes`.
#[derive(Debug)]
pub enum Change<'a> {
    /// The field `messages`.
    Messages(Value<'a>),
    /// Another field, which is only counted.
    Other {
        /// Where it stands.
        path: String,
        /// Its name.
        field: Str<'a>,
    },
}

/// The `value` of a change: everything in it is about one number.
#[derive(Debug, Default)]
pub struct Value<'a> {
    /// Where it stands, such as `entry[0].changes[0].value`.
    pub path: String,
    /// `metadata.phone_number_id`: which number it is about.
    pub phone_number_id: Str<'a>,
    /// `contacts`: who the users are.
    pub contacts: Vec<Contact<'a>>,
    /// `messages`: what users wrote.
    pub messages: Vec<Message<'a>>,
    /// `statuses`: what became of messages to users.
    pub statuses: Vec<Status<'a>>,
    /// `errors`: about the number as a whole. Each with its position.
    pub errors: Vec<(usize, GraphError)>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where it stands.
    pub path: String,
    /// What is wrong with it; never what it says.
    pub reason: &'static str,
}

/// A body that is no webhook at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAWebhook {
    /// Not JSON, or not an object.
    NotAnObject,
    /// No array `entry`.
    NoEntries,
}

impl NotAWebhook {
    /// What is wrong, as a sentence without its end.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotAnObject => "the body is not a JSON object",
            Self::NoEntries => "the body has no array \"entry\"",
        }
    }
}

impl<'a> Value<'a> {
    /// Everybody who is named in it.
    pub fn users(&self) -> impl Iterator<Item = &User<'a>> {
        let contacts = self.contacts.iter().map(|contact| &contact.user);
        let messages = self.messages.iter().map(|message| &message.user);
        contacts.chain(messages).chain(self.statuses.iter().map(|status| &status.user))
    }

    /// Whether it tells that a user changed: then ids that stand beside each other may be the old one and the new one.
    pub fn tells_of_change(&self) -> bool {
        self.messages.iter().any(|message| &*message.kind == "system")
    }

    /// Who `user` is.
    pub fn contact_of(&self, user: &User<'_>) -> Option<&Contact<'a>> {
        self.contacts.iter().find(|contact| contact.user.is(user)).or(match self.contacts.as_slice() {
            // Spellings of one number may differ; where one user wrote all, the lone contact is theirs.
            [only] if self.messages.iter().all(|message| message.user == *user) => Some(only),
            _ => None,
        })
    }
}

impl<'a> Webhook<'a> {
    /// Reads `body`.
    pub fn read(body: &'a [u8]) -> Result<Self, NotAWebhook> {
        let text = std::str::from_utf8(body).map_err(|_| NotAWebhook::NotAnObject)?;
        let object = Object::parse(text).map_err(|_| NotAWebhook::NotAnObject)?;
        let entries = object.get("entry").and_then(wire::array).ok_or(NotAWebhook::NoEntries)?;
        let mut webhook = Self::default();
        let root = Path::Root;
        let path = root.key("entry");
        for (index, entry) in entries.into_iter().enumerate() {
            webhook.entry(entry, path.index(index));
        }
        Ok(webhook)
    }

    /// The values of the field `messages`.
    pub fn values(&self) -> impl Iterator<Item = &Value<'a>> {
        self.changes.iter().filter_map(|change| match change {
            Change::Messages(value) => Some(value),
            Change::Other { .. } => None,
        })
    }

    /// How many changes are about other fields.
    pub fn others(&self) -> usize {
        self.changes.len() - self.values().count()
    }

    fn entry(&mut self, raw: Raw<'a>, path: Path<'_>) {
        let changes = Object::parse(raw.get()).ok().and_then(|entry| entry.get("changes"));
        let Some(changes) = changes.and_then(wire::array) else {
            return self.lost(path, "has no array \"changes\"");
        };
        let path = path.key("changes");
        for (index, change) in changes.into_iter().enumerate() {
            self.change(change, path.index(index));
        }
    }

    fn change(&mut self, raw: Raw<'a>, path: Path<'_>) {
        let Ok(mut change) = Object::parse(raw.get()) else {
            return self.lost(path, "is not an object");
        };
        match change.take("field").and_then(wire::string) {
            Some(field) if &*field != MESSAGES => {
                self.changes.push(Change::Other { path: path.to_string(), field });
            }
            // A body without the name is what senders of tests forget; Graph always writes it.
            Some(_) | None => match change.get("value").map(|value| Object::parse(value.get())) {
                Some(Ok(value)) => self.value(value, path.key("value")),
                Some(Err(_)) | None => self.lost(path.key("value"), "is missing or not an object"),
            },
        }
    }

    fn value(&mut self, mut object: Object<'a>, path: Path<'_>) {
        let metadata = object.get("metadata").and_then(|raw| Object::parse(raw.get()).ok());
        let number = metadata.and_then(|metadata| event::text(&metadata, "phone_number_id"));
        let Some(phone_number_id) = number.filter(|number| !number.is_empty()) else {
            return self.lost(path, "has no metadata.phone_number_id, so nobody knows whose it is");
        };
        let mut value = Value { path: path.to_string(), phone_number_id, ..Value::default() };
        // What is wrong with a contact costs a name, nothing else.
        let contacts = object.take("contacts").and_then(wire::array).unwrap_or_default();
        value.contacts =
            contacts.into_iter().filter_map(|raw| Object::parse(raw.get()).ok()).map(Contact::read).collect();
        let contacts = &value.contacts;
        let messages = self.elements(object.take("messages"), path.key("messages"), |raw, index| {
            Message::read(raw, index, contacts)
        });
        let statuses = self.elements(object.take("statuses"), path.key("statuses"), Status::read);
        value.errors = self.elements(object.take("errors"), path.key("errors"), |raw, index| {
            error(raw).map(|error| (index, error)).ok_or("is not an object")
        });
        (value.messages, value.statuses) = (messages, statuses);
        self.changes.push(Change::Messages(value));
    }

    /// Reads each element of an array; what cannot be read is remembered.
    fn elements<T>(
        &mut self,
        raw: Option<Raw<'a>>,
        path: Path<'_>,
        read: impl Fn(Raw<'a>, usize) -> Result<T, &'static str>,
    ) -> Vec<T> {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
            return Vec::new();
        };
        let Some(elements) = wire::array(raw) else {
            self.lost(path, "is not an array");
            return Vec::new();
        };
        let mut found = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            let read = if wire::too_deep(element.get()) {
                Err("nests too deep to be passed on")
            } else {
                read(element, index)
            };
            match read {
                Ok(element) => found.push(element),
                Err(reason) => self.lost(path.index(index), reason),
            }
        }
        found
    }

    fn lost(&mut self, path: Path<'_>, reason: &'static str) {
        self.unreadable.push(Unreadable { path: path.to_string(), reason });
    }
}

/// One element of an `errors` array. Webhooks of older versions have a title and no message.
fn error(raw: Raw<'_>) -> Option<GraphError> {
    let mut error: Json = serde_json::from_str(raw.get()).ok()?;
    let members = error.as_object_mut()?;
    if !members.contains_key("message")
        && let Some(title) = members.remove("title")
    {
        members.insert("message".to_owned(), title);
    }
    Some(GraphError::from_members(members))
}

/// The errors in an array; what is none is passed over.
fn errors(raw: Option<Raw<'_>>) -> Vec<GraphError> {
    raw.and_then(wire::array).unwrap_or_default().into_iter().filter_map(error).collect()
}

#[cfg(test)]
mod tests;
