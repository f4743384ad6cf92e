//! Answers of HTTP/1.1: where each ends, and what it says.
//!
//! Pure: bytes go in, in whatever pieces they come, and an answer comes out. Heads are read by httparse; where the body
//! ends is decided here (RFC 9112 section 6.3), and more strictly than the RFC asks for. An answer that could be read in
//! two ways is none: whoever reads it in the wrong one takes the rest for the answer to the next message.

mod broken;
mod chunks;
mod head;

use std::mem;

use http::StatusCode;
use memchr::memchr;

pub use self::broken::Broken;
use self::chunks::{chunk_end, chunk_size, trailers};
use self::head::{Framing, Head, head};
use super::super::Answer;

/// The largest head that is read.
pub const MOST_HEAD: usize = 64 * 1024;
/// The most fields of a head, and of trailers.
const MOST_FIELDS: usize = 100;
/// The most heads that announce an answer and are none (RFC 9110 section 15.2).
const MOST_INTERIM: u8 = 16;
/// The most of what is read and forgotten in a body of chunks: their extensions together, and the trailers.
const MOST_EXTRA: usize = 8 * 1024;
/// Room is made at once for a body that says to have this length at most; a longer one has to come first.
const MOST_ROOM: usize = 64 * 1024;

/// Reads one answer.
pub struct Reader {
    /// The largest body that is read.
    most: usize,
    state: State,
    /// Lines of which not all is there yet.
    held: Vec<u8>,
    /// The answer's own head, once it was read.
    head: Option<Head>,
    body: Vec<u8>,
    /// How many heads were none.
    interim: u8,
    /// Bytes of extensions so far.
    extra: usize,
}

/// An answer that came to its end.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// The answer.
    pub answer: Answer,
    /// Whether another one may follow on the same connection.
    pub keeps_line: bool,
}

/// What was found in some bytes, and how many of them it took; nothing when there have to be more.
type Parsed<T> = Result<Option<(T, usize)>, Broken>;

/// What comes next.
#[derive(Clone, Copy, Debug)]
enum State {
    Head,
    /// So much of a body of known length.
    Length(usize),
    UntilEnd,
    ChunkSize,
    /// So much of a chunk.
    Chunk(usize),
    ChunkEnd,
    Trailers,
    Done,
}

impl Reader {
    /// Nothing has come yet, and a body may have `most` bytes.
    pub fn new(most: usize) -> Self {
        let (held, body) = (Vec::new(), Vec::new());
        Self { most, state: State::Head, held, head: None, body, interim: 0, extra: 0 }
    }

    /// Whether the answer's head is there; one that only announces it does not count.
    pub fn has_head(&self) -> bool {
        self.head.is_some()
    }

