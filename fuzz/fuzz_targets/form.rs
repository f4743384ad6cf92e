//! Whatever a client may post as a form. The first line is its `Content-Type`; the rest is the body, and once more
//! the content of a form of our own. A form that comes in pieces is the same form.
#![no_main]

use bytes::Bytes;
use prembridge::onprem::form::{FirstFile, field};

const TYPE: &str = "multipart/form-data; boundary=b7";

/// The content of the first file, of a body in pieces of this length; none if it is refused.
fn first_file(content_type: &str, body: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut file = FirstFile::new(content_type).ok()?;
    let mut content = Vec::new();
    for piece in body.chunks(length) {
        file.push(Bytes::copy_from_slice(piece));
        while let Some(data) = file.take().ok()? {
            content.extend_from_slice(&data);
        }
    }
    file.finish().ok().map(|_| content)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(at);
    let body = Bytes::copy_from_slice(rest.get(1..).unwrap_or_default());
    for content_type in [&*String::from_utf8_lossy(line), TYPE] {
        match field(content_type, &body, "file") {
            Ok(content) => assert!(body.windows(content.len().max(1)).any(|part| part.starts_with(&content))),
            Err(refused) => assert!(!refused.details.contains(char::is_control), "{}", refused.details),
        }
        let whole = first_file(content_type, &body, body.len().max(1));
        assert_eq!(first_file(content_type, &body, 1), whole);
        assert_eq!(first_file(content_type, &body, 7), whole);
    }
    if !body.windows(6).any(|part| part == b"\r\n--b7") {
        let head = b"--b7\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        let form = Bytes::from([head, &body[..], b"\r\n--b7--\r\n"].concat());
        assert_eq!(field(TYPE, &form, "file").ok(), Some(body.clone()));
        assert_eq!(first_file(TYPE, &form, 3).as_deref(), Some(&body[..]));
    }
});
