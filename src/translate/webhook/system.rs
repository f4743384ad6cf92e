//! Changes of a user's number or identity.

use super::message::{Parts, post};
use super::{CallbackKind, Learnt, Lookup, Work, is_cloud_only};
use crate::cloud::webhook::{Message, User};
use crate::onprem::callback::{Field, Fields, MessageContent};
use crate::translate::rules::Rule;
use crate::wire::{self, Object, Raw, Str};

/// Turns a system message into a callback, if on-prem has one for it.
///
/// Rule   webhook.system-user-id    Status dropped
/// Onprem no counterpart
/// Cloud  webhooks, system messages: `user_changed_user_id`
/// Golden webhooks/system/user_changed_user_id
pub(super) fn convert<'v, L: Lookup>(message: &'v Message<'v>, path: &str, work: &mut Work<'v, '_, L>) {
    let object = message.member("system").and_then(|raw| Object::parse(raw.get()).ok());
    let Some(object) = object else {
        let parts =
            Parts { kind: "unknown", content: None, is_unknown: true, callback: CallbackKind::Message };
        return post(message, parts, path, work);
    };
    let kind = text(&object, "type").unwrap_or_default();
    learn(message, &object, work);
    if &*kind == "user_changed_user_id" {
        work.leave_out(Rule::SystemUserId, path, "left out: on-prem has no business-scoped ids");
        return;
    }
    let content = MessageContent::Fields(fields(object, &kind, path, work));
    let parts =
        Parts { kind: "system", content: Some(content), is_unknown: false, callback: CallbackKind::System };
    post(message, parts, path, work);
}

/// A change of the number brings another business-scoped id with it.
fn learn<L: Lookup>(message: &Message<'_>, object: &Object<'_>, work: &mut Work<'_, '_, L>) {
    let Some(user_id) = text(object, "user_id") else {
        return;
    };
    // The sender's own ids may be the old ones or the new ones; only those that are named so are believed.
    if let Some(wa_id) = text(object, "wa_id").or_else(|| text(object, "new_wa_id")) {
        work.learn_pair(&user_id, &wa_id);
    }
    let sender = message.user.user_id.as_ref().filter(|sender| **sender != user_id).cloned();
    let previous = text(object, "previous_user_id").or(sender);
    let previous = previous.map(|previous| previous.to_string());
    work.done.learnt.push(Learnt::Changed { previous, user_id: user_id.to_string() });
}

/// The `system` object with on-prem's names.
///
/// Rule   webhook.system-number, webhook.system-identity   Status translated
/// Onprem webhooks, "system" object: `user_changed_number` with `new_wa_id`, `user_identity_changed`
/// Cloud  webhooks, system messages: `wa_id`, `customer_identity_changed`
/// Golden webhooks/system/*
fn fields<'v, L: Lookup>(
    mut object: Object<'v>,
    kind: &str,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Fields<'v> {
    let path = format!("{path}.system");
    let is_number = matches!(kind, "user_changed_number" | "customer_changed_number");
    let is_identity = matches!(kind, "user_identity_changed" | "customer_identity_changed");
    object.take("type");
    let user_id = object.take("user_id").and_then(wire::string);
    let new_number = is_number.then(|| new_number(&mut object, user_id, &path, work)).flatten();
    let name = match kind {
        _ if is_number => "user_changed_number",
        _ if is_identity => "user_identity_changed",
        other => other,
    };
    if is_identity && name != kind {
        work.note(Rule::SystemIdentity, format_args!("{path}.type"), format_args!("-> {name}"));
    }
    let mut fields: Fields<'v> = vec![(Str::from("type"), Field::Text(name.to_owned().into()))];
    for (key, raw) in object.into_members() {
        if is_cloud_only(&key) {
            work.note(Rule::CloudOnly, format_args!("{path}.{key}"), "left out: Cloud only");
        } else {
            let field = work.field(&key, raw, format_args!("{path}.{key}"));
            fields.push((key, field));
        }
    }
    fields.extend(new_number.map(|field| (Str::from("new_wa_id"), field)));
    fields
}

fn new_number<'v, L: Lookup>(
    object: &mut Object<'v>,
    user_id: Option<Str<'v>>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Option<Field<'v>> {
    let cloud: Option<Raw<'v>> = object.take("wa_id");
    let number = object.take("new_wa_id").or(cloud);
    work.note(Rule::SystemNumber, path, "user_changed_number, with the new number as new_wa_id");
    match (number, user_id) {
        (Some(raw), _) => Some(work.field("new_wa_id", raw, format_args!("{path}.wa_id"))),
        (None, Some(user_id)) => {
            let user = User { wa_id: None, user_id: Some(user_id) };
            let path = format!("{path}.wa_id");
            let key = work.key_of(&user, &path);
            Some(Field::Text(work.shown(&key, &path).into()))
        }
        (None, None) => None,
    }
}

fn text<'a>(object: &Object<'a>, key: &str) -> Option<Str<'a>> {
    object.get(key).and_then(wire::string).filter(|text| !text.is_empty())
}
