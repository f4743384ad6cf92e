//! Message ids in both forms: Cloud's wamid, and the shorter on-prem id.
//!
//! Both name the same three things: the user, who sent the message, and the id that WhatsApp itself gave
//! it. Neither layout is published; both were worked out from samples, so only what fits exactly is
//! converted, by computation and without loss. Everything else keeps the form it has.
//!
//! - wamid: `wamid.` and base64 of a record in Thrift's compact form: `1c`, then `18`, length and digits
//!   of the user, `15 02` (type 1), `00`; `11` when we sent it or `12` when the user did; `18`, length and
//!   the id as upper-case hex; `00`.
//! - on-prem: base64url, without padding, of `80` (we sent it) or `00`; `11`; the number of BCD bytes, its
//!   high bit set when the user has an odd number of digits; the digits as BCD, padded with `f`; `02`; the
//!   length of the id, and its bytes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

const PREFIX: &str = "wamid.";
/// Before the user, and before the direction.
const USER: [u8; 2] = [0x1c, 0x18];
const USER_END: [u8; 3] = [0x15, 0x02, 0x00];
const TEXT: u8 = 0x18;
const END: u8 = 0x00;
/// The second byte of every on-prem id, and the byte before its id.
const ONPREM_USER: u8 = 0x11;
const ONPREM_ID: u8 = 0x02;
/// Set in the count of BCD bytes when the last of them holds one digit.
const ODD: u8 = 0x80;
/// A length of Thrift that takes one byte.
const LONGEST: usize = 0x7f;
/// Neither form of an id that fits is longer; bounds the work on a stranger's text.
const LONGEST_TEXT: usize = 400;

/// `compat.message_ids`: which form clients see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageIds {
    /// Cloud's wamids, as they are.
    #[default]
    Cloud,
    /// The on-prem form, for clients whose columns or checks expect it.
    Onprem,
}

impl MessageIds {
    /// The id that a client sees for `wamid`.
    pub fn for_client(self, wamid: &str) -> Cow<'_, str> {
        match self {
            Self::Cloud => Cow::Borrowed(wamid),
            Self::Onprem => to_onprem(wamid),
        }
    }
}

/// The on-prem form of a wamid; anything else, and a wamid that does not fit, as it is.
pub fn to_onprem(id: &str) -> Cow<'_, str> {
    read_wamid(id).map_or(Cow::Borrowed(id), |id| Cow::Owned(id.onprem()))
}

/// The wamid of an on-prem id; anything else as it is, so that either form can be sent back.
pub fn to_cloud(id: &str) -> Cow<'_, str> {
    read_onprem(id).map_or(Cow::Borrowed(id), |id| Cow::Owned(id.wamid()))
}

/// An id for a message that Cloud refused and so gave none, in the form of a wamid. `user` is the recipient's
/// number; `random` makes it unlike every other.
pub fn made_up(user: Option<&str>, random: [u8; 9]) -> String {
    let digits = user.and_then(|user| {
        user.bytes().map(|byte| byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))).collect::<Option<_>>()
    });
    let parts = digits.and_then(|digits| Parts::new(true, digits, random.to_vec()));
    // Who has no number is named by no id that fits; such an id has no on-prem form anyway.
    parts.map_or_else(|| format!("{PREFIX}{}", STANDARD.encode(random)), |parts| parts.wamid())
}

/// What an id says.
struct Parts {
    is_ours: bool,
    /// One to 127 digits, each as its value.
    user: Vec<u8>,
    /// One to 63 bytes.
    id: Vec<u8>,
}

impl Parts {
    fn new(is_ours: bool, user: Vec<u8>, id: Vec<u8>) -> Option<Self> {
        let fits = |length: usize| (1..=LONGEST).contains(&length);
        (fits(user.len()) && fits(id.len() * 2)).then_some(Self { is_ours, user, id })
    }

