//! Phone numbers as people write and paste them.

use std::borrow::Cow;

/// What a text means that should be a phone number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written<'a> {
    /// Its digits, in ASCII; none at all when there is nothing but marks.
    Digits(Cow<'a, str>),
    /// It has the trunk prefix in brackets, as in `+49 (0) 171`, which is not dialled from abroad.
    Trunk,
    /// Something is in it that no number has, or that may mean another number.
    Unclear,
}

/// Reads a number in one of its usual spellings: an optional plus sign before the first digit, with blanks, hyphens, dots
/// and brackets anywhere. Copies from address books and word processors have their own signs for these, and marks that
/// nobody sees; digits may be those of any script. Nothing is guessed: a letter, a second plus sign or a line break
/// may part two numbers.
pub fn read(input: &str) -> Written<'_> {
    if !input.is_empty() && input.bytes().all(|byte| byte.is_ascii_digit()) {
        return Written::Digits(Cow::Borrowed(input));
    }
    let number = input.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let number = without_scheme(number);
    let (mut digits, mut shape) = (String::with_capacity(number.len()), String::new());
    let (mut has_plus, mut slash) = (false, None);
    for c in number.chars() {
        match c {
            _ if is_invisible(c) || is_blank(c) || is_dash(c) || is_dot(c) => {}
            '(' | '[' | '\u{ff08}' | '\u{ff3b}' => shape.push('('),
            ')' | ']' | '\u{ff09}' | '\u{ff3d}' => shape.push(')'),
            '+' | '\u{ff0b}' | '\u{fe62}' if digits.is_empty() && !has_plus => has_plus = true,
            '/' | '\u{2044}' | '\u{2215}' | '\u{ff0f}' if slash.is_none() => slash = Some(digits.len()),
            _ => match digit(c) {
                Some(digit) => {
                    digits.push(digit);
                    shape.push(digit);
                }
                None => return Written::Unclear,
            },
        }
    }
    if shape.contains("(0)") {
        return Written::Trunk;
    }
    if slash.is_some_and(|at| !has_plus || !is_area_code(at, digits.len())) || has_bullet_apart(number) {
        return Written::Unclear;
    }
    Written::Digits(Cow::Owned(digits))
}

/// `tel:` (RFC 3966); its parameters are no part of a number, and are left to be refused.
fn without_scheme(number: &str) -> &str {
    match number.split_at_checked(4) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel:") => rest,
        _ => number,
    }
}

/// Whether a slash stands where it does in Germany, between area code and number, which only a number with its country
/// code has. With more digits before it, it may stand between two numbers, and with fewer behind it between two endings
/// of one. With more in all than a German number has, it may stand between two area codes.
fn is_area_code(before: usize, all: usize) -> bool {
    (2..=6).contains(&before) && all - before >= 5 && all <= 13
}

/// Whether a bullet has blanks on both sides, as between two entries of a list.
fn has_bullet_apart(number: &str) -> bool {
    let mut before = ['\0'; 2];
    number.chars().filter(|c| !is_invisible(*c)).any(|c| {
        let is_apart = is_blank(before[0]) && before[1] == '\u{2022}' && is_blank(c);
        before = [before[1], c];
        is_apart
    })
}

/// Characters without a glyph (Unicode, `Default_Ignorable_Code_Point`), among them the directional marks around numbers
/// that were copied from address books.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Blanks (Unicode, category Zs), and none of the characters that end a line or a cell.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Hyphens, dashes and the minus sign.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

/// Full stops, and the dots that stand for them.
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{b7}' | '\u{2022}' | '\u{2024}' | '\u{2027}' | '\u{fe52}' | '\u{ff0e}')
}

/// The digit that `c` is in whatever script (Unicode, category Nd).
fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return c.is_ascii_digit().then_some(c);
    }
    let code = u32::from(c);
    let value = match c {
        // Digits of mathematical alphabets, which text is styled with: five rows without gaps.
        '\u{1d7ce}'..='\u{1d7ff}' => (code - 0x1d7ce) % 10,
        _ => ZEROS.iter().find_map(|zero| code.checked_sub(*zero).filter(|value| *value < 10))?,
    };
    char::from_digit(value, 10)
}

/// The zero of each script; the other nine follow it.
const ZEROS: [u32; 37] = [
    0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6,
    0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0,
    0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x1_04a0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_that_is_meant() {
        for spelling in [
            "16505550192",
            "+1 650 555 0192",
            " +1 (650) 555-0192\n",
            "1.650.555.0192",
            "(+1) 650 555 0192",
            "[+1] 650 555 0192",
            "tel:+1-650-555-0192",
            "TEL:+16505550192",
            "+1 650/5550192",
            "+1 650\u{2022} 5550192",
            "\u{202a}+1 650 555 0192\u{202c}",
            "\u{202d}+16505550192\u{202c}",
            "+1 650 555 0192\u{200b}",
            "\u{feff}+1\u{ad}650\u{2060}555\u{200e}0192",
            "\u{2066}+1\u{a0}650\u{2009}555\u{202f}0192\u{2069}",
            "+1\u{3000}650\u{2003}555\u{205f}0192",
            "+1\u{2010}650\u{2011}555\u{2012}0192",
            "+1\u{2013}650\u{2014}555\u{2212}0192",
            "+1\u{ff0d}650\u{fe63}555\u{2015}0192",
            "＋１（６５０）５５５－０１９２",
            "+١٦٥٠٥٥٥٠١٩٢",
            "+۱۶۵۰۵۵۵۰۱۹۲",
            "+१६५०५५५०१९२",
            "+১৬৫০৫৫৫০১৯২",
            "+๑๖๕๐๕๕๕๐๑๙๒",
            "𝟏𝟔𝟓𝟎𝟓𝟓𝟓𝟎𝟏𝟗𝟐",
            "1\u{b7}650\u{2022}555\u{ff0e}0192",
        ] {
            assert_eq!(read(spelling), Written::Digits("16505550192".into()), "{spelling:?}");
        }
        assert_eq!(read("+\u{200b} -"), Written::Digits("".into()));
    }

    #[test]
    fn nothing_is_guessed() {
        for spelling in [
            "1650555O192",
            "+1+6505550192",
            "1650+5550192",
            "++16505550192",
            "16505550192 or 16505550193",
            "16505550192,16505550193",
            "16505\n50192",
            "16505\t50192",
            "16505\u{2028}50192",
            "1650/5550192",
            "+1650555/0192",
            "+1 650/651 5550192",
            "+1 650/651-5550192",
            "+1 (650/651) 5550192",
            "+1 650/6515550192",
            "650555 \u{2022} 0192",
            "650555\u{a0}\u{2022}\u{200b} 0192",
            "16505550192/93",
            "1/650/5550192",
            "16505550192x7",
            "tel:+16505550192;ext=7",
            "+1 650 555 01½2",
            "+1 650 555 019²",
            "+1 650 555 019Ⅱ",
            "①⑥⑤⓪⑤⑤⑤⓪①⑨②",
            "一六五〇五五五〇一九二",
            "1\u{20e3}6505550192",
            "tel:tel:16505550192",
            "16505550192@c.us",
        ] {
            assert_eq!(read(spelling), Written::Unclear, "{spelling:?}");
        }
        for spelling in [
            "+49 (0) 171 5551234",
            "+49（０）171 5551234",
            "+49 [0]171 5551234",
            "+49 (\u{200b}0 ) 171 5551234",
        ] {
            assert_eq!(read(spelling), Written::Trunk, "{spelling:?}");
        }
    }
}
