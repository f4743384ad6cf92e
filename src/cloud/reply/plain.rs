//! The answer to a message in the very words in which Graph nearly always gives it.
//!
//! Each of its strings is where it is expected, so no name has to be found and told from others. The first letter that is
//! any different, be it a blank, leaves the whole to serde.

use super::{Contact, Reply, SentMessage};
use crate::wire::Str;

/// Reads `text`, if it is plain.
pub(super) fn read(text: &str) -> Option<Reply<'_>> {
    let rest = text.strip_prefix(r#"{"messaging_product":"whatsapp","contacts":[{"input":""#)?;
    let (input, rest) = string(rest)?;
    let (wa_id, rest) = string(rest.strip_prefix(r#","wa_id":""#)?)?;
    let (id, rest) = string(rest.strip_prefix(r#"}],"messages":[{"id":""#)?)?;
    let (message_status, rest) = match rest.strip_prefix(r#","message_status":""#) {
        Some(rest) => string(rest).map(|(status, rest)| (Some(status), rest))?,
        None => (None, rest),
    };
    (rest == "}]}").then_some(Reply {
        contact: Some(Contact { input: Some(input), wa_id: Some(wa_id), user_id: None }),
        message: Some(SentMessage { id, message_status }),
        success: false,
    })
}

/// A string that has begun, without escapes and without what JSON has to escape (RFC 8259 section 7), and what is
/// behind it.
fn string(text: &str) -> Option<(Str<'_>, &str)> {
    let end = memchr::memchr2(b'"', b'\\', text.as_bytes())?;
    let (text, rest) = text.split_at_checked(end)?;
    let rest = rest.strip_prefix('"')?;
    // Without an early end, which would keep the processor from looking at many at once.
    let is_plain = text.bytes().fold(true, |is_plain, byte| is_plain & (byte >= b' '));
    is_plain.then_some((Str::from(text), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Reply, Usual};
    use super::read;

    const PLAIN: &str = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+1 650","wa_id":"1650"}],"messages":[{"id":"wamid.X"}]}"#;

    fn by_serde(text: &str) -> Option<Reply<'_>> {
        let Usual { contacts: [contact], messages: [message] } = serde_json::from_str(text).ok()?;
        Some(Reply { contact: Some(contact), message: Some(message), success: false })
    }

    #[test]
    fn the_usual_answers_are_plain() {
        let held = PLAIN.replace("\"wamid.X\"", r#""wamid.X","message_status":"accepted""#);
        for text in [PLAIN, &held] {
            let reply = read(text);
            assert!(reply.is_some(), "{text}");
            assert_eq!(reply, by_serde(text), "{text}");
        }
    }

    #[test]
    fn what_is_any_different_is_left_to_serde() {
        for (from, to) in [
            ("wamid.X", "wamid\\u002eX"),
            ("wamid.X", "wamid\u{1}X"),
            ("\"wamid.X\"", "5"),
            ("\"wamid.X\"", "null"),
            ("\"1650\"", "\"1650\",\"user_id\":\"US.1\""),
            ("}]}", "}]}}"),
            ("}]}", "}],\"success\":true}"),
            ("}]}", "}]"),
            ("whatsapp", "other"),
            ("messages", "message"),
            ("{\"id\"", "{\"message_status\":\"x\",\"id\""),
            ("[{\"id\"", "[[{\"id\""),
            (":", " :"),
            ("}]}", "}]} "),
        ] {
            let text = PLAIN.replacen(from, to, 1);
            assert_ne!(text, PLAIN);
            assert_eq!(read(&text), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        /// However a plain answer is damaged: what is read here, serde reads in the same way.
        #[test]
        fn serde_reads_the_same(
            cuts in prop::collection::vec((0..PLAIN.len(), 0..3_usize, "[\\PC\\x00-\\x1f]{0,2}"), 0..3),
        ) {
            let mut text = PLAIN.to_owned();
            for (at, length, with) in cuts {
                let at = at.min(text.len());
                let end = (at + length).min(text.len());
                if text.is_char_boundary(at) && text.is_char_boundary(end) {
                    text.replace_range(at..end, &with);
                }
            }
            if let Some(reply) = read(&text) {
                prop_assert_eq!(Some(reply), by_serde(&text), "{}", text);
            }
        }
    }
}
