//! Header fields.

use std::mem::MaybeUninit;

pub use httparse::Header as Field;

use super::MAX_FIELDS;

/// Room for the fields of a head.
pub type Room<'b> = [MaybeUninit<Field<'b>>; MAX_FIELDS];

/// Room in which nothing is yet.
pub const ROOM: Room<'static> = [const { MaybeUninit::uninit() }; MAX_FIELDS];

/// The values of `name` among `fields`.
pub(super) fn values<'a>(fields: &'a [Field<'_>], name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// Names and values of the fields in `lines`, which are whole lines of a head that could be read.
pub fn field_lines(lines: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        Some((line.get(..colon)?, line.get(colon + 1..)?.trim_ascii()))
    })
}

/// Start and end of `part` within `bytes`, which it is a part of.
pub fn span(bytes: &[u8], part: &[u8]) -> Option<(usize, usize)> {
    let start = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    let end = start + part.len();
    (end <= bytes.len()).then_some((start, end))
}

/// A number without a sign, which `parse` would allow.
pub(super) fn digits(text: &[u8]) -> Option<usize> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if is_number { str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A `Retry-After` that is a number of seconds (RFC 9110 section 10.2.3); a date is ignored.
pub fn retry_after(value: &[u8]) -> Option<u32> {
    str::from_utf8(value).ok()?.trim_ascii().parse().ok()
}