    /// Reads what came. Nothing is to come after an answer or an error.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<Ended>, Broken> {
        let mut rest = bytes;
        loop {
            let next = match self.state {
                State::Head => match self.lines(&mut rest, MOST_HEAD, head)? {
                    Some(head) => Some(self.begin(head)?),
                    None => None,
                },
                State::Length(left) => {
                    let left = self.data(&mut rest, left);
                    if left == 0 { Some(State::Done) } else { self.wait(State::Length(left)) }
                }
                State::UntilEnd => {
                    let room = self.most - self.body.len();
                    self.data(&mut rest, room);
                    if !rest.is_empty() {
                        return Err(Broken::TooLarge(self.most));
                    }
                    None
                }
                State::ChunkSize => match self.lines(&mut rest, MOST_EXTRA, chunk_size)? {
                    Some((size, extra)) => Some(self.chunk(size, extra)?),
                    None => None,
                },
                State::Chunk(left) => {
                    let left = self.data(&mut rest, left);
                    if left == 0 { Some(State::ChunkEnd) } else { self.wait(State::Chunk(left)) }
                }
                State::ChunkEnd => {
                    let end = self.lines(&mut rest, 2, chunk_end).map_err(|_| Broken::Chunk)?;
                    end.map(|()| State::ChunkSize)
                }
                State::Trailers => self.lines(&mut rest, MOST_EXTRA, trailers)?.map(|()| State::Done),
                State::Done => return self.finish(rest.is_empty()).map(Some),
            };
            match next {
                Some(next) => self.state = next,
                None => return Ok(None),
            }
        }
    }

    /// Nothing comes any more, since the connection ended as it should: for some answers that is the end.
    pub fn end(&mut self) -> Result<Ended, Broken> {
        match self.state {
            State::UntilEnd => self.finish(false),
            State::Head => Err(Broken::NoAnswer),
            State::Length(_)
            | State::ChunkSize
            | State::Chunk(_)
            | State::ChunkEnd
            | State::Trailers
            | State::Done => Err(Broken::Half),
        }
    }

    fn wait(&mut self, state: State) -> Option<State> {
        self.state = state;
        None
    }

    /// What follows a head.
    fn begin(&mut self, head: Head) -> Result<State, Broken> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Broken::Switch);
        }
        if head.status.is_informational() {
            self.interim += 1;
            return if self.interim > MOST_INTERIM { Err(Broken::Interim) } else { Ok(State::Head) };
        }
        let next = match head.framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length > self.most => return Err(Broken::TooLarge(self.most)),
            Framing::Length(length) => {
                self.body.reserve_exact(length.min(MOST_ROOM));
                State::Length(length)
            }
            Framing::Chunked => State::ChunkSize,
            Framing::UntilEnd => State::UntilEnd,
        };
        self.head = Some(head);
        Ok(next)
    }

    /// What follows the line before a chunk, which had so many bytes besides the size.
    fn chunk(&mut self, size: u64, extra: usize) -> Result<State, Broken> {
        self.extra += extra;
        if self.extra > MOST_EXTRA {
            return Err(Broken::LongLines(MOST_EXTRA));
        }
        let room = self.most - self.body.len();
        match usize::try_from(size) {
            Ok(0) => Ok(State::Trailers),
            Ok(size) if size <= room => Ok(State::Chunk(size)),
            Ok(_) | Err(_) => Err(Broken::TooLarge(self.most)),
        }
    }

    /// Moves at most `left` bytes to the body, and says how many are missing.
    fn data(&mut self, rest: &mut &[u8], left: usize) -> usize {
        let (data, behind) = rest.split_at_checked(left).unwrap_or((rest, &[]));
        self.body.extend_from_slice(data);
        *rest = behind;
        left - data.len()
    }

    /// Has `parse` look at what is held together with `rest` whenever a line of it has come to its end. It says how much
    /// it used, which is `most` at most, or that something is missing; then everything is held.
    fn lines<T>(
        &mut self,
        rest: &mut &[u8],
        most: usize,
        parse: impl FnOnce(&[u8]) -> Parsed<T>,
    ) -> Result<Option<T>, Broken> {
        let before = self.held.len();
        if before > 0 {
            self.held.extend_from_slice(rest);
        }
        let all: &[u8] = if before > 0 { &self.held } else { rest };
        let seen = all.get(..most).unwrap_or(all);
        let has_line = memchr(b'\n', seen.get(before..).unwrap_or_default()).is_some();
        if has_line && let Some((found, used)) = parse(seen)? {
            *rest = rest.get(used.saturating_sub(before)..).unwrap_or_default();
            self.held = Vec::new();
            return Ok(Some(found));
        }
        if all.len() >= most {
            return Err(Broken::LongLines(most));
        }
        if before == 0 {
            self.held = rest.to_vec();
        }
        *rest = &[];
        Ok(None)
    }

    fn finish(&mut self, is_all: bool) -> Result<Ended, Broken> {
        let head = self.head.take().ok_or(Broken::NoAnswer)?;
        // What comes behind an answer was not asked for: who knows whose it is.
        let keeps_line = head.keeps_line && is_all;
        let body = mem::take(&mut self.body).into();
        Ok(Ended { answer: Answer { status: head.status, retry_after: head.retry_after, body }, keeps_line })
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