    fn onprem(&self) -> String {
        let mut bytes = Vec::with_capacity(5 + self.user.len() / 2 + self.id.len());
        bytes.extend([if self.is_ours { 0x80 } else { 0x00 }, ONPREM_USER]);
        let odd = if self.user.len() % 2 == 1 { ODD } else { 0 };
        bytes.push(length(self.user.len().div_ceil(2)) | odd);
        for pair in self.user.chunks(2) {
            let (high, low) = match pair {
                [high, low] => (*high, *low),
                [high] => (*high, 0x0f),
                _ => continue,
            };
            bytes.push(high << 4 | low);
        }
        bytes.extend([ONPREM_ID, length(self.id.len())]);
        bytes.extend(&self.id);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn wamid(&self) -> String {
        let mut record = Vec::with_capacity(10 + self.user.len() + self.id.len() * 2);
        record.extend(USER);
        record.push(length(self.user.len()));
        record.extend(self.user.iter().map(|digit| b'0' + digit));
        record.extend(USER_END);
        record.extend([if self.is_ours { 0x11 } else { 0x12 }, TEXT, length(self.id.len() * 2)]);
        record.extend(self.id.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 0x0f)]));
        record.push(END);
        let mut wamid = String::with_capacity(PREFIX.len() + record.len().div_ceil(3) * 4);
        wamid.push_str(PREFIX);
        STANDARD.encode_string(&record, &mut wamid);
        wamid
    }
}

/// Base64 is read strictly (padding, no stray bits), so that equal records have equal texts.
fn read_wamid(id: &str) -> Option<Parts> {
    let text = id.strip_prefix(PREFIX).filter(|text| text.len() <= LONGEST_TEXT)?;
    let record = STANDARD.decode(text).ok()?;
    let rest = record.strip_prefix(&USER)?;
    let (user, rest) = counted(rest)?;
    let rest = rest.strip_prefix(&USER_END)?;
    let (direction, rest) = rest.split_first()?;
    let is_ours = match direction {
        0x11 => true,
        0x12 => false,
        _ => return None,
    };
    let (id, rest) = counted(rest.strip_prefix(&[TEXT])?)?;
    if rest != [END] || id.len() % 2 == 1 {
        return None;
    }
    let user = user.iter().map(|byte| byte.is_ascii_digit().then(|| byte - b'0')).collect::<Option<_>>()?;
    let id = id
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(unhex(*high)? << 4 | unhex(*low)?),
            _ => None,
        })
        .collect::<Option<_>>()?;
    Parts::new(is_ours, user, id)
}

fn read_onprem(id: &str) -> Option<Parts> {
    if id.len() > LONGEST_TEXT {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
    let (direction, rest) = bytes.split_first()?;
    let is_ours = match direction {
        0x80 => true,
        0x00 => false,
        _ => return None,
    };
    let (count, rest) = rest.strip_prefix(&[ONPREM_USER])?.split_first()?;
    let (bcd, rest) = rest.split_at_checked(usize::from(count & !ODD))?;
    let (id, rest) = counted(rest.strip_prefix(&[ONPREM_ID])?)?;
    let mut user: Vec<u8> = bcd.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).collect();
    if count & ODD != 0 && user.pop() != Some(0x0f) {
        return None;
    }
    if !rest.is_empty() || user.iter().any(|digit| *digit > 9) {
        return None;
    }
    Parts::new(is_ours, user, id.to_vec())
}

/// One byte of length, then that many bytes; and what follows.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*count))
}

/// Every length here was checked to be at most [`LONGEST`].
fn length(count: usize) -> u8 {
    u8::try_from(count).unwrap_or(u8::MAX)
}

fn hex(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) }
}

