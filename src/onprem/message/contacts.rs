//! The `contacts` object: a list of cards.

use super::{ErrorCode, array, each, missing, object, optional_string, required_string, string, wrong};
use crate::onprem::Invalid;
use crate::onprem::read::required_object;
use crate::wire::{self, Kind, Object, Path, Raw, Str};

/// "*At least one of the optional parameters needs to be included along with the formatted_name
/// parameter."
const FURTHER_NAMES: [&str; 5] = ["first_name", "last_name", "middle_name", "suffix", "prefix"];

/// One card, in the order of its members.
#[derive(Debug)]
pub struct Contact<'a> {
    /// The members.
    pub members: Vec<(Str<'a>, ContactValue<'a>)>,
}

/// A member of a card.
#[derive(Debug)]
pub enum ContactValue<'a> {
    /// Equal on both sides.
    Raw(Raw<'a>),
    /// `phones`
    Phones(Vec<Phone<'a>>),
    /// A list without elements, which says nothing.
    EmptyList,
    /// `ims`, instant-messaging addresses: on-prem only.
    Ims,
}

/// One phone of a card.
#[derive(Debug)]
pub struct Phone<'a> {
    /// Its members; the misspelt `wa-id` of Meta's own sample is already called `wa_id`.
    pub members: Vec<(Str<'a>, Raw<'a>)>,
    /// Whether `wa-id` was written.
    pub had_slip: bool,
}

/// Reads the list in `raw`.
pub(super) fn parse<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Vec<Contact<'a>>, Invalid> {
    let contacts = each(raw, path, Contact::parse)?;
    if contacts.is_empty() {
        return Err(missing(path));
    }
    Ok(contacts)
}

impl<'a> Contact<'a> {
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let object = object(raw, path)?;
        check_name(raw, path)?;
        let members = object
            .into_members()
            .into_iter()
            .map(|(key, value)| {
                let value = value_of(&key, value, path.key(&key))?;
                Ok((key, value))
            })
            .collect::<Result<_, Invalid>>()?;
        Ok(Self { members })
    }
}

fn check_name(contact: Raw<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let mut contact = object(contact, path)?;
    let here = path.key("name");
    let mut name: Object<'_> = required_object(&mut contact, "name", path)?;
    required_string(&mut name, "formatted_name", here)?;
    for key in FURTHER_NAMES {
        if optional_string(&mut name, key, here)?.is_some_and(|text| !text.is_empty()) {
            return Ok(());
        }
    }
    Err(Invalid::new(
        ErrorCode::ParameterMissing,
        format!("{here} needs one of {} beside formatted_name", FURTHER_NAMES.join(", ")),
    ))
}

fn value_of<'a>(key: &str, raw: Raw<'a>, path: Path<'_>) -> Result<ContactValue<'a>, Invalid> {
    match key {
        "phones" => {
            let phones = each(raw, path, Phone::parse)?;
            Ok(if phones.is_empty() { ContactValue::EmptyList } else { ContactValue::Phones(phones) })
        }
        "addresses" | "emails" | "urls" | "ims" => Ok(match (array(raw, path)?.is_empty(), key) {
            (true, _) => ContactValue::EmptyList,
            (false, "ims") => ContactValue::Ims,
            (false, _) => ContactValue::Raw(raw),
        }),
        "birthday" => {
            string(raw, path)?;
            Ok(ContactValue::Raw(raw))
        }
        "org" if wire::kind(raw) != Kind::Object => Err(wrong(path, "must be a JSON object")),
        _ => Ok(ContactValue::Raw(raw)),
    }
}

impl<'a> Phone<'a> {
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let slip = object.take("wa-id");
        let has_wa_id = object.get("wa_id").is_some();
        let mut members = object.into_members();
        if let Some(value) = slip.filter(|_| !has_wa_id) {
            members.push((Str::from("wa_id"), value));
        }
        Ok(Self { members, had_slip: slip.is_some() })
    }
}
