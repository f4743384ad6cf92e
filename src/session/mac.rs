//! HMAC-SHA256 under one key, prepared once.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A key whose first block is already hashed, which halves the work for short messages.
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Prepares `key`.
    pub fn new(key: &[u8; 32]) -> Self {
        // HMAC pads a short key with zeros to the block (RFC 2104 section 2); doing it here leaves no
        // length to get wrong.
        let mut block = [0; 64];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block.into()))
    }

    /// The tag of the parts put together.
    pub(super) fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Whether `tag` is the tag of the parts put together, in constant time.
    pub(super) fn verifies(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        self.over(parts).verify_slice(tag).is_ok()
    }

    /// A digest that only holders of the key can predict. Comparing two of them tells an attacker nothing,
    /// however the comparison is done. Each field goes in with its length, so that fields cannot run together.
    pub fn digest<T: AsRef<[u8]>>(&self, fields: &[T]) -> [u8; 32] {
        let mac = fields.iter().fold(self.0.clone(), |mac, field| {
            let field = field.as_ref();
            mac.chain_update((field.len() as u64).to_be_bytes()).chain_update(field)
        });
        mac.finalize().into_bytes().into()
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        parts.iter().fold(self.0.clone(), |mac, part| mac.chain_update(part))
    }
}

#[cfg(test)]
mod tests {
    use super::MacKey;

    /// RFC 4231 has no 32-byte key, so this is its test case 2 with the key padded to 32 bytes, which
    /// section 2 of RFC 2104 makes the same key.
    #[test]
    fn agrees_with_rfc_4231_case_2() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let tag = MacKey::new(&key).tag(&[b"what do ya want ", b"for nothing?"]);
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn fields_do_not_run_together() {
        let key = MacKey::new(&[1; 32]);
        assert_ne!(key.digest(&["ab", "c"]), key.digest(&["a", "bc"]));
    }
}
