//! Who a user is to an on-prem client, whose only key is the phone number.
//!
//! Since 2026 Cloud leaves the number out for users with a user name ("Business-scoped user IDs"). The id
//! that stands in its place is looked up in what earlier webhooks told; when nothing is known, clients get
//! it where the number would be: it is a string, too, and can be sent to.

use super::Work;
use crate::cloud::webhook::{Message, User, Value};
use crate::translate::rules::Rule;
use crate::wire::{self, Object};

/// What the caller remembers. Reading it must not wait: [`asks`] tells beforehand which ids will be.
pub trait Lookup {
    /// The phone number of a business-scoped id.
    fn wa_id(&self, user_id: &str) -> Option<String>;

    /// The id under which the client knows the user whom Cloud calls `id`; none when it is this one. What it is asked is
    /// not announced.
    fn shown(&self, id: &str) -> Option<String>;
}

/// A caller that remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingKnown;

impl Lookup for NothingKnown {
    fn wa_id(&self, _user_id: &str) -> Option<String> {
        None
    }

    fn shown(&self, _id: &str) -> Option<String> {
        None
    }
}

/// The business-scoped ids that the conversion of `value` will look up, each once.
pub fn asks(value: &Value<'_>) -> Vec<String> {
    let named = value.users().filter_map(|user| user.user_id.as_deref().map(str::to_owned));
    let mut user_ids: Vec<String> = named.chain(value.messages.iter().flat_map(within)).collect();
    user_ids.sort_unstable();
    user_ids.dedup();
    user_ids
}

/// The business-scoped ids inside of a message: who wrote what it answers, and who its user became.
fn within(message: &Message<'_>) -> impl Iterator<Item = String> {
    let places = [(message.context, "from_user_id"), (message.member("system"), "user_id")];
    places.into_iter().filter_map(|(raw, key)| {
        let object = Object::parse(raw?.get()).ok()?;
        object.get(key).and_then(wire::string).map(|id| id.to_string())
    })
}

/// Something about a user that the caller should remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// Both ids stood beside each other.
    Pair {
        /// The business-scoped id.
        user_id: String,
        /// The phone number.
        wa_id: String,
    },
    /// The user got another business-scoped id.
    Changed {
        /// The id that is over, where Cloud names it.
        previous: Option<String>,
        /// The id from now on.
        user_id: String,
    },
}

impl<L: Lookup> Work<'_, '_, L> {
    /// Remembers a pair that is not known yet.
    pub(super) fn learn(&mut self, user: &User<'_>) {
        if let (Some(wa_id), Some(user_id)) = (&user.wa_id, &user.user_id) {
            self.learn_pair(user_id, wa_id);
        }
    }

    pub(super) fn learn_pair(&mut self, user_id: &str, wa_id: &str) {
        if self.lookup.wa_id(user_id).as_deref() == Some(wa_id) {
            return;
        }
        if self.paired.insert((user_id.to_owned(), wa_id.to_owned())) {
            let pair = Learnt::Pair { user_id: user_id.to_owned(), wa_id: wa_id.to_owned() };
            self.done.learnt.push(pair);
        }
    }

    /// Cloud's key of `user`; `path` is where the number would stand.
    ///
    /// Rule   webhook.user-id           Status translated
    /// Onprem webhooks, `from` and `recipient_id`: the WhatsApp id, a string
    /// Cloud  business-scoped user ids: the phone number is left out
    /// Golden webhooks/user_ids/*
    pub(super) fn key_of(&mut self, user: &User<'_>, path: impl std::fmt::Display) -> String {
        if let Some(wa_id) = &user.wa_id {
            return wa_id.to_string();
        }
        let user_id = user.user_id.as_deref().unwrap_or_default();
        let beside = self.value.contacts.iter().filter(|contact| contact.user.is(user));
        let beside = beside.filter_map(|contact| contact.user.wa_id.as_deref()).next();
        let known = beside.map(str::to_owned).or_else(|| self.lookup.wa_id(user_id));
        let text = if known.is_some() {
            "missing, so the number that this user is known to have"
        } else {
            "missing, so the business-scoped id"
        };
        self.note(Rule::WebhookUserId, path, text);
        known.unwrap_or_else(|| user_id.to_owned())
    }
}
