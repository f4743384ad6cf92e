//! Writing JSON where serde's own way costs more than the message is worth.
//!
//! Serde escapes every string byte by byte, keys and constants included. The hot path writes its
//! constants as they are, untouched subtrees by copying, and looks at a string once, many bytes at a
//! time, before it copies it.

use super::Member;

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    // No early exit: this way the compiler looks at many bytes at once.
    let needs_escape =
        text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if needs_escape {
        // A `Vec` takes every byte, and a string always serializes.
        let _ = serde_json::to_writer(out, text);
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Appends `,"key":value` for each of `members`.
pub fn write_members(out: &mut Vec<u8>, members: &[Member<'_>]) {
    for (key, value) in members {
        out.push(b',');
        write_string(out, key);
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::write_string;

    #[test]
    fn writes_what_serde_writes() {
        for text in ["", "plain", "a\"b", "a\\b", "line\nbreak", "\u{7f}", "ä€😀", "\u{1}"] {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(out, serde_json::to_vec(text).unwrap(), "{text:?}");
        }
    }
}
