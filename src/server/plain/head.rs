//! Which requests are plain: pure, from the bytes that have arrived.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use httparse::Status;

/// The largest body that is waited for here, before anybody knows who is asking.
pub(super) const LARGEST_BODY: usize = 16 * 1024;
/// Fields of a head; hyper gives up at as many.
const FIELDS: usize = 100;

/// Why there is no plain request yet, or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unready {
    /// Its head goes on.
    Head,
    /// It is plain and will be of so many bytes.
    Body(usize),
    /// It is none.
    Odd,
}

/// A plain request that is whole.
#[derive(Debug)]
pub(super) struct Asked {
    /// It, with its body.
    pub(super) request: Request<Bytes>,
    /// Its length; what follows is another one.
    pub(super) length: usize,
    /// Whether the client wants nothing after it.
    pub(super) is_last: bool,
}

/// Reads the first of `bytes`, which is not copied.
pub(super) fn read(bytes: &Bytes) -> Result<Asked, Unready> {
    let asked = parse(bytes, |head, Framing { body, length, is_last }| {
        if length > bytes.len() {
            return Some(Err(Unready::Body(length)));
        }
        let mut request = Request::new(bytes.slice(body..length));
        *request.method_mut() = Method::from_bytes(head.method?.as_bytes()).ok()?;
        *request.uri_mut() = Uri::from_maybe_shared(bytes.slice_ref(head.path?.as_bytes())).ok()?;
        let fields = request.headers_mut();
        fields.reserve(head.headers.len());
        for field in head.headers.iter() {
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).ok()?;
            fields.append(HeaderName::from_bytes(field.name.as_bytes()).ok()?, value);
        }
        Some(Ok(Asked { request, length, is_last }))
    });
    asked?
}

/// Where a plain request ends.
struct Framing {
    /// Where its body begins.
    body: usize,
    length: usize,
    is_last: bool,
}

/// Hands a plain head to `make`, which may find that it is not plain after all.
fn parse<T>(
    bytes: &[u8],
    make: impl FnOnce(&httparse::Request<'_, '_>, Framing) -> Option<T>,
) -> Result<T, Unready> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut head = httparse::Request::new(&mut []);
    let body = match head.parse_with_uninit_headers(bytes, &mut fields) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Err(Unready::Head),
        Err(_) => return Err(Unready::Odd),
    };
    let (length, is_last) = framing(&head).ok_or(Unready::Odd)?;
    make(&head, Framing { body, length: body + length, is_last }).ok_or(Unready::Odd)
}

/// The length of the body and whether the client wants nothing more, of a plain head.
fn framing(head: &httparse::Request<'_, '_>) -> Option<(usize, bool)> {
    // The answer to HEAD, and the tunnel after CONNECT, have rules of their own; as has a target that is no path.
    let is_usual = head.version == Some(1)
        && !matches!(head.method, Some("HEAD" | "CONNECT") | None)
        && head.path.is_some_and(|path| path.starts_with('/'));
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
                if field.value.eq_ignore_ascii_case(b"close") {
                    is_last = true;
                } else if !field.value.eq_ignore_ascii_case(b"keep-alive") {
                    return None;
                }
            }
            // A second one is nothing to be decided here (RFC 9112 section 6.3).
            14 if is(&CONTENT_LENGTH) && length.replace(body_length(field.value)?).is_some() => return None,
            17 if is(&TRANSFER_ENCODING) => return None,
            _ => {}
        }
    }
    Some((length.unwrap_or_default(), is_last))
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

    const PLAIN: &str =
        "POST /v1/messages?a=b HTTP/1.1\r\nHost: proxy\r\nX-A: b\r\nX-A: c\r\nContent-Length: 5\r\n\r\nhello";

    fn with(line: &str, field: &str) -> String {
        format!("{line} HTTP/1.1\r\nHost: proxy\r\n{field}\r\n")
    }

    #[test]
    fn a_plain_request_is_read_as_it_was_written() {
        let asked = read(&Bytes::from_static(PLAIN.as_bytes())).unwrap();
        let (parts, body) = asked.request.into_parts();
        assert_eq!((parts.method.as_str(), parts.uri.to_string().as_str()), ("POST", "/v1/messages?a=b"));
        assert_eq!(parts.headers["host"], "proxy");
        assert_eq!(parts.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!((&body[..], asked.is_last), (&b"hello"[..], false));
        for (field, is_last) in
            [("", false), ("Connection: Close\r\n", true), ("connection: keep-alive\r\n", false)]
        {
            let asked = read(&Bytes::from(with("GET /", field))).unwrap();
            assert_eq!((asked.is_last, asked.request.body().len()), (is_last, 0), "{field}");
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
        ] {
            let request = with(line, field);
            assert_eq!(read(&Bytes::from(request.clone())).unwrap_err(), Unready::Odd, "{request}");
        }
        for request in [
            "GET / HTTP/1.0\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\u{16}\u{3}\u{1}",
            "GET /\r\n\r\n",
        ] {
            assert_eq!(read(&Bytes::from_static(request.as_bytes())).unwrap_err(), Unready::Odd, "{request}");
        }
    }

    proptest! {
        /// Of any beginning it is said that it goes on, or what the whole is; what follows changes nothing.
        #[test]
        fn a_beginning_is_never_taken_for_something_else(
            length in 0..PLAIN.len(),
            more in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let beginning = Bytes::from_static(PLAIN.as_bytes()).slice(..length);
            let head = PLAIN.len() - 5;
            match read(&beginning) {
                Err(Unready::Head) => prop_assert!(length < head),
                Err(Unready::Body(whole)) => prop_assert!(length >= head && whole == PLAIN.len()),
                other => prop_assert!(false, "{other:?}"),
            }
            let longer = Bytes::from([PLAIN.as_bytes(), &more].concat());
            let asked = read(&longer).unwrap();
            prop_assert_eq!((asked.length, &asked.request.body()[..]), (PLAIN.len(), &b"hello"[..]));
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let bytes = Bytes::from(bytes);
            match read(&bytes) {
                Ok(asked) => prop_assert!(asked.length <= bytes.len()),
                Err(Unready::Body(whole)) => prop_assert!(whole > bytes.len()),
                Err(Unready::Head | Unready::Odd) => {}
            }
        }
    }
}
