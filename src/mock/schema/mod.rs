//! The strictness of `POST /{phone-number-id}/messages`: a small checker over the tables beside it.
//!
//! The tables say what Meta documents in the Messages reference; the checker says how Cloud words a refusal:
//! an unknown key, a missing key, a wrong type and a length are code 100 without details, a missing object
//! for the message type is 131008, counts and relations between fields are 131009 with details.

mod business;
mod rules;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::{Map, Value};

use super::errors::GraphError;
pub(super) use business::{CODE_CHECK, CODE_REQUEST, PIN_CHANGE, PROFILE, REGISTRATION};
use rules::Rule;
pub(super) use tables::{ENVELOPE, READ, TYPES};

/// What an object may hold.
pub(super) struct Shape {
    keys: &'static [Key],
    rules: &'static [Rule],
    /// Graph ignores unknown top-level parameters and refuses unknown keys everywhere else.
    open: bool,
}

/// One key of an object.
struct Key {
    name: &'static str,
    need: Need,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Optional,
    /// Missing: code 100, `The parameter … is required.`
    Required,
    /// Missing: code 131008 with details, as Cloud says of what a message type is made of.
    Mandatory,
}

/// What a value must be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Passed through by Cloud, or of a shape nobody published.
    Anything,
    Flag,
    /// A number, or a numeric string as in Meta's location template sample.
    Number,
    /// A button index: a string in Meta's samples, a number in some clients.
    Index,
    /// A text of 1 to `max` characters.
    Text {
        max: usize,
    },
    /// A text that may be empty.
    Loose {
        max: usize,
    },
    /// An http or https address.
    Link,
    Choice(&'static [&'static str]),
    Object(&'static Shape),
    List {
        min: usize,
        max: usize,
        item: &'static Kind,
    },
    Tagged(&'static Tagged),
    /// A tagged object that contains itself; a function, since constants may not form a circle.
    Again(fn() -> &'static Tagged),
}

/// An object whose shape depends on one of its keys.
pub(super) struct Tagged {
    tag: &'static str,
    default: Option<&'static str>,
    /// What to do with a value the table does not list.
    lenient: bool,
    variants: &'static [(&'static str, Kind)],
}

/// Where a value stands, kept on the stack and written out only for a refusal.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    /// Writes `template['components'][0]['type']`: the first key is bare, as in Meta's messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, key) => f.write_str(key),
            Path::Key(parent, key) => write!(f, "{parent}['{key}']"),
            Path::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Checks `object` against `shape` and adds to `notes` what Cloud accepts but a client had better not send.
pub(super) fn check_object(
    shape: &'static Shape,
    object: &Map<String, Value>,
    path: &Path<'_>,
    notes: &mut Vec<String>,
) -> Result<(), GraphError> {
    for (name, value) in object {
        let Some(key) = shape.keys.iter().find(|key| key.name == name) else {
            if shape.open {
                notes.push(format!("ignored top-level key \"{name}\""));
                continue;
            }
            return Err(GraphError::parameter(format_args!(
                "Unexpected key \"{name}\" on param \"{path}\"."
            )));
        };
        if !value.is_null() {
            check(&key.kind, value, &Path::Key(path, name), notes)?;
        }
    }
    for key in shape.keys {
        if key.need != Need::Optional && present(object, key.name).is_none() {
            return Err(missing(key, path));
        }
    }
    shape.rules.iter().try_for_each(|rule| rule.check(object, path))
}

/// Checks one value.
pub(super) fn check(
    kind: &'static Kind,
    value: &Value,
    path: &Path<'_>,
    notes: &mut Vec<String>,
) -> Result<(), GraphError> {
    match kind {
        Kind::Anything => Ok(()),
        Kind::Flag => require(value.is_boolean(), path, "a boolean"),
        Kind::Number => require(number(value), path, "a number"),
        Kind::Index => index(value, path, notes),
        Kind::Text { max } => text(value, path, 1, *max),
        Kind::Loose { max } => text(value, path, 0, *max),
        Kind::Link => link(value, path),
        Kind::Choice(choices) => {
            let known = value.as_str().is_some_and(|text| choices.contains(&text));
            if known { Ok(()) } else { Err(not_one_of(path, choices.iter().copied(), value)) }
        }
        Kind::Object(shape) => check_object(shape, as_object(value, path)?, path, notes),
        Kind::List { min, max, item } => list(value, path, *min, *max, item, notes),
        Kind::Tagged(tagged) => check_tagged(tagged, value, path, notes),
        Kind::Again(tagged) => check_tagged(tagged(), value, path, notes),
    }
}

