//! What of Graph's words is not repeated: Graph quotes what it was sent, a token that it does not like among it.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// What stands in the place of a secret.
const MASK: &str = "(hidden)";
/// Tokens of users and of systems, and those of Instagram.
const BEGINNINGS: [&[u8]; 2] = [b"EA", b"IG"];
/// A shorter word that begins so is no token.
const SHORTEST_TOKEN: usize = 20;
/// A shorter secret would be struck out of words that have nothing to do with it.
const SHORTEST_SECRET: usize = 6;
/// How often a text is decoded: once for how it was sent, and once more for where that was quoted.
const LAYERS: usize = 3;

/// The secrets that are known; what looks like a token of Graph is never repeated. Clones share them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(Arc<[String]>);

/// Without them.
impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

impl Hidden {
    /// Hides these, too.
    pub fn new<'s>(secrets: impl Iterator<Item = &'s str>) -> Self {
        Self(secrets.filter(|secret| secret.len() >= SHORTEST_SECRET).map(str::to_owned).collect())
    }

    /// `text` without secrets, be they plain, percent-encoded or escaped as in JSON.
    pub fn strike(&self, text: &str) -> String {
        let mut found = Vec::new();
        let mut layer = Layer::new(text);
        for _ in 0..LAYERS {
            self.find(&layer, &mut found);
            layer = layer.decoded();
        }
        found.sort_unstable_by_key(|place| place.start);
        let (mut struck, mut end) = (String::with_capacity(text.len()), 0);
        for place in found {
            if place.start >= end {
                struck.push_str(text.get(end..place.start).unwrap_or_default());
                struck.push_str(MASK);
            }
            end = end.max(place.end);
        }
        struck.push_str(text.get(end..).unwrap_or_default());
        struck
    }

    fn find(&self, layer: &Layer, found: &mut Vec<Range<usize>>) {
        for secret in self.0.iter().map(String::as_bytes) {
            let windows = layer.bytes.windows(secret.len()).enumerate();
            let places = windows.filter(|(_, window)| *window == secret);
            found.extend(places.map(|(at, _)| layer.place(at..at + secret.len())));
        }
        let mut word = 0;
        // With an end that belongs to no word.
        for (at, byte) in layer.bytes.iter().chain(b" ").enumerate() {
            if is_of_token(*byte) {
                continue;
            }
            found.extend(
                token(layer.bytes.get(word..at).unwrap_or_default())
                    .map(|begin| layer.place(word + begin..at)),
            );
            word = at + 1;
        }
    }
}

