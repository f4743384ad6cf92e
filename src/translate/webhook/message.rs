//! Messages from users.

use super::{CallbackKind, Lookup, Work, is_cloud_only, media};
use crate::cloud::webhook::Message;
use crate::onprem::callback::{self, CallbackError, Field, Fields, MESSAGE_TYPES, MessageContent};
use crate::translate::errors::{Place, error_to_callback, unsupported};
use crate::translate::rules::Rule;
use crate::wire::{self, Kind, Member, Object, Raw, Str};

/// Leaves out what on-prem clients could only misread. A user who opened the chat for the first time has
/// written nothing: as a message of unknown type it would make programs answer that they cannot read it. An
/// edit would look like another message with a text of its own.
///
/// Rule   webhook.edit, webhook.request-welcome   Status dropped
/// Onprem no counterpart
/// Cloud  webhooks, edit messages; conversational components, welcome messages
/// Golden webhooks/edit/text, webhooks/request_welcome/first_message
pub(super) fn without_counterpart<'v, L: Lookup>(
    message: &'v Message<'v>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) {
    work.learn(&message.user);
    if &*message.kind == "edit" {
        work.leave_out(Rule::Edit, path, "left out: on-prem messages cannot be edited");
    } else {
        work.leave_out(
            Rule::RequestWelcome,
            path,
            "left out: the user has opened the chat, and written nothing",
        );
    }
}

/// Turns a message that a user wrote into a callback.
pub(super) fn from_user<'v, L: Lookup>(message: &'v Message<'v>, path: &str, work: &mut Work<'v, '_, L>) {
    work.learn(&message.user);
    let (kind, content) = match content(message, path, work) {
        Some((kind, content)) => (kind, Some(content)),
        None => ("unknown", None),
    };
    let parts = Parts { kind, content, is_unknown: kind == "unknown", callback: CallbackKind::Message };
    post(message, parts, path, work);
}

/// What a message becomes.
pub(super) struct Parts<'v> {
    pub kind: &'v str,
    pub content: Option<MessageContent<'v>>,
    /// Whether the content cannot be given.
    pub is_unknown: bool,
    pub callback: CallbackKind,
}

/// Writes the callback.
pub(super) fn post<'v, L: Lookup>(
    message: &'v Message<'v>,
    parts: Parts<'v>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) {
    let user = work.key_of(&message.user, format_args!("{path}.from"));
    let from = work.shown(&user, format_args!("{path}.from"));
    let id = work.id(&message.id, format_args!("{path}.id"));
    let timestamp = work.timestamp(message.timestamp.as_deref(), message.odd_timestamp, path);
    let context = message.context.and_then(|raw| context(raw, path, work));
    let referral = message.referral.and_then(|raw| referral(raw, path, work));
    let errors = errors(message, parts.is_unknown, path, work);
    let rest = rest(message, path, work);
    let contact = (parts.callback == CallbackKind::Message).then(|| contact(message, &from, work));
    let capacity = 320 + message.rest.iter().map(|(key, raw)| key.len() + raw.get().len()).sum::<usize>();
    let body = callback::Message {
        from: &from,
        id: &id,
        timestamp: &timestamp,
        kind: parts.kind,
        context,
        content: parts.content,
        referral,
        errors,
        rest,
    }
    .to_json(contact.as_ref(), capacity);
    work.push(parts.callback, Some(user), Some(message.id.to_string()), body);
}

/// The content and its type; none when on-prem clients cannot be given it.
fn content<'v, L: Lookup>(
    message: &'v Message<'v>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Option<(&'v str, MessageContent<'v>)> {
    let kind = &*message.kind;
    let raw = member(message, path, work).filter(|raw| match kind {
        "contacts" => wire::kind(raw) == Kind::Array,
        _ => wire::kind(raw) == Kind::Object,
    });
    match kind {
        "image" | "audio" | "voice" | "video" | "document" | "sticker" => {
            Some(media::convert(kind, raw, path, work))
        }
        "reaction" => Some((kind, pointer(raw?, "message_id", format_args!("{path}.reaction"), work))),
        // Cards of people, whose numbers may be known otherwise.
        "contacts" => Some((kind, work.field(kind, raw?, format_args!("{path}.contacts")).into())),
        "interactive" if !is_known_reply(raw?) => None,
        _ if MESSAGE_TYPES.contains(&kind) => Some((kind, MessageContent::Raw(raw?))),
        _ => None,
    }
}

