//! `Cache-Control` of an answer, read so that whatever is doubtful shortens the lifetime.

use http::HeaderMap;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};

/// Larger numbers count as this one (RFC 9111 section 1.2.2 suggests it): 68 years.
pub(super) const MAX_SECONDS: i64 = 1 << 31;

/// What the headers state about one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stated {
    /// They do not mention it.
    #[default]
    Nothing,
    /// They give it, once.
    Once(i64),
    /// They mention it, but not as a number.
    Junk,
    /// They mention it more than once. RFC 9111 section 4.2.1 lets us call that stale even where the
    /// values agree, and then no value can be the longer one.
    Repeated,
}

impl Stated {
    /// What is stated after one more mention.
    pub(super) fn and(self, value: Option<i64>) -> Self {
        match self {
            Self::Nothing => value.map_or(Self::Junk, Self::Once),
            Self::Once(_) | Self::Junk | Self::Repeated => Self::Repeated,
        }
    }
}

/// The directives that matter here; the others are checked for their grammar alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CacheControl {
    /// Whether there was any directive at all.
    pub(super) present: bool,
    pub(super) no_store: bool,
    pub(super) private: bool,
    pub(super) no_cache: bool,
    /// Some directive breaks the grammar, so that it may have been meant to forbid something.
    pub(super) malformed: bool,
    pub(super) max_age: Stated,
    pub(super) s_maxage: Stated,
}

impl CacheControl {
    /// All lines of the header together.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for line in headers.get_all(CACHE_CONTROL) {
            let mut rest = line.as_bytes();
            while !rest.is_empty() {
                let (element, after) = first_element(rest);
                found.note(element.trim_ascii());
                rest = after;
            }
        }
        found
    }

    /// Notes one directive: `token [ "=" ( token / quoted-string ) ]` (RFC 9111 section 5.2).
    fn note(&mut self, element: &[u8]) {
        // RFC 9110 section 5.6.1.2: empty elements of a list do not count.
        if element.is_empty() {
            return;
        }
        self.present = true;
        let (name, value) = split_once(element, b'=');
        let argument = value.map(unquoted);
        self.malformed |= !is_token(name) || argument == Some(None);
        let number = argument.flatten().and_then(digits);
        // The qualified forms (`no-cache="field"`) forbid as much as the plain ones: RFC 9111 sections
        // 5.2.2.4 and 5.2.2.7 know caches that do so, and it errs on the safe side.
        match name.trim_ascii() {
            name if name.eq_ignore_ascii_case(b"no-store") => self.no_store = true,
            name if name.eq_ignore_ascii_case(b"private") => self.private = true,
            name if name.eq_ignore_ascii_case(b"no-cache") => self.no_cache = true,
            name if name.eq_ignore_ascii_case(b"max-age") => self.max_age = self.max_age.and(number),
            name if name.eq_ignore_ascii_case(b"s-maxage") => self.s_maxage = self.s_maxage.and(number),
            _ => {}
        }
    }
}

/// A number of seconds: digits alone (RFC 9111 section 1.2.2), so neither signs nor fractions.
pub(super) fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        Some((number * 10 + digit).min(MAX_SECONDS))
    })
}

/// The list up to its first comma, and what follows. Only a quoted-string right after `=` hides commas:
/// a quote elsewhere, or one without an end, must not hide a `no-store`.
fn first_element(list: &[u8]) -> (&[u8], &[u8]) {
    let is_delimiter = |byte: &u8| matches!(byte, b',' | b'=');
    let hidden = match list.iter().position(is_delimiter) {
        Some(at) => match list.get(at..) {
            Some([b'=', b'"', inner @ ..]) => quoted_length(inner).map_or(0, |length| at + length + 3),
            Some(_) | None => 0,
        },
        None => 0,
    };
    let comma = list.iter().skip(hidden).position(|byte| *byte == b',');
    let end = comma.map_or(list.len(), |at| hidden + at);
    let (element, rest) = list.split_at_checked(end).unwrap_or((list, &[]));
    (element, rest.get(1..).unwrap_or_default())
}

/// How far the quoted-string reaches whose opening quote stands before `text`.
fn quoted_length(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    text.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    })
}

fn split_once(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |byte| *byte == at);
    (parts.next().unwrap_or_default(), parts.next())
}

/// The argument without its quotes; nothing if it is neither a token nor a quoted-string. Escapes stay
/// as they are, since no number needs one.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', inner @ ..] => {
            let length = quoted_length(inner)?;
            (length + 1 == inner.len()).then(|| inner.get(..length)).flatten()
        }
        token => is_token(token).then_some(token),
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> CacheControl {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, line.parse().unwrap());
        }
        CacheControl::of(&headers)
    }

    #[test]
    fn numbers_are_digits_alone() {
        for (value, expected) in [
            ("0", Stated::Once(0)),
            ("003600", Stated::Once(3600)),
            (r#""3600""#, Stated::Once(3600)),
            ("2147483649", Stated::Once(MAX_SECONDS)),
            ("99999999999999999999", Stated::Once(MAX_SECONDS)),
            ("", Stated::Junk),
            (r#""""#, Stated::Junk),
            ("-1", Stated::Junk),
            ("+1", Stated::Junk),
            ("3600.5", Stated::Junk),
            ("a3600", Stated::Junk),
            ("3600a", Stated::Junk),
            (" 3600", Stated::Junk),
            ("'3600'", Stated::Junk),
            (r#""36\00""#, Stated::Junk),
            (r#""3600"0"#, Stated::Junk),
            (r#""3600"#, Stated::Junk),
        ] {
            assert_eq!(read(&[&format!("max-age={value}")]).max_age, expected, "{value}");
        }
        assert_eq!(read(&["max-age"]).max_age, Stated::Junk);
        assert_eq!(read(&["max-age =60"]).max_age, Stated::Once(60));
        assert!(read(&["max-age =60"]).malformed);
    }

    #[test]
    fn names_have_no_case_and_lines_add_up() {
        let found = read(&["No-Store, PRIVATE", ",, nO-cAcHe=\"a, b\" ,", "MaX-aGe=1,S-MAXAGE=2"]);
        assert!(found.no_store && found.private && found.no_cache && !found.malformed);
        assert_eq!((found.max_age, found.s_maxage), (Stated::Once(1), Stated::Once(2)));
        assert_eq!(read(&["max-age=1, max-age=1"]).max_age, Stated::Repeated);
        assert_eq!(read(&["max-age=1", "MAX-AGE=x", "max-age=2"]).max_age, Stated::Repeated);
        assert!(!read(&["", " , ,"]).present);
    }

    #[test]
    fn quoted_commas_hide_directives_and_broken_quotes_do_not() {
        let hidden = read(&[r#"ext="no-store, max-age=3600, \", private", max-age=1"#]);
        assert!(!hidden.no_store && !hidden.private && !hidden.malformed);
        assert_eq!(hidden.max_age, Stated::Once(1));
        for broken in [
            r#"ext="a, no-store"#,
            r#"ext= "a, no-store, b""#,
            r#"ext"a, no-store, b""#,
            r#"ext=a"b, no-store, c""#,
            r#""a, no-store, b""#,
            r#"ext="a"b, no-store"#,
            r#"ext="a\", no-store"#,
            "private; foo, no-store",
            "foo=60 bar, no-store",
            "foo=, no-store",
            "=60, no-store",
        ] {
            let found = read(&[broken]);
            assert!(found.no_store && found.malformed, "{broken}: {found:?}");
        }
    }
}