/// A key's value, where null counts as absent: field reports show Cloud answering "is mandatory" to null.
pub(super) fn present<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// `Param type must be one of {…} - got …`, Graph's wording for a value outside an enumeration.
pub(super) fn not_one_of<'a>(
    path: &Path<'_>,
    choices: impl Iterator<Item = &'a str>,
    got: &Value,
) -> GraphError {
    let choices = choices.map(str::to_ascii_uppercase).collect::<Vec<_>>().join(", ");
    GraphError::parameter(format_args!("Param {path} must be one of {{{choices}}} - got {got}."))
}

fn missing(key: &Key, path: &Path<'_>) -> GraphError {
    match (key.need, path) {
        (Need::Mandatory, Path::Key(_, object)) => {
            GraphError::detailed(131008, format!("Parameter '{}' is mandatory for type '{object}'", key.name))
        }
        (Need::Mandatory | Need::Required | Need::Optional, _) => {
            let whole = Path::Key(path, key.name);
            GraphError::parameter(format_args!("The parameter {whole} is required."))
        }
    }
}

fn check_tagged(
    tagged: &'static Tagged,
    value: &Value,
    path: &Path<'_>,
    notes: &mut Vec<String>,
) -> Result<(), GraphError> {
    let object = as_object(value, path)?;
    let at = Path::Key(path, tagged.tag);
    let tag = match present(object, tagged.tag) {
        Some(Value::String(tag)) => tag.as_str(),
        Some(other) => return Err(refuse_tag(tagged, &at, other)),
        None => {
            let Some(default) = tagged.default else {
                return Err(GraphError::parameter(format_args!("The parameter {at} is required.")));
            };
            notes.push(format!("{at} is missing, taken as \"{default}\""));
            default
        }
    };
    // Meta's own samples write component types in both cases.
    match tagged.variants.iter().find(|(name, _)| name.eq_ignore_ascii_case(tag)) {
        Some((_, kind)) => check(kind, value, path, notes),
        None if tagged.lenient => {
            notes.push(format!("unknown {at} \"{tag}\" was accepted unchecked"));
            Ok(())
        }
        None => Err(refuse_tag(tagged, &at, &Value::from(tag))),
    }
}

fn refuse_tag(tagged: &'static Tagged, path: &Path<'_>, got: &Value) -> GraphError {
    not_one_of(path, tagged.variants.iter().map(|(name, _)| *name), got)
}

fn list(
    value: &Value,
    path: &Path<'_>,
    min: usize,
    max: usize,
    item: &'static Kind,
    notes: &mut Vec<String>,
) -> Result<(), GraphError> {
    let Value::Array(items) = value else {
        return Err(GraphError::parameter(format_args!("Param {path} must be an array.")));
    };
    if items.len() < min || items.len() > max {
        let what = if let Path::Key(_, key) = path { key } else { "items" };
        return Err(rules::count(what, min, max));
    }
    items.iter().enumerate().try_for_each(|(n, value)| check(item, value, &Path::Item(path, n), notes))
}

fn as_object<'a>(value: &'a Value, path: &Path<'_>) -> Result<&'a Map<String, Value>, GraphError> {
    value
        .as_object()
        .ok_or_else(|| GraphError::parameter(format_args!("Param {path} must be a JSON object.")))
}

fn text(value: &Value, path: &Path<'_>, min: usize, max: usize) -> Result<(), GraphError> {
    let Some(text) = value.as_str() else {
        return require(false, path, "a string");
    };
    require(text.len() >= min, path, "a non-empty string")?;
    if text.len() > max && text.chars().count() > max {
        return Err(too_long(path, max));
    }
    Ok(())
}

/// `Param … must be at most N characters long.`
pub(super) fn too_long(path: &Path<'_>, max: usize) -> GraphError {
    GraphError::parameter(format_args!("Param {path} must be at most {max} characters long."))
}

fn link(value: &Value, path: &Path<'_>) -> Result<(), GraphError> {
    let http = value.as_str().is_some_and(|link| {
        let host = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
        host.is_some_and(|host| !host.is_empty() && !link.contains(char::is_whitespace))
    });
    require(http, path, "a valid URI starting with http:// or https://")
}

fn index(value: &Value, path: &Path<'_>, notes: &mut Vec<String>) -> Result<(), GraphError> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => {
            notes.push(format!("{path} is a number, Meta's samples send a string"));
            number.as_u64()
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    require(number.is_some_and(|n| n <= 9), path, "an index from 0 to 9")
}

fn number(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => text.parse::<f64>().is_ok_and(f64::is_finite),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

fn require(holds: bool, path: &Path<'_>, what: &str) -> Result<(), GraphError> {
    if holds { Ok(()) } else { Err(GraphError::parameter(format_args!("Param {path} must be {what}."))) }
}
