//! Takes `null` members out of a body.

use serde_json::value::RawValue;

use super::{Kind, Object, Path, Raw, array, kind};

/// Subtrees whose content belongs to the sender: a `null` in there may mean something.
const OPAQUE: [&str; 3] = ["flow_action_payload", "flow_action_data", "biz_opaque_callback_data"];

/// Removes each `null` member of each object in `text` and appends its path to `removed`.
///
/// On-prem clients serialise unset options as `null`; Cloud documents no `null` anywhere. Returns
/// `None` when there is nothing to remove, or when `text` is not an object that can be read (the
/// parser then says what is wrong).
pub fn without_nulls(text: &str, removed: &mut Vec<String>) -> Option<String> {
    if !text.contains("null") {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    let mut out = String::with_capacity(text.len());
    write(raw, Path::Root, &mut out, removed);
    (!removed.is_empty()).then_some(out)
}

/// The depth is bounded by the caller (`wire::too_deep`).
fn write(raw: Raw<'_>, path: Path<'_>, out: &mut String, removed: &mut Vec<String>) {
    if raw.get().contains("null") {
        match kind(raw) {
            Kind::Object => {
                if let Ok(object) = Object::parse(raw.get()) {
                    return write_object(&object, path, out, removed);
                }
            }
            Kind::Array => {
                if let Some(elements) = array(raw) {
                    return write_array(&elements, path, out, removed);
                }
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => {}
        }
    }
    out.push_str(raw.get());
}

fn write_object(object: &Object<'_>, path: Path<'_>, out: &mut String, removed: &mut Vec<String>) {
    out.push('{');
    let mut first = true;
    for (key, value) in object.members() {
        let here = path.key(key);
        if kind(value) == Kind::Null {
            removed.push(here.to_string());
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        // A string always serialises.
        out.push_str(&serde_json::to_string(key).unwrap_or_default());
        out.push(':');
        if OPAQUE.contains(&&**key) {
            out.push_str(value.get());
        } else {
            write(value, here, out, removed);
        }
    }
    out.push('}');
}

fn write_array(elements: &[Raw<'_>], path: Path<'_>, out: &mut String, removed: &mut Vec<String>) {
    out.push('[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(element, path.index(index), out, removed);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::without_nulls;

    fn strip(text: &str) -> (Option<String>, Vec<String>) {
        let mut removed = Vec::new();
        let out = without_nulls(text, &mut removed);
        (out, removed)
    }

    #[test]
    fn removes_members_at_every_depth() {
        let (out, removed) = strip(r#"{"a":null,"b":{"c":null,"d":1},"e":[{"f":null}]}"#);
        assert_eq!(out.unwrap(), r#"{"b":{"d":1},"e":[{}]}"#);
        assert_eq!(removed, ["a", "b.c", "e[0].f"]);
    }

    #[test]
    fn leaves_texts_elements_and_opaque_data_alone() {
        assert_eq!(strip(r#"{"text":{"body":"null and void"}}"#).0, None);
        assert_eq!(strip(r#"{"a":[null]}"#).0, None);
        assert_eq!(strip(r#"{"flow_action_payload":{"data":{"x":null}}}"#).0, None);
    }
}
