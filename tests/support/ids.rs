//! Ids as Cloud makes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A wamid with these parts, whether or not they are usual ones; each at most 127 bytes long.
pub fn wamid(is_ours: bool, user: &str, id: &str) -> String {
    let mut record = vec![0x1c, 0x18, u8::try_from(user.len()).unwrap()];
    record.extend(user.bytes());
    record.extend([0x15, 0x02, 0x00, if is_ours { 0x11 } else { 0x12 }, 0x18]);
    record.push(u8::try_from(id.len()).unwrap());
    record.extend(id.bytes());
    record.push(0);
    format!("wamid.{}", STANDARD.encode(record))
}
