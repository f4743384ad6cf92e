//! Callbacks about one message or one status.

use std::borrow::Cow;

use super::StatusWord;
use super::error::{CallbackError, write_errors};
use crate::wire::{Member, Raw, Str, write_members, write_string};

/// One element of `contacts`.
#[derive(Debug)]
pub struct Contact<'a> {
    /// `profile.name`
    pub name: &'a str,
    /// `wa_id`
    pub wa_id: &'a str,
}

/// One element of `messages`.
#[derive(Debug)]
pub struct Message<'a> {
    /// Who wrote it.
    pub from: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Seconds since 1970.
    pub timestamp: &'a str,
    /// `type`
    pub kind: &'a str,
    /// What it answers.
    pub context: Option<Context<'a>>,
    /// The content, under the name of the type; none in unknown messages.
    pub content: Option<MessageContent<'a>>,
    /// `referral`
    pub referral: Option<Fields<'a>>,
    /// What went wrong with it.
    pub errors: Vec<CallbackError>,
    /// Further members (`group_id`, `identity`, later ones).
    pub rest: Fields<'a>,
}

/// `context`, as an object or as whatever it is.
pub type Context<'a> = MessageContent<'a>;

/// The content of a message.
#[derive(Debug)]
pub enum MessageContent<'a> {
    /// Untouched.
    Raw(Raw<'a>),
    /// An object of which something changed.
    Fields(Fields<'a>),
    /// JSON of which something deeper changed.
    Json(Vec<u8>),
}

/// The members of an object of which something changed.
pub type Fields<'a> = Vec<(Str<'a>, Field<'a>)>;

/// The value of a member.
#[derive(Debug)]
pub enum Field<'a> {
    /// Untouched.
    Raw(Raw<'a>),
    /// A string.
    Text(Cow<'a, str>),
    /// JSON of which something deeper changed.
    Json(Vec<u8>),
}

/// One element of `statuses`.
#[derive(Debug)]
pub struct Status<'a> {
    /// The id of the message.
    pub id: &'a str,
    /// `recipient_id`, and `message.recipient_id`: whom the message was for.
    pub recipient_id: Option<&'a str>,
    /// The word.
    pub word: StatusWord,
    /// Seconds since 1970.
    pub timestamp: &'a str,
    /// `pricing`
    pub pricing: Option<MessageContent<'a>>,
    /// Why it failed.
    pub errors: Vec<CallbackError>,
    /// Further members (`conversation`, `biz_opaque_callback_data`, later ones).
    pub rest: &'a [&'a Member<'a>],
}

impl Message<'_> {
    /// The callback, with the contact that the message is from.
    pub fn to_json(&self, contact: Option<&Contact<'_>>, capacity: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(capacity);
        out.push(b'{');
        if let Some(contact) = contact {
            contact.write(&mut out);
            out.push(b',');
        }
        out.extend_from_slice(br#""messages":[{"from":"#);
        write_string(&mut out, self.from);
        for (key, text) in [("id", self.id), ("timestamp", self.timestamp), ("type", self.kind)] {
            key_of(&mut out, key);
            write_string(&mut out, text);
        }
        if let Some(context) = &self.context {
            key_of(&mut out, "context");
            context.write(&mut out);
        }
        if let Some(content) = &self.content {
            key_of(&mut out, self.kind);
            content.write(&mut out);
        }
        if let Some(referral) = &self.referral {
            key_of(&mut out, "referral");
            write_fields(&mut out, referral);
        }
        write_errors(&mut out, &self.errors);
        for (key, field) in &self.rest {
            out.push(b',');
            write_field(&mut out, key, field);
        }
        out.extend_from_slice(b"}]}");
        out
    }
}

impl Contact<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#""contacts":[{"profile":{"name":"#);
        write_string(out, self.name);
        out.extend_from_slice(br#"},"wa_id":"#);
        write_string(out, self.wa_id);
        out.extend_from_slice(b"}]");
    }
}

impl Status<'_> {
    /// The callback.
    pub fn to_json(&self, capacity: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(br#"{"statuses":[{"id":"#);
        write_string(&mut out, self.id);
        if let Some(recipient) = self.recipient_id {
            key_of(&mut out, "recipient_id");
            write_string(&mut out, recipient);
        }
        for (key, text) in [("status", self.word.name()), ("timestamp", self.timestamp)] {
            key_of(&mut out, key);
            write_string(&mut out, text);
        }
        if let Some(recipient) = self.recipient_id {
            out.extend_from_slice(br#","message":{"recipient_id":"#);
            write_string(&mut out, recipient);
            out.push(b'}');
        }
        out.extend_from_slice(br#","type":"message""#);
        if let Some(pricing) = &self.pricing {
            key_of(&mut out, "pricing");
            pricing.write(&mut out);
        }
        write_errors(&mut out, &self.errors);
        for member in self.rest {
            write_members(&mut out, std::slice::from_ref(*member));
        }
        out.extend_from_slice(b"}]}");
        out
    }
}

impl<'a> From<Field<'a>> for MessageContent<'a> {
    fn from(field: Field<'a>) -> Self {
        match field {
            Field::Raw(raw) => Self::Raw(raw),
            Field::Json(json) => Self::Json(json),
            Field::Text(text) => {
                let mut json = Vec::with_capacity(text.len() + 2);
                write_string(&mut json, &text);
                Self::Json(json)
            }
        }
    }
}

impl MessageContent<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(raw) => out.extend_from_slice(raw.get().as_bytes()),
            Self::Fields(fields) => write_fields(out, fields),
            Self::Json(json) => out.extend_from_slice(json),
        }
    }
}

/// Appends `,"key":`; the keys here need no escapes.
fn key_of(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn write_fields(out: &mut Vec<u8>, fields: &Fields<'_>) {
    out.push(b'{');
    for (at, (key, field)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_field(out, key, field);
    }
    out.push(b'}');
}

fn write_field(out: &mut Vec<u8>, key: &str, field: &Field<'_>) {
    write_string(out, key);
    out.push(b':');
    match field {
        Field::Raw(raw) => out.extend_from_slice(raw.get().as_bytes()),
        Field::Text(text) => write_string(out, text),
        Field::Json(json) => out.extend_from_slice(json),
    }
}
