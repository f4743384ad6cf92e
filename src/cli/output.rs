//! Standard output and standard error of commands.
//!
//! A reader that goes away (`| head`) is no failure, so write errors are ignored here and nowhere
//! else.

use std::fmt::Display;
use std::io::Write;

use crate::wire::{Object, Raw, array};

/// Writes one line to standard output.
pub fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Writes one line to standard error.
pub fn complain(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes a line to the terminal at standard error that the next one takes the place of.
pub fn status(text: impl Display) {
    let mut stderr = std::io::stderr().lock();
    // Back to the first column, and what was there is erased (ECMA-48, CR and EL).
    let _ = write!(stderr, "\r\x1b[K{text}");
    let _ = stderr.flush();
}

/// How wide [`pretty`] lets a line become.
const WIDTH: usize = 90;

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

/// JSON on one line, nothing in it reordered or rewritten.
pub fn one_line(json: &str) -> String {
    serde_json::from_str(json.trim()).map_or_else(|_| json.to_owned(), on_one_line)
}

fn lay_out(raw: Raw<'_>, depth: usize, out: &mut String) {
    let line = on_one_line(raw);
    if depth * 2 + line.len() <= WIDTH {
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
    use super::pretty;

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
}
