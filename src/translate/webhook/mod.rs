//! Cloud webhook -> on-prem callbacks.
//!
//! Every message, status and error becomes a callback of its own, so that one that a client cannot take
//! never holds up the others.

mod ids;
mod media;
mod message;
mod status;
mod system;
mod users;

use std::collections::HashSet;

pub use users::{Learnt, Lookup, NothingKnown, asks};

use super::errors::{Place, error_to_callback};
use super::notes::Notes;
use super::options::Options;
use super::rules::Rule;
use crate::cloud::webhook::{Change, Message, Value, Webhook};
use crate::onprem::callback::StatusWord;

/// What the conversion of a webhook depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookOptions {
    /// The choices of the operator.
    pub compat: Options,
    /// When the webhook came, in seconds since 1970: the time of events that have none.
    pub received_at: u64,
}

/// What a callback is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallbackKind {
    /// A message from a user.
    Message,
    /// A change of the user's number or identity.
    System,
    /// What became of a message to a user.
    Status(StatusWord),
    /// An error about the number.
    Error,
}

/// One callback, ready to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback<'v> {
    /// Whose it is.
    pub phone_number_id: &'v str,
    /// What it is about.
    pub kind: CallbackKind,
    /// The user: callbacks with the same one belong in order.
    pub chat: Option<String>,
    /// Equal for repetitions of the same event; none where repetitions cannot be told. It does not
    /// depend on the options.
    pub dedupe: Option<String>,
    /// The file that it brings.
    pub file: Option<UserFile>,
    /// The JSON to post.
    pub body: Vec<u8>,
}

/// A file that a user sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFile {
    /// On-prem's type of the message, such as `voice`.
    pub kind: String,
    /// Cloud's id.
    pub id: String,
    /// The media type; empty when Cloud says none.
    pub media_type: String,
}

/// What a webhook was turned into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Converted<'v> {
    /// The callbacks, in the order of the webhook.
    pub callbacks: Vec<Callback<'v>>,
    /// What it tells about users and is not known yet.
    pub learnt: Vec<Learnt>,
    /// The rule for each event that has no callback.
    pub dropped: Vec<Rule>,
}

/// Turns everything in a webhook into callbacks, and notes what has none.
///
/// Rule   webhook.other-field, webhook.unreadable   Status dropped
/// Onprem no counterpart
/// Cloud  webhooks, "changes" object, `field`
/// Golden webhooks/batch/other_field, webhooks/batch/broken_elements
pub fn webhook_to_onprem<'v, L: Lookup>(
    webhook: &'v Webhook<'v>,
    options: &WebhookOptions,
    lookup: &L,
    notes: &mut Notes,
) -> Converted<'v> {
    let mut all = Converted::default();
    for change in &webhook.changes {
        match change {
            Change::Messages(value) => {
                let of_value = value_to_onprem(value, options, lookup, notes);
                all.callbacks.extend(of_value.callbacks);
                all.learnt.extend(of_value.learnt);
                all.dropped.extend(of_value.dropped);
            }
            Change::Other { path, field } => {
                notes.add(Rule::WebhookOtherField, path, format_args!("left out: the field is {field:?}"));
            }
        }
    }
    for lost in &webhook.unreadable {
        notes.add(Rule::WebhookUnreadable, &lost.path, format_args!("left out: it {}", lost.reason));
    }
    all
}

/// Turns one value, which is about one number, into callbacks.
///
/// Rule   webhook.envelope, status.contacts
/// Onprem webhooks: flat, with arrays at the top
/// Cloud  webhooks, "value" object
/// Golden webhooks/text/*, webhooks/batch/*
pub fn value_to_onprem<'v, L: Lookup>(
    value: &'v Value<'v>,
    options: &WebhookOptions,
    lookup: &L,
    notes: &mut Notes,
) -> Converted<'v> {
    notes.add(Rule::WebhookEnvelope, &value.path, "a callback for each message, status and error in it");
    let mut work = Work {
        value,
        options,
        lookup,
        notes,
        done: Converted::default(),
        paired: HashSet::new(),
        file: None,
    };
    if !value.tells_of_change() {
        value.contacts.iter().for_each(|contact| work.learn(&contact.user));
    }
    for message in &value.messages {
        convert_message(message, &mut work);
    }
    if !value.contacts.is_empty() && !value.statuses.is_empty() {
        work.note(Rule::StatusContacts, "contacts", "left out of callbacks about statuses");
    }
    for status in &value.statuses {
        status::convert(status, &mut work);
    }
    for (index, error) in &value.errors {
        let error = error_to_callback(error, Place::Number, &value.phone_number_id, &options.compat);
        work.note(
            Rule::WebhookError,
            format_args!("errors[{index}]"),
            format_args!("-> {}", error.code.code()),
        );
        work.push(CallbackKind::Error, None, None, error.to_json());
    }
    work.done
}

