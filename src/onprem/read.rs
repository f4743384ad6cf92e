//! Readers that turn members into typed values, or into an [`Invalid`] that names the field.

use super::{ErrorCode, Invalid};
use crate::wire::{self, Kind, Object, ObjectError, Path, Raw, Str};

/// Reads the object in `raw`.
pub fn object<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Object<'a>, Invalid> {
    Object::parse(raw.get()).map_err(|error| object_error(&error, path))
}

/// What is wrong with a text that should be an object.
pub fn object_error(error: &ObjectError, path: Path<'_>) -> Invalid {
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
    match parent.take(key).map(|raw| raw.get()) {
        None => Ok(None),
        Some("true") => Ok(Some(true)),
        Some("false") => Ok(Some(false)),
        Some(_) => Err(wrong(path.key(key), "must be true or false")),
    }
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

/// A client's own text, made safe for one line of `details`.
pub fn printable(text: &str) -> String {
    text.chars().take(40).map(|c| if c.is_control() { '?' } else { c }).collect()
}
