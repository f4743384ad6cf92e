//! On-prem message -> Cloud message.

mod contacts;
mod hsm;
mod interactive;
mod media;
mod template;
mod text;

use std::borrow::Cow;
use std::fmt::Display;

use thiserror::Error;

use super::media_refs::Resolved;
use super::message_id;
use super::notes::Notes;
use super::rules::Rule;
use crate::cloud::message as cloud;
use crate::onprem::message::{Address, Body, Content, Message, Receipt};
use crate::onprem::{ErrorCode, Invalid};
use crate::wire::{self, Member, Object, Path, Raw, Removed};

const UNSET: &str = "left out: on-prem clients write unset options as null, or as [] in place of an object";

/// Why a checked message cannot be sent.
#[derive(Debug, Error)]
pub enum MessageError {
    /// The client can mend it.
    #[error("{}", .0.details)]
    Invalid(Invalid),
    /// The caller did not resolve a file that only a provider's credentials open.
    #[error("{path}: the media provider's file was not resolved")]
    Unresolved {
        /// Where the link stands.
        path: String,
    },
}

/// What one translation works with.
struct Work<'n, 'r> {
    notes: &'n mut Notes,
    resolved: std::slice::Iter<'r, Resolved>,
    namespace: Option<&'n str>,
}

/// Translates `message`, whose files were resolved into `resolved` in the order of
/// [`media_refs`](super::media_refs()). `namespace` is the one that the number expects, if any.
pub fn message_to_cloud<'a>(
    message: &'a Message<'a>,
    body: &Body<'_>,
    resolved: &'a [Resolved],
    namespace: Option<&str>,
    notes: &mut Notes,
) -> Result<cloud::Message<'a>, MessageError> {
    note_unset(body.unset(), "", notes);
    envelope(message, notes);
    let recipient = recipient(message, notes);
    let mut work = Work { notes, resolved: resolved.iter(), namespace };
    let mut kind = message.type_name();
    let content = match &message.content {
        Content::Text(text) => text::to_cloud(text, message.preview_url, &mut work),
        Content::Media(media) => cloud::Content::Media(media::to_cloud(
            media,
            media.kind.name(),
            media::Place::Message,
            &mut work,
        )?),
        Content::Contacts(cards) => contacts::to_cloud(cards, &mut work),
        Content::Hsm(hsm) => {
            kind = "template";
            cloud::Content::Template(hsm::to_cloud(hsm, &mut work)?)
        }
        Content::Template(template) => cloud::Content::Template(template::to_cloud(template, &mut work)?),
        Content::Interactive(interactive) => {
            cloud::Content::Interactive(interactive::to_cloud(interactive, &mut work)?)
        }
        Content::Reaction(raw) => cloud::Content::Reaction(pointer(raw, "reaction", &mut work)),
        Content::Location(raw) => cloud::Content::Tree(cloud::Tree::Raw(raw)),
        Content::Other(tree) => {
            let path = Path::Root.key(kind);
            cloud::Content::Tree(media::tree_to_cloud(tree, path, media::Place::Message, &mut work)?)
        }
    };
    let context = message.context.map(|raw| pointer(raw, "context", &mut work));
    Ok(cloud::Message { recipient, kind, content, context, rest: &message.rest })
}

/// Names the other message as Cloud knows it, whichever form of its id the client gives back.
///
/// Rule   id.onprem                 Status translated
/// Onprem messages reference, `context.message_id`, "reaction" object
/// Cloud  messages reference, `context.message_id`, "reaction" object
/// Golden messages/text/context_onprem_id, messages/reaction/onprem_id
fn pointer<'a>(raw: Raw<'a>, path: &str, work: &mut Work<'_, '_>) -> cloud::Pointer<'a> {
    let Ok(mut object) = Object::parse(raw.get()) else {
        return cloud::Pointer::Raw(raw);
    };
    let id = object.take("message_id").and_then(wire::string);
    match id.as_deref().map(message_id::to_cloud) {
        Some(Cow::Owned(wamid)) => {
            note_id(format_args!("{path}.message_id"), id.as_deref().unwrap_or_default(), &wamid, work.notes);
            cloud::Pointer::To { message_id: wamid, rest: object.into_members() }
        }
        Some(Cow::Borrowed(_)) | None => cloud::Pointer::Raw(raw),
    }
}

fn note_id(path: impl Display, from: &str, to: &str, notes: &mut Notes) {
    notes.add(Rule::OnpremId, path, format_args!("{from} -> {to}"));
}

/// Notes the members that reading took out of the body, or of the object at `path`, because they say nothing.
///
/// Rule   message.null-field        Status dropped
/// Onprem client libraries serialise unset options as null, PHP's as []
/// Cloud  no field is documented to take either
/// Golden messages/document/null_caption, messages/text/empty_array_context
fn note_unset(removed: &Removed, path: &str, notes: &mut Notes) {
    for member in &removed.paths {
        notes.add(Rule::NullField, format_args!("{path}{member}"), UNSET);
    }
    let more = removed.count - removed.paths.len();
    if more > 0 {
        notes.add(Rule::NullField, path, format_args!("{more} more members left out"));
    }
}

