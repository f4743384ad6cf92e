//! JSON that borrows: strings, untouched subtrees, and objects as ordered members.
//!
//! Serde's derive cannot carry [`RawValue`] through flattened, tagged or untagged types, so a
//! message is read as an [`Object`] (one pass, one allocation) whose members are then looked at by
//! name. What nobody looks at travels on byte for byte.

mod object;
mod path;
mod unset;
mod write;

pub use object::{Member, Object, ObjectError};
pub use path::{Path, printable};
pub use unset::{Removed, without_unset};
pub use write::{write_members, write_string};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON subtree that is passed through untouched.
pub type Raw<'a> = &'a RawValue;

/// A JSON string that borrows from the body when it holds no escape.
///
/// `Option<Cow<str>>` with `#[serde(borrow)]` silently owns; this transparent newtype does not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Str<'a>(#[serde(borrow)] pub Cow<'a, str>);

impl std::ops::Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Str<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl std::fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The six JSON types, read off the first byte of a valid value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number
    Number,
    /// A string
    String,
    /// An array
    Array,
    /// An object
    Object,
}

/// The type of `raw`.
pub fn kind(raw: Raw<'_>) -> Kind {
    match raw.get().as_bytes().first() {
        Some(b'"') => Kind::String,
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// The string in `raw`; `None` when it is another type or holds a lone surrogate.
pub fn string<'a>(raw: Raw<'a>) -> Option<Str<'a>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str::<String>(text).ok().map(|owned| Str(Cow::Owned(owned)));
    }
    Some(Str(Cow::Borrowed(inner)))
}

/// The elements of the array in `raw`; `None` when it is another type.
pub fn array(raw: Raw<'_>) -> Option<Vec<Raw<'_>>> {
    serde_json::from_str(raw.get()).ok()
}

/// Whether `text` is an array without elements.
pub fn is_empty_array(text: &str) -> bool {
    let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.trim().is_empty())
}

/// How deep arrays and objects may nest: `serde_json`'s own default, applied to subtrees too.
pub const MAX_DEPTH: usize = 128;

/// Whether `text` nests deeper than [`MAX_DEPTH`].
///
/// Subtrees that are passed through are scanned without recursion, so the parser's own limit does
/// not see them; without this check a body of a hundred thousand brackets would reach Cloud.
pub fn too_deep(text: &str) -> bool {
    // A count of brackets, wherever they stand, bounds the depth and is quick: few bodies go on.
    if opening_brackets(text) <= MAX_DEPTH {
        return false;
    }
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// `[` and `{` differ in one bit, and sums of bytes in short chunks compile to vector instructions.
fn opening_brackets(text: &str) -> usize {
    let in_chunk = |chunk: &[u8]| chunk.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    text.as_bytes().chunks(usize::from(u8::MAX)).map(|chunk| usize::from(in_chunk(chunk))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn strings_borrow_unless_escaped() {
        assert!(matches!(string(raw("\"plain\"")), Some(Str(Cow::Borrowed("plain")))));
        assert_eq!(&*string(raw("\"a\\n\\u00e4\"")).unwrap(), "a\nä");
        assert!(string(raw("5")).is_none());
    }

    #[test]
    fn a_lone_surrogate_is_no_string() {
        assert!(string(raw("\"\\ud800\"")).is_none());
    }

    #[test]
    fn depth_counts_brackets_outside_strings_only() {
        assert!(!too_deep(&format!("{{\"a\":\"{}\"}}", "[".repeat(1000))));
        assert!(too_deep(&"[".repeat(300)));
        assert!(!too_deep(&"[]".repeat(300)));
    }
}
