//! Relations between the fields of one object, named in the tables.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::errors::GraphError;
use super::{Path, present, too_long};

/// A relation between fields.
pub(super) enum Rule {
    /// Exactly one of two keys.
    Either(&'static str, &'static str),
    /// At least one of several keys.
    Some(&'static [&'static str]),
    /// All lists `of` in the items of `list` hold at most `max` items together.
    Total { list: &'static str, of: &'static str, max: usize },
    /// With more than one section each has a title (messages reference, "section object").
    TitleWhenMany(&'static str),
    /// Reply buttons: ids and titles differ, ids have no outer spaces (messages reference, "action object").
    Buttons,
    /// Template body texts are limited to 1024 beside other components (messages reference, "parameter").
    ShortBody,
}

impl Rule {
    pub(super) fn check(&self, object: &Map<String, Value>, path: &Path<'_>) -> Result<(), GraphError> {
        match self {
            Rule::Either(a, b) => either(object, path, a, b),
            Rule::Some(keys) if keys.iter().any(|key| present(object, key).is_some()) => Ok(()),
            Rule::Some(keys) => Err(GraphError::detailed(
                131008,
                format!("Param {path} needs at least one of {}", keys.join(", ")),
            )),
            Rule::Total { list, of, max } => {
                let total: usize =
                    items(object, list).filter_map(|item| item.get(of)?.as_array()).map(Vec::len).sum();
                if total > *max { Err(count(of, 1, *max)) } else { Ok(()) }
            }
            Rule::TitleWhenMany(list) => {
                let untitled =
                    items(object, list).filter(|item| item.get("title").is_none_or(Value::is_null)).count();
                if untitled > 0 && items(object, list).count() > 1 {
                    let details =
                        format!("{path}: a section needs a title when there is more than one section");
                    return Err(GraphError::detailed(131009, details));
                }
                Ok(())
            }
            Rule::Buttons => buttons(object, path),
            Rule::ShortBody => short_body(object, path),
        }
    }
}

/// Cloud's wording for a list of the wrong length, from a recorded answer about buttons.
pub(super) fn count(what: &str, min: usize, max: usize) -> GraphError {
    let bound = if max == usize::MAX { String::new() } else { format!(", Max allowed {what}: {max}") };
    GraphError::detailed(131009, format!("Invalid {what} count. Min allowed {what}: {min}{bound}"))
}

fn either(object: &Map<String, Value>, path: &Path<'_>, a: &str, b: &str) -> Result<(), GraphError> {
    match (present(object, a).is_some(), present(object, b).is_some()) {
        (true, false) | (false, true) => Ok(()),
        (false, false) => Err(GraphError::detailed(131008, format!("Param {path} needs one of {a}, {b}"))),
        (true, true) => {
            Err(GraphError::detailed(100, format!("Param {path} must not have both {a} and {b}")))
        }
    }
}

fn buttons(object: &Map<String, Value>, path: &Path<'_>) -> Result<(), GraphError> {
    let mut seen = HashSet::new();
    for reply in items(object, "buttons").filter_map(|button| button.get("reply")) {
        for key in ["id", "title"] {
            let value = reply.get(key).and_then(Value::as_str).unwrap_or_default();
            if !seen.insert((key, value)) {
                let details = format!("{path}: button {key} \"{value}\" is not unique");
                return Err(GraphError::detailed(131009, details));
            }
            if key == "id" && value.trim() != value {
                let details = format!("{path}: button id must not have leading or trailing spaces");
                return Err(GraphError::detailed(131009, details));
            }
        }
    }
    Ok(())
}

fn short_body(object: &Map<String, Value>, path: &Path<'_>) -> Result<(), GraphError> {
    const BESIDE_OTHERS: usize = 1024;
    if items(object, "components").count() < 2 {
        return Ok(());
    }
    let root = Path::Key(path, "components");
    for (n, component) in items(object, "components").enumerate() {
        let body =
            component.get("type").and_then(Value::as_str).is_some_and(|t| t.eq_ignore_ascii_case("body"));
        let Some(Value::Array(parameters)) = component.get("parameters").filter(|_| body) else { continue };
        for (m, parameter) in parameters.iter().enumerate() {
            let text = parameter.get("text").and_then(Value::as_str).unwrap_or_default();
            if text.len() > BESIDE_OTHERS && text.chars().count() > BESIDE_OTHERS {
                let (component, key) = (Path::Item(&root, n), "parameters");
                let at = Path::Key(&component, key);
                let at = Path::Item(&at, m);
                return Err(too_long(&Path::Key(&at, "text"), BESIDE_OTHERS));
            }
        }
    }
    Ok(())
}

fn items<'a>(object: &'a Map<String, Value>, list: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    object.get(list).and_then(Value::as_array).into_iter().flatten()
}