/// Turns a read receipt into Cloud's form, which has the same endpoint as messages.
///
/// Rule   receipt.read, id.onprem   Status translated
/// Onprem messages reference, mark messages as read
/// Cloud  messages reference, `status`
/// Golden receipts/read/put, receipts/read/onprem_id
pub fn receipt_to_cloud<'a>(message_id: &'a str, notes: &mut Notes) -> cloud::Receipt<'a> {
    notes.add(Rule::ReadReceipt, "status", "PUT with a status -> POST with status and message_id");
    receipt_of(message_id, &[], notes)
}

/// Turns a read receipt that came as a message, Cloud's own way, into Cloud's form.
///
/// Rule   id.onprem                 Status translated
/// Onprem messages reference, mark messages as read
/// Cloud  messages reference, `status`
/// Golden messages/cloud/receipt_onprem_id
pub fn receipt_message_to_cloud<'a>(receipt: &'a Receipt<'a>, notes: &mut Notes) -> cloud::Receipt<'a> {
    receipt_of(&receipt.message_id, &receipt.rest, notes)
}

fn receipt_of<'a>(id: &'a str, rest: &'a [Member<'a>], notes: &mut Notes) -> cloud::Receipt<'a> {
    let message_id = message_id::to_cloud(id);
    if message_id != id {
        note_id("message_id", id, &message_id, notes);
    }
    cloud::Receipt { message_id, rest }
}

impl<'a> From<&'a Receipt<'a>> for cloud::Receipt<'a> {
    fn from(receipt: &'a Receipt<'a>) -> Self {
        receipt_message_to_cloud(receipt, &mut Notes::brief())
    }
}

/// Writes the envelope out in full and takes out what only on-prem knows.
///
/// Rule   message.envelope, message.default-type, message.ttl, message.other-content
/// Onprem messages reference, parameters
/// Cloud  messages reference, "message" object
/// Golden messages/text/minimal, messages/text/no_type, messages/text/ttl, messages/text/other_content
fn envelope(message: &Message<'_>, notes: &mut Notes) {
    if message.named_type.is_none() {
        notes.add(Rule::DefaultType, "type", "missing, so \"text\"");
    }
    if !message.is_cloud_envelope {
        notes.add(Rule::Envelope, "messaging_product", "added, with recipient_type and type written out");
    }
    if message.has_ttl {
        notes.add(Rule::Ttl, "ttl", "left out: Cloud's time to live cannot be set per message");
    }
    if message.has_idle_status {
        notes.add(Rule::OtherContent, "status", "left out: the body is a message, not a receipt");
    }
    for name in &message.other_content {
        notes.add(
            Rule::OtherContent,
            name,
            format_args!("left out: the message is of type {}", message.type_name()),
        );
    }
    // A preview can only be asked of a text; elsewhere the flag says nothing.
    if message.preview_url.is_some() && !matches!(message.content, Content::Text(_)) {
        notes.add(Rule::PreviewUrl, "preview_url", "left out: only texts have previews");
    }
}

/// Names the recipient so that Cloud cannot mistake it.
///
/// Rule   to.plus, to.punctuation, to.user-id
/// Onprem messages reference, "to"
/// Cloud  send messages guide, "Phone Number Formats"; business-scoped user ids
/// Golden messages/text/minimal, messages/text/to_brackets, messages/text/to_user_id
fn recipient<'a>(message: &'a Message<'a>, notes: &mut Notes) -> cloud::Recipient<'a> {
    let input = &message.recipient.input;
    if message.recipient.has_idle_user_id {
        notes.add(Rule::RecipientUserId, "recipient", "left out: to is given, and wins");
    }
    match &message.recipient.address {
        Address::Phone(digits) => {
            if !input.starts_with('+') {
                notes.add(Rule::RecipientPlus, "to", format_args!("{input} -> +{digits}"));
            }
            if input.bytes().any(|byte| !byte.is_ascii_digit() && byte != b'+') {
                notes.add(Rule::RecipientPunctuation, "to", format_args!("{input} -> +{digits}"));
            }
            cloud::Recipient::Phone(digits)
        }
        Address::UserId => {
            notes.add(Rule::RecipientUserId, "to", "sent as recipient: a business-scoped user id");
            cloud::Recipient::UserId(input)
        }
    }
}

impl Work<'_, '_> {
    /// "A template's namespace must be the namespace associated with the WABA that owns the phone
    /// number. Otherwise, the message will fail to send": checked when the operator named one.
    fn check_namespace(&self, given: &str, path: &str) -> Result<(), MessageError> {
        match self.namespace {
            Some(expected) if !given.is_empty() && given != expected => {
                Err(MessageError::Invalid(Invalid::new(
                    ErrorCode::ParameterInvalid,
                    format!("{path} is not the namespace of this number's WhatsApp Business Account"),
                )))
            }
            Some(_) | None => Ok(()),
        }
    }
}