fn unhex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_read() {
        let cloud = "wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI4MjZGRDA0OUE2OTQ3RkEyMzcA";
        let parts = read_wamid(cloud).unwrap();
        assert_eq!((parts.is_ours, parts.user.len(), parts.id.len()), (true, 11, 9));
        assert_eq!(parts.id, [0x82, 0x6f, 0xd0, 0x49, 0xa6, 0x94, 0x7f, 0xa2, 0x37]);
        let onprem = to_onprem(cloud);
        assert_eq!((onprem.len(), &onprem[..4]), (27, "gBGG"));
        assert_eq!(to_cloud(&onprem), cloud);
        for (sample, is_ours, digits, id) in [
            ("gBGGFlAwCWFvAgkyHMGKnRu4JeA", true, "16503009616", 9),
            ("gBEGkYiEB1VXAglK1ZEqA1YKPrU", true, "918884075557", 9),
            ("ABGGFlA5FpafAgo6tHcNmNjXmuSf", false, "16503916969", 10),
            ("gBGGEgZHMlEfAgkM1RBkhDRr7t8", true, "12064732511", 9),
        ] {
            let parts = read_onprem(sample).expect(sample);
            let user: String = parts.user.iter().map(|digit| char::from(b'0' + digit)).collect();
            assert_eq!((parts.is_ours, user.as_str(), parts.id.len()), (is_ours, digits, id));
            assert_eq!(to_onprem(&to_cloud(sample)), sample);
        }
    }

    #[test]
    fn an_inbound_sample_has_sixteen_bytes() {
        let cloud = "wamid.HBgLMTIwNjU1NTAxMDcVAgASGCA5RDhBNENEMEQ3RENEOEEzMEI0RUExRDczN0I1NThFQwA=";
        let parts = read_wamid(cloud).unwrap();
        assert_eq!((parts.is_ours, parts.id.len()), (false, 16));
        assert_eq!(to_cloud(&to_onprem(cloud)), cloud);
    }

    #[test]
    fn what_does_not_fit_stays_as_it_is() {
        let record = |bytes: &[u8]| format!("{PREFIX}{}", STANDARD.encode(bytes));
        let wamid = |user: &[u8], id: &[u8]| {
            let head = [&USER[..], &[length(user.len())], user, &USER_END, &[0x11, TEXT]].concat();
            record(&[&head, &[length(id.len())][..], id, &[END]].concat())
        };
        assert_ne!(to_onprem(&wamid(b"16", b"AB")), wamid(b"16", b"AB"), "the shape itself fits");
        for id in [
            String::new(),
            PREFIX.to_owned(),
            "wamid.test".to_owned(),
            wamid(b"US.1349", b"AB"),
            wamid(b"16", b"ab"),
            wamid(b"16", b"ABC"),
            wamid(b"16", b""),
            wamid(b"", b"AB"),
            wamid(b"16", b"AB").trim_end_matches('=').to_owned(),
            record(b"\x1c\x18\x0216\x15\x02\x00\x13\x18\x02AB\x00"),
            record(b"\x1c\x18\x0216\x15\x02\x00\x11\x18\x02AB\x00\x00"),
            record(b"\x1c\x18\x7f16"),
            format!("{PREFIX}{}", "A".repeat(100_000)),
        ] {
            assert_eq!(to_onprem(&id), id);
            assert_eq!(to_cloud(&id), id);
        }
        for bytes in [
            &b"\x80\x11\x01\x16\x02\x01\xab\x00"[..],
            b"\x80\x11\x81\x16\x02\x01\xab",
            b"\x80\x11\x01\x1f\x02\x01\xab",
            b"\x80\x11\x00\x02\x01\xab",
            b"\x80\x11\x80\x02\x01\xab",
            b"\x80\x11\x01\x16\x02\x00",
            b"\x40\x11\x01\x16\x02\x01\xab",
            b"\x80\x11\x7f\x16",
        ] {
            let id = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(to_cloud(&id), id);
        }
        assert_ne!(to_cloud(&URL_SAFE_NO_PAD.encode(b"\x80\x11\x01\x16\x02\x01\xab")).len(), 0);
    }

    #[test]
    fn only_the_option_changes_what_clients_see() {
        let cloud = "wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI4MjZGRDA0OUE2OTQ3RkEyMzcA";
        assert_eq!(MessageIds::Cloud.for_client(cloud), cloud);
        assert_eq!(MessageIds::Onprem.for_client(cloud), to_onprem(cloud));
    }
}
