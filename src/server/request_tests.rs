use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Fields, Name, Request, Several, Target};
use crate::http1;

#[test]
fn a_target_is_cut_at_its_first_question_mark() {
    for (text, path, query) in [
        ("/", "/", ""),
        ("/a?", "/a", ""),
        ("/a?b=c?d", "/a", "b=c?d"),
        ("/\u{e4}", "/\u{e4}", ""),
        ("*", "*", ""),
        ("", "", ""),
        ("/a/?//", "/a", "//"),
        ("//a//b///?c=//", "/a/b", "c=//"),
        ("//", "/", ""),
        ("///?/", "/", "/"),
        ("/a/%2f/b", "/a/%2f/b", ""),
    ] {
        let target = Target::new(Bytes::from(text));
        assert_eq!((target.path(), target.query()), (path, query), "{text}");
    }
}

#[test]
fn known_fields_are_found_in_any_case_and_others_counted() {
    let all = [
        ("Host", Name::Host),
        ("AUTHORIZATION", Name::Authorization),
        ("D360-API-KEY", Name::D360ApiKey),
        ("x-Request-id", Name::RequestId),
        ("Content-Type", Name::ContentType),
        ("content-encoding", Name::ContentEncoding),
        ("Transfer-Encoding", Name::TransferEncoding),
        ("X-Hub-Signature-256", Name::Signature),
    ];
    let mut fields = Fields::within(Bytes::from_static(b"one two \x80"));
    for (spelling, _) in all {
        fields.add(spelling.as_bytes(), 0, 3);
        fields.add(spelling.as_bytes(), 4, 7);
    }
    for stranger in ["", "Hosts", "content-tipe", "y-request-id", "d361-api-key", "authorizatiom", "\u{e4}"] {
        fields.add(stranger.as_bytes(), 8, 9);
    }
    assert_eq!(fields.count(), 2 * all.len() + 7);
    for (_, name) in all {
        assert_eq!(fields.all(name).collect::<Vec<_>>(), [b"one", b"two"], "{name:?}");
    }
    assert_eq!(fields.known.len(), 2 * all.len());
}

#[test]
fn both_ways_find_the_same() {
    let mut headers = HeaderMap::new();
    for (name, value) in [("host", &b"a"[..]), ("x-other", b"b"), ("host", b"c"), ("content-type", b"\xe4")] {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    }
    let fields = Fields::from(&headers);
    assert_eq!((fields.count(), fields.text(Name::Host)), (4, Some("a")));
    assert_eq!(fields.all(Name::Host).collect::<Vec<_>>(), [b"a", b"c"]);
    assert_eq!((fields.get(Name::ContentType), fields.text(Name::ContentType)), (Some(&b"\xe4"[..]), None));
    assert_eq!((fields.once(Name::Host), fields.once(Name::Signature)), (Err(Several), Ok(None)));
    assert_eq!(fields.once(Name::ContentType), Ok(Some(&b"\xe4"[..])));
    assert_eq!((fields.get(Name::Signature), fields.text(Name::Authorization)), (None, None));
}

/// Names, in lower case, and values of all fields.
fn all(fields: &Fields) -> Vec<(String, Vec<u8>)> {
    let lower = |name: &[u8]| String::from_utf8(name.to_ascii_lowercase()).unwrap();
    fields.iter().map(|(name, value)| (lower(name), value.to_vec())).collect()
}

#[test]
fn all_fields_stay_in_order_on_both_ways() {
    let head = b"\r\nGET /a HTTP/1.1\r\nHost:a\r\nX-Twice: 1\nx-twice:\t 2:b \r\nX-Empty:\r\nx-odd: \xe4\r\nLast: c\r\n\r\n";
    let expected = [
        ("host", &b"a"[..]),
        ("x-twice", b"1"),
        ("x-twice", b"2:b"),
        ("x-empty", b""),
        ("x-odd", b"\xe4"),
        ("last", b"c"),
    ];
    let expected: Vec<_> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
    // With a request behind it, and with bytes before it in the same memory.
    let bytes = Bytes::from([b"xyz", &head[..], head].concat()).slice(3..);
    let mut room = http1::ROOM;
    let request = http1::Request::read(&bytes, 4096, &mut room).unwrap();
    let fields = Request::from_http1(&bytes, &request).unwrap().head.fields;
    assert_eq!((all(&fields), fields.count()), (expected.clone(), expected.len()));
    assert_eq!(fields.iter().nth(1).unwrap().0, b"X-Twice", "as it was sent");
    assert_eq!(fields.text(Name::Host), Some("a"));

    let mut headers = HeaderMap::new();
    for (name, value) in &expected {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
    }
    let fields = Fields::from(&headers);
    assert_eq!((all(&fields), fields.count()), (expected.clone(), expected.len()));
    assert_eq!(fields.text(Name::Host), Some("a"));
    assert!(all(&Fields::default()).is_empty());
}