/// The member that has the content. Meta's own sample calls it `Interactive`.
///
/// Rule   webhook.interactive-case  Status translated
/// Onprem webhooks, "interactive" object
/// Cloud  send messages guide, address messages: a sample with `Interactive`
/// Golden webhooks/interactive/capitalised
fn member<'v, L: Lookup>(
    message: &'v Message<'v>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Option<Raw<'v>> {
    let member = message.member(&message.kind);
    if member.is_some() || &*message.kind != "interactive" {
        return member;
    }
    let capitalised = message.member(CAPITALISED)?;
    work.note(Rule::InteractiveCase, format_args!("{path}.{CAPITALISED}"), "-> interactive");
    Some(capitalised)
}

/// As Meta's sample of an address message has it.
const CAPITALISED: &str = "Interactive";

/// Whether on-prem had such a reply: programs look into the object that is named like its type.
fn is_known_reply(raw: Raw<'_>) -> bool {
    const REPLIES: [&str; 3] = ["button_reply", "list_reply", "nfm_reply"];
    let Ok(object) = Object::parse(raw.get()) else {
        return false;
    };
    match object.get("type").and_then(wire::string) {
        Some(kind) => REPLIES.contains(&&*kind),
        None => REPLIES.iter().any(|kind| object.get(kind).is_some()),
    }
}

/// An object that names another message by its member `key`.
fn pointer<'v, L: Lookup>(
    raw: Raw<'v>,
    key: &str,
    path: impl std::fmt::Display,
    work: &mut Work<'v, '_, L>,
) -> MessageContent<'v> {
    match Object::parse(raw.get()) {
        Ok(object) => MessageContent::Fields(fields_with_id(object.into_members(), key, path, work)),
        Err(_) => MessageContent::Raw(raw),
    }
}

fn fields_with_id<'v, L: Lookup>(
    members: Vec<Member<'v>>,
    key: &str,
    path: impl std::fmt::Display,
    work: &mut Work<'v, '_, L>,
) -> Fields<'v> {
    let convert = |(name, raw): Member<'v>| {
        let wamid = (&*name == key).then(|| wire::string(raw)).flatten();
        let field = match wamid {
            Some(wamid) => Field::Text(work.id(&wamid, format_args!("{path}.{key}")).into_owned().into()),
            None => work.field(&name, raw, format_args!("{path}.{name}")),
        };
        (name, field)
    };
    members.into_iter().map(convert).collect()
}

/// What a message answers. Cloud names the author by a business-scoped id now and then.
///
/// Rule   webhook.context           Status translated
/// Onprem webhooks, "context" object
/// Cloud  webhooks, "context" object; business-scoped user ids
/// Golden webhooks/context/*
fn context<'v, L: Lookup>(
    raw: Raw<'v>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Option<MessageContent<'v>> {
    let path = format!("{path}.context");
    // `null` and the like say nothing.
    let object = Object::parse(raw.get()).ok()?;
    let user_id = object.get("from_user_id").and_then(wire::string);
    for (key, _) in object.members().iter().filter(|(key, _)| is_cloud_only(key)) {
        work.note(Rule::CloudOnly, format_args!("{path}.{key}"), "left out: on-prem has no such ids");
    }
    let is_named = object.get("from").is_some();
    let members = object.into_members().into_iter().filter(|(key, _)| !is_cloud_only(key));
    let (empty, members): (Vec<_>, Vec<_>) = members.partition(|(_, raw)| is_empty(raw));
    for (key, _) in empty {
        work.note(Rule::WebhookContext, format_args!("{path}.{key}"), "left out: it is empty");
    }
    let mut fields = fields_with_id(members, "id", &path, work);
    if let (false, Some(user_id)) = (is_named, user_id) {
        let user = crate::cloud::webhook::User { wa_id: None, user_id: Some(user_id) };
        let key = work.key_of(&user, format_args!("{path}.from"));
        let from = work.shown(&key, format_args!("{path}.from"));
        fields.push((Str::from("from"), Field::Text(from.into())));
    }
    (!fields.is_empty()).then_some(MessageContent::Fields(fields))
}

/// `null`, or an array without elements.
pub(super) fn is_empty(raw: Raw<'_>) -> bool {
    let text = raw.get();
    text == "null" || text.strip_prefix('[').is_some_and(|rest| rest.trim_start() == "]")
}

