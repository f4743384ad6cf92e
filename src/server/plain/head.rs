//! Which requests are plain: pure, from the bytes that have arrived.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, Method};
use httparse::Status;

use super::super::asked::{Asked, Fields, Head, Target};
use super::super::body::Asking;

/// The largest body that is waited for here, before anybody knows who is asking.
pub(super) const LARGEST_BODY: usize = 16 * 1024;
/// Fields of a head; hyper gives up at as many.
const FIELDS: usize = 100;
/// Bytes of a target; hyper takes no more.
const TARGET: usize = u16::MAX as usize - 1;

/// Why there is no plain request yet, or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Its head goes on.
    Head,
    /// It is plain and will be of so many bytes.
    Body(usize),
    /// It is none.
    Odd,
}

/// A plain request that is whole.
#[derive(Debug)]
pub struct Plain {
    /// It.
    pub asked: Asked,
    /// Its length; what follows is another one.
    pub length: usize,
    /// Whether the client wants nothing after it.
    pub is_last: bool,
}

/// Reads the first of `bytes`, which is not copied, if its head has `most` bytes at most.
pub fn read(bytes: &Bytes, most: usize) -> Result<Plain, Unready> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut head = httparse::Request::new(&mut []);
    let body = match head.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(Status::Complete(length)) if length <= most => length,
        Ok(Status::Partial) if bytes.len() <= most => return Err(Unready::Head),
        Ok(Status::Complete(_) | Status::Partial) | Err(_) => return Err(Unready::Odd),
    };
    let Framing { body_length, is_last } = framing(&head).ok_or(Unready::Odd)?;
    let length = body + body_length;
    if length > bytes.len() {
        return Err(Unready::Body(length));
    }
    let head = known(bytes, &head).ok_or(Unready::Odd)?;
    let asked = Asked { head, body: Asking::Whole(bytes.slice(body..length)) };
    Ok(Plain { asked, length, is_last })
}

/// What is looked at of a head.
fn known(bytes: &Bytes, head: &httparse::Request<'_, '_>) -> Option<Head> {
    let mut fields = Fields::within(bytes.clone());
    for field in head.headers.iter() {
        let (start, end) = place(bytes, field.value)?;
        fields.add(field.name.as_bytes(), start, end);
    }
    let (start, end) = place(bytes, head.path?.as_bytes())?;
    let target = Target::new(bytes.slice(start..end));
    let method = Method::from_bytes(head.method?.as_bytes()).ok()?;
    Some(Head { method, target, is_http11: true, fields })
}

/// Where `part` is in `bytes`, which it is a part of.
fn place(bytes: &Bytes, part: &[u8]) -> Option<(usize, usize)> {
    let start = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    let end = start + part.len();
    (end <= bytes.len()).then_some((start, end))
}

/// What a plain head says of where the request ends.
struct Framing {
    body_length: usize,
    is_last: bool,
}

/// Where the request ends, if its head is plain.
fn framing(head: &httparse::Request<'_, '_>) -> Option<Framing> {
    // The answer to HEAD, and the tunnel after CONNECT, have rules of their own; as has a target that is no path.
    let is_usual = head.version == Some(1)
        && !matches!(head.method, Some("HEAD" | "CONNECT") | None)
        && head
            .path
            .is_some_and(|path| path.starts_with('/') && path.len() <= TARGET && path.bytes().all(is_usual));
    if !is_usual {
        return None;
    }
    let (mut length, mut is_last) = (None, false);
    for field in head.headers.iter() {
        let is = |name: &HeaderName| field.name.eq_ignore_ascii_case(name.as_str());
        // By length first: most names are none of these.
        match field.name.len() {
            6 if is(&EXPECT) => return None,
            7 if is(&UPGRADE) => return None,
            10 if is(&CONNECTION) => {
                is_last |= field.value.eq_ignore_ascii_case(b"close");
                if !is_last && !field.value.eq_ignore_ascii_case(b"keep-alive") {
                    return None;
                }
            }
            14 if is(&CONTENT_LENGTH) => {
                let earlier = length.replace(body_length(field.value)?);
                // A second one is nothing to be decided here (RFC 9112 section 6.3).
                earlier.is_none().then_some(())?;
            }
            17 if is(&TRANSFER_ENCODING) => return None,
            _ => {}
        }
    }
    Some(Framing { body_length: length.unwrap_or_default(), is_last })
}

