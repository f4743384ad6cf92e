//! Reads one response, in whatever pieces its bytes come.

use std::mem;

use http::StatusCode;
use memchr::memchr;

use super::chunks::{chunk_end, chunk_size, trailers};
use super::error::{Parsed, ResponseError};
use super::response::{Framing, Head, head};

/// The largest head.
const MAX_HEAD: usize = 64 * 1024;
/// Interim responses before the final one (RFC 9110 section 15.2).
const MAX_INTERIM: u8 = 16;
/// What is ignored in a chunked body: all chunk extensions together, and the trailers.
const MAX_IGNORED: usize = 8 * 1024;
/// Allocated at once for a body that announces its length; beyond that only what has arrived.
const MAX_RESERVED: usize = 64 * 1024;

/// Reads one response.
pub struct ResponseReader {
    max_body: usize,
    state: State,
    /// Incomplete lines.
    held: Vec<u8>,
    /// The head of the final response, once it was read.
    head: Option<Head>,
    body: Vec<u8>,
    /// Interim responses so far.
    interim: u8,
    /// Bytes of chunk extensions so far.
    ignored: usize,
}

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// Its `Retry-After`, when that is a number of seconds.
    pub retry_after: Option<u32>,
    /// Its body.
    pub body: Vec<u8>,
    /// Whether another one may follow on the same connection.
    pub keeps_connection: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    /// The rest of a body of known length.
    Length(usize),
    UntilEnd,
    ChunkSize,
    /// The rest of a chunk.
    Chunk(usize),
    ChunkEnd,
    Trailers,
    Done,
}

impl ResponseReader {
    /// For a response with a body of up to `max_body` bytes.
    pub fn new(max_body: usize) -> Self {
        Self::with_buffer(max_body, Vec::new())
    }

    /// The same, with `body` as the memory of the body; what is in it goes.
    pub fn with_buffer(max_body: usize, mut body: Vec<u8>) -> Self {
        body.clear();
        Self { max_body, state: State::Head, held: Vec::new(), head: None, body, interim: 0, ignored: 0 }
    }

    /// Whether the head of the final response is there.
    pub fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// Reads what has arrived. Not to be called again after a response or an error.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Response>, ResponseError> {
        let mut rest = bytes;
        loop {
            let next = match self.state {
                State::Head => {
                    let head = self.lines(&mut rest, MAX_HEAD, head)?;
                    head.map(|head| self.begin(head)).transpose()?
                }
                State::Length(left) => match self.data(&mut rest, left) {
                    0 => Some(State::Done),
                    left => self.wait(State::Length(left)),
                },
                State::UntilEnd => {
                    let room = self.max_body - self.body.len();
                    self.data(&mut rest, room);
                    if !rest.is_empty() {
                        return Err(ResponseError::TooLarge(self.max_body));
                    }
                    None
                }
                State::ChunkSize => {
                    let line = self.lines(&mut rest, MAX_IGNORED, chunk_size)?;
                    line.map(|(size, extensions)| self.chunk(size, extensions)).transpose()?
                }
                State::Chunk(left) => match self.data(&mut rest, left) {
                    0 => Some(State::ChunkEnd),
                    left => self.wait(State::Chunk(left)),
                },
                State::ChunkEnd => {
                    let end = self.lines(&mut rest, 2, chunk_end).map_err(|_| ResponseError::Chunk)?;
                    end.map(|()| State::ChunkSize)
                }
                State::Trailers => self.lines(&mut rest, MAX_IGNORED, trailers)?.map(|()| State::Done),
                State::Done => return self.finish(rest.is_empty()).map(Some),
            };
            match next {
                Some(next) => self.state = next,
                None => return Ok(None),
            }
        }
    }

    /// The connection was closed in good order, which ends some responses.
    pub fn end(&mut self) -> Result<Response, ResponseError> {
        match self.state {
            State::UntilEnd => self.finish(false),
            State::Head => Err(ResponseError::NoResponse),
            State::Length(_)
            | State::ChunkSize
            | State::Chunk(_)
            | State::ChunkEnd
            | State::Trailers
            | State::Done => Err(ResponseError::Incomplete),
        }
    }

    /// Waits for more bytes in `state`.
    fn wait(&mut self, state: State) -> Option<State> {
        self.state = state;
        None
    }

    /// What follows a head.
    fn begin(&mut self, head: Head) -> Result<State, ResponseError> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(ResponseError::Switch);
        }
        if head.status.is_informational() {
            self.interim += 1;
            return if self.interim > MAX_INTERIM { Err(ResponseError::Interim) } else { Ok(State::Head) };
        }
        let next = match head.framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length > self.max_body => {
                return Err(ResponseError::TooLarge(self.max_body));
            }
            Framing::Length(length) => {
                self.body.reserve_exact(length.min(MAX_RESERVED));
                State::Length(length)
            }
            Framing::Chunked => State::ChunkSize,
            Framing::UntilEnd => State::UntilEnd,
        };
        self.head = Some(head);
        Ok(next)
    }

    /// What follows a chunk's first line, whose extensions have so many bytes.
    fn chunk(&mut self, size: u64, extensions: usize) -> Result<State, ResponseError> {
        self.ignored += extensions;
        if self.ignored > MAX_IGNORED {
            return Err(ResponseError::LongLines(MAX_IGNORED));
        }
        let room = self.max_body - self.body.len();
        match usize::try_from(size) {
            Ok(0) => Ok(State::Trailers),
            Ok(size) if size <= room => Ok(State::Chunk(size)),
            Ok(_) | Err(_) => Err(ResponseError::TooLarge(self.max_body)),
        }
    }

    /// Moves at most `left` bytes to the body, and says how many are missing.
    fn data(&mut self, rest: &mut &[u8], left: usize) -> usize {
        let (data, behind) = rest.split_at_checked(left).unwrap_or((rest, &[]));
        self.body.extend_from_slice(data);
        *rest = behind;
        left - data.len()
    }

    /// Gives `parse` what is held together with `rest` whenever a line has come to its end. It says how much it used, up
    /// to `max` bytes, or that something is missing; then everything is held.
    fn lines<T>(
        &mut self,
        rest: &mut &[u8],
        max: usize,
        parse: impl FnOnce(&[u8]) -> Parsed<T>,
    ) -> Result<Option<T>, ResponseError> {
        let before = self.held.len();
        if before > 0 {
            self.held.extend_from_slice(rest);
        }
        let all: &[u8] = if before > 0 { &self.held } else { rest };
        let seen = all.get(..max).unwrap_or(all);
        let has_line = memchr(b'\n', seen.get(before..).unwrap_or_default()).is_some();
        if has_line && let Some((found, used)) = parse(seen)? {
            *rest = rest.get(used.saturating_sub(before)..).unwrap_or_default();
            self.held = Vec::new();
            return Ok(Some(found));
        }
        if all.len() >= max {
            return Err(ResponseError::LongLines(max));
        }
        if before == 0 {
            self.held = rest.to_vec();
        }
        *rest = &[];
        Ok(None)
    }

    fn finish(&mut self, is_all: bool) -> Result<Response, ResponseError> {
        let Head { status, retry_after, keeps_connection, .. } =
            self.head.take().ok_or(ResponseError::NoResponse)?;
        // What comes behind a response was not asked for: who knows whose it is.
        let keeps_connection = keeps_connection && is_all;
        Ok(Response { status, retry_after, body: mem::take(&mut self.body), keeps_connection })
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
