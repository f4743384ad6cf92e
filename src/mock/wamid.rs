//! Message, media, template and trace ids that look like Meta's and are the same in every run with the same seed.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// Counting by [`STEP`] meets every number below this once, since they have no common divisor.
const TURN: u64 = 100_000_000;
const STEP: u64 = 61_803_399;
/// `STEP * STEP_BACK % TURN` is 1.
const STEP_BACK: u64 = 82_636_599;

/// The business sent the message.
const OURS: u8 = 0x11;
/// The user sent it.
const THEIRS: u8 = 0x12;

/// Makes the ids of one mock: equal seeds give equal ids for equal counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ids {
    seed: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The id of the `n`th message, sent to `user`. It has nine bytes, as those that Cloud gives to messages we
    /// send.
    pub(super) fn wamid(self, n: u64, user: &str) -> String {
        encode(user, &upper_hex(&self.hash(b"wamid", n), 9))
    }

    /// The id of the `n`th message that came from `user`. It has sixteen bytes, as that of Meta's sample of an
    /// incoming message.
    pub(super) fn inbound_wamid(self, n: u64, user: &str) -> String {
        record(user, THEIRS, &upper_hex(&self.hash(b"inbound", n), 16))
    }

    /// The `n`th challenge to the owner of a webhook: ten digits.
    pub(super) fn challenge(self, n: u64) -> String {
        let [a, b, c, d, ..] = self.hash(b"challenge", n);
        format!("{}", 1_000_000_000 + u64::from(u32::from_be_bytes([a, b, c, d])))
    }

    /// The `fbtrace_id` and `x-fb-request-id` of the `n`th request: `A` and 22 characters.
    pub(super) fn trace(self, n: u64) -> String {
        let hash = self.hash(b"trace", n);
        let mut trace = String::with_capacity(23);
        trace.push('A');
        URL_SAFE_NO_PAD.encode_string(hash.get(..16).unwrap_or_default(), &mut trace);
        trace
    }

    /// The id of the `n`th file: fifteen digits, of which the last eight tell `n`. They differ for the first
    /// hundred million files.
    pub(super) fn media(self, n: u64) -> String {
        let [a, b, c, d, ..] = self.hash(b"media", n);
        let lead = 1_000_000 + u64::from(u32::from_be_bytes([a, b, c, d])) % 9_000_000;
        format!("{lead}{:08}", (n % TURN * STEP + self.seed % TURN) % TURN)
    }

    /// The `n` of a media id; none for what is no media id of this mock.
    pub(super) fn media_place(self, id: &str) -> Option<u64> {
        let last: u64 = id.get(7..)?.parse().ok()?;
        let n = (last % TURN + TURN - self.seed % TURN) % TURN * STEP_BACK % TURN;
        (self.media(n) == id).then_some(n)
    }

    /// The id of the `n`th template: fifteen digits, of which the last six tell `n`.
    pub(super) fn template(self, n: u64) -> String {
        (900_000_000_000_000 + self.seed % 99_000_000 * 1_000_000 + n).to_string()
    }

    /// A secret about a media id.
    pub(super) fn secret(self, id: &str) -> [u8; 32] {
        self.hash(id.as_bytes(), 0)
    }

    fn hash(self, purpose: &[u8], n: u64) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(purpose);
        hasher.update(self.seed.to_be_bytes());
        hasher.update(n.to_be_bytes());
        hasher.finalize().into()
    }
}

/// Encodes an outgoing wamid: `wamid.` and base64 of the record that was worked out from samples.
///
/// The record is Thrift compact: a struct of the user and type 1, then the direction, here that we sent it, then
/// the id as text.
pub fn encode(user: &str, id: &str) -> String {
    record(user, OURS, id)
}

fn record(user: &str, direction: u8, id: &str) -> String {
    let mut record = Vec::with_capacity(user.len() + id.len() + 12);
    record.extend_from_slice(&[0x1c, 0x18]);
    push_text(&mut record, user);
    record.extend_from_slice(&[0x15, 0x02, 0x00, direction, 0x18]);
    push_text(&mut record, id);
    record.push(0x00);
    let mut wamid = String::with_capacity(6 + record.len().div_ceil(3) * 4);
    wamid.push_str("wamid.");
    STANDARD.encode_string(&record, &mut wamid);
    wamid
}

