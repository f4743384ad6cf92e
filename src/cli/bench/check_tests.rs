use proptest::prelude::*;

use super::*;

const BODY: &str =
    r#"{"messages":[{"id":"wamid.a"}],"contacts":[{"input":"12005550100","wa_id":"12005550100"}]}"#;
const TO: &[u8] = b"12005550100";

fn checked(status: u16, body: &str) -> Result<(), Failure> {
    check(status, body.as_bytes(), TO)
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
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(200, &bytes, TO);
    }
}
