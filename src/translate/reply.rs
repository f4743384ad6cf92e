//! Cloud's answer to a message -> the on-prem answer.

use thiserror::Error;

use super::notes::Notes;
use super::options::{Options, WaId};
use super::rules::Rule;
use crate::cloud::reply::{NotAnObject, Reply};
use crate::onprem::error::Meta;
use crate::onprem::reply::{Contact, MessageReply};
use crate::wire::Str;

/// "Message has been held because quality assessment is pending": on-prem's words, which exist
/// only when a message is held.
const HELD: &str = "Message has been held because quality assessment is pending";

/// What was sent, as far as the answer needs it.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// `to` in the client's own spelling.
    pub input: &'a str,
    /// Its digits, when it is a phone number.
    pub digits: Option<&'a str>,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replied<'a> {
    /// The answer.
    pub json: Vec<u8>,
    /// The message's wamid.
    pub wamid: Str<'a>,
    /// Whether Cloud writes the recipient in another way than the client did: then statuses will, too, unless somebody
    /// remembers the client's way.
    pub is_respelt: bool,
}

/// A 2xx answer that names no message: it may have been sent all the same.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum UnusableReply {
    /// Not a JSON object.
    #[error("Cloud's answer is no JSON object")]
    NotAnObject,
    /// No `messages[0].id`.
    #[error("Cloud's answer has no messages[0].id")]
    NoId,
    /// No `success` in the answer to a receipt.
    #[error("Cloud's answer to a receipt has no success")]
    NoSuccess,
}

impl From<NotAnObject> for UnusableReply {
    fn from(_: NotAnObject) -> Self {
        Self::NotAnObject
    }
}

/// Turns Cloud's `body` into the on-prem answer.
///
/// Rule   reply.envelope, reply.input, reply.wa-id, reply.message-status, id.onprem   Status translated
/// Onprem messages reference, response
/// Cloud  messages reference, successful response; send messages guide, response parameters
/// Golden replies/*
pub fn reply_to_onprem<'a>(
    body: &'a [u8],
    sent: Option<Sent<'_>>,
    options: &Options,
    version: &str,
    notes: &mut Notes,
) -> Result<Replied<'a>, UnusableReply> {
    let reply = Reply::read(body)?;
    let message = reply.message.filter(|message| !message.id.is_empty()).ok_or(UnusableReply::NoId)?;
    let contact = reply.contact.as_ref();
    notes.add(Rule::ReplyEnvelope, "messaging_product", "left out, and meta added");
    let cloud_input = contact.and_then(|contact| contact.input.as_deref());
    let input = sent.map(|sent| sent.input).or(cloud_input);
    if cloud_input.is_some_and(|cloud| Some(cloud) != input) {
        notes.add(Rule::ReplyInput, "contacts[0].input", "the client's own spelling");
    }
    // Cloud's own examples show a WhatsApp id with a plus sign; clients expect digits.
    let cloud_wa_id =
        contact.and_then(|contact| contact.wa_id.as_deref()).map(|id| id.strip_prefix('+').unwrap_or(id));
    let user_id = contact.and_then(|contact| contact.user_id.as_deref());
    let is_respelt = sent.is_some_and(|sent| cloud_wa_id.is_some_and(|cloud| cloud != sent.input));
    let wa_id = match (options.wa_id, sent.and_then(|sent| sent.digits)) {
        (WaId::AsSent, Some(digits)) => Some(digits),
        (WaId::AsSent, None) | (WaId::AsCloud, _) => cloud_wa_id.or(user_id),
    };
    if wa_id != contact.and_then(|contact| contact.wa_id.as_deref()) {
        notes.add(Rule::ReplyWaId, "contacts[0].wa_id", wa_id.unwrap_or_default());
    }
    let message_status = held(message.message_status.as_deref(), notes);
    let id = options.message_ids.for_client(&message.id);
    if id != *message.id {
        notes.add(Rule::OnpremId, "messages[0].id", format_args!("{} -> {id}", message.id));
    }
    // Without either there is nobody to name.
    let contact =
        (input.is_some() || wa_id.is_some()).then(|| Contact { input: input.unwrap_or_default(), wa_id });
    let onprem = MessageReply { id: &id, message_status, contact, meta: Meta::stable(version) };
    let json = onprem.to_json();
    Ok(Replied { json, wamid: message.id, is_respelt })
}

/// `accepted` has no on-prem form; held and paused messages are "held".
fn held(status: Option<&str>, notes: &mut Notes) -> Option<&'static str> {
    let status = status?;
    let onprem = match status {
        "accepted" => None,
        "held_for_quality_assessment" | "paused" => Some(HELD),
        // The key alone means "held" to on-prem clients, so a word that nobody knows stays out.
        _ => None,
    };
    notes.add(
        Rule::ReplyMessageStatus,
        "messages[0].message_status",
        onprem.map_or_else(|| format!("\"{status}\" left out: the message is not held"), str::to_owned),
    );
    onprem
}

/// Checks Cloud's answer to a read receipt.
pub fn receipt_reply_to_onprem(body: &[u8]) -> Result<(), UnusableReply> {
    if Reply::read(body)?.success { Ok(()) } else { Err(UnusableReply::NoSuccess) }
}
