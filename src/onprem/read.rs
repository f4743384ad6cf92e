//! Readers that turn members into typed values, or into an [`Invalid`] that names the field.

use super::{ErrorCode, Invalid};
use crate::wire::{self, Kind, Object, ObjectError, Path, Raw, Str, printable};

/// Reads the object in `raw`.
pub fn object<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Object<'a>, Invalid> {
    object_of(raw.get(), path)
}

/// Reads the object in `text`. An empty one may be written as `[]`: PHP has no other literal for it.
pub fn object_of<'a>(text: &'a str, path: Path<'_>) -> Result<Object<'a>, Invalid> {
    match Object::parse(text) {
        Err(ObjectError::NotAnObject) if wire::is_empty_array(text) => Ok(Object::default()),
        read => read.map_err(|error| object_error(&error, path)),
    }
}

fn object_error(error: &ObjectError, path: Path<'_>) -> Invalid {
    let here = || match path {
        Path::Root => "the body".to_owned(),
        Path::Key(..) | Path::Index(..) => path.to_string(),
    };
    match error {
        ObjectError::Syntax(sentence) => {
            Invalid::new(ErrorCode::InvalidRequest, format!("{} is not a JSON object: {sentence}", here()))
        }
        ObjectError::NotAnObject => {
            let code = match path {
                Path::Root => ErrorCode::InvalidRequest,
                Path::Key(..) | Path::Index(..) => ErrorCode::ParameterInvalid,
            };
            Invalid::new(code, format!("{} must be a JSON object", here()))
        }
        ObjectError::Duplicate(key) => Invalid::new(
            ErrorCode::InvalidRequest,
            format!("{} is given twice; send each key once", path.key(&printable(key))),
        ),
        ObjectError::TooManyMembers => {
            Invalid::new(ErrorCode::InvalidRequest, format!("{} has more than 256 keys", here()))
        }
    }
}

/// The object `key`, which must be there.
pub fn required_object<'a>(
    parent: &mut Object<'a>,
    key: &str,
    path: Path<'_>,
) -> Result<Object<'a>, Invalid> {
    let here = path.key(key);
    object(parent.take(key).ok_or_else(|| missing(here))?, here)
}

/// The string `key`, which must be there and not be empty.
pub fn required_string<'a>(parent: &mut Object<'a>, key: &str, path: Path<'_>) -> Result<Str<'a>, Invalid> {
    optional_string(parent, key, path)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(path.key(key)))
}

/// The string `key`, if it is there.
pub fn optional_string<'a>(
    parent: &mut Object<'a>,
    key: &str,
    path: Path<'_>,
) -> Result<Option<Str<'a>>, Invalid> {
    parent.take(key).map(|raw| string(raw, path.key(key))).transpose()
}

/// The string in `raw`.
pub fn string<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Str<'a>, Invalid> {
    wire::string(raw).ok_or_else(|| match wire::kind(raw) {
        Kind::String => wrong(path, "holds half of a surrogate pair; send valid Unicode text"),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array | Kind::Object => {
            wrong(path, "must be a string")
        }
    })
}

/// The boolean `key`, if it is there.
pub fn optional_bool(parent: &mut Object<'_>, key: &str, path: Path<'_>) -> Result<Option<bool>, Invalid> {
    parent.take(key).map(|raw| boolean(raw, path.key(key))).transpose()
}

/// `true`, or `"true"` as form-minded clients write it.
pub fn boolean(raw: Raw<'_>, path: Path<'_>) -> Result<bool, Invalid> {
    match raw.get() {
        "true" | "\"true\"" => Ok(true),
        "false" | "\"false\"" => Ok(false),
        _ => Err(wrong(path, "must be true or false")),
    }
}

/// The whole number in `raw`, also in quotes, and with a fraction of nothing (`1.0`, `1e4`) as programs write it that
/// count in floating point.
pub fn whole(raw: Raw<'_>) -> Option<i64> {
    /// Beyond it not every whole number has a floating-point number of its own.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    let quoted = wire::string(raw);
    let number: Raw<'_> = match &quoted {
        Some(text) => serde_json::from_str(text).ok()?,
        None => raw,
    };
    if wire::kind(number) != Kind::Number {
        return None;
    }
    let float =
        || number.get().parse().ok().filter(|float: &f64| float.fract() == 0.0 && float.abs() <= LARGEST);
    number.get().parse().ok().or_else(|| float().map(|float| float as i64))
}

/// The elements of the array in `raw`.
pub fn array<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Vec<Raw<'a>>, Invalid> {
    wire::array(raw).ok_or_else(|| wrong(path, "must be an array"))
}

/// Refuses a text of more than `most` characters (Unicode scalar values).
pub fn at_most(text: &str, most: usize, path: Path<'_>) -> Result<(), Invalid> {
    // No text has more characters than bytes: the count is rarely needed.
    if text.len() <= most {
        return Ok(());
    }
    let count = text.chars().count();
    if count <= most {
        return Ok(());
    }
    Err(wrong(path, format_args!("must be at most {most} characters long; it has {count}")))
}

/// Refuses what nobody has taken out of `object`: leaving it out without a word would hide a mistake.
pub fn nothing_else(object: &Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let Some((key, _)) = object.members().first() else {
        return Ok(());
    };
    let key = printable(key);
    Err(Invalid::new(
        ErrorCode::ParameterNotRequired,
        format!("{} is no field of this request; leave it out", path.key(&key)),
    ))
}

/// 1008 for the field at `path`.
pub fn missing(path: Path<'_>) -> Invalid {
    Invalid::new(ErrorCode::ParameterMissing, format!("{path} is missing or empty"))
}

/// 1009 for the field at `path`.
pub fn wrong(path: Path<'_>, sentence: impl std::fmt::Display) -> Invalid {
    Invalid::new(ErrorCode::ParameterInvalid, format!("{path} {sentence}"))
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn whole_numbers_in_every_spelling() {
        for (json, number) in [
            ("10000", Some(10_000)),
            ("10000.0", Some(10_000)),
            ("1e4", Some(10_000)),
            ("1.5E1", Some(15)),
            ("\"10000\"", Some(10_000)),
            ("\"1\\u0030\"", Some(10)),
            ("\"1.0\"", Some(1)),
            ("-3", Some(-3)),
            ("-0.0", Some(0)),
            ("9007199254740993", Some(9_007_199_254_740_993)),
            ("1.5", None),
            ("1e-1", None),
            ("1e300", None),
            ("1e999", None),
            ("123456789012345678901", None),
            ("\"\"", None),
            ("\"a\"", None),
            ("\"+1\"", None),
            ("\"010\"", None),
            ("\"NaN\"", None),
            ("\"true\"", None),
            ("true", None),
            ("null", None),
            ("[1]", None),
        ] {
            assert_eq!(whole(serde_json::from_str(json).unwrap()), number, "{json}");
        }
    }
}
