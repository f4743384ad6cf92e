//! Each rule by itself; `tests/http1/` compares all of it with another reader.

use proptest::prelude::*;

use super::super::MAX_FIELDS;
use super::*;

const MAX: usize = 100;

/// Reads an answer in one piece, and then the end of the connection.
fn read(bytes: &[u8]) -> Result<Response, ResponseError> {
    let mut reader = ResponseReader::new(MAX);
    match reader.read(bytes)? {
        Some(ended) => Ok(ended),
        None => reader.end(),
    }
}

/// With these lines in its head and these bytes behind it.
fn with(lines: &str, rest: &str) -> Result<Response, ResponseError> {
    read(format!("HTTP/1.1 200 OK\r\n{lines}\r\n{rest}").as_bytes())
}

fn chunks(rest: &str) -> Result<Response, ResponseError> {
    with("Transfer-Encoding: chunked\r\n", rest)
}

#[track_caller]
fn assert_read(read: Result<Response, ResponseError>, body: &str, keeps_connection: bool) {
    let ended = read.unwrap();
    assert_eq!((ended.body.as_slice(), ended.keeps_connection), (body.as_bytes(), keeps_connection));
}

#[test]
fn what_is_clear_is_read() {
    assert_read(with("content-length: 2\r\n", "{}"), "{}", true);
    assert_read(with("Content-Length: 2, 2\r\nCONTENT-LENGTH: 2\r\n", "{}"), "{}", true);
    assert_read(with("Content-Length: 0\r\n", ""), "", true);
    assert_read(with("Content-Length: 2\r\n", "{}HTTP/1.1 200 OK\r\n"), "{}", false);
    assert_read(with("A: b\r\n", "{}"), "{}", false);
    assert_read(with("A: b\r\n", ""), "", false);
    assert_read(chunks("1\r\n{\r\n01 ; a=\"b\"\r\n}\r\n0\r\nA: b\r\n\r\n"), "{}", true);
    assert_read(with("TRANSFER-ENCODING:\t ChunKed \r\n", "2\r\n{}\r\n000\r\n\r\n"), "{}", true);
    assert_read(chunks("0\r\n\r\n\n"), "", false);
}

