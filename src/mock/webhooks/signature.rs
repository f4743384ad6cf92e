//! Bodies as Graph writes them, and their signature.

use std::fmt::Write as _;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::super::content::hex;

/// The JSON in ASCII: Graph escapes everything else, with lower-case digits, and signs the escaped text
/// ("Validating Payloads"). A reader that signs what it parsed gets another signature.
pub(super) fn escaped(json: &Value) -> Bytes {
    let plain = json.to_string();
    let mut ascii = String::with_capacity(plain.len());
    for character in plain.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        // JSON has such characters within strings only, where an escape may stand for each UTF-16 unit (RFC 8259
        // section 7).
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string never fails.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii.into()
}

/// The value of `X-Hub-Signature-256` for this body.
pub(super) fn signature(app_secret: &str, body: &[u8]) -> String {
    // HMAC takes keys of any length (RFC 2104 section 2), so there is no other case.
    let tag = Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()).map(|mut mac| {
        mac.update(body);
        hex(&mac.finalize().into_bytes())
    });
    format!("sha256={}", tag.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn signs_the_sample_of_rfc_4231() {
        // Section 4.3, test case 2.
        assert_eq!(
            signature("Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn escapes_with_lower_case_digits_and_pairs() {
        let json = json!({"a": "äöå 😀 \"\\\n/ \u{7f}"});
        let expected = r#"{"a":"\u00e4\u00f6\u00e5 \ud83d\ude00 \"\\\n/ "#.to_owned() + "\u{7f}\"}";
        assert_eq!(escaped(&json), expected);
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn escaping_changes_no_value(key in any::<String>(), text in any::<String>()) {
            let json = json!({ key: [text] });
            let bytes = escaped(&json);
            prop_assert!(bytes.is_ascii());
            prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), json);
        }
    }
}
