//! Bodies of `/v1/account` and `/v1/settings/account/two-step`.

use std::fmt;

use serde::Serialize;

use super::error::Meta;
use super::message::Body;
use super::number::{self, Written};
use super::read::{missing, nothing_else, optional_string, required_string, wrong};
use super::{ErrorCode, Invalid};
use crate::wire::{self, Kind, Object, Path, Raw, Str};

/// The numbers of shards that a deployment could have ("Scaling with multiconnect").
const SHARDS: [u8; 6] = [1, 2, 4, 8, 16, 32];

/// A two-step PIN: six digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

/// Hidden: who has it can take the number over.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

impl Pin {
    /// Its digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// Reads the body of `POST /v1/settings/account/two-step`.
    pub fn parse(body: &Body<'_>) -> Result<Self, Invalid> {
        let mut object = body.object()?;
        let pin = optional_pin(&mut object)?.ok_or_else(|| missing(Path::Root.key("pin")))?;
        nothing_else(&object, Path::Root)?;
        Ok(pin)
    }
}

/// How the code comes that proves who owns the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeMethod {
    /// As a text.
    Sms,
    /// By a call.
    Voice,
}

/// What `POST /v1/account` asks for. The number itself is the configuration's, and Cloud takes no certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// How the code comes.
    pub method: CodeMethod,
    /// The two-step PIN, if there is one.
    pub pin: Option<Pin>,
}

impl Registration {
    /// Reads the body.
    pub fn parse(body: &Body<'_>) -> Result<Self, Invalid> {
        let mut object = body.object()?;
        // A country code has at most three digits, a number fifteen (ITU-T E.164 section 6).
        digits(&mut object, "cc", 1..=3)?;
        digits(&mut object, "phone_number", 1..=15)?;
        let method = required_string(&mut object, "method", Path::Root)?;
        let method = match method.to_ascii_lowercase().as_str() {
            "sms" => CodeMethod::Sms,
            "voice" => CodeMethod::Voice,
            _ => return Err(wrong(Path::Root.key("method"), "must be sms or voice")),
        };
        optional_string(&mut object, "cert", Path::Root)?;
        let pin = optional_pin(&mut object)?;
        nothing_else(&object, Path::Root)?;
        Ok(Self { method, pin })
    }
}

/// What `POST /v1/account/verify` brings.
#[derive(Clone, PartialEq, Eq)]
pub struct Verification {
    /// The code, without the hyphen that it was written with.
    pub code: String,
    /// The two-step PIN, to register with at once.
    pub pin: Option<Pin>,
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl Verification {
    /// Reads the body.
    pub fn parse(body: &Body<'_>) -> Result<Self, Invalid> {
        let mut object = body.object()?;
        // Four to eight digits, as Cloud takes them.
        let code = digits(&mut object, "code", 4..=8)?;
        let pin = optional_pin(&mut object)?;
        nothing_else(&object, Path::Root)?;
        Ok(Self { code, pin })
    }
}

/// Reads the body of `POST /v1/account/shards`. Only the number of shards means something here.
pub fn parse_shards(body: &Body<'_>) -> Result<u8, Invalid> {
    let mut object = body.object()?;
    let path = Path::Root.key("shards");
    let raw = object.take("shards").ok_or_else(|| missing(path))?;
    let shards = plain(raw).and_then(shards_of);
    let shards = shards.ok_or_else(|| wrong(path, "must be 1, 2, 4, 8, 16 or 32"))?;
    for key in ["cc", "phone_number", "pin", "cert"] {
        object.take(key);
    }
    nothing_else(&object, Path::Root)?;
    Ok(shards)
}

/// The number of shards that a text names, if it is one that a deployment could have.
pub fn shards_of(text: &str) -> Option<u8> {
    SHARDS.into_iter().find(|shards| shards.to_string() == text)
}

fn optional_pin(object: &mut Object<'_>) -> Result<Option<Pin>, Invalid> {
    let Some(raw) = object.take("pin") else {
        return Ok(None);
    };
    let pin = plain(raw).filter(|text| text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()));
    let pin = pin.ok_or_else(|| wrong(Path::Root.key("pin"), "must be six digits"))?;
    Ok(Some(Pin(pin.to_owned())))
}

/// The digits of the field `key`, without what people put between them.
fn digits(
    object: &mut Object<'_>,
    key: &str,
    length: std::ops::RangeInclusive<usize>,
) -> Result<String, Invalid> {
    let path = Path::Root.key(key);
    let raw = object.take(key).ok_or_else(|| missing(path))?;
    let text = match wire::kind(raw) {
        Kind::Number => plain(raw).map(Str::from),
        Kind::String | Kind::Null | Kind::Bool | Kind::Array | Kind::Object => wire::string(raw),
    };
    let text = text.ok_or_else(|| wrong(path, "must be a string of digits"))?;
    if text.is_empty() {
        return Err(missing(path));
    }
    if let Written::Digits(digits) = number::read(&text)
        && length.contains(&digits.len())
    {
        return Ok(digits.into_owned());
    }
    let (least, most) = (length.start(), length.end());
    Err(wrong(path, format_args!("must have {least} to {most} digits")))
}

/// A string without escapes, or the digits of a number: `"6"` and `6`.
fn plain(raw: Raw<'_>) -> Option<&str> {
    match wire::kind(raw) {
        Kind::Number => Some(raw.get()).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit())),
        Kind::String => raw.get().strip_prefix('"')?.strip_suffix('"'),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => None,
    }
}

