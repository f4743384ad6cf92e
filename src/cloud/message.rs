//! `POST /{phone-number-id}/messages`: bodies that are written without copying what they borrow.
//!
//! Source: the Cloud API "Messages" reference.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

pub use super::card::{Card, CardValue};
use crate::wire::{Member, Raw, write_members, write_string};

/// A message.
#[derive(Debug)]
pub struct Message<'a> {
    /// Whom it is for.
    pub recipient: Recipient<'a>,
    /// `type`, which is also the name of the content's field.
    pub kind: &'a str,
    /// The content.
    pub content: Content<'a>,
    /// `context`: the message that is answered.
    pub context: Option<Pointer<'a>>,
    /// Further top-level fields (`biz_opaque_callback_data`, later ones).
    pub rest: &'a [Member<'a>],
}

/// Whom a message is for.
#[derive(Debug)]
pub enum Recipient<'a> {
    /// `to`: digits, written with the `+` without which Cloud prepends the business's own country
    /// code ("Phone Number Formats").
    Phone(&'a str),
    /// `recipient`: a business-scoped user id.
    UserId(&'a str),
}

/// The content of a message.
#[derive(Debug)]
pub enum Content<'a> {
    /// `text`
    Text(Text<'a>),
    /// A file.
    Media(Media<'a>),
    /// Cards.
    Contacts(Vec<Card<'a>>),
    /// A template.
    Template(Template<'a>),
    /// An interactive message.
    Interactive(Interactive<'a>),
    /// A reaction.
    Reaction(Pointer<'a>),
    /// Anything that is equal on both sides, but for files in it.
    Tree(Tree<'a>),
}

/// A value that is equal on both sides, but for files in it.
#[derive(Debug)]
pub enum Tree<'a> {
    /// Untouched.
    Raw(Raw<'a>),
    /// An object with files in it, or with less in it than was sent.
    Object(Branches<'a>),
    /// An array with files in it.
    Array(Vec<Tree<'a>>),
    /// A file.
    Media(Media<'a>),
}

/// The members of an object that are equal on both sides, but for files in them.
#[derive(Debug, Default)]
pub struct Branches<'a> {
    /// Untouched.
    pub rest: &'a [Member<'a>],
    /// With files.
    pub files: Vec<(&'a str, Tree<'a>)>,
}

/// An object that names another message.
#[derive(Debug)]
pub enum Pointer<'a> {
    /// Untouched.
    Raw(Raw<'a>),
    /// With another id than it had.
    To {
        /// The other message.
        message_id: String,
        /// The other members.
        rest: Vec<Member<'a>>,
    },
}

/// The `text` object.
#[derive(Debug)]
pub struct Text<'a> {
    /// The message, as a JSON string.
    pub body: Raw<'a>,
    /// Whether the first URL gets a preview.
    pub preview_url: Option<bool>,
    /// Further members.
    pub rest: &'a [Member<'a>],
}

/// A media object.
#[derive(Debug)]
pub struct Media<'a> {
    /// Where the bytes are.
    pub source: Source<'a>,
    /// `caption`
    pub caption: Option<&'a str>,
    /// `filename`
    pub filename: Option<&'a str>,
    /// Further members.
    pub rest: &'a [Member<'a>],
}

/// Where the bytes of a media object are.
#[derive(Debug)]
pub enum Source<'a> {
    /// Uploaded under the sending number.
    Id(Cow<'a, str>),
    /// Fetched by Cloud.
    Link(&'a str),
}

/// The `template` object.
#[derive(Debug)]
pub struct Template<'a> {
    /// Its name.
    pub name: &'a str,
    /// The language code.
    pub language_code: &'a str,
    /// Further members of `language`.
    pub language_rest: &'a [Member<'a>],
    /// Its components, if any.
    pub components: Option<Vec<Component<'a>>>,
    /// Further members.
    pub rest: Branches<'a>,
}

/// One component of a template.
#[derive(Debug)]
pub struct Component<'a> {
    /// Type, sub-type and further members.
    pub members: Branches<'a>,
    /// `type` when no member says it.
    pub kind: Option<&'static str>,
    /// The position of a button; always written as a string, as in Meta's examples.
    pub index: Option<&'a str>,
    /// Its parameters.
    pub parameters: Option<Vec<Parameter<'a>>>,
}

/// One parameter of a component.
#[derive(Debug)]
pub enum Parameter<'a> {
    /// `{"type":"text"}`
    Text(&'a str),
    /// `{"type":"currency"}`
    Currency {
        /// Shown when localization fails.
        fallback_value: &'a str,
        /// ISO 4217.
        code: &'a str,
        /// The amount multiplied by 1000.
        amount_1000: i64,
    },
    /// A currency whose amount is written anew.
    Amount {
        /// The amount multiplied by 1000.
        amount_1000: i64,
        /// The other members of `currency`.
        currency: &'a [Member<'a>],
        /// The other members of the parameter.
        members: Branches<'a>,
    },
    /// `{"type":"date_time"}`: Cloud always shows the fallback value.
    DateTime {
        /// The text that is shown.
        fallback_value: &'a str,
        /// The other members; none mean just the type.
        members: Branches<'a>,
    },
    /// Untouched, but for files.
    Members(Branches<'a>),
}

/// The `interactive` object.
#[derive(Debug)]
pub struct Interactive<'a> {
    /// Its type.
    pub kind: &'a str,
    /// The header.
    pub header: Option<Tree<'a>>,
    /// The body.
    pub body: Option<Raw<'a>>,
    /// The footer.
    pub footer: Option<Raw<'a>>,
    /// The action.
    pub action: Option<Tree<'a>>,
    /// Further members.
    pub rest: Branches<'a>,
}

/// A read receipt: `{"status":"read","message_id":…}` on the same endpoint.
#[derive(Debug)]
pub struct Receipt<'a> {
    /// The message that was read.
    pub message_id: Cow<'a, str>,
    /// Further members (`typing_indicator`).
    pub rest: &'a [Member<'a>],
}

