//! The one file of a `multipart/form-data` body (RFC 7578) that is in memory whole.

use super::read::{missing, wrong};
use super::{ErrorCode, Invalid};
use crate::wire::Path;

/// No form of a real client has more.
const MOST_PARTS: usize = 32;
/// Far above any part's header of a real client.
const LONGEST_HEAD: usize = 8 * 1024;
/// RFC 2046 section 5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// Whether a body of this `Content-Type` is a form.
pub fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// The content of the field `name`, in any case, which may occur once.
pub fn field<'b>(content_type: &str, body: &'b [u8], name: &str) -> Result<&'b [u8], Invalid> {
    let boundary = content_type.split_once(';').and_then(|(_, rest)| parameter(rest, "boundary"));
    let boundary = boundary.filter(|boundary| (1..=LONGEST_BOUNDARY).contains(&boundary.len()));
    let boundary = boundary.ok_or_else(|| malformed("its Content-Type has no usable boundary"))?;
    let mut found = None;
    for part in parts(body, &boundary)? {
        if !part.name.eq_ignore_ascii_case(name) {
            continue;
        }
        if found.replace(part.content).is_some() {
            return Err(wrong(Path::Root.key(name), "is given twice; send one file"));
        }
    }
    found.ok_or_else(|| missing(Path::Root.key(name)))
}

struct Part<'b> {
    name: String,
    content: &'b [u8],
}

fn parts<'b>(body: &'b [u8], boundary: &str) -> Result<Vec<Part<'b>>, Invalid> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    // The line break before a boundary belongs to it, but for one at the very beginning.
    let opening = delimiter.get(2..).unwrap_or_default();
    let mut rest = match body.strip_prefix(opening) {
        Some(rest) => rest,
        None => split(body, &delimiter).ok_or_else(|| malformed("its boundary does not occur"))?.1,
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        if parts.len() == MOST_PARTS {
            return Err(malformed("it has too many parts"));
        }
        let (padding, _) =
            split(rest, b"\r\n").ok_or_else(|| malformed("it ends before its last boundary"))?;
        if !padding.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            return Err(malformed("a boundary's line holds more than the boundary"));
        }
        // With the line break, so that a header without lines ends like any other.
        let after = rest.get(padding.len()..).unwrap_or_default();
        let (head, content) = split(after, b"\r\n\r\n")
            .filter(|(head, _)| head.len() <= LONGEST_HEAD)
            .ok_or_else(|| malformed("a part's header does not end"))?;
        let (content, next) =
            split(content, &delimiter).ok_or_else(|| malformed("it ends before its last boundary"))?;
        parts.push(Part { name: name_of(head)?, content });
        rest = next;
    }
    Ok(parts)
}

/// What stands before and after the first `mark`.
fn split<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

/// RFC 7578 section 4.2: every part has a name.
fn name_of(head: &[u8]) -> Result<String, Invalid> {
    let head = std::str::from_utf8(head).map_err(|_| malformed("a part's header is not UTF-8"))?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    });
    let name = disposition.and_then(|value| {
        let (kind, parameters) = value.split_once(';')?;
        kind.trim().eq_ignore_ascii_case("form-data").then(|| parameter(parameters, "name"))?
    });
    name.ok_or_else(|| malformed("a part has no name"))
}

/// The value of a parameter, quoted or not (RFC 9110 section 5.6.6).
pub fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, next) = value(after.trim_start());
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
}

/// A value, and what follows its semicolon.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, chars.as_str().split_once(';').map_or("", |(_, rest)| rest))
}

fn malformed(why: &str) -> Invalid {
    Invalid::new(ErrorCode::InvalidRequest, format!("the body is not valid multipart/form-data: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=b7";

    fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut form = Vec::new();
        for (name, content) in parts {
            let head = format!("--b7\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            form.extend_from_slice(head.as_bytes());
            form.extend_from_slice(content);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(b"--b7--\r\n");
        form
    }

    #[test]
    fn forms_of_real_clients() {
        let curl =
            b"--b7\r\nContent-Disposition: form-data; name=\"File\"; filename=\"a \\\"b\\\";c.jpg\"\r\n\
            Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n\r\n--b\r\n--b7--\r\n";
        assert_eq!(field(TYPE, curl, "file").unwrap(), b"\xff\xd8\r\n\r\n--b");
        let odd =
            b"preamble\r\n--b7  \r\ncontent-disposition:form-data; filename=x; name=FILE\r\n\r\n\r\n--b7--";
        assert_eq!(field("Multipart/Form-Data;Boundary=\"b7\"", odd, "file").unwrap(), b"");
        let two = form(&[("other", b"x"), ("file", b"y")]);
        assert_eq!(field(TYPE, &two, "file").unwrap(), b"y");
        assert!(is_form("multipart/form-data") && is_form("Multipart/Form-Data; boundary=x"));
        assert!(!is_form("image/jpeg") && !is_form("multipart/form-dataset"));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let whole = form(&[("file", b"y")]);
        let long = format!("--b7\r\nX: {}\r\n\r\n\r\n--b7--", "x".repeat(LONGEST_HEAD));
        let many = form(&[("other", b"x".as_slice()); MOST_PARTS + 1]);
        for (content_type, body, code) in [
            ("multipart/form-data", whole.as_slice(), 1025),
            ("multipart/form-data; boundary=", &whole, 1025),
            ("multipart/form-data; boundary=other", &whole, 1025),
            (TYPE, b"", 1025),
            (TYPE, &whole[..whole.len() - 4], 1025),
            (TYPE, b"--b7", 1025),
            (TYPE, b"--b7x\r\n\r\n\r\n--b7--", 1025),
            (TYPE, b"--b7\r\n\r\n\r\n--b7--", 1025),
            (TYPE, b"--b7\r\nContent-Disposition: attachment; name=file\r\n\r\n\r\n--b7--", 1025),
            (TYPE, b"--b7\r\nContent-Disposition: form-data; name=\xff\r\n\r\n\r\n--b7--", 1025),
            (TYPE, long.as_bytes(), 1025),
            (TYPE, &many, 1025),
            (TYPE, b"--b7--", 1008),
            (TYPE, &form(&[("other", b"y")]), 1008),
            (TYPE, &form(&[("file", b"y"), ("File", b"z")]), 1009),
        ] {
            let refused = field(content_type, body, "file").unwrap_err();
            assert_eq!(refused.code.code(), code, "{content_type} {body:?}: {}", refused.details);
        }
    }

    proptest! {
        #[test]
        fn any_content_comes_back(
            // Bytes that boundaries are made of come often.
            content in prop::collection::vec(prop::sample::select(b"\r\n-b7x\x00".to_vec()), 0..200),
            before in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            prop_assume!(split(&content, b"\r\n--b7").is_none() && split(&before, b"\r\n--b7").is_none());
            let form = form(&[("other", &before), ("file", &content)]);
            prop_assert_eq!(field(TYPE, &form, "file").unwrap(), content.as_slice());
        }

        #[test]
        fn nothing_makes_it_panic(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "--b7", "\r\n", "--", "Content-Disposition: form-data; name=", "\"file", ";", "=", "\\", "x", "é",
            ]), 0..40),
            content_type in "multipart/form-data;? ?boundary=?\"?b7\"?",
        ) {
            let _ = field(&content_type, pieces.concat().as_bytes(), "file");
        }
    }
}
