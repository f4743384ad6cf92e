//! Bodies of `/v1/contacts`.
//!
//! Since v2.43 the on-prem client answered `valid` with a `wa_id` for every number ("Contacts", changes), and so does
//! this: nobody can be asked. What is no number at all is `invalid`.

use std::borrow::Cow;

use serde::Serialize;

use super::error::Meta;
use super::message::{Address, Body, Recipient};
use super::read::{array, missing, optional_bool, optional_string, string, wrong};
use super::{ErrorCode, Invalid};
use crate::wire::{Path, Raw, Str};

/// The longest of them in bytes: each is given back, and kept until the callback was taken.
const LONGEST: usize = 256;

/// What `POST` brings.
#[derive(Debug)]
pub struct Check<'a> {
    /// Whether the client waits for the results (`wait`), and wants no callback with them.
    pub is_blocking: bool,
    /// Whom it asks about, in its order; at least one.
    pub contacts: Vec<Contact<'a>>,
}

/// One of those that a client asks about, and the result.
#[derive(Debug, Serialize)]
pub struct Contact<'a> {
    /// The client's own spelling.
    pub input: Str<'a>,
    /// `valid` or `invalid`.
    pub status: &'static str,
    /// Only for valid ones: clients take any for an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<String>,
}

impl<'a> Check<'a> {
    /// Reads the body, which alone limits how many it asks about: on-prem's documentation names no number.
    /// `force_check` is looked at and changes nothing, since nothing is cached.
    pub fn parse(body: &'a Body<'_>) -> Result<Self, Invalid> {
        let mut object = body.object()?;
        let blocking = optional_string(&mut object, "blocking", Path::Root)?;
        let is_blocking = match blocking.as_deref() {
            None | Some("no_wait") => false,
            Some("wait") => true,
            Some(_) => return Err(wrong(Path::Root.key("blocking"), "must be \"wait\" or \"no_wait\"")),
        };
        optional_bool(&mut object, "force_check", Path::Root)?;
        let here = Path::Root.key("contacts");
        let elements = array(object.take("contacts").ok_or_else(|| missing(here))?, here)?;
        if elements.is_empty() {
            return Err(missing(here));
        }
        let contact = |(at, raw)| Ok(Contact::of(input(raw, here.index(at))?));
        let contacts = elements.into_iter().enumerate().map(contact).collect::<Result<_, Invalid>>()?;
        Ok(Self { is_blocking, contacts })
    }
}

/// A number, also when a client wrote it as a number: the same is taken as a message's `to`.
fn input<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Str<'a>, Invalid> {
    if raw.get().bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Str::from(raw.get()));
    }
    let input = string(raw, path)?;
    if input.len() > LONGEST {
        return Err(wrong(path, format_args!("is longer than {LONGEST} bytes, and no number is")));
    }
    Ok(input)
}

impl<'a> Contact<'a> {
    fn of(input: Str<'a>) -> Self {
        let wa_id = wa_id(&input);
        Self { input, status: if wa_id.is_some() { "valid" } else { "invalid" }, wa_id }
    }
}

/// The WhatsApp id that a client means by `input`, as a message to it would be read: the digits of a number, or a
/// business-scoped id as it is.
pub fn wa_id(input: &str) -> Option<String> {
    match Recipient::read(Str(Cow::Borrowed(input))).ok()?.address {
        Address::Phone(digits) => Some(digits.into_owned()),
        Address::UserId => Some(input.to_owned()),
    }
}

/// The results, for the answer or, without `meta`, for the callback.
#[derive(Debug, Serialize)]
pub struct ContactsReply<'a> {
    /// One for each that was asked about, in the same order.
    pub contacts: &'a [Contact<'a>],
    /// `meta`; callbacks have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta<'a>>,
}

/// The body of `PUT /v1/contacts/{wa-id}/identity`, which has to name a hash.
///
/// Whichever: the hashes in callbacks (`user_identity_changed`) are Cloud's, who alone knows them, and a client that
/// acknowledges one must not be refused.
pub fn parse_acknowledgement(bytes: &[u8]) -> Result<(), Invalid> {
    let here = Path::Root.key("hash");
    if Body::content(bytes).is_empty() {
        return Err(missing(here));
    }
    let body = Body::read(bytes)?;
    let mut object = body.object()?;
    match optional_string(&mut object, "hash", Path::Root)? {
        Some(hash) if hash.len() > LONGEST_HASH => {
            Err(wrong(here, format_args!("must be at most {LONGEST_HASH} bytes long")))
        }
        Some(hash) if !hash.is_empty() => Ok(()),
        Some(_) | None => Err(missing(here)),
    }
}

/// On-prem's have twelve characters, and nobody knows how long Cloud's may become.
const LONGEST_HASH: usize = 1024;

/// The identity of a user: always the same, and always acknowledged.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Identity<'a> {
    /// Always: a message is never held back for it.
    pub acknowledged: bool,
    /// When the identity changed, in milliseconds since the Unix epoch: [`NEVER`].
    pub created_timestamp: u64,
    /// Base64 of eight bytes, as in the sample ("User WhatsApp ID Identity").
    pub hash: &'a str,
}

/// No change of an identity was ever seen here: the beginning of time.
pub const NEVER: u64 = 0;

/// The answer of `GET /v1/contacts/{wa-id}/identity`.
///
/// Meta's page ("User WhatsApp ID Identity") has the object under `contacts`, callbacks have it under `identity`;
/// clients find it under both.
#[derive(Debug, Serialize)]
pub struct IdentityReply<'a> {
    contacts: Identity<'a>,
    identity: Identity<'a>,
    meta: Meta<'a>,
}

