//! `POST /v1/messages`: reading and checking what a client sends.
//!
//! Source of the fields, lengths and counts: the On-Premises "Messages" reference. What changes on
//! the way to Cloud is typed; what is equal on both sides stays raw.

mod body;
mod contacts;
mod hsm;
mod interactive;
mod media;
mod plain;
mod recipient;
mod template;
mod tree;

use std::sync::OnceLock;

use serde_json::value::RawValue;

pub use body::Body;
pub use contacts::{Contact, ContactValue, Phone};
pub use hsm::{Hsm, LocalizableParam, ParamValue};
pub use interactive::{Action, Capitalised, Interactive};
pub use media::{Link, Media, MediaKind, Source, strip_provider};
pub use recipient::{Address, Recipient};
pub use template::{Component, Language, Parameter, ParameterValue, Template};
pub use tree::{Branches, Found, Tree};

use super::read::{array, at_most, missing, object, optional_bool, optional_string};
use super::read::{required_string, string, whole, wrong};
use super::{ErrorCode, Invalid};
use crate::wire::{self, Kind, Member, Object, Path, Raw, Str, printable};

/// Text of a message: "max. 4096 characters".
const TEXT_LENGTH: usize = 4096;

/// The fields that carry content, by the `type` that selects them.
const CONTENT_FIELDS: [&str; 12] = [
    "text",
    "image",
    "audio",
    "video",
    "document",
    "sticker",
    "location",
    "contacts",
    "hsm",
    "template",
    "interactive",
    "reaction",
];

/// What a client may post to `/v1/messages`.
#[derive(Debug)]
pub enum Request<'a> {
    /// A message to a user.
    Message(Box<Message<'a>>),
    /// A read receipt in the Cloud form (`status: "read"`), from a client that is half migrated.
    Receipt(Receipt<'a>),
}

/// A message to one user.
#[derive(Debug)]
pub struct Message<'a> {
    /// Whom it is for.
    pub recipient: Recipient<'a>,
    /// The type as the client named it; `None` means text.
    pub named_type: Option<Str<'a>>,
    /// Whether the envelope already says `messaging_product`, `recipient_type` and `type`.
    pub is_cloud_envelope: bool,
    /// Top-level `preview_url`, on-prem only.
    pub preview_url: Option<bool>,
    /// Whether the on-prem-only `ttl` was given.
    pub has_ttl: bool,
    /// Whether a `status` was given, which belongs to receipts.
    pub has_idle_status: bool,
    /// The content.
    pub content: Content<'a>,
    /// `context`, the message that is answered: an object.
    pub context: Option<Raw<'a>>,
    /// Names of content fields of another type than the message's.
    pub other_content: Vec<Str<'a>>,
    /// Top-level fields that neither side's translation looks at.
    pub rest: Vec<Member<'a>>,
}

