use proptest::prelude::*;

use super::*;

const BODY: &str =
    r#"{"messages":[{"id":"wamid.a"}],"contacts":[{"input":"12005550100","wa_id":"12005550100"}]}"#;
const TO: &[u8] = b"12005550100";

fn with_length(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

fn chunked(body: &str, piece: usize) -> String {
    let chunks = body
        .as_bytes()
        .chunks(piece)
        .map(|chunk| format!("{:x};a=b\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()));
    let chunks: String = chunks.collect();
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\nx: y\r\n\r\n")
}

/// Arriving in two pieces, cut at any place.
fn whole(text: &str) -> (u16, Vec<u8>, bool) {
    for cut in 0..text.len() {
        assert_eq!(parse(&text.as_bytes()[..cut], false), Ok(None), "{cut} of {text}");
    }
    let answer = parse(text.as_bytes(), false).unwrap().unwrap();
    (answer.status, answer.body.into_owned(), answer.keeps_connection)
}

#[test]
fn an_answer_ends_where_its_head_says() {
    let body = BODY.as_bytes().to_vec();
    assert_eq!(whole(&with_length("201 Created", BODY)), (201, body.clone(), true));
    assert_eq!(whole(&with_length("200 OK\r\nConnection: Close", BODY)), (200, body.clone(), false));
    assert_eq!(whole(&chunked(BODY, 7)), (200, body.clone(), true));
    assert_eq!(whole("HTTP/1.1 204 No Content\r\n\r\n"), (204, Vec::new(), true));
    let announced = format!("HTTP/1.1 100 Continue\r\n\r\n{}", with_length("200 OK", BODY));
    assert_eq!(whole(&announced), (200, body.clone(), true));
    let old = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(whole(old), (200, b"{}".to_vec(), false));
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let text = format!("HTTP/1.1 200 OK\r\n\r\n{BODY}");
    assert_eq!(parse(text.as_bytes(), false), Ok(None));
    let answer = parse(text.as_bytes(), true).unwrap().unwrap();
    assert_eq!((answer.body.as_ref(), answer.keeps_connection), (BODY.as_bytes(), false));
}

#[test]
fn what_comes_unasked_ends_the_connection() {
    let twice = with_length("200 OK", BODY).repeat(2);
    let answer = parse(twice.as_bytes(), false).unwrap().unwrap();
    assert_eq!((answer.body.as_ref(), answer.keeps_connection), (BODY.as_bytes(), false));
}

#[test]
fn half_an_answer_and_no_answer_are_failures() {
    for text in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}"] {
        assert_eq!(parse(text.as_bytes(), true), Err(Failure::Closed), "{text}");
    }
    for text in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ] {
        assert_eq!(parse(text.as_bytes(), false), Err(Failure::Unreadable), "{text}");
    }
    let endless = vec![b'a'; LARGEST + 1];
    let endless = [b"HTTP/1.1 200 OK\r\na: ", endless.as_slice()].concat();
    assert_eq!(parse(&endless, false), Err(Failure::Unreadable));
}

fn checked(status: u16, body: &str) -> Result<(), Failure> {
    check(&Answer { status, body: Cow::Borrowed(body.as_bytes()), keeps_connection: true }, TO)
}

#[test]
fn right_answers_are_right_in_every_spelling() {
    for body in [
        BODY,
        // Cloud's, as a proxy gives it that only passes it on.
        r#"{"messaging_product":"whatsapp","contacts":[{"input":"+12005550100","wa_id":"1"}],"messages":[{"id":"w"}]}"#,
        r#"{ "contacts": [ { "wa_id": "12005550100" } ], "messages": [ { "x": 1, "id": "w" } ] }"#,
    ] {
        assert_eq!((checked(200, body), checked(201, body)), (Ok(()), Ok(())), "{body}");
    }
}

#[test]
fn every_other_answer_is_a_failure() {
    let other = |from: &str, to: &str| BODY.replace(from, to);
    let refused = |status, code| Failure::Refused { status, code };
    for (status, body, failure) in [
        (201, other("\"input\":\"12005550100\"", "\"input\":\"12005550101\""), Failure::WrongRecipient),
        // Longer and shorter than ours.
        (201, other("\"input\":\"1", "\"input\":\"11"), Failure::WrongRecipient),
        (201, other("\"input\":\"12005550100\"", "\"input\":\"120055501000\""), Failure::WrongRecipient),
        (201, other("\"input\":\"12005550100\"", "\"input\":\"1200555010\""), Failure::WrongRecipient),
        (200, r#"{"messages":[{"id":"w"}]}"#.to_owned(), Failure::WrongRecipient),
        (200, other("wamid.a", ""), Failure::NoMessageId(200)),
        (200, r#"{"contacts":[{"input":"12005550100"}]}"#.to_owned(), Failure::NoMessageId(200)),
        (200, String::new(), Failure::NoMessageId(200)),
        (202, BODY.to_owned(), refused(202, None)),
        (429, r#"{"errors":[{"code":1015}]}"#.to_owned(), refused(429, Some(1015))),
        (400, r#"{"error":{"code":131026}}"#.to_owned(), refused(400, Some(131_026))),
        (200, r#"{"error":{"code":1}}"#.to_owned(), refused(200, Some(1))),
        (502, "<html>".to_owned(), refused(502, None)),
    ] {
        assert_eq!(checked(status, &body), Err(failure), "{body}");
    }
    assert_eq!(refused(429, Some(1015)).to_string(), "http 429, code 1015");
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), is_end: bool) {
        let _ = parse(&bytes, is_end);
        let after_head = [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", bytes.as_slice()].concat();
        let _ = parse(&after_head, is_end);
        let _ = check(&Answer { status: 200, body: bytes.into(), keeps_connection: true }, TO);
    }

    #[test]
    fn chunks_of_any_size_give_the_body(piece in 1..200_usize) {
        let text = chunked(BODY, piece);
        let answer = parse(text.as_bytes(), false).unwrap().unwrap();
        prop_assert_eq!(answer.body.as_ref(), BODY.as_bytes());
    }
}
