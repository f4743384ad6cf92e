use proptest::prelude::*;

use super::*;
use crate::http1::ROOM;

/// Longer than any head here.
const MAX: usize = 4096;
const USUAL: &str = "POST /v1/messages?a=b HTTP/1.1\r\nHost: proxy\r\nX-Request-Id: b\r\nX-Request-Id:  c \r\n\
                     Content-Length: 5\r\n\r\nhello";

/// Method, target, fields, body and length of a request.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    line: (String, String),
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    length: usize,
    is_last: bool,
}

fn read(bytes: &[u8], max_head: usize) -> Result<Seen, Unready> {
    let mut room = ROOM;
    let request = Request::read(bytes, max_head, &mut room)?;
    let fields = request.fields.iter().map(|field| (field.name.to_owned(), field.value.to_vec()));
    Ok(Seen {
        line: (request.method.to_owned(), request.target.to_owned()),
        fields: fields.collect(),
        body: request.body.to_vec(),
        length: request.length(),
        is_last: request.is_last,
    })
}

fn with(line: &str, field: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: proxy\r\n{field}\r\n")
}

#[test]
fn a_usual_request_is_read_as_it_was_written() {
    let request = read(USUAL.as_bytes(), MAX).unwrap();
    assert_eq!(request.line, ("POST".to_owned(), "/v1/messages?a=b".to_owned()));
    let fields: Vec<_> =
        request.fields.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    assert_eq!(
        fields,
        [("Host", &b"proxy"[..]), ("X-Request-Id", b"b"), ("X-Request-Id", b"c"), ("Content-Length", b"5")]
    );
    assert_eq!((request.body.as_slice(), request.is_last), (&b"hello"[..], false));
    for (field, is_last) in
        [("", false), ("Connection: Close\r\n", true), ("connection: keep-alive\r\n", false)]
    {
        let request = read(with("GET /", field).as_bytes(), MAX).unwrap();
        assert_eq!((request.is_last, request.body.len()), (is_last, 0), "{field}");
    }
}

#[test]
fn what_is_unusual_is_not_read() {
    let too_large = format!("Content-Length: {}\r\n", LARGEST_BODY + 1);
    let many = "X: y\r\n".repeat(100);
    for (line, field) in [
        ("GET /", "Transfer-Encoding: chunked\r\n"),
        ("GET /", "transfer-encoding: identity\r\nContent-Length: 0\r\n"),
        ("POST /", "Content-Length: 5\r\nContent-Length: 5\r\n"),
        ("POST /", "Content-Length: 5, 5\r\n"),
        ("POST /", "Content-Length: +5\r\n"),
        ("POST /", "Content-Length: 0x5\r\n"),
        ("POST /", "Content-Length: \r\n"),
        ("POST /", "Content-Length: 000005\r\n"),
        ("POST /", &too_large),
        ("POST /", "Expect: 100-continue\r\nContent-Length: 5\r\n"),
        ("GET /", "Upgrade: h2c\r\n"),
        ("GET /", "Connection: upgrade\r\n"),
        ("GET /", "Connection: close, x\r\n"),
        ("GET /", &many),
        ("GET /", "X : y\r\n"),
        ("HEAD /", ""),
        ("CONNECT example.com:443", ""),
        ("OPTIONS *", ""),
        ("GET http://proxy/", ""),
        ("GET /#a", ""),
        ("GET /\u{e4}", ""),
        ("GET /\"", ""),
    ] {
        let request = with(line, field);
        assert_eq!(read(request.as_bytes(), MAX).unwrap_err(), Unready::Unusual, "{request}");
    }
    for request in
        ["GET / HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\u{16}\u{3}\u{1}", "GET /\r\n\r\n"]
    {
        assert_eq!(read(request.as_bytes(), MAX).unwrap_err(), Unready::Unusual, "{request}");
    }
}

#[test]
fn a_head_that_is_too_long_is_not_read_whole_or_not() {
    let bytes = USUAL.as_bytes();
    let head = USUAL.len() - 5;
    for length in [head - 1, head, USUAL.len()] {
        assert_eq!(read(&bytes[..length], head - 2).unwrap_err(), Unready::Unusual, "{length}");
    }
    assert_eq!(read(&bytes[..head], head).unwrap_err(), Unready::Body(USUAL.len()));
    assert_eq!(read(bytes, head).unwrap().length, USUAL.len());
}

#[test]
fn a_partial_request_is_read_again_when_that_makes_sense() {
    let mut partial = Partial::new(b"GET / HTTP/1.1\r\n".to_vec(), None);
    assert!(!partial.push(b"A: b\r", MAX) && !partial.push(b"\n\r", MAX));
    assert!(partial.push(b"\n", MAX), "the head ends");
    assert_eq!(partial.take(), b"GET / HTTP/1.1\r\nA: b\r\n\r\n");
    assert!(!partial.push(b"1234", 4) && partial.push(b"5", 4), "the head is too long");
    let mut partial = Partial::new(b"12".to_vec(), Some(4));
    assert!(!partial.push(b"3", MAX) && partial.push(b"45", MAX), "the body ends");
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    /// Of any beginning it is said that it goes on, or how long the whole is; what follows changes nothing.
    #[test]
    fn a_beginning_is_never_mistaken_for_something_else(
        length in 0..USUAL.len(),
        more in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let head = USUAL.len() - 5;
        match read(&USUAL.as_bytes()[..length], MAX) {
            Err(Unready::Head) => prop_assert!(length < head),
            Err(Unready::Body(whole)) => prop_assert!(length >= head && whole == USUAL.len()),
            other => prop_assert!(false, "{other:?}"),
        }
        let longer = [USUAL.as_bytes(), &more].concat();
        prop_assert_eq!(read(&longer, MAX), read(USUAL.as_bytes(), MAX));
    }

    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        match read(&bytes, MAX) {
            Ok(request) => prop_assert!(request.length <= bytes.len()),
            Err(Unready::Body(whole)) => prop_assert!(whole > bytes.len()),
            Err(Unready::Head | Unready::Unusual) => {}
        }
    }
}
