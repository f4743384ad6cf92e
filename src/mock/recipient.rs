//! How Cloud reads `to` (Send messages, "Phone Number Formats").

/// A phone number as Cloud would dial it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phone {
    /// The digits with their country code.
    pub(super) wa_id: String,
    /// Whether the sender wrote the `+` that Meta recommends.
    pub(super) plus: bool,
}

/// Reads a number of digits with `+`, blanks, hyphens and brackets; anything else is not a number.
///
/// Without `+` Cloud prepends the country code of the business, which is `country` when it is not empty.
pub(super) fn phone(to: &str, country: &str) -> Option<Phone> {
    let to = to.trim();
    let (plus, rest) = match to.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, to),
    };
    if !rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '-' | '(' | ')')) {
        return None;
    }
    let mut wa_id = if plus { String::new() } else { country.to_owned() };
    wa_id.extend(rest.chars().filter(char::is_ascii_digit));
    // No country code begins with 0; Cloud is reported to refuse the 00 prefix. E.164 ends at 15 digits.
    let dialable = (5..=15).contains(&wa_id.len()) && !wa_id.starts_with('0');
    dialable.then_some(Phone { wa_id, plus })
}

/// The digits of a number, for comparing two spellings.
pub(super) fn digits(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::phone;

    #[test]
    fn follows_metas_table_for_a_business_in_india() {
        for (to, wa_id) in [
            ("+16315551234", "16315551234"),
            ("+1 (631) 555-1234", "16315551234"),
            ("(631) 555-1234", "916315551234"),
            ("1 (631) 555-1234", "9116315551234"),
        ] {
            assert_eq!(phone(to, "91").unwrap().wa_id, wa_id);
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for to in ["", "+", "+1555x", "1234", "+1234567890123456", "00491701234567", "1+5551234", "US.1349"] {
            assert_eq!(phone(to, ""), None, "{to}");
        }
        assert!(!phone("15551234567", "").unwrap().plus);
    }
}
