//! Whatever a client may post as a form. The first line is its `Content-Type`; the rest is the body, and once more
//! the content of a form of our own.
#![no_main]

use prembridge::onprem::form::field;

const TYPE: &str = "multipart/form-data; boundary=b7";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(at);
    let body = rest.get(1..).unwrap_or_default();
    for content_type in [&*String::from_utf8_lossy(line), TYPE] {
        match field(content_type, body, "file") {
            Ok(content) => assert!(body.windows(content.len().max(1)).any(|part| part.starts_with(content))),
            Err(refused) => assert!(!refused.details.contains(char::is_control), "{}", refused.details),
        }
    }
    if !body.windows(6).any(|part| part == b"\r\n--b7") {
        let head = b"--b7\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
        let form = [head, body, b"\r\n--b7--\r\n"].concat();
        assert_eq!(field(TYPE, &form, "file").ok(), Some(body));
    }
});