/// 1008 for a number that Cloud registers with a PIN only.
pub fn pin_needed() -> Invalid {
    Invalid::new(
        ErrorCode::ParameterMissing,
        "pin is missing: the number is verified but not registered with Cloud; send the six digits of its \
         two-step PIN, or choose them now if it has none",
    )
}

/// `{"account":[{"vname":…}],"meta":…}`
#[derive(Debug, Serialize)]
pub struct AccountReply<'a> {
    account: [Account<'a>; 1],
    meta: Meta<'a>,
}

#[derive(Debug, Serialize)]
struct Account<'a> {
    vname: &'a str,
}

impl<'a> AccountReply<'a> {
    /// The answer with the verified name of the business.
    pub fn new(vname: &'a str, meta: Meta<'a>) -> Self {
        Self { account: [Account { vname }], meta }
    }
}

/// `{"account":{"shards":…},"meta":…}`
#[derive(Debug, Serialize)]
pub struct ShardsReply<'a> {
    account: Shards,
    meta: Meta<'a>,
}

#[derive(Debug, Serialize)]
struct Shards {
    shards: u8,
}

impl<'a> ShardsReply<'a> {
    /// The answer with this number.
    pub fn new(shards: u8, meta: Meta<'a>) -> Self {
        Self { account: Shards { shards }, meta }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn code<T>(
        parse: impl Fn(&Body<'_>) -> Result<T, Invalid>,
        json: &Value,
    ) -> Result<T, (ErrorCode, String)> {
        let text = json.to_string();
        parse(&Body::read(text.as_bytes()).unwrap()).map_err(|invalid| (invalid.code, invalid.details))
    }

    #[test]
    fn a_registration_is_read_leniently_where_nothing_depends_on_it() {
        let whole = json!({"cc": "+1", "phone_number": "\u{202a}(631) 555\u{2013}1234\u{202c}", "method": "SMS", "cert": "abc", "pin": 123456});
        let read = code(Registration::parse, &whole).unwrap();
        assert_eq!((read.method, read.pin.unwrap().digits()), (CodeMethod::Sms, "123456"));
        let bare = json!({"cc": 49, "phone_number": 1701234567, "method": "voice", "pin": null});
        let read = code(Registration::parse, &bare).unwrap();
        assert_eq!(read, Registration { method: CodeMethod::Voice, pin: None });
    }

    #[test]
    fn what_is_wrong_is_named() {
        use ErrorCode::{InvalidRequest, ParameterInvalid, ParameterMissing, ParameterNotRequired};
        let full = json!({"cc": "1", "phone_number": "6315551234", "method": "sms", "cert": "abc"});
        for (key, value, expected) in [
            ("cc", json!(null), ParameterMissing),
            ("cc", json!(""), ParameterMissing),
            ("cc", json!("1234"), ParameterInvalid),
            ("cc", json!("+"), ParameterInvalid),
            ("cc", json!(["1"]), ParameterInvalid),
            ("phone_number", json!(null), ParameterMissing),
            ("phone_number", json!("1".repeat(16)), ParameterInvalid),
            ("phone_number", json!("abc"), ParameterInvalid),
            ("phone_number", json!(1.5e3), ParameterInvalid),
            ("method", json!(null), ParameterMissing),
            ("method", json!("fax"), ParameterInvalid),
            ("method", json!(1), ParameterInvalid),
            ("cert", json!(1), ParameterInvalid),
            ("pin", json!("12345"), ParameterInvalid),
            ("pin", json!("1234567"), ParameterInvalid),
            ("pin", json!("12345a"), ParameterInvalid),
            ("other", json!("1"), ParameterNotRequired),
        ] {
            let mut body = full.clone();
            body[key] = value;
            let (found, details) = code(Registration::parse, &body).unwrap_err();
            assert_eq!(found, expected, "{body}: {details}");
            assert!(details.starts_with(key), "{body}: {details}");
        }
        assert_eq!(code(Registration::parse, &json!([])).unwrap_err().0, ParameterMissing);
        assert_eq!(code(Registration::parse, &json!([1])).unwrap_err().0, InvalidRequest);
        assert_eq!(code(Pin::parse, &json!({})).unwrap_err().0, ParameterMissing);
        assert_eq!(
            code(Verification::parse, &json!({"code": "123-456-789"})).unwrap_err().0,
            ParameterInvalid
        );
        assert_eq!(code(parse_shards, &json!({"shards": 3})).unwrap_err().0, ParameterInvalid);
        assert_eq!(code(parse_shards, &json!({"cc": "1"})).unwrap_err().0, ParameterMissing);
    }

    #[test]
    fn secrets_do_not_show() {
        let read = code(Verification::parse, &json!({"code": "135-790", "pin": "246802"})).unwrap();
        assert_eq!(read.code, "135790");
        let shown = format!("{read:?} {read:#?}");
        assert!(!shown.contains("135790") && !shown.contains("246802"), "{shown}");
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn a_pin_is_six_digits_and_nothing_else(pin in "\\PC{0,8}|[0-9]{5,7}") {
            let is_pin = pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit());
            let read = code(Pin::parse, &json!({"pin": pin}));
            prop_assert_eq!(read.is_ok(), is_pin);
            if let Err((_, details)) = read {
                prop_assert!(pin.len() < 4 || !details.contains(&pin));
            }
        }

        #[test]
        fn shards_are_a_power_of_two(shards in any::<u16>()) {
            let is_one = shards.is_power_of_two() && shards <= 32;
            prop_assert_eq!(code(parse_shards, &json!({"shards": shards})).is_ok(), is_one);
            prop_assert_eq!(code(parse_shards, &json!({"shards": shards.to_string()})).is_ok(), is_one);
        }
    }
}