/// A compact string is its length as a varint, then its bytes.
fn push_text(record: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length > 0x7f {
        record.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    record.push((length & 0x7f) as u8);
    record.extend_from_slice(text.as_bytes());
}

fn upper_hex(bytes: &[u8], length: usize) -> String {
    let mut hex = String::with_capacity(2 * length);
    for byte in bytes.iter().take(length) {
        hex.push(hex_digit(byte >> 4));
        hex.push(hex_digit(byte & 15));
    }
    hex
}

fn hex_digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_the_published_sample() {
        assert_eq!(
            encode("16467043595", "826FD049A6947FA237"),
            "wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI4MjZGRDA0OUE2OTQ3RkEyMzcA"
        );
    }

    #[test]
    fn ids_depend_on_seed_and_counter_only() {
        let ids = Ids::new(7);
        assert_eq!(ids.wamid(1, "15551234567"), Ids::new(7).wamid(1, "15551234567"));
        assert_ne!(ids.wamid(1, "15551234567"), ids.wamid(2, "15551234567"));
        assert_ne!(ids.wamid(1, "15551234567"), Ids::new(8).wamid(1, "15551234567"));
        assert_eq!(ids.trace(3).len(), 23);
        assert_ne!(ids.trace(3), ids.trace(4));
    }

    #[test]
    fn media_ids_are_digits_and_tell_their_place() {
        assert_eq!(STEP * STEP_BACK % TURN, 1);
        for seed in [0, 7, u64::MAX] {
            let ids = Ids::new(seed);
            for n in [0, 1, 2, 99, TURN - 1] {
                let id = ids.media(n);
                assert!(id.len() == 15 && id.bytes().all(|byte| byte.is_ascii_digit()), "{id}");
                assert_eq!(ids.media_place(&id), Some(n));
                assert_ne!(Ids::new(5).media_place(&id), Some(n));
            }
            for id in ["", "1", "106540352242922", "+00000000000000", "1000000é0000000"] {
                assert_eq!(ids.media_place(id), None, "{id}");
            }
        }
    }

    #[test]
    fn an_id_has_nine_bytes_in_upper_hex() {
        let wamid = Ids::new(0).wamid(0, "15551234567");
        let record = STANDARD.decode(wamid.strip_prefix("wamid.").unwrap()).unwrap();
        let id = std::str::from_utf8(&record[20..38]).unwrap();
        assert!(id.chars().all(|c| c.is_ascii_digit() || ('A'..='F').contains(&c)), "{id}");
        assert_eq!(encode("15551234567", id), wamid);
    }

    #[test]
    fn an_incoming_id_has_sixteen_bytes_and_the_other_direction() {
        let ids = Ids::new(7);
        let wamid = ids.inbound_wamid(0, "16505551234");
        // All that Meta's sample of an incoming message shares with ours: user, type and direction.
        assert!(wamid.starts_with("wamid.HBgLMTY1MDU1NTEyMzQVAgASGC"), "{wamid}");
        let record = STANDARD.decode(wamid.strip_prefix("wamid.").unwrap()).unwrap();
        assert_eq!((record[19], record.len()), (32, 20 + 32 + 1));
        assert_eq!(wamid, Ids::new(7).inbound_wamid(0, "16505551234"));
        assert_ne!(wamid, ids.inbound_wamid(1, "16505551234"));
    }

    #[test]
    fn a_challenge_is_ten_digits() {
        for n in 0..100 {
            let challenge = Ids::new(n).challenge(n);
            assert!(challenge.len() == 10 && challenge.bytes().all(|byte| byte.is_ascii_digit()));
            assert_ne!(challenge, Ids::new(n).challenge(n + 1));
        }
    }

    #[test]
    fn a_long_user_id_has_a_two_byte_length() {
        let user = "US.".to_owned() + &"7".repeat(128);
        let record = STANDARD.decode(encode(&user, "AA").strip_prefix("wamid.").unwrap()).unwrap();
        assert_eq!(&record[..4], &[0x1c, 0x18, 0x83, 0x01]);
    }
}