#[test]
fn what_is_not_clear_is_refused() {
    let framings = [
        ("Content-Length: 2\r\nContent-Length: 3\r\n", ResponseError::Length),
        ("Content-Length: 2, 3\r\n", ResponseError::Length),
        ("Content-Length: 2,\r\n", ResponseError::Length),
        ("Content-Length: +2\r\n", ResponseError::Length),
        ("Content-Length: -2\r\n", ResponseError::Length),
        ("Content-Length: 0x2\r\n", ResponseError::Length),
        ("Content-Length: 2 2\r\n", ResponseError::Length),
        ("Content-Length: 2.0\r\n", ResponseError::Length),
        ("Content-Length:\r\n", ResponseError::Length),
        ("Content-Length: 99999999999999999999\r\n", ResponseError::Length),
        ("Transfer-Encoding: identity\r\n", ResponseError::Coding),
        ("Transfer-Encoding: gzip, chunked\r\n", ResponseError::Coding),
        ("Transfer-Encoding: chunked, gzip\r\n", ResponseError::Coding),
        ("Transfer-Encoding: chunked, chunked\r\n", ResponseError::Coding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ResponseError::Coding),
        ("Transfer-Encoding: xchunked\r\n", ResponseError::Coding),
        ("Transfer-Encoding: \"chunked\"\r\n", ResponseError::Coding),
        ("Transfer-Encoding:\r\n", ResponseError::Coding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", ResponseError::TwoFramings),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", ResponseError::TwoFramings),
    ];
    for (lines, broken) in framings {
        assert_eq!(with(lines, "2\r\n{}\r\n0\r\n\r\n"), Err(broken), "{lines:?}");
    }
    let heads = [
        (" Content-Length: 2\r\n", httparse::Error::HeaderName),
        ("Content-Length : 2\r\n", httparse::Error::HeaderName),
        ("A: b\r\n c\r\n", httparse::Error::HeaderName),
        ("A: b\rc\r\n", httparse::Error::HeaderValue),
        ("A: b\0\r\n", httparse::Error::HeaderValue),
        ("A\r\n", httparse::Error::HeaderName),
    ];
    for (lines, error) in heads {
        assert_eq!(with(lines, ""), Err(ResponseError::Head(error)), "{lines:?}");
    }
    assert_eq!(read(b"HTTP/2 200 OK\r\n\r\n"), Err(ResponseError::Head(httparse::Error::Version)));
    assert_eq!(read(b"HTTP/1.1 2000 OK\r\n\r\n"), Err(ResponseError::Head(httparse::Error::Status)));
    assert_eq!(read(b"HTTP/1.1 099 No\r\n\r\n"), Err(ResponseError::Status));
    assert_eq!(
        read(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Err(ResponseError::Coding)
    );
}

#[test]
fn chunks_that_are_none_are_refused() {
    for rest in [
        "\r\n\r\n",
        "g\r\n",
        " 2\r\n{}\r\n0\r\n\r\n",
        ";a\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2;a\n\r\n{}\r\n0\r\n\r\n",
        "2;a\rb\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}\n0\r\n\r\n",
        "1\r\n{}\r\n0\r\n\r\n",
        "00000000000000002\r\n{}\r\n0\r\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\n\n",
        "0\r\nA\r\n\r\n",
    ] {
        assert_eq!(chunks(rest), Err(ResponseError::Chunk), "{rest:?}");
    }
    assert_eq!(chunks("ffffffffffffffff\r\n"), Err(ResponseError::TooLarge(MAX)));
}

#[test]
fn an_end_too_early_is_no_end() {
    for bytes in ["", "\r\n", "HTTP", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        assert_eq!(read(bytes.as_bytes()), Err(ResponseError::NoResponse), "{bytes:?}");
    }
    assert_eq!(with("Content-Length: 2\r\n", "{"), Err(ResponseError::Incomplete));
    for rest in ["", "2", "2\r\n", "2\r\n{", "2\r\n{}", "2\r\n{}\r", "2\r\n{}\r\n", "0\r\n", "0\r\nA: b\r\n"]
    {
        assert_eq!(chunks(rest), Err(ResponseError::Incomplete), "{rest:?}");
    }
}

#[test]
fn some_answers_have_no_body() {
    for status in ["204 No Content", "304 Not Modified"] {
        let head = |lines| format!("HTTP/1.1 {status}\r\n{lines}\r\n");
        assert_read(read(head("").as_bytes()), "", true);
        assert_read(read(head("Content-Length: 0\r\n").as_bytes()), "", true);
        // Who announces a body here may send it.
        for lines in ["Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: x\r\n"] {
            assert_read(read(head(lines).as_bytes()), "", false);
        }
    }
}

#[test]
fn an_answer_may_be_announced() {
    let announced = |count: usize, status: &str| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 7\r\n\r\n");
        read((head.repeat(count) + "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").as_bytes())
    };
    let most = usize::from(MAX_INTERIM);
    for status in ["100 Continue", "103 Early Hints", "199 ?"] {
        assert_eq!(announced(most, status).unwrap().status, 201);
        assert_eq!(announced(most + 1, status), Err(ResponseError::Interim));
    }
    assert_eq!(announced(1, "101 Switching Protocols"), Err(ResponseError::Switch));
}