fn serialize_members<M: SerializeMap>(map: &mut M, members: &[Member<'_>]) -> Result<(), M::Error> {
    members.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))
}

/// Members as an object.
pub(super) struct Members<'a>(pub(super) &'a [Member<'a>]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        serialize_members(&mut map, self.0)?;
        map.end()
    }
}

impl Message<'_> {
    /// The body to post. `capacity` is a guess of its length.
    pub fn to_json(&self, capacity: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(capacity);
        out.extend_from_slice(br#"{"messaging_product":"whatsapp","recipient_type":"individual","#);
        match self.recipient {
            Recipient::Phone(digits) => {
                out.extend_from_slice(br#""to":"+"#);
                out.extend_from_slice(digits.as_bytes());
                out.push(b'"');
            }
            Recipient::UserId(id) => {
                out.extend_from_slice(br#""recipient":"#);
                write_string(&mut out, id);
            }
        }
        out.extend_from_slice(br#","type":"#);
        write_string(&mut out, self.kind);
        out.push(b',');
        write_string(&mut out, self.kind);
        out.push(b':');
        self.content.write(&mut out);
        if let Some(context) = &self.context {
            out.extend_from_slice(br#","context":"#);
            context.write(&mut out);
        }
        write_members(&mut out, self.rest);
        out.push(b'}');
        out
    }
}

impl Content<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let written = match self {
            Self::Text(text) => return text.write(out),
            Self::Reaction(pointer) => return pointer.write(out),
            Self::Tree(Tree::Raw(raw)) => return out.extend_from_slice(raw.get().as_bytes()),
            Self::Tree(tree) => serde_json::to_writer(out, tree),
            Self::Media(media) => return media.write(out),
            Self::Contacts(cards) => serde_json::to_writer(out, cards),
            Self::Template(template) => serde_json::to_writer(out, template),
            Self::Interactive(interactive) => serde_json::to_writer(out, interactive),
        };
        // A `Vec` takes every byte, and keys are strings: there is nothing that could fail.
        debug_assert!(written.is_ok());
    }
}

impl Pointer<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(raw) => out.extend_from_slice(raw.get().as_bytes()),
            Self::To { message_id, rest } => {
                out.extend_from_slice(br#"{"message_id":"#);
                write_string(out, message_id);
                write_members(out, rest);
                out.push(b'}');
            }
        }
    }
}

impl Text<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"body":"#);
        out.extend_from_slice(self.body.get().as_bytes());
        match self.preview_url {
            Some(true) => out.extend_from_slice(br#","preview_url":true"#),
            Some(false) => out.extend_from_slice(br#","preview_url":false"#),
            None => {}
        }
        write_members(out, self.rest);
        out.push(b'}');
    }
}

