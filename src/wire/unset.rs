//! Takes members that say nothing out of a body, in one pass over its bytes: `null`, and what PHP writes for an
//! empty object.

use std::ops::Range;

use super::Raw;

/// Subtrees whose content belongs to the sender: a `null` in there may mean something.
const OPAQUE: [&str; 3] = ["flow_action_payload", "flow_action_data", "biz_opaque_callback_data"];
/// Optional fields that hold an object. PHP has one literal for an empty list and an empty object, so `[]` is there
/// what `null` is. `parameters` is one in an action, and a list in a component.
const OBJECTS: [&str; 31] = [
    "action",
    "audio",
    "body",
    "component",
    "context",
    "currency",
    "date_time",
    "document",
    "flow_action_data",
    "flow_action_payload",
    "footer",
    "header",
    "Header",
    "hsm",
    "image",
    "interactive",
    "language",
    "limited_time_offer",
    "location",
    "order",
    "org",
    "product",
    "provider",
    "reaction",
    "reply",
    "sticker",
    "template",
    "text",
    "typing_indicator",
    "unix_epoch",
    "video",
];
/// As many paths are remembered, each at most so long: a hostile body must not cost more memory than
/// it has bytes.
const MOST_PATHS: usize = 20;
const PATH_LENGTH: usize = 200;

/// What [`without_unset`] took out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many members.
    pub count: usize,
    /// Where the first of them stood.
    pub paths: Vec<String>,
}

/// Removes each `null` member of each object in `text`, and each `[]` where an object belongs.
///
/// On-prem clients serialise unset options that way; Cloud documents no `null` anywhere. Returns
/// `None` when there is nothing to remove, or when `text` is not JSON (the parser then says what is
/// wrong).
pub fn without_unset(text: &str, removed: &mut Removed) -> Option<String> {
    if !text.contains("null") && !has_empty_array(text) {
        return None;
    }
    // The pass below relies on well-formed JSON; this check is linear, too, and does not recurse.
    let _: Raw<'_> = serde_json::from_str(text).ok()?;
    let mut pass = Pass { text, at: 0, out: String::with_capacity(text.len()), open: Vec::new(), removed };
    pass.run();
    let out = pass.out;
    (removed.count > 0).then_some(out)
}

/// A quick look, which takes a text for an array that looks like one.
fn has_empty_array(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'[', bytes)
        .filter_map(|at| bytes.get(at + 1..))
        .any(|rest| rest.trim_ascii_start().first() == Some(&b']'))
}

/// An object or array that is open.
struct Open {
    is_object: bool,
    /// Whether a value is awaited, rather than a key.
    wants_value: bool,
    /// Whether something of it was written already, so that a comma has to come first.
    has_content: bool,
    /// Length of the output before the member at hand.
    member_start: usize,
    /// The member's key, with its quotes.
    key: Range<usize>,
    /// Elements so far.
    index: usize,
    /// Whether `null` stays.
    is_opaque: bool,
}

struct Pass<'t, 'r> {
    text: &'t str,
    at: usize,
    out: String,
    open: Vec<Open>,
    removed: &'r mut Removed,
}