#[test]
fn a_connection_ends_when_it_says_so() {
    let kept = |version: u8, lines: &str| {
        let text = format!("HTTP/1.{version} 200 OK\r\nContent-Length: 0\r\n{lines}\r\n");
        read(text.as_bytes()).unwrap().keeps_connection
    };
    for lines in ["", "Connection: keep-alive\r\n", "Connection: closed\r\n", "Close: close\r\n"] {
        assert!(kept(1, lines), "{lines:?}");
        assert!(!kept(0, lines), "{lines:?}");
    }
    for lines in [
        "connection: Close\r\n",
        "Connection: a ,close,b\r\n",
        "Connection: keep-alive\r\nConnection: close\r\n",
    ] {
        assert!(!kept(1, lines), "{lines:?}");
    }
}

#[test]
fn retry_after_is_a_number_of_seconds() {
    let said = |lines: &str| with(&format!("Content-Length: 0\r\n{lines}"), "").unwrap().retry_after;
    assert_eq!(said(""), None);
    assert_eq!(said("Retry-After:  7 \r\n"), Some(7));
    assert_eq!(said("retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n"), None);
    assert_eq!(said("Retry-After: -1\r\n"), None);
    assert_eq!(said("Retry-After: 1\r\nRetry-After: 2\r\n"), Some(1));
}

/// Everything that comes has a limit.
#[test]
fn nothing_is_without_limit() {
    let large = "x".repeat(MAX);
    for extra in ["", "x"] {
        let (body, length) = (format!("{large}{extra}"), MAX + extra.len());
        for read in [
            with(&format!("Content-Length: {length}\r\n"), &body),
            with("", &body),
            chunks(&format!("{length:x}\r\n{body}\r\n0\r\n\r\n")),
            chunks(&format!("{MAX:x}\r\n{large}\r\n{:x}\r\n{extra}\r\n0\r\n\r\n", extra.len())),
        ] {
            // A chunk of no bytes is the last one, and this one has an empty line more.
            match (extra, read) {
                ("", read) => assert_eq!(read.unwrap().body, large.as_bytes()),
                (_, read) => assert_eq!(read, Err(ResponseError::TooLarge(MAX))),
            }
        }
    }
    let head = |length: usize| {
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ";
        read(format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4)).as_bytes())
    };
    assert!(head(MAX_HEAD).is_ok());
    assert_eq!(head(MAX_HEAD + 1), Err(ResponseError::LongLines(MAX_HEAD)));
    let fields = |count| with(&"Content-Length: 0\r\n".repeat(count), "");
    assert!(fields(MAX_FIELDS).is_ok());
    assert_eq!(fields(MAX_FIELDS + 1), Err(ResponseError::Head(httparse::Error::TooManyHeaders)));

    let long = |length| chunks(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(length)));
    assert!(long(MAX_IGNORED - 4).is_ok());
    assert_eq!(long(MAX_IGNORED - 3), Err(ResponseError::LongLines(MAX_IGNORED)));
    let many = |count| {
        chunks(&(format!("1;{}\r\nx\r\n", "x".repeat(MAX_IGNORED / 4 - 1)).repeat(count) + "0\r\n\r\n"))
    };
    assert!(many(4).is_ok());
    assert_eq!(many(5), Err(ResponseError::LongLines(MAX_IGNORED)));
    let trailers = |length| chunks(&format!("0\r\nA: {}\r\n\r\n", "x".repeat(length)));
    assert!(trailers(MAX_IGNORED - 7).is_ok());
    assert_eq!(trailers(MAX_IGNORED - 6), Err(ResponseError::LongLines(MAX_IGNORED)));
    let trailers = |count| chunks(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(count)));
    assert!(trailers(MAX_FIELDS).is_ok());
    assert_eq!(trailers(MAX_FIELDS + 1), Err(ResponseError::Chunk));
}

#[test]
fn the_memory_of_a_body_is_used_again() {
    let mut reader = ResponseReader::with_buffer(MAX, b"an earlier body".to_vec());
    let response = reader.read(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap().unwrap();
    assert_eq!((response.body.as_slice(), response.body.capacity()), (&b"{}"[..], 15));
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        for head in ["HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"] {
            let _ = read(&[head.as_bytes(), &bytes].concat());
        }
    }
}