/// Of a target that everybody reads alike: whether hyper takes others, and what for, is its own business.
fn is_usual(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~%?&=+:,;@!$'()*".contains(&byte)
}

/// Digits and nothing else (RFC 9110 section 8.6), of a body that is waited for.
fn body_length(value: &[u8]) -> Option<usize> {
    if value.is_empty() || value.len() > 5 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = value.iter().fold(0, |length, digit| 10 * length + usize::from(digit - b'0'));
    (length <= LARGEST_BODY).then_some(length)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::{LARGEST_BODY, Unready, read};

    use super::super::super::asked::Name;
    use super::super::super::body::Asking;

    /// Longer than any head here.
    const MOST: usize = 4096;
    const PLAIN: &str = "POST /v1/messages?a=b HTTP/1.1\r\nHost: proxy\r\nX-Request-Id: b\r\nX-Request-Id:  c \r\n\
                         Content-Length: 5\r\n\r\nhello";

    fn with(line: &str, field: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: proxy\r\n{field}\r\n")
    }

    fn body(asking: &Asking) -> &[u8] {
        match asking {
            Asking::Whole(bytes) => bytes,
            Asking::Arriving { .. } => panic!("a plain body is whole"),
        }
    }

    #[test]
    fn a_plain_request_is_read_as_it_was_written() {
        let plain = read(&Bytes::from_static(PLAIN.as_bytes()), MOST).unwrap();
        let head = &plain.asked.head;
        assert_eq!(
            (head.method.as_str(), head.target.path(), head.target.query()),
            ("POST", "/v1/messages", "a=b")
        );
        assert_eq!((head.fields.text(Name::Host), head.fields.count()), (Some("proxy"), 4));
        assert_eq!(head.fields.all(Name::RequestId).collect::<Vec<_>>(), [b"b", b"c"]);
        assert_eq!((body(&plain.asked.body), plain.is_last, head.is_http11), (&b"hello"[..], false, true));
        for (field, is_last) in
            [("", false), ("Connection: Close\r\n", true), ("connection: keep-alive\r\n", false)]
        {
            let plain = read(&Bytes::from(with("GET /", field)), MOST).unwrap();
            assert_eq!((plain.is_last, body(&plain.asked.body)), (is_last, &b""[..]), "{field}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_others() {
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
            assert_eq!(read(&Bytes::from(request.clone()), MOST).unwrap_err(), Unready::Odd, "{request}");
        }
        for request in [
            "GET / HTTP/1.0\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\u{16}\u{3}\u{1}",
            "GET /\r\n\r\n",
        ] {
            assert_eq!(
                read(&Bytes::from_static(request.as_bytes()), MOST).unwrap_err(),
                Unready::Odd,
                "{request}"
            );
        }
    }

    #[test]
    fn a_head_that_is_too_long_is_not_plain_whole_or_not() {
        let bytes = Bytes::from_static(PLAIN.as_bytes());
        let head = PLAIN.len() - 5;
        for length in [head - 1, head, PLAIN.len()] {
            assert_eq!(read(&bytes.slice(..length), head - 2).unwrap_err(), Unready::Odd, "{length}");
        }
        assert_eq!(read(&bytes.slice(..head), head).unwrap_err(), Unready::Body(PLAIN.len()));
        assert_eq!(read(&bytes, head).unwrap().length, PLAIN.len());
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        /// Of any beginning it is said that it goes on, or what the whole is; what follows changes nothing.
        #[test]
        fn a_beginning_is_never_taken_for_something_else(
            length in 0..PLAIN.len(),
            more in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let beginning = Bytes::from_static(PLAIN.as_bytes()).slice(..length);
            let head = PLAIN.len() - 5;
            match read(&beginning, MOST) {
                Err(Unready::Head) => prop_assert!(length < head),
                Err(Unready::Body(whole)) => prop_assert!(length >= head && whole == PLAIN.len()),
                other => prop_assert!(false, "{other:?}"),
            }
            let longer = Bytes::from([PLAIN.as_bytes(), &more].concat());
            let plain = read(&longer, MOST).unwrap();
            prop_assert_eq!((plain.length, body(&plain.asked.body)), (PLAIN.len(), &b"hello"[..]));
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let bytes = Bytes::from(bytes);
            match read(&bytes, MOST) {
                Ok(plain) => prop_assert!(plain.length <= bytes.len()),
                Err(Unready::Body(whole)) => prop_assert!(whole > bytes.len()),
                Err(Unready::Head | Unready::Odd) => {}
            }
        }
    }
}
