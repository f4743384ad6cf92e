//! JSON laid out for people. Nothing in it is reordered or rewritten.

use crate::wire::{Object, Raw, array};

/// How wide [`pretty`] lets a line become.
const PRETTY: usize = 90;

/// Lays JSON out without reordering or rewriting anything in it: what fits on a line stays on one.
/// A text that is no JSON is returned as it is.
pub fn pretty(json: &str) -> String {
    let Ok(raw) = serde_json::from_str(json.trim()) else {
        return json.to_owned();
    };
    let mut out = String::with_capacity(json.len() * 2);
    lay_out(raw, 0, &mut out);
    out
}

/// Lays JSON out in few lines of at most `width` columns, for reading only: a member goes to the line before it where it
/// fits, and what closes stays where it is.
pub fn filled(json: &str, width: usize) -> String {
    let Ok(raw) = serde_json::from_str(json.trim()) else {
        return json.to_owned();
    };
    let mut out = String::with_capacity(json.len() * 2);
    fill(raw, 0, 0, width, &mut out);
    out
}

/// `closers` is how many brackets follow on the line.
fn fill(raw: Raw<'_>, depth: usize, closers: usize, width: usize, out: &mut String) {
    let column = |out: &String| out.rsplit('\n').next().unwrap_or_default().chars().count();
    let fits =
        |out: &String, line: &str, closers: usize| column(out) + line.chars().count() + closers < width;
    let line = on_one_line(raw);
    let (parsed, elements) = (Object::parse(raw.get()), array(raw));
    let items: Vec<(String, Raw<'_>)> = match (&parsed, elements) {
        _ if fits(out, &line, closers) => return out.push_str(&line),
        (Ok(object), _) => {
            object.members().iter().map(|(key, value)| (format!("{}: ", quoted(key)), *value)).collect()
        }
        (Err(_), Some(elements)) => elements.into_iter().map(|value| (String::new(), value)).collect(),
        (Err(_), None) => return out.push_str(&line),
    };
    out.push(if parsed.is_ok() { '{' } else { '[' });
    let last = items.len().saturating_sub(1);
    for (at, (key, value)) in items.into_iter().enumerate() {
        let closers = if at == last { closers + 1 } else { 0 };
        if at > 0 {
            out.push(',');
        }
        // Elements of a list that is broken have lines of their own.
        let is_short = parsed.is_ok() && fits(out, &format!(" {key}{}", on_one_line(value)), closers);
        if at > 0 && is_short {
            out.push(' ');
        } else if at > 0 || parsed.is_err() {
            out.push('\n');
            out.push_str(&" ".repeat(depth + 1));
        }
        out.push_str(&key);
        fill(value, depth + 1, closers, width, out);
    }
    out.push(if parsed.is_ok() { '}' } else { ']' });
}

/// JSON on one line, nothing in it reordered or rewritten.
pub fn one_line(json: &str) -> String {
    serde_json::from_str(json.trim()).map_or_else(|_| json.to_owned(), on_one_line)
}

fn lay_out(raw: Raw<'_>, depth: usize, out: &mut String) {
    let line = on_one_line(raw);
    if depth * 2 + line.len() <= PRETTY {
        return out.push_str(&line);
    }
    match (Object::parse(raw.get()), array(raw)) {
        (Ok(object), _) => {
            let members = object.members();
            block('{', '}', depth, members.len(), out, |at, out| {
                if let Some((key, value)) = members.get(at) {
                    out.push_str(&quoted(key));
                    out.push_str(": ");
                    lay_out(value, depth + 1, out);
                }
            });
        }
        (Err(_), Some(elements)) => block('[', ']', depth, elements.len(), out, |at, out| {
            if let Some(element) = elements.get(at) {
                lay_out(element, depth + 1, out);
            }
        }),
        (Err(_), None) => out.push_str(&line),
    }
}

fn block(
    open: char,
    close: char,
    depth: usize,
    count: usize,
    out: &mut String,
    item: impl Fn(usize, &mut String),
) {
    out.push(open);
    for at in 0..count {
        out.push_str(if at == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        item(at, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

fn on_one_line(raw: Raw<'_>) -> String {
    let list = |items: Vec<String>| items.join(", ");
    match (Object::parse(raw.get()), array(raw)) {
        (Ok(object), _) => {
            let members = object.members().iter();
            format!(
                "{{{}}}",
                list(
                    members.map(|(key, value)| format!("{}: {}", quoted(key), on_one_line(value))).collect()
                )
            )
        }
        (Err(_), Some(elements)) => format!("[{}]", list(elements.into_iter().map(on_one_line).collect())),
        (Err(_), None) => raw.get().to_owned(),
    }
}

fn quoted(text: &str) -> String {
    // A string always serializes.
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{filled, pretty};

    #[test]
    fn what_fits_stays_on_a_line_and_nothing_is_reordered() {
        assert_eq!(
            pretty(r#"{"b":[1,{"a":"x, \"{y}\""}],"c":{ }}"#),
            r#"{"b": [1, {"a": "x, \"{y}\""}], "c": {}}"#
        );
        let long = "x".repeat(90);
        let expected = format!("{{\n  \"z\": \"{long}\",\n  \"a\": [1, 2]\n}}");
        assert_eq!(pretty(&format!("{{\"z\":\"{long}\",\"a\":[1,2]}}")), expected);
        assert_eq!(pretty("no json"), "no json");
    }

    #[test]
    fn what_is_filled_is_the_same_json_in_few_lines() {
        let json = r#"{"to":"1","type":"hsm","hsm":{"name":"a_long_name","params":[{"default":"Jane"},{"default":"Bob"}]}}"#;
        let laid = filled(json, 30);
        assert_eq!(
            laid,
            "{\"to\": \"1\", \"type\": \"hsm\",\n \"hsm\": {\"name\": \"a_long_name\",\n  \"params\": [\n   {\"default\": \"Jane\"},\n   {\"default\": \"Bob\"}]}}"
        );
        let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&laid), parse(json));
        assert_eq!(filled("no json", 30), "no json");
    }
}