impl Pass<'_, '_> {
    fn run(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            match byte {
                b'{' | b'[' => self.begin(*byte == b'{'),
                b'}' | b']' => {
                    self.open.pop();
                    self.out.push(char::from(*byte));
                    self.at += 1;
                    self.value_ended();
                }
                // Separators are written when what they separate is.
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'"' => self.string(),
                _ => self.literal(),
            }
        }
    }

    fn begin(&mut self, is_object: bool) {
        if !is_object && let Some(end) = self.end_of_empty() {
            self.at = end;
            self.leave_out();
            return;
        }
        self.comma_of_element();
        let is_opaque = self
            .open
            .last()
            .is_some_and(|open| open.is_opaque || (open.is_object && OPAQUE.contains(&self.key(&open.key))));
        self.out.push(if is_object { '{' } else { '[' });
        self.at += 1;
        self.open.push(Open {
            is_object,
            wants_value: !is_object,
            has_content: false,
            member_start: 0,
            key: 0..0,
            index: 0,
            is_opaque,
        });
    }

    /// Where an empty array ends that begins here in place of an object.
    fn end_of_empty(&self) -> Option<usize> {
        let open = self.open.last().filter(|open| open.is_object && !open.is_opaque)?;
        let key = self.key(&open.key);
        let is_element = || self.open.iter().rev().nth(1).is_some_and(|outer| !outer.is_object);
        if !OBJECTS.contains(&key) && (key != "parameters" || is_element()) {
            return None;
        }
        let rest = self.text.get(self.at + 1..)?.trim_ascii_start().strip_prefix(']')?;
        Some(self.text.len() - rest.len())
    }

    /// Takes the member at hand back out.
    fn leave_out(&mut self) {
        self.note();
        if let Some(open) = self.open.last_mut() {
            open.wants_value = false;
            self.out.truncate(open.member_start);
        }
    }

    fn string(&mut self) {
        let token = self.string_token();
        match self.open.last_mut() {
            Some(open) if open.is_object && !open.wants_value => {
                open.member_start = self.out.len();
                open.wants_value = true;
                open.key = token.clone();
                if open.has_content {
                    self.out.push(',');
                }
                self.copy(token);
                self.out.push(':');
            }
            Some(_) | None => {
                self.comma_of_element();
                self.copy(token);
                self.value_ended();
            }
        }
    }

    fn string_token(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.text.as_bytes().get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        start..self.at
    }

    /// A number, `true`, `false` or `null`.
    fn literal(&mut self) {
        let start = self.at;
        let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
        while self.text.as_bytes().get(self.at).is_some_and(|byte| !ends(byte)) {
            self.at += 1;
        }
        let token = start..self.at;
        let is_null = self.text.get(token.clone()) == Some("null");
        match self.open.last() {
            Some(open) if is_null && open.is_object && !open.is_opaque => self.leave_out(),
            Some(_) | None => {
                self.comma_of_element();
                self.copy(token);
                self.value_ended();
            }
        }
    }

    fn comma_of_element(&mut self) {
        if self.open.last().is_some_and(|open| !open.is_object && open.has_content) {
            self.out.push(',');
        }
    }

    fn value_ended(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.has_content = true;
            if open.is_object {
                open.wants_value = false;
            } else {
                open.index += 1;
            }
        }
    }

    fn copy(&mut self, token: Range<usize>) {
        self.out.push_str(self.text.get(token).unwrap_or_default());
    }

    fn key(&self, token: &Range<usize>) -> &str {
        self.text.get(token.start + 1..token.end.saturating_sub(1)).unwrap_or_default()
    }

    fn note(&mut self) {
        self.removed.count += 1;
        if self.removed.paths.len() == MOST_PATHS {
            return;
        }
        let mut path = String::new();
        for open in &self.open {
            if open.is_object {
                path.push_str(if path.is_empty() { "" } else { "." });
                path.extend(self.key(&open.key).chars().take(PATH_LENGTH));
            } else {
                path.push_str(&format!("[{}]", open.index));
            }
            if path.len() > PATH_LENGTH {
                path = path.chars().take(PATH_LENGTH).chain(['…']).collect();
                break;
            }
        }
        self.removed.paths.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::{Removed, without_unset};

    fn strip(text: &str) -> (Option<String>, Vec<String>) {
        let mut removed = Removed::default();
        let out = without_unset(text, &mut removed);
        (out, removed.paths)
    }

    #[test]
    fn removes_members_at_every_depth() {
        let (out, removed) =
            strip(r#"{"a":null,"b":{"c":null,"d":1},"e":[{"f":null}, 2 , "x"], "g" : null }"#);
        assert_eq!(out.unwrap(), r#"{"b":{"d":1},"e":[{},2,"x"]}"#);
        assert_eq!(removed, ["a", "b.c", "e[0].f", "g"]);
        assert_eq!(strip(r#"{"a":1,"b":null,"c":{"x":[]}}"#).0.unwrap(), r#"{"a":1,"c":{"x":[]}}"#);
        assert_eq!(strip(r#"{"a\"b":"\\","b":null}"#).0.unwrap(), r#"{"a\"b":"\\"}"#);
    }

    #[test]
    fn leaves_texts_elements_and_opaque_data_alone() {
        assert_eq!(strip(r#"{"text":{"body":"null and void"}}"#).0, None);
        assert_eq!(strip(r#"{"a":[null]}"#).0, None);
        assert_eq!(strip(r#"{"flow_action_payload":{"data":{"x":null}}}"#).0, None);
        assert_eq!(strip("null").0, None);
        assert_eq!(strip(r#"{"a":1,,"b":null}"#).0, None, "what is no JSON is not mended");
    }

    #[test]
    fn an_empty_array_is_no_object() {
        let (out, removed) = strip(
            r#"{"context":[],"interactive":{"footer" : [ ],"action":{"parameters":[
            ],"name":"x"}},"a":1}"#,
        );
        assert_eq!(out.unwrap(), r#"{"interactive":{"action":{"name":"x"}},"a":1}"#);
        assert_eq!(removed, ["context", "interactive.footer", "interactive.action.parameters"]);
        assert_eq!(strip(r#"{"name":"x","parameters":[]}"#).0.unwrap(), r#"{"name":"x"}"#, "an action alone");
        let cards = r#"{"contacts":[{"org":[],"phones":[{"phone":"1"}]},{"org":[]}]}"#;
        assert_eq!(strip(cards).0.unwrap(), r#"{"contacts":[{"phones":[{"phone":"1"}]},{}]}"#);
        let carousel =
            r#"{"cards":[{"action":{"parameters":[]},"components":[{"parameters":[],"x":null}]}]}"#;
        assert_eq!(
            strip(carousel).0.unwrap(),
            r#"{"cards":[{"action":{},"components":[{"parameters":[]}]}]}"#
        );
    }

    #[test]
    fn a_list_stays_a_list() {
        for text in [
            r#"{"components":[{"type":"body","parameters":[]}],"localizable_params":[]}"#,
            r#"{"contacts":[],"phones":[],"websites":[],"auto_download":[]}"#,
            r#"{"context":[1],"footer":[[]],"text":{"body":"[]"}}"#,
            r#"{"flow_action_payload":{"screen":"A","data":{"context":[],"x":null}}}"#,
            r#"["context",[]]"#,
            "[]",
        ] {
            assert_eq!(strip(text).0, None, "{text}");
        }
    }

    #[test]
    fn costs_no_more_than_the_body_has_bytes() {
        let long = "k".repeat(100_000);
        let text = format!("{{\"{long}\":[{}]}}", vec!["{\"n\":null}"; 5_000].join(","));
        let mut removed = Removed::default();
        let out = without_unset(&text, &mut removed).unwrap();
        assert!(out.len() < text.len());
        assert_eq!(removed.count, 5_000);
        assert!(removed.paths.iter().map(String::len).sum::<usize>() < 20_000);
    }
}