impl<'a> IdentityReply<'a> {
    /// With this hash.
    pub fn new(hash: &'a str, meta: Meta<'a>) -> Self {
        let identity = Identity { acknowledged: true, created_timestamp: NEVER, hash };
        Self { contacts: identity, identity, meta }
    }
}

/// What a path names that is neither a number nor a business-scoped id. Not "unknown contact": on these words some
/// clients send a message again.
pub fn no_such_user() -> Invalid {
    Invalid::new(
        ErrorCode::ResourceNotFound,
        "the path names no user: put a WhatsApp id (digits) or a business-scoped id between the slashes",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn check(body: &Value) -> Result<(bool, Value), Invalid> {
        let text = body.to_string();
        let body = Body::read(text.as_bytes())?;
        let check = Check::parse(&body)?;
        let reply = ContactsReply { contacts: &check.contacts, meta: None };
        Ok((check.is_blocking, serde_json::to_value(reply).unwrap()["contacts"].take()))
    }

    #[test]
    fn the_sample_of_the_documentation() {
        let body = json!({"blocking": "wait", "contacts": ["+1 631 555 1001", "1-631-555-1005", "nobody"], "force_check": true});
        let expected = json!([
            {"input": "+1 631 555 1001", "status": "valid", "wa_id": "16315551001"},
            {"input": "1-631-555-1005", "status": "valid", "wa_id": "16315551005"},
            {"input": "nobody", "status": "invalid"},
        ]);
        assert_eq!(check(&body), Ok((true, expected)));
    }

    #[test]
    fn as_many_as_the_body_holds_in_every_spelling() {
        let many: Vec<_> = (0..5_000).map(|at| (16_315_550_000_u64 + at).to_string()).collect();
        let body = json!({"contacts": many, "force_check": "false", "blocking": "wait"});
        assert_eq!(check(&body).unwrap().1.as_array().unwrap().len(), many.len());
    }

    #[test]
    fn what_is_refused_and_how() {
        for (body, code, words) in [
            (json!({}), 1008, "contacts is missing"),
            (json!({"contacts": null}), 1008, "contacts is missing"),
            (json!({"contacts": []}), 1008, "contacts is missing"),
            (json!({"contacts": "16315551234"}), 1009, "contacts must be an array"),
            (json!({"contacts": {"0": "16315551234"}}), 1009, "contacts must be an array"),
            (json!({"contacts": ["16315551234", null]}), 1009, "contacts[1] must be a string"),
            (json!({"contacts": [["16315551234"]]}), 1009, "contacts[0] must be a string"),
            (json!({"contacts": [-16_315_551_234_i64]}), 1009, "contacts[0] must be a string"),
            (json!({"contacts": [1.5]}), 1009, "contacts[0] must be a string"),
            (json!({"contacts": ["1"], "blocking": "Wait"}), 1009, "blocking must be"),
            (json!({"contacts": ["1"], "blocking": true}), 1009, "blocking must be"),
            (json!({"contacts": ["1"], "blocking": ""}), 1009, "blocking must be"),
            (json!({"contacts": ["1"], "force_check": "yes"}), 1009, "force_check must be"),
            (json!({"contacts": ["1"], "force_check": 1}), 1009, "force_check must be"),
            (json!([]), 1008, "contacts is missing"),
            (json!(["16315551234"]), 1025, "must be a JSON object"),
        ] {
            let invalid = check(&body).unwrap_err();
            assert_eq!(invalid.code.code(), code, "{body}");
            assert!(invalid.details.contains(words), "{body}: {}", invalid.details);
        }
    }

    #[test]
    fn an_acknowledgement_names_a_hash() {
        assert_eq!(parse_acknowledgement(br#"{"hash":"Rc/eg9RQ0JA="}"#), Ok(()));
        let long = format!(r#"{{"hash":"{}"}}"#, "x".repeat(LONGEST_HASH + 1));
        for (body, code) in [
            ("", 1008),
            (" \n", 1008),
            ("{}", 1008),
            (r#"{"hash":null}"#, 1008),
            (r#"{"hash":""}"#, 1008),
            (r#"{"hash":1}"#, 1009),
            (long.as_str(), 1009),
            ("[]", 1008),
            ("[1]", 1025),
            ("{", 1025),
        ] {
            assert_eq!(parse_acknowledgement(body.as_bytes()).unwrap_err().code.code(), code, "{body}");
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        /// One result per input, in order, each with its input; valid are exactly those that a message may go to,
        /// under the id that it would go to.
        #[test]
        fn results_are_those_of_messages(inputs in prop::collection::vec(prop_oneof![
            r"\+?[0-9 ().-]{0,18}", r"[A-Z]{2}\.[A-Za-z0-9]{1,9}", r"\PC{0,12}",
        ], 1..6)) {
            let (_, results) = check(&json!({"contacts": inputs})).unwrap();
            let results = results.as_array().unwrap();
            prop_assert_eq!(results.len(), inputs.len());
            for (input, result) in inputs.iter().zip(results) {
                prop_assert_eq!(&result["input"], input);
                let expected = match Recipient::read(Str::from(input.as_str())) {
                    Ok(recipient) => {
                        let wa_id = recipient.digits().unwrap_or(input);
                        json!({"input": input, "status": "valid", "wa_id": wa_id})
                    }
                    Err(_) => json!({"input": input, "status": "invalid"}),
                };
                prop_assert_eq!(result, &expected);
            }
        }
    }
}
