//! Cloud's answer to a message -> the on-prem answer.

use thiserror::Error;

use super::notes::Notes;
use super::options::Options;
use super::rules::Rule;
use crate::cloud::reply::{Contact, NotAnObject, Reply, SentMessage};
use crate::onprem::error::Meta;
use crate::onprem::reply::{self, MessageReply};

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

/// Cloud's answer to a message that it took.
#[derive(Debug)]
pub struct Answered<'a> {
    message: SentMessage<'a>,
    contact: Option<Contact<'a>>,
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

impl<'a> Answered<'a> {
    /// Reads Cloud's `body`.
    pub fn read(body: &'a [u8]) -> Result<Self, UnusableReply> {
        let Reply { message, contact, .. } = Reply::read(body)?;
        let message = message.filter(|message| !message.id.is_empty()).ok_or(UnusableReply::NoId)?;
        Ok(Self { message, contact })
    }

    /// The message's id at Cloud.
    pub fn wamid(&self) -> &str {
        &self.message.id
    }

    /// Cloud's own id of the recipient. Its examples show it with a plus sign now and then; clients expect digits.
    pub fn wa_id(&self) -> Option<&str> {
        let wa_id = self.contact.as_ref()?.wa_id.as_deref()?;
        Some(wa_id.strip_prefix('+').unwrap_or(wa_id)).filter(|wa_id| !wa_id.is_empty())
    }

    /// The on-prem answer. `known_as` is the id under which the client knows the recipient; without it, it is told
    /// Cloud's.
    ///
    /// Rule   reply.envelope, reply.input, reply.wa-id, reply.message-status, id.onprem   Status translated
    /// Onprem messages reference, response
    /// Cloud  messages reference, successful response; send messages guide, response parameters
    /// Golden replies/*
    pub fn to_onprem(
        &self,
        sent: Option<Sent<'_>>,
        known_as: Option<&str>,
        options: &Options,
        version: &str,
        notes: &mut Notes,
    ) -> Vec<u8> {
        let Self { message, contact } = self;
        let contact = contact.as_ref();
        notes.add(Rule::ReplyEnvelope, "messaging_product", "left out, and meta added");
        let cloud_input = contact.and_then(|contact| contact.input.as_deref());
        let input = sent.map(|sent| sent.input).or(cloud_input);
        if cloud_input.is_some_and(|cloud| Some(cloud) != input) {
            notes.add(Rule::ReplyInput, "contacts[0].input", "the client's own spelling");
        }
        let user_id = || contact.and_then(|contact| contact.user_id.as_deref());
        let wa_id = known_as.or_else(|| self.wa_id()).or_else(user_id);
        if wa_id != contact.and_then(|contact| contact.wa_id.as_deref()) {
            notes.add(Rule::ReplyWaId, "contacts[0].wa_id", wa_id.unwrap_or_default());
        }
        let message_status = held(message.message_status.as_deref(), notes);
        let id = options.message_ids.for_client(&message.id);
        if id != *message.id {
            notes.add(Rule::OnpremId, "messages[0].id", format_args!("{} -> {id}", message.id));
        }
        // Without either there is nobody to name.
        let contact = (input.is_some() || wa_id.is_some())
            .then(|| reply::Contact { input: input.unwrap_or_default(), wa_id });
        MessageReply { id: &id, message_status, contact, meta: Meta::stable(version) }.to_json()
    }
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