/// The advertisement that a message came from. Its `ctwa_clid` stays, although only Cloud has it: without this key
/// nobody can tell Meta what became of the click.
///
/// Rule   webhook.referral          Status dropped
/// Onprem webhooks, "referral" object
/// Cloud  webhooks, "referral" object: `welcome_message`
/// Golden webhooks/referral/*
fn referral<'v, L: Lookup>(raw: Raw<'v>, path: &str, work: &mut Work<'v, '_, L>) -> Option<Fields<'v>> {
    let mut object = Object::parse(raw.get()).ok()?;
    if object.take("welcome_message").is_some() {
        work.note(Rule::Referral, format_args!("{path}.referral.welcome_message"), "left out: Cloud only");
    }
    let fields: Fields<'v> =
        object.into_members().into_iter().map(|(key, raw)| (key, Field::Raw(raw))).collect();
    (!fields.is_empty()).then_some(fields)
}

/// What went wrong with a message. A message whose content cannot be given always says so.
///
/// Rule   webhook.unknown, webhook.error   Status translated
/// Onprem webhooks, type `unknown` with 501; media errors 400 and 429
/// Cloud  webhooks, unsupported messages: 131051; media errors: 131052
/// Golden webhooks/unsupported/*, webhooks/image/download_failed
fn errors<'v, L: Lookup>(
    message: &'v Message<'v>,
    is_unknown: bool,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> Vec<CallbackError> {
    let convert =
        |error| error_to_callback(error, Place::Message, &work.value.phone_number_id, &work.options.compat);
    let mut errors: Vec<_> = message.errors.iter().map(convert).collect();
    if !errors.is_empty() {
        let codes: Vec<_> = errors.iter().map(|error| error.code.code().to_string()).collect();
        work.note(Rule::WebhookError, format_args!("{path}.errors"), format_args!("-> {}", codes.join(", ")));
    }
    if is_unknown {
        let kind = &*message.kind;
        work.note(Rule::Unknown, format_args!("{path}.type"), format_args!("{kind:?} -> unknown, with 501"));
        let code = unsupported().code;
        if errors.iter().all(|error| error.code != code) {
            errors.insert(0, unsupported());
        }
    }
    errors
}

/// The members beside the content. Content of other types would be taken for this message's.
///
/// Rule   webhook.cloud-only        Status dropped
/// Onprem webhooks, "messages" object
/// Cloud  webhooks, "messages" object; business-scoped user ids
/// Golden webhooks/user_ids/both_ids
fn rest<'v, L: Lookup>(message: &'v Message<'v>, path: &str, work: &mut Work<'v, '_, L>) -> Fields<'v> {
    let has_both = message.user.wa_id.is_some() && message.user.user_id.is_some();
    if has_both {
        work.note(Rule::CloudOnly, format_args!("{path}.from_user_id"), "left out: on-prem has no such ids");
    }
    let is_content = |key: &str| {
        key == &*message.kind
            || MESSAGE_TYPES.contains(&key)
            || matches!(key, "system" | "unsupported" | CAPITALISED)
    };
    let mut rest = Fields::new();
    for (key, raw) in &message.rest {
        if is_cloud_only(key) {
            work.note(Rule::CloudOnly, format_args!("{path}.{key}"), "left out: Cloud only");
        } else if !is_content(key) && !is_empty(raw) {
            rest.push((key.clone(), work.field(key, raw, format_args!("{path}.{key}"))));
        }
    }
    rest
}

/// The contact, under the id that the message has, and always with a name: programs read it without a look whether it
/// is there, and some drop a message that has no contact. Who has no name has a user name, or else the id.
///
/// Rule   webhook.contact, webhook.contact-name
/// Onprem webhooks, "contacts" object: `profile.name`, `wa_id`
/// Cloud  webhooks, "contacts" object; business-scoped user ids
/// Golden webhooks/user_ids/user_name, webhooks/text/no_contacts, webhooks/text/contact_without_name
fn contact<'c, 'v: 'c, L: Lookup>(
    message: &Message<'_>,
    from: &'c str,
    work: &mut Work<'v, '_, L>,
) -> callback::Contact<'c> {
    let contact = work.value.contact_of(&message.user);
    if contact.is_some_and(|contact| contact.has_more || contact.user.user_id.is_some()) {
        work.note(Rule::WebhookContact, "contacts", "only profile.name and wa_id are kept");
    }
    let name = contact.and_then(|contact| contact.name.as_deref());
    if name.is_none() {
        work.note(Rule::ContactName, "contacts", "the id in place of a name");
    }
    callback::Contact { name: name.unwrap_or(from), wa_id: from }
}
