//! HTTP/1.1 requests whole, read where they lie.

use std::borrow::Cow;

use httparse::{EMPTY_HEADER, Status};

/// The most header fields of a request.
const MAX_HEADERS: usize = 64;

/// A request with its body.
pub struct Request<'a> {
    pub is_get: bool,
    pub path: &'a str,
    pub authorization: &'a [u8],
    pub body: Cow<'a, [u8]>,
    /// How many bytes of the connection it takes.
    pub length: usize,
}

/// A body, and how many bytes of the connection it takes.
type Body<'a> = (Cow<'a, [u8]>, usize);

/// What is not HTTP.
#[derive(Debug)]
pub struct Malformed;

/// The request at the start of `buffer`; none while a part of it is missing.
pub fn read(buffer: &[u8]) -> Result<Option<Request<'_>>, Malformed> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Status::Complete(head) = request.parse(buffer).map_err(|_| Malformed)? else { return Ok(None) };
    let path = request.path.ok_or(Malformed)?;
    let is_get = request.method == Some("GET");
    let (mut length, mut is_chunked, mut authorization) = (0, false, &b""[..]);
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| Malformed)?;
            length = text.parse().map_err(|_| Malformed)?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked = true;
        } else if header.name.eq_ignore_ascii_case("authorization") {
            authorization = header.value;
        }
    }
    let rest = buffer.get(head..).ok_or(Malformed)?;
    let body =
        if is_chunked { chunks(rest)? } else { rest.get(..length).map(|body| (Cow::Borrowed(body), length)) };
    Ok(body.map(|(body, length)| Request { is_get, path, authorization, body, length: head + length }))
}

/// The body in chunks at the start of `buffer`, and how many bytes of it they take; trailers are not expected.
fn chunks(buffer: &[u8]) -> Result<Option<Body<'_>>, Malformed> {
    let (mut body, mut at) = (Vec::new(), 0);
    while let Status::Complete((start, size)) =
        httparse::parse_chunk_size(buffer.get(at..).ok_or(Malformed)?).map_err(|_| Malformed)?
    {
        let start = at + start;
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size)).ok_or(Malformed)?;
        let Some(chunk) = buffer.get(start..end) else { return Ok(None) };
        let Some(line_end) = buffer.get(end..end + 2) else { return Ok(None) };
        if line_end != b"\r\n" {
            return Err(Malformed);
        }
        at = end + 2;
        if size == 0 {
            return Ok(Some((Cow::Owned(body), at)));
        }
        body.extend_from_slice(chunk);
    }
    Ok(None)
}