/// Turns `message` into a callback, if on-prem has one for it.
fn convert_message<'v, L: Lookup>(message: &'v Message<'v>, work: &mut Work<'v, '_, L>) {
    let path = format!("messages[{}]", message.index);
    match &*message.kind {
        "system" => system::convert(message, &path, work),
        "revoke" => status::revoke(message, &path, work),
        "edit" | "request_welcome" => message::without_counterpart(message, &path, work),
        _ => message::from_user(message, &path, work),
    }
}

/// Whether only Cloud has a member of this name: one about business-scoped ids, or about the other ways in which it calls a
/// user.
fn is_cloud_only(key: &str) -> bool {
    const NAMES: [&str; 8] = [
        "messaging_product",
        "metadata",
        "recipient",
        "user_id",
        "username",
        "logical_id",
        "identity_key_hash",
        "internal_1p_only_data",
    ];
    let is_part = |parts: &[&str], test: fn(&str, &str) -> bool| parts.iter().any(|part| test(key, part));
    NAMES.contains(&key)
        || is_part(&["recipient_", "parent_"], |key, part| key.starts_with(part))
        || is_part(&["_user_id", "_logical_id", "_username"], |key, part| key.ends_with(part))
}

/// What one conversion works with.
struct Work<'v, 'n, L> {
    value: &'v Value<'v>,
    options: &'n WebhookOptions,
    lookup: &'n L,
    notes: &'n mut Notes,
    done: Converted<'v>,
    /// The pairs of ids among what was learnt.
    paired: HashSet<(String, String)>,
    /// Of the message that is being converted.
    file: Option<UserFile>,
}

impl<L: Lookup> Work<'_, '_, L> {
    /// Notes that `rule` changed the place `path` of the value.
    fn note(&mut self, rule: Rule, path: impl std::fmt::Display, text: impl std::fmt::Display) {
        self.notes.add(rule, format_args!("{}.{path}", self.value.path), text);
    }

    /// Leaves an event out.
    fn leave_out(&mut self, rule: Rule, path: impl std::fmt::Display, text: impl std::fmt::Display) {
        self.note(rule, path, text);
        self.done.dropped.push(rule);
    }

    fn push(&mut self, kind: CallbackKind, chat: Option<String>, dedupe: Option<String>, body: Vec<u8>) {
        let phone_number_id = &*self.value.phone_number_id;
        let file = self.file.take();
        self.done.callbacks.push(Callback { phone_number_id, kind, chat, dedupe, file, body });
    }

    /// The time as a string of digits.
    ///
    /// Rule   webhook.timestamp         Status translated
    /// Onprem webhooks, `timestamp`: a string
    /// Cloud  webhooks, `timestamp`
    /// Golden webhooks/text/timestamp_number, webhooks/text/timestamp_missing
    fn timestamp(&mut self, written: Option<&str>, is_odd: bool, path: &str) -> String {
        let time = written.map_or_else(|| self.options.received_at.to_string(), str::to_owned);
        if is_odd {
            let text = if written.is_some() { "now a string" } else { "missing, so the time of arrival" };
            self.note(Rule::WebhookTimestamp, format_args!("{path}.timestamp"), text);
        }
        time
    }

    /// The form of an id that the client sees.
    ///
    /// Rule   id.onprem                 Status translated
    /// Onprem webhooks, `id`
    /// Cloud  webhooks, `id`
    /// Golden webhooks/ids/*
    fn id<'i>(&mut self, wamid: &'i str, path: impl std::fmt::Display) -> std::borrow::Cow<'i, str> {
        let id = self.options.compat.message_ids.for_client(wamid);
        if id != wamid {
            self.note(Rule::OnpremId, path, format_args!("{wamid} -> {id}"));
        }
        id
    }
}

#[cfg(test)]
mod tests;
