//! The lines around the data of a body that comes in chunks (RFC 9112 section 7.1).

use httparse::Status;
use memchr::{memchr, memrchr};

use super::error::Parsed;
use super::{MAX_FIELDS, ResponseError};

/// The size of the chunk that follows, and how many more bytes its line has.
pub(super) fn chunk_size(bytes: &[u8]) -> Parsed<(u64, usize)> {
    let Some(line) = memchr(b'\n', bytes).and_then(|last| bytes.get(..=last)) else { return Ok(None) };
    // httparse reads a line without any digit as the last chunk.
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    match httparse::parse_chunk_size(line) {
        Ok(Status::Complete((used, size))) if digits > 0 && used == line.len() => {
            Ok(Some(((size, used - digits - 2), used)))
        }
        Ok(Status::Complete(_) | Status::Partial) | Err(_) => Err(ResponseError::Chunk),
    }
}

/// The end of a chunk, behind its data.
pub(super) fn chunk_end(bytes: &[u8]) -> Parsed<()> {
    if bytes == b"\r\n" { Ok(Some(((), 2))) } else { Err(ResponseError::Chunk) }
}

/// The fields behind the last chunk, which are ignored.
pub(super) fn trailers(bytes: &[u8]) -> Parsed<()> {
    let lines = memrchr(b'\n', bytes).and_then(|last| bytes.get(..=last)).unwrap_or_default();
    let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let Status::Complete((used, _)) =
        httparse::parse_headers(lines, &mut room).map_err(|_| ResponseError::Chunk)?
    else {
        return Ok(None);
    };
    // httparse accepts lines that end without a carriage return; others do not.
    let is_bare = |line: &[u8]| line.ends_with(b"\n") && !line.ends_with(b"\r\n");
    let is_sound = !lines.get(..used).unwrap_or_default().split_inclusive(|byte| *byte == b'\n').any(is_bare);
    if is_sound { Ok(Some(((), used))) } else { Err(ResponseError::Chunk) }
}