/// The content of a message, by its type.
#[derive(Debug)]
pub enum Content<'a> {
    /// `text`
    Text(Text<'a>),
    /// `image`, `audio`, `video`, `document`, `sticker`
    Media(Media<'a>),
    /// `location`, equal on both sides.
    Location(Raw<'a>),
    /// `contacts`
    Contacts(Vec<Contact<'a>>),
    /// `hsm`, deprecated since v2.39 and still sent.
    Hsm(Hsm<'a>),
    /// `template`
    Template(Template<'a>),
    /// `interactive`
    Interactive(Interactive<'a>),
    /// `reaction`, equal on both sides.
    Reaction(Raw<'a>),
    /// A type that neither reference knows yet, with the object of its name.
    Other(Tree<'a>),
}

/// The `text` object.
#[derive(Debug)]
pub struct Text<'a> {
    /// The message: a JSON string that is not empty, its escapes untouched.
    pub body: Raw<'a>,
    /// Nested `preview_url`, Cloud's place for it.
    pub preview_url: Option<bool>,
    /// Members that nobody here knows.
    pub rest: Vec<Member<'a>>,
}

/// A read receipt.
#[derive(Debug)]
pub struct Receipt<'a> {
    /// The message that was read.
    pub message_id: Str<'a>,
    /// Further members (`typing_indicator`).
    pub rest: Vec<Member<'a>>,
}

impl<'a> Request<'a> {
    /// Reads and checks `body`.
    pub fn parse(body: &'a Body<'_>) -> Result<Self, Invalid> {
        if let Some(message) = plain::parse(body.json()) {
            return message.map(|message| Self::Message(Box::new(message)));
        }
        let object = body.object()?;
        // With a recipient it is a message, whatever else is in it.
        let is_receipt = object.get("to").is_none() && object.get("recipient").is_none();
        if let Some(status) = object.get("status").filter(|_| is_receipt) {
            let status = string(status, Path::Root.key("status"))?;
            return Receipt::parse(&status, object).map(Self::Receipt);
        }
        Message::parse(object, body.unpacked()).map(|message| Self::Message(Box::new(message)))
    }
}

impl<'a> Receipt<'a> {
    fn parse(status: &str, mut object: Object<'a>) -> Result<Self, Invalid> {
        check_status(status)?;
        object.take("status");
        let message_id = required_string(&mut object, "message_id", Path::Root)?;
        object.take("messaging_product");
        Ok(Self { message_id, rest: object.into_members() })
    }
}

/// Reads the body of `PUT /v1/messages/{message-id}`: `{"status":"read"}`.
pub fn parse_status_update(body: &Body<'_>) -> Result<(), Invalid> {
    let mut object = body.object()?;
    check_status(&required_string(&mut object, "status", Path::Root)?)
}

fn check_status(status: &str) -> Result<(), Invalid> {
    if status == "read" {
        return Ok(());
    }
    Err(wrong(Path::Root.key("status"), "must be \"read\", the only status that a client may set"))
}

impl<'a> Message<'a> {
    fn parse(mut object: Object<'a>, room: &'a OnceLock<Box<RawValue>>) -> Result<Self, Invalid> {
        let root = Path::Root;
        let has_product = messaging_product(&mut object)?;
        let recipient_type = recipient_type(&mut object)?;
        let recipient = Recipient::parse(&mut object)?;
        let named_type = optional_string(&mut object, "type", root)?.filter(|name| !name.is_empty());
        let preview_url = optional_bool(&mut object, "preview_url", root)?;
        let has_ttl = object.take("ttl").is_some();
        let has_idle_status = object.take("status").is_some();
        let context = object.take("context");
        if let Some(context) = context {
            self::object(context, root.key("context"))?;
        }
        let content = content(&mut object, named_type.as_deref(), has_product, room)?;
        let (other, rest): (Vec<_>, Vec<_>) =
            object.into_members().into_iter().partition(|(name, _)| CONTENT_FIELDS.contains(&&**name));
        Ok(Self {
            recipient,
            is_cloud_envelope: has_product && recipient_type && named_type.is_some(),
            named_type,
            preview_url,
            has_ttl,
            has_idle_status,
            content,
            context,
            other_content: other.into_iter().map(|(name, _)| name).collect(),
            rest,
        })
    }

    /// The type of the message; an omitted one means text.
    pub fn type_name(&self) -> &str {
        self.named_type.as_deref().unwrap_or("text")
    }
}

/// Checks `messaging_product` and says whether it was given: on-prem has no such field, so a message
/// that has it was written for Cloud.
fn messaging_product(object: &mut Object<'_>) -> Result<bool, Invalid> {
    match optional_string(object, "messaging_product", Path::Root)?.as_deref() {
        None => Ok(false),
        Some("whatsapp") => Ok(true),
        Some(_) => Err(wrong(Path::Root.key("messaging_product"), "must be \"whatsapp\"; or leave it out")),
    }
}

/// Checks `recipient_type` and says whether it was given.
fn recipient_type(object: &mut Object<'_>) -> Result<bool, Invalid> {
    let Some(name) = optional_string(object, "recipient_type", Path::Root)? else {
        return Ok(false);
    };
    match &*name {
        "individual" => Ok(true),
        "" => Ok(false),
        "group" => Err(Invalid::new(
            ErrorCode::InvalidRecipientType,
            "recipient_type \"group\": on-prem groups have no counterpart in the Cloud API; \
             send to each user with recipient_type \"individual\"",
        )),
        other => Err(Invalid::new(
            ErrorCode::InvalidRecipientType,
            format!("recipient_type \"{}\" is not known; use \"individual\"", printable(other)),
        )),
    }
}

fn content<'a>(
    object: &mut Object<'a>,
    named_type: Option<&str>,
    is_cloud_shaped: bool,
    room: &'a OnceLock<Box<RawValue>>,
) -> Result<Content<'a>, Invalid> {
    let name = named_type.unwrap_or("text");
    let path = Path::Root.key(name);
    let Some(raw) = object.take(name) else {
        return Err(no_content(object, named_type));
    };
    Ok(match name {
        "text" => Content::Text(Text::parse(raw, path)?),
        "location" => Content::Location(location(raw, path)?),
        "contacts" => Content::Contacts(contacts::parse(raw, path)?),
        "hsm" => Content::Hsm(Hsm::parse(raw, path)?),
        "template" => Content::Template(Template::parse(raw, path)?),
        "interactive" => Content::Interactive(Interactive::parse(raw, path, is_cloud_shaped, room)?),
        "reaction" => Content::Reaction(reaction(raw, path)?),
        _ => match MediaKind::from_name(name) {
            Some(kind) => Content::Media(Media::parse(kind, raw, path)?),
            None => Content::Other(Tree::parse(raw, path)?),
        },
    })
}

/// The message names a type whose field is not there: says what was probably meant.
fn no_content(object: &Object<'_>, named_type: Option<&str>) -> Invalid {
    let found = CONTENT_FIELDS.iter().find(|field| object.get(field).is_some());
    match (named_type, found) {
        (Some(name), _) if !CONTENT_FIELDS.contains(&name) => wrong(
            Path::Root.key("type"),
            format_args!(
                "\"{}\" is not a known message type; use one of {}",
                printable(name),
                CONTENT_FIELDS.join(", ")
            ),
        ),
        (None, Some(field)) => Invalid::new(
            ErrorCode::ParameterMissing,
            format!("text is missing: without type a message is a text; did you mean \"type\": \"{field}\"?"),
        ),
        (Some(name), _) => missing(Path::Root.key(name)),
        (None, None) => missing(Path::Root.key("text")),
    }
}

impl<'a> Text<'a> {
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let here = path.key("body");
        let body = object.take("body").ok_or_else(|| missing(here))?;
        check_body(body, here)?;
        let preview_url = optional_bool(&mut object, "preview_url", path)?;
        Ok(Self { body, preview_url, rest: object.into_members() })
    }
}

fn check_body(raw: Raw<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let body = string(raw, path)?;
    if body.is_empty() {
        return Err(missing(path));
    }
    at_most(&body, TEXT_LENGTH, path)
        .map_err(|invalid| Invalid { code: ErrorCode::MessageTooLong, ..invalid })
}

/// `latitude` and `longitude` are required; numbers and numeric strings both occur in the wild.
fn location<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Raw<'a>, Invalid> {
    let object = object(raw, path)?;
    for key in ["latitude", "longitude"] {
        let here = path.key(key);
        let value = object.get(key).ok_or_else(|| missing(here))?;
        let numeric = match wire::kind(value) {
            Kind::Number => true,
            Kind::String => {
                let text = string(value, here)?;
                if text.is_empty() {
                    return Err(missing(here));
                }
                text.trim().parse::<f64>().is_ok_and(f64::is_finite)
            }
            Kind::Null | Kind::Bool | Kind::Array | Kind::Object => false,
        };
        if !numeric {
            return Err(wrong(here, "must be a number in decimal degrees"));
        }
    }
    Ok(raw)
}

/// `message_id` and `emoji` are required; an empty emoji takes the reaction back.
fn reaction<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Raw<'a>, Invalid> {
    let mut object = object(raw, path)?;
    required_string(&mut object, "message_id", path)?;
    optional_string(&mut object, "emoji", path)?.ok_or_else(|| missing(path.key("emoji")))?;
    Ok(raw)
}

/// The whole number that an amount of money is, multiplied by 1000.
fn amount(raw: Raw<'_>, path: Path<'_>) -> Result<i64, Invalid> {
    whole(raw).ok_or_else(|| wrong(path, "must be a whole number: the amount multiplied by 1000"))
}

/// Reads each element of the array at `path` with `read`.
fn each<'a, T>(
    raw: Raw<'a>,
    path: Path<'_>,
    mut read: impl FnMut(Raw<'a>, Path<'_>) -> Result<T, Invalid>,
) -> Result<Vec<T>, Invalid> {
    array(raw, path)?
        .into_iter()
        .enumerate()
        .map(|(index, element)| read(element, path.index(index)))
        .collect()
}
