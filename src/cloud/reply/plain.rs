//! The answer to a message in the very words in which Graph nearly always gives it.
//!
//! Each of its strings is where it is expected, so nothing has to be found and no name compared: a tenth of the work.
//! The first thing that is any different leaves the whole to serde.

use super::{Contact, Reply, SentMessage};
use crate::wire::Str;

/// Reads `text`, if it is plain.
pub(super) fn read(text: &str) -> Option<Reply<'_>> {
    let mut rest = Rest(text);
    rest.tokens(&["{", r#""messaging_product""#, ":", r#""whatsapp""#, ",", r#""contacts""#, ":", "[", "{"])?;
    let input = rest.member(r#""input""#)?;
    rest.token(",")?;
    let wa_id = rest.member(r#""wa_id""#)?;
    rest.tokens(&["}", "]", ",", r#""messages""#, ":", "[", "{"])?;
    let id = rest.member(r#""id""#)?;
    let message_status = match rest.token(",") {
        Some(()) => Some(rest.member(r#""message_status""#)?),
        None => None,
    };
    rest.tokens(&["}", "]", "}"])?;
    rest.is_empty().then_some(Reply {
        contact: Some(Contact { input: Some(input), wa_id: Some(wa_id), user_id: None }),
        message: Some(SentMessage { id, message_status }),
        success: false,
    })
}

/// What is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn token(&mut self, token: &str) -> Option<()> {
        // Nearly always there are no blanks.
        let rest = match self.0.strip_prefix(token) {
            Some(rest) => rest,
            None => blanks(self.0).strip_prefix(token)?,
        };
        self.0 = rest;
        Some(())
    }

    fn tokens(&mut self, tokens: &[&str]) -> Option<()> {
        tokens.iter().try_for_each(|token| self.token(token))
    }

    fn member(&mut self, name: &str) -> Option<Str<'a>> {
        self.tokens(&[name, ":", "\""])?;
        // Without escapes, and without what JSON has to escape (RFC 8259 section 7).
        let end = memchr::memchr2(b'"', b'\\', self.0.as_bytes())?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix('"')?;
        text.bytes().all(|byte| byte >= b' ').then_some(Str::from(text))
    }

    fn is_empty(&self) -> bool {
        blanks(self.0).is_empty()
    }
}

/// `text` without the blanks in front of it (RFC 8259 section 2).
fn blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
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
        let spread = PLAIN.replace(':', " :\n ").replace(',', "\t, ").replace('}', " }\r");
        for text in [PLAIN, &held, &spread] {
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
            (":", "\u{a0}:"),
        ] {
            let text = PLAIN.replacen(from, to, 1);
            assert_ne!(text, PLAIN);
            assert_eq!(read(&text), None, "{text}");
        }
    }

    proptest! {
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