/// Where in a word a token begins, if there is one: at the beginning, or behind a hyphen or an underscore.
fn token(word: &[u8]) -> Option<usize> {
    let begins =
        std::iter::once(0).chain((1..word.len()).filter(|at| matches!(word.get(at - 1), Some(b'-' | b'_'))));
    begins.into_iter().find(|at| {
        let rest = word.get(*at..).unwrap_or_default();
        rest.len() >= SHORTEST_TOKEN && BEGINNINGS.iter().any(|beginning| rest.starts_with(beginning))
    })
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// A text as it reads after so many decodings.
struct Layer {
    bytes: Vec<u8>,
    /// Where each byte stands in the text that was given; and the end of that.
    places: Vec<usize>,
}

impl Layer {
    fn new(text: &str) -> Self {
        Self { bytes: text.as_bytes().to_vec(), places: (0..=text.len()).collect() }
    }

    /// Where these bytes stand in the text that was given.
    fn place(&self, range: Range<usize>) -> Range<usize> {
        let at = |index: usize| self.places.get(index).or(self.places.last()).copied().unwrap_or_default();
        at(range.start)..at(range.end)
    }

    /// Percent-encoding (RFC 3986 section 2.1) and JSON's escapes (RFC 8259 section 7) are undone.
    fn decoded(&self) -> Self {
        let (mut bytes, mut places) =
            (Vec::with_capacity(self.bytes.len()), Vec::with_capacity(self.places.len()));
        let mut at = 0;
        while let Some((character, length)) = self.bytes.get(at..).and_then(decode) {
            let start = self.place(at..at).start;
            let mut buffer = [0; 4];
            let encoded = match character {
                Decoded::Byte(byte) => {
                    buffer = [byte, 0, 0, 0];
                    buffer.get(..1).unwrap_or_default()
                }
                Decoded::Character(character) => character.encode_utf8(&mut buffer).as_bytes(),
            };
            bytes.extend_from_slice(encoded);
            places.extend(encoded.iter().map(|_| start));
            at += length;
        }
        places.extend(self.places.last());
        Self { bytes, places }
    }
}

enum Decoded {
    Byte(u8),
    Character(char),
}

/// What `bytes` begin with, and how many of them that takes.
fn decode(bytes: &[u8]) -> Option<(Decoded, usize)> {
    let hex = |range: Range<usize>| {
        let digits = std::str::from_utf8(bytes.get(range)?).ok().filter(|digits| digits.is_ascii())?;
        u32::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))
    };
    Some(match bytes {
        [b'%', ..] if let Some(byte) = hex(1..3).and_then(|byte| u8::try_from(byte).ok()) => {
            (Decoded::Byte(byte), 3)
        }
        [b'\\', b'u', ..] if let Some(character) = hex(2..6).and_then(char::from_u32) => {
            (Decoded::Character(character), 6)
        }
        [b'\\', b'b' | b'f' | b'n' | b'r' | b't', ..] => (Decoded::Byte(b'\n'), 2),
        [b'\\', character @ (b'"' | b'\\' | b'/'), ..] => (Decoded::Byte(*character), 2),
        [byte, ..] => (Decoded::Byte(*byte), 1),
        [] => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Hidden;

    const TOKEN: &str = "EAAGm0PX4ZCpsBAKZC9zZB-w_x";

    fn struck(text: &str) -> String {
        Hidden::new(["s3cr/t \"x\" \u{fc}", "tiny"].into_iter()).strike(text)
    }

    #[test]
    fn whatever_looks_like_a_token_is_struck() {
        for (text, expected) in [
            (format!("Malformed access token {TOKEN}"), "Malformed access token (hidden)"),
            (format!("a \"{TOKEN}\", b"), "a \"(hidden)\", b"),
            (format!("access_token={TOKEN}&x"), "access_token=(hidden)&x"),
            (format!("access_token%3D{TOKEN}%26x"), "access_token%3D(hidden)%26x"),
            (format!("access_token%253d{TOKEN}"), "access_token%253d(hidden)"),
            (format!("{{\\\"t\\\":\\\"{TOKEN}\\\"}}\\n{TOKEN}"), "{\\\"t\\\":\\\"(hidden)\\\"}\\n(hidden)"),
            (format!("\\u003d{TOKEN} %45{}", &TOKEN[1..]), "\\u003d(hidden) (hidden)"),
            (format!("token_{TOKEN}{TOKEN}."), "token_(hidden)."),
            ("IGQVJ4567890123456789".to_owned(), "(hidden)"),
            (TOKEN[..20].to_owned(), "(hidden)"),
        ] {
            assert_eq!(struck(&text), expected, "{text}");
        }
        for text in [
            &TOKEN[..19],
            "EACH of these is a WORD",
            "wamid.HBgLMTYzMTU1NTEyMzQVAgARGBI5QTNDQTVCM0Q0RUE",
            "ÄÖÜ %",
            "\\",
            "",
        ] {
            assert_eq!(struck(text), text);
        }
    }

    #[test]
    fn known_secrets_are_struck_in_every_form() {
        for form in [
            "s3cr/t \"x\" \u{fc}",
            "s3cr\\/t \\\"x\\\" \\u00fc",
            "s3cr%2Ft%20%22x%22%20%C3%BC",
            "s3cr%2ft%20%22x%22%20%c3%bc",
            "s3cr%252Ft%2520%2522x%2522%2520%25C3%25BC",
            "\\u0073\\u0033cr\\/t \\\"x\\\" \u{fc}",
        ] {
            assert_eq!(struck(&format!("ü{form}ü {form}")), "ü(hidden)ü (hidden)", "{form}");
        }
        assert_eq!(struck("a tiny word"), "a tiny word");
        assert_eq!(format!("{:?}", Hidden::new(["secret"].into_iter())), "Hidden");
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn no_text_keeps_a_secret_or_loses_anything_else(
            before in "[ a-z%\\\\u0-9ü]{0,12}", after in "[ .,ü][ a-z%\\\\0-9ü]{0,12}",
        ) {
            let hidden = Hidden::new(["canary-secret"].into_iter());
            let (with, without) = (format!("{before}canary-secret{after}"), format!("{before}{after}"));
            let struck = hidden.strike(&with);
            prop_assert!(!struck.contains("canary-secret"));
            prop_assert_eq!(hidden.strike(&without), without);
        }
    }
}
