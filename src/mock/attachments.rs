//! Finds the files a message names by id, wherever in it they stand.

use serde_json::{Map, Value};

use super::errors::GraphError;
use super::schema::{Path, present};

/// Objects that name a file.
const MEDIA: &[&str] = &["audio", "document", "image", "sticker", "video"];
/// Message types that hold such objects: in headers, cards and parameters.
const HOLDERS: &[&str] = &["interactive", "template"];

/// Refuses the first id that is not valid. The message has passed the schema.
pub(super) fn check(message: &Value, is_valid: impl Fn(&str) -> bool) -> Result<(), GraphError> {
    let Some(message) = message.as_object() else { return Ok(()) };
    let kind = present(message, "type").and_then(Value::as_str).unwrap_or("text");
    let Some(content) = present(message, kind) else { return Ok(()) };
    let at = Path::Key(&Path::Root, kind);
    if MEDIA.contains(&kind) {
        check_file(content, &at, &is_valid)
    } else if HOLDERS.contains(&kind) {
        walk(content, &at, &is_valid)
    } else {
        Ok(())
    }
}

/// The parser's limit of nesting is ours too.
fn walk(value: &Value, at: &Path<'_>, is_valid: &impl Fn(&str) -> bool) -> Result<(), GraphError> {
    match value {
        Value::Object(object) => walk_object(object, at, is_valid),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(n, item)| walk(item, &Path::Item(at, n), is_valid))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn walk_object(
    object: &Map<String, Value>,
    at: &Path<'_>,
    is_valid: &impl Fn(&str) -> bool,
) -> Result<(), GraphError> {
    object.iter().try_for_each(|(key, value)| {
        let at = Path::Key(at, key);
        if MEDIA.contains(&key.as_str()) {
            check_file(value, &at, is_valid)
        } else {
            walk(value, &at, is_valid)
        }
    })
}

fn check_file(file: &Value, at: &Path<'_>, is_valid: &impl Fn(&str) -> bool) -> Result<(), GraphError> {
    match file.get("id").and_then(Value::as_str) {
        Some(id) if !is_valid(id) => {
            let at = Path::Key(at, "id");
            Err(GraphError::no_attachment(format_args!("{at}")))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_found_where_files_stand() {
        let bad = json!({"id": "bad"});
        for (message, path) in [
            (json!({"type": "image", "image": bad}), Some("image['id']")),
            (json!({"type": "sticker", "sticker": bad}), Some("sticker['id']")),
            (
                json!({"type": "interactive", "interactive": {"type": "button",
                       "header": {"type": "document", "document": bad}}}),
                Some("interactive['header']['document']['id']"),
            ),
            (
                json!({"type": "template", "template": {"components": [
                    {"type": "header", "parameters": [{"type": "image", "image": bad}]}]}}),
                Some("template['components'][0]['parameters'][0]['image']['id']"),
            ),
            (
                json!({"type": "template", "template": {"components": [{"type": "carousel", "cards": [{}, {
                    "components": [{"parameters": [{"type": "video", "video": bad}]}]}]}]}}),
                Some(
                    "template['components'][0]['cards'][1]['components'][0]['parameters'][0]['video']['id']",
                ),
            ),
            (json!({"type": "image", "image": {"id": "good"}}), None),
            (json!({"type": "image", "image": {"link": "https://a"}}), None),
            // Not files: content of another type, ids of buttons.
            (json!({"type": "text", "text": {"body": "b"}, "image": bad}), None),
            (json!({"text": {"body": "b"}, "image": bad}), None),
            (json!({"type": "interactive", "interactive": {"action": {"buttons": [{"reply": bad}]}}}), None),
        ] {
            let error = check(&message, |id| id == "good").err().map(|error| error.message);
            let ending = "is not a valid whatsapp business account media attachment ID";
            assert_eq!(error, path.map(|path| format!("(#100) Param {path} {ending}")), "{message}");
        }
    }
}
