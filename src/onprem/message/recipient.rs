//! Whom a message is for.

use std::borrow::Cow;

use super::{optional_string, printable, wrong};
use crate::onprem::number::{self, Written};
use crate::onprem::{ErrorCode, Invalid};
use crate::wire::{Object, Path, Str};

/// E.164: at most 15 digits. A longer run is an on-prem group id or two numbers glued together.
const MOST_DIGITS: usize = 15;
/// Shorter than any country code with a subscriber number; also guards against a stray "1".
const FEWEST_DIGITS: usize = 5;

/// The recipient: the client's own spelling, and what it means.
#[derive(Debug)]
pub struct Recipient<'a> {
    /// `to` as the client wrote it.
    pub input: Str<'a>,
    /// What it names.
    pub address: Address<'a>,
    /// Whether `recipient` was given beside `to`, which wins.
    pub has_idle_user_id: bool,
}

/// What `to` names.
#[derive(Debug, PartialEq, Eq)]
pub enum Address<'a> {
    /// An international number, digits only.
    Phone(Cow<'a, str>),
    /// A business-scoped user id (`US.13491…`), which clients learn from callbacks.
    UserId,
}

impl<'a> Recipient<'a> {
    /// Reads `to`.
    pub(super) fn parse(object: &mut Object<'a>) -> Result<Self, Invalid> {
        // Cloud's own field for business-scoped ids; "if both are sent, `to` wins".
        let recipient = optional_string(object, "recipient", Path::Root)?;
        let (input, has_idle_user_id) = match recipient {
            Some(user_id) if object.get("to").is_none() => (user_id, false),
            given => (to(object)?, given.is_some()),
        };
        Ok(Self { has_idle_user_id, ..Self::read(input)? })
    }

    /// Reads the value of `to`.
    pub fn read(input: Str<'a>) -> Result<Self, Invalid> {
        if input.is_empty() {
            return Err(super::missing(Path::Root.key("to")));
        }
        let address = address(&input)?;
        Ok(Self { input, address, has_idle_user_id: false })
    }

    /// The digits of the number; `None` for a business-scoped id.
    pub fn digits(&self) -> Option<&str> {
        match &self.address {
            Address::Phone(digits) => Some(digits),
            Address::UserId => None,
        }
    }

    /// Whether the client wrote the number as `+` and digits, the form Cloud wants.
    pub fn is_canonical(&self) -> bool {
        match &self.address {
            Address::Phone(digits) => self.input.strip_prefix('+').is_some_and(|rest| rest == &**digits),
            Address::UserId => true,
        }
    }
}

/// `to`, also when a client wrote the number as a number.
fn to<'a>(object: &mut Object<'a>) -> Result<Str<'a>, Invalid> {
    let path = Path::Root.key("to");
    let raw = object.take("to").ok_or_else(|| super::missing(path))?;
    if !raw.get().is_empty() && raw.get().bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Str::from(raw.get()));
    }
    super::string(raw, path)
}

fn address<'a>(input: &Str<'a>) -> Result<Address<'a>, Invalid> {
    let path = Path::Root.key("to");
    if is_user_id(input) {
        return Ok(Address::UserId);
    }
    if input.ends_with("@g.us") || is_group_id(input) {
        return Err(Invalid::new(
            ErrorCode::InvalidRecipientType,
            "to is a group id: on-prem groups have no counterpart in the Cloud API; send to each user",
        ));
    }
    let digits = match number::read(input) {
        Written::Digits(Cow::Borrowed(_)) => input.0.clone(),
        Written::Digits(Cow::Owned(digits)) => Cow::Owned(digits),
        Written::Trunk => {
            return Err(wrong(
                path,
                "holds the trunk prefix (0); leave it out and write the number as it is dialled from abroad",
            ));
        }
        Written::Unclear => {
            return Err(wrong(
                path,
                format_args!(
                    "\"{}\" is neither a WhatsApp id nor a phone number; use the country code and digits, like 16505551234",
                    printable(input)
                ),
            ));
        }
    };
    if digits.is_empty() {
        return Err(super::missing(path));
    }
    if digits.starts_with('0') {
        return Err(wrong(path, "starts with 0; use the country code and digits, like 16505551234"));
    }
    if !(FEWEST_DIGITS..=MOST_DIGITS).contains(&digits.len()) {
        return Err(wrong(
            path,
            format_args!(
                "has {} digits; an international number has {FEWEST_DIGITS} to {MOST_DIGITS}",
                digits.len()
            ),
        ));
    }
    Ok(Address::Phone(digits))
}

/// On-prem group ids are `<creator's number>-<unix time>`.
fn is_group_id(input: &str) -> bool {
    input.split_once('-').is_some_and(|(creator, created)| {
        creator.len() >= 8
            && created.len() == 10
            && creator.bytes().all(|b| b.is_ascii_digit())
            && created.bytes().all(|b| b.is_ascii_digit())
    })
}

/// `CC.` and up to 128 letters or digits, or the parent form `CC.ENT.…`.
fn is_user_id(input: &str) -> bool {
    let Some((country, id)) = input.split_once('.') else {
        return false;
    };
    let id = id.strip_prefix("ENT.").unwrap_or(id);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(input: &str) -> Result<String, ErrorCode> {
        match address(&Str::from(input)) {
            Ok(Address::Phone(digits)) => Ok(digits.into_owned()),
            Ok(Address::UserId) => Ok("user id".into()),
            Err(invalid) => Err(invalid.code),
        }
    }

    #[test]
    fn the_number_that_the_client_meant() {
        for spelling in [
            "16315551234",
            "+16315551234",
            "+1 (631) 555-1234",
            "1-631-555-1234",
            "1.631.555.1234",
            " 1631 5551234 ",
            "\u{202a}１６３１5551234\u{202c}",
        ] {
            assert_eq!(phone(spelling).as_deref(), Ok("16315551234"), "{spelling}");
        }
        assert_eq!(phone("US.13491208655302741918").as_deref(), Ok("user id"));
    }

    #[test]
    fn never_another_number() {
        for (spelling, code) in [
            ("16315551000-1387429853", ErrorCode::InvalidRecipientType),
            ("120363025246125486@g.us", ErrorCode::InvalidRecipientType),
            ("1631555O234", ErrorCode::ParameterInvalid),
            ("0016315551234", ErrorCode::ParameterInvalid),
            ("1631555123416315551234", ErrorCode::ParameterInvalid),
            ("1631 or 555", ErrorCode::ParameterInvalid),
            ("+1+6315551234", ErrorCode::ParameterInvalid),
            ("+49 (0) 171 5551234", ErrorCode::ParameterInvalid),
            ("+", ErrorCode::ParameterMissing),
            ("1", ErrorCode::ParameterInvalid),
            ("１６３１", ErrorCode::ParameterInvalid),
            ("００16315551234", ErrorCode::ParameterInvalid),
        ] {
            assert_eq!(phone(spelling), Err(code), "{spelling}");
        }
    }
}