impl Media<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let (key, source) = match &self.source {
            Source::Id(id) => (&br#"{"id":"#[..], &**id),
            Source::Link(link) => (&br#"{"link":"#[..], *link),
        };
        out.extend_from_slice(key);
        write_string(out, source);
        for (key, value) in [(&br#","caption":"#[..], self.caption), (br#","filename":"#, self.filename)] {
            if let Some(value) = value {
                out.extend_from_slice(key);
                write_string(out, value);
            }
        }
        write_members(out, self.rest);
        out.push(b'}');
    }
}

impl Serialize for Media<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.source {
            Source::Id(id) => map.serialize_entry("id", id)?,
            Source::Link(link) => map.serialize_entry("link", link)?,
        }
        for (key, value) in [("caption", self.caption), ("filename", self.filename)] {
            if let Some(value) = value {
                map.serialize_entry(key, value)?;
            }
        }
        serialize_members(&mut map, self.rest)?;
        map.end()
    }
}

impl Serialize for Template<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.name)?;
        map.serialize_entry("language", &Language { code: self.language_code, rest: self.language_rest })?;
        if let Some(components) = &self.components {
            map.serialize_entry("components", components)?;
        }
        self.rest.serialize_into(&mut map)?;
        map.end()
    }
}

struct Language<'a> {
    code: &'a str,
    rest: &'a [Member<'a>],
}

impl Serialize for Language<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", self.code)?;
        serialize_members(&mut map, self.rest)?;
        map.end()
    }
}

impl Serialize for Component<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(kind) = self.kind {
            map.serialize_entry("type", kind)?;
        }
        self.members.serialize_into(&mut map)?;
        if let Some(index) = self.index {
            map.serialize_entry("index", index)?;
        }
        if let Some(parameters) = &self.parameters {
            map.serialize_entry("parameters", parameters)?;
        }
        map.end()
    }
}

/// The `currency` object.
#[derive(serde::Serialize)]
struct Currency<'a> {
    fallback_value: &'a str,
    code: &'a str,
    amount_1000: i64,
}

/// The `currency` object with other members as they came.
struct Amount<'a> {
    amount_1000: i64,
    rest: &'a [Member<'a>],
}

impl Serialize for Amount<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        serialize_members(&mut map, self.rest)?;
        map.serialize_entry("amount_1000", &self.amount_1000)?;
        map.end()
    }
}

/// The `date_time` object.
#[derive(serde::Serialize)]
struct DateTime<'a> {
    fallback_value: &'a str,
}

impl Serialize for Parameter<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Text(text) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("text", text)?;
            }
            Self::Currency { fallback_value, code, amount_1000 } => {
                map.serialize_entry("type", "currency")?;
                map.serialize_entry(
                    "currency",
                    &Currency { fallback_value, code, amount_1000: *amount_1000 },
                )?;
            }
            Self::Amount { amount_1000, currency, members } => {
                members.serialize_into(&mut map)?;
                map.serialize_entry("currency", &Amount { amount_1000: *amount_1000, rest: currency })?;
            }
            Self::DateTime { fallback_value, members } => {
                if members.rest.is_empty() {
                    map.serialize_entry("type", "date_time")?;
                }
                members.serialize_into(&mut map)?;
                map.serialize_entry("date_time", &DateTime { fallback_value })?;
            }
            Self::Members(members) => members.serialize_into(&mut map)?,
        }
        map.end()
    }
}

impl Serialize for Interactive<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.kind)?;
        if let Some(header) = &self.header {
            map.serialize_entry("header", header)?;
        }
        for (key, value) in [("body", self.body), ("footer", self.footer)] {
            if let Some(value) = value {
                map.serialize_entry(key, value)?;
            }
        }
        if let Some(action) = &self.action {
            map.serialize_entry("action", action)?;
        }
        self.rest.serialize_into(&mut map)?;
        map.end()
    }
}

impl Branches<'_> {
    fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        serialize_members(map, self.rest)?;
        self.files.iter().try_for_each(|(key, tree)| map.serialize_entry(key, tree))
    }
}

impl Serialize for Tree<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Object(branches) => {
                let mut map = serializer.serialize_map(None)?;
                branches.serialize_into(&mut map)?;
                map.end()
            }
            Self::Array(list) => list.serialize(serializer),
            Self::Media(media) => media.serialize(serializer),
        }
    }
}

impl Receipt<'_> {
    /// The body to post.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(br#"{"messaging_product":"whatsapp","status":"read","message_id":"#);
        write_string(&mut out, &self.message_id);
        write_members(&mut out, self.rest);
        out.push(b'}');
        out
    }
}
