//! What became of messages to users.

use super::message::is_empty;
use super::{CallbackKind, Lookup, Work, is_cloud_only};
use crate::cloud::webhook::{Message, Status};
use crate::onprem::callback::{self, Field, MessageContent, StatusWord};
use crate::translate::errors::{Place, error_to_callback};
use crate::translate::rules::Rule;
use crate::wire::{self, Member, Object, Raw};

/// Turns `status` into a callback, if on-prem has one for it.
///
/// Rule   status.played, status.other   Status dropped
/// Onprem webhooks, `status`: sent, delivered, read, failed, deleted, warning
/// Cloud  webhooks, status messages: also played; payments
/// Golden webhooks/played/*, webhooks/status/other_word, webhooks/status/payment
pub(super) fn convert<'v, L: Lookup>(status: &'v Status<'v>, work: &mut Work<'v, '_, L>) {
    let path = format!("statuses[{}]", status.index);
    work.learn(&status.user);
    let is_of_message = matches!(status.kind.as_deref(), None | Some("" | "message"));
    match StatusWord::from_name(&status.word).filter(|_| is_of_message) {
        Some(word) => post(status, word, &path, work),
        None if &*status.word == "played" => {
            work.leave_out(
                Rule::Played,
                &path,
                "played left out: on-prem has no such status, and read came before",
            );
        }
        None => {
            let word = &*status.word;
            work.leave_out(
                Rule::OtherStatus,
                &path,
                format_args!("{word:?} left out: on-prem has no such status"),
            );
        }
    }
}

fn post<'v, L: Lookup>(status: &'v Status<'v>, word: StatusWord, path: &str, work: &mut Work<'v, '_, L>) {
    let user =
        (!status.user.is_nobody()).then(|| work.key_of(&status.user, format_args!("{path}.recipient_id")));
    let recipient = user.as_deref().map(|user| work.shown(user, format_args!("{path}.recipient_id")));
    let id = work.id(&status.id, format_args!("{path}.id"));
    let timestamp = work.timestamp(status.timestamp.as_deref(), status.odd_timestamp, path);
    let pricing = status.pricing.and_then(|raw| pricing(raw, path, work));
    let compat = &work.options.compat;
    let convert = |error| error_to_callback(error, Place::Status, &work.value.phone_number_id, compat);
    let errors: Vec<_> = status.errors.iter().map(convert).collect();
    for (at, error) in errors.iter().enumerate() {
        work.note(
            Rule::WebhookError,
            format_args!("{path}.errors[{at}]"),
            format_args!("-> {}", error.code.code()),
        );
    }
    work.note(Rule::StatusEnvelope, path, "type and message.recipient_id added");
    let rest = rest(status, path, work);
    let capacity = 320 + status.rest.iter().map(|(key, raw)| key.len() + raw.get().len()).sum::<usize>();
    let body = callback::Status {
        id: &id,
        recipient_id: recipient.as_deref(),
        word,
        timestamp: &timestamp,
        pricing,
        errors,
        rest: &rest,
    }
    .to_json(capacity);
    work.push(CallbackKind::Status(word), user, Some(dedupe(&status.id, word)), body);
}

fn dedupe(wamid: &str, word: StatusWord) -> String {
    format!("{wamid} {}", word.name())
}

/// What a message costs.
///
/// Rule   status.pricing-type       Status dropped
/// Onprem webhooks, "pricing" object
/// Cloud  webhooks, "pricing" object, `type`
/// Golden webhooks/status/pricing
fn pricing<'v, L: Lookup>(
    raw: Raw<'v>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Option<MessageContent<'v>> {
    let mut object = Object::parse(raw.get()).ok()?;
    if object.take("type").is_none() {
        return Some(MessageContent::Raw(raw));
    }
    work.note(Rule::PricingType, format_args!("{path}.pricing.type"), "left out: Cloud only");
    let fields = object.into_members().into_iter().map(|(key, raw)| (key, Field::Raw(raw))).collect();
    Some(MessageContent::Fields(fields))
}

/// The members that on-prem passes on, but for `message`, which we write ourselves.
///
/// Rule   status.extras             Status dropped
/// Onprem webhooks, "statuses" object
/// Cloud  webhooks, "statuses" object: `recipient_type` and others
/// Golden webhooks/status/extras
fn rest<'v, L: Lookup>(
    status: &'v Status<'v>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Vec<&'v Member<'v>> {
    let (extras, rest): (Vec<_>, Vec<_>) = status
        .rest
        .iter()
        .partition(|(key, _)| is_cloud_only(key) || matches!(&**key, "message" | "contacts"));
    let has_both = status.user.wa_id.is_some() && status.user.user_id.is_some();
    if has_both {
        work.note(Rule::StatusExtras, format_args!("{path}.recipient_user_id"), "left out: Cloud only");
    }
    for (key, _) in extras {
        work.note(Rule::StatusExtras, format_args!("{path}.{key}"), "left out: Cloud only");
    }
    rest.into_iter().filter(|(_, raw)| !is_empty(raw)).collect()
}

/// A user deleted a message: on-prem tells it by a status of that message.
///
/// Rule   webhook.revoke            Status translated
/// Onprem webhooks, `status: deleted`, "the user deleted their message"
/// Cloud  webhooks, revoke messages
/// Golden webhooks/revoke/*
pub(super) fn revoke<'v, L: Lookup>(message: &'v Message<'v>, path: &str, work: &mut Work<'v, '_, L>) {
    work.learn(&message.user);
    let revoke = message.member("revoke").and_then(|raw| Object::parse(raw.get()).ok());
    let original = revoke.and_then(|revoke| revoke.get("original_message_id")).and_then(wire::string);
    let Some(original) = original.filter(|id| !id.is_empty()) else {
        return work.leave_out(Rule::Revoke, path, "left out: it does not say which message was deleted");
    };
    let user = work.key_of(&message.user, format_args!("{path}.from"));
    let recipient = work.shown(&user, format_args!("{path}.from"));
    let id = work.id(&original, format_args!("{path}.revoke.original_message_id"));
    let timestamp = work.timestamp(message.timestamp.as_deref(), message.odd_timestamp, path);
    let word = StatusWord::Deleted;
    work.note(Rule::Revoke, path, "-> status deleted of the original message");
    let body = callback::Status {
        id: &id,
        recipient_id: Some(&recipient),
        word,
        timestamp: &timestamp,
        pricing: None,
        errors: Vec::new(),
        rest: &[],
    }
    .to_json(320);
    work.push(CallbackKind::Status(word), Some(user), Some(dedupe(&original, word)), body);
}
