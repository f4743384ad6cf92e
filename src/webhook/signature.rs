//! Whether a webhook is Cloud's: `X-Hub-Signature-256` over the raw bytes.
//!
//! Source: Graph API webhooks, "Validating payloads". Non-ASCII text arrives escaped and is signed as it arrives,
//! so the bytes are checked before anything is parsed.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header.
pub const SIGNATURE: &str = "x-hub-signature-256";
/// What its value begins with.
const PREFIX: &[u8] = b"sha256=";

/// The secrets of all apps, and for which numbers each may speak.
#[derive(Clone, Default)]
pub struct Secrets(Vec<App>);

/// Numbers of one app share its secret.
#[derive(Clone)]
struct App {
    secret: Vec<u8>,
    mac: Hmac<Sha256>,
    numbers: Arc<Vec<String>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// A valid signature.
#[derive(Clone, Debug)]
pub struct Signed(Arc<Vec<String>>);

impl Signed {
    /// Whether the secret that it was made with is one of this number's: an app that signs for its own numbers
    /// must not speak for another's.
    pub fn speaks_for(&self, number: &str) -> bool {
        self.0.iter().any(|known| known == number)
    }
}

/// Why a body is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// There is no signature, or it has not the form of one.
    Missing,
    /// It was made with none of the secrets, or over another body.
    Wrong,
}

impl Secrets {
    /// Lets whoever has `secret` speak for `number`, which may have several while one is being replaced.
    pub fn add(&mut self, number: &str, secret: &[u8]) {
        if let Some(app) = self.0.iter_mut().find(|app| app.secret == secret) {
            Arc::make_mut(&mut app.numbers).push(number.to_owned());
            return;
        }
        // HMAC takes keys of every length (RFC 2104 section 2).
        if let Ok(mac) = Hmac::new_from_slice(secret) {
            let numbers = Arc::new(vec![number.to_owned()]);
            self.0.push(App { secret: secret.to_vec(), mac, numbers });
        }
    }

    /// Checks the value of [`SIGNATURE`], in constant time for each secret.
    pub fn verify(&self, signature: Option<&[u8]>, body: &[u8]) -> Result<Signed, Unsigned> {
        let given = signature.and_then(read).ok_or(Unsigned::Missing)?;
        let is_of = |app: &&App| app.mac.clone().chain_update(body).verify_slice(&given).is_ok();
        self.0.iter().find(is_of).map(|app| Signed(Arc::clone(&app.numbers))).ok_or(Unsigned::Wrong)
    }
}

/// Whether a value of [`SIGNATURE`] has the form of one.
pub fn is_signature(value: &[u8]) -> bool {
    read(value).is_some()
}

fn read(value: &[u8]) -> Option<[u8; 32]> {
    value.strip_prefix(PREFIX).and_then(unhex)
}

fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != bytes.len() * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secrets() -> Secrets {
        let mut secrets = Secrets::default();
        secrets.add("1", b"one");
        secrets.add("2", b"one");
        secrets.add("2", b"old two");
        secrets.add("3", b"three");
        secrets
    }

    /// Made with `openssl dgst -sha256 -hmac one` over `{"a":"\u00e4"}`, escapes as they stand here.
    const OF_ONE: &str = "sha256=faaebed10321ed51fd329ccd6f32bd73acad6e5b62d3450b5e723d12d2e4d8ea";

    #[test]
    fn a_signature_speaks_for_the_numbers_of_its_secret() {
        let body = br#"{"a":"\u00e4"}"#;
        let secrets = secrets();
        let signed = secrets.verify(Some(OF_ONE.as_bytes()), body).unwrap();
        assert_eq!(["1", "2", "3"].map(|number| signed.speaks_for(number)), [true, true, false]);
        let signed = secrets.verify(Some(OF_ONE.to_uppercase().replace("SHA", "sha").as_bytes()), body);
        assert!(signed.is_ok(), "hexadecimal digits of either case");
        let changed = "{\"a\":\"ä\"}".as_bytes();
        assert_eq!(secrets.verify(Some(OF_ONE.as_bytes()), changed).unwrap_err(), Unsigned::Wrong);
        assert_eq!(Secrets::default().verify(Some(OF_ONE.as_bytes()), body).unwrap_err(), Unsigned::Wrong);
    }

    #[test]
    fn what_is_no_signature_is_missing() {
        let long = format!("{OF_ONE}0");
        for value in
            [None, Some(""), Some("sha256="), Some("sha1=00"), Some(&OF_ONE[7..]), Some(long.as_str())]
        {
            let verified = secrets().verify(value.map(str::as_bytes), b"{}").map(|_| ());
            assert_eq!(verified, Err(Unsigned::Missing), "{value:?}");
        }
    }

    #[test]
    fn each_bit_of_a_signature_counts() {
        let body = br#"{"a":"\u00e4"}"#;
        let good = unhex(&OF_ONE.as_bytes()[7..]).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad: String = bad.iter().map(|byte| format!("{byte:02x}")).collect();
            let verified = secrets().verify(Some(format!("sha256={bad}").as_bytes()), body).map(drop);
            assert_eq!(verified.unwrap_err(), Unsigned::Wrong, "bit {bit}");
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn nothing_else_passes(value in prop::collection::vec(any::<u8>(), 0..80), body in any::<Vec<u8>>()) {
            prop_assert!(secrets().verify(Some(&value), &body).is_err());
        }
    }
}
