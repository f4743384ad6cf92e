//! The elements of a `value`: contacts, messages, statuses.

use std::borrow::Cow;

use super::{GraphError, errors};
use crate::wire::{self, Kind, Member, Object, Raw, Str};

/// Who a message is from or for. Since 2026 a user may be known by a business-scoped id alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User<'a> {
    /// The phone number, as digits.
    pub wa_id: Option<Str<'a>>,
    /// The business-scoped id.
    pub user_id: Option<Str<'a>>,
}

impl User<'_> {
    /// Whether it says nothing.
    pub fn is_nobody(&self) -> bool {
        self.wa_id.is_none() && self.user_id.is_none()
    }

    /// Whether `other` has an id in common.
    pub fn is(&self, other: &User<'_>) -> bool {
        let same = |one: &Option<Str<'_>>, two: &Option<Str<'_>>| one.is_some() && one == two;
        same(&self.wa_id, &other.wa_id) || same(&self.user_id, &other.user_id)
    }
}

/// One element of `contacts`.
#[derive(Debug)]
pub struct Contact<'a> {
    /// `wa_id` and `user_id`
    pub user: User<'a>,
    /// `profile.name`, or else `profile.username`; neither is ever empty.
    pub name: Option<Str<'a>>,
    /// Whether it says more than the name and these ids (user name, parent id, key hash).
    pub has_more: bool,
}

/// One element of `messages`.
#[derive(Debug)]
pub struct Message<'a> {
    /// Its position.
    pub index: usize,
    /// The wamid.
    pub id: Str<'a>,
    /// Who wrote it.
    pub user: User<'a>,
    /// Seconds since 1970, as digits.
    pub timestamp: Option<Str<'a>>,
    /// Whether the time was not a string.
    pub odd_timestamp: bool,
    /// `type`; empty when it has none.
    pub kind: Str<'a>,
    /// `context`: the message that it answers, or that it was forwarded.
    pub context: Option<Raw<'a>>,
    /// `referral`: the advertisement that it came from.
    pub referral: Option<Raw<'a>>,
    /// What went wrong with it on its way.
    pub errors: Vec<GraphError>,
    /// Everything else, the content among it.
    pub rest: Vec<Member<'a>>,
}

/// One element of `statuses`.
#[derive(Debug)]
pub struct Status<'a> {
    /// Its position.
    pub index: usize,
    /// The wamid of the message.
    pub id: Str<'a>,
    /// The word: sent, delivered, read, failed, played, or a later one.
    pub word: Str<'a>,
    /// `type`: `payment` for statuses of payments.
    pub kind: Option<Str<'a>>,
    /// Seconds since 1970, as digits.
    pub timestamp: Option<Str<'a>>,
    /// Whether the time was not a string.
    pub odd_timestamp: bool,
    /// Whom the message was for.
    pub user: User<'a>,
    /// `pricing`
    pub pricing: Option<Raw<'a>>,
    /// Why it failed.
    pub errors: Vec<GraphError>,
    /// Everything else.
    pub rest: Vec<Member<'a>>,
}

impl<'a> Contact<'a> {
    pub(super) fn read(mut object: Object<'a>) -> Self {
        let user = user(&mut object, "wa_id", "user_id");
        let mut profile = object.take("profile").and_then(|raw| Object::parse(raw.get()).ok());
        let name = profile.as_mut().and_then(|profile| word(profile, "name"));
        let has_more = !object.members().is_empty()
            || profile.as_ref().is_some_and(|profile| !profile.members().is_empty());
        let user_name = || profile.as_mut().and_then(|profile| word(profile, "username"));
        Self { user, name: name.or_else(user_name), has_more }
    }
}

impl<'a> Message<'a> {
    pub(super) fn read(raw: Raw<'a>, index: usize, contacts: &[Contact<'a>]) -> Result<Self, &'static str> {
        let mut object = Object::parse(raw.get()).map_err(|_| NOT_AN_OBJECT)?;
        let id = word(&mut object, "id").ok_or("has no id")?;
        let mut user = user(&mut object, "from", "from_user_id");
        if let ([only], true) = (contacts, user.is_nobody()) {
            user = only.user.clone();
        }
        if user.is_nobody() {
            return Err("names no user");
        }
        let (timestamp, odd_timestamp) = timestamp(&mut object);
        Ok(Self {
            index,
            id,
            user,
            timestamp,
            odd_timestamp,
            kind: word(&mut object, "type").unwrap_or_else(|| Str::from("")),
            context: object.take("context"),
            referral: object.take("referral"),
            errors: errors(object.take("errors")),
            rest: object.into_members(),
        })
    }

    /// The member `name` of what is left.
    pub fn member(&self, name: &str) -> Option<Raw<'a>> {
        self.rest.iter().find(|(key, _)| &**key == name).map(|(_, raw)| *raw)
    }
}

impl<'a> Status<'a> {
    pub(super) fn read(raw: Raw<'a>, index: usize) -> Result<Self, &'static str> {
        let mut object = Object::parse(raw.get()).map_err(|_| NOT_AN_OBJECT)?;
        let id = word(&mut object, "id").ok_or("has no id")?;
        let (timestamp, odd_timestamp) = timestamp(&mut object);
        Ok(Self {
            index,
            id,
            word: word(&mut object, "status").ok_or("has no status")?,
            kind: object.take("type").and_then(wire::string),
            timestamp,
            odd_timestamp,
            user: user(&mut object, "recipient_id", "recipient_user_id"),
            pricing: object.take("pricing"),
            errors: errors(object.take("errors")),
            rest: object.into_members(),
        })
    }
}

const NOT_AN_OBJECT: &str = "is not an object, or has a key twice";

/// The string `key` of `object`.
pub(super) fn text<'a>(object: &Object<'a>, key: &str) -> Option<Str<'a>> {
    object.get(key).and_then(wire::string)
}

/// Takes the string `key` out, unless it is empty.
fn word<'a>(object: &mut Object<'a>, key: &str) -> Option<Str<'a>> {
    object.take(key).and_then(wire::string).filter(|text| !text.trim().is_empty())
}

fn user<'a>(object: &mut Object<'a>, phone: &str, scoped: &str) -> User<'a> {
    // A number where text should be is read as its digits, as times are.
    let number = |raw: Raw<'a>| (wire::kind(raw) == Kind::Number).then(|| Str::from(raw.get()));
    let phone = object.take(phone).and_then(|raw| wire::string(raw).or_else(|| number(raw)));
    let wa_id = phone.filter(|text| !text.is_empty()).map(without_plus);
    User { wa_id, user_id: word(object, scoped) }
}

/// Meta's own samples show a number with a plus sign now and then.
fn without_plus(id: Str<'_>) -> Str<'_> {
    match id.0 {
        Cow::Borrowed(text) => Str(Cow::Borrowed(text.strip_prefix('+').unwrap_or(text))),
        Cow::Owned(text) => Str(Cow::Owned(text.strip_prefix('+').unwrap_or(&text).to_owned())),
    }
}

/// The time as digits, and whether it was anything but a string of them.
fn timestamp<'a>(object: &mut Object<'a>) -> (Option<Str<'a>>, bool) {
    let Some(raw) = object.take("timestamp") else {
        return (None, true);
    };
    let text = match wire::kind(raw) {
        Kind::String => wire::string(raw),
        Kind::Number => Some(Str::from(raw.get())),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
    };
    let digits = text.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let odd = digits.is_none() || wire::kind(raw) != Kind::String;
    (digits, odd)
}
