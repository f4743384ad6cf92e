//! HTTP/1.1 as bytes: heads, fields, chunks, and where each message ends. No I/O of its own.
//!
//! hyper does all of this too, at several times the cost of translating a message. So the fast path of the server, the
//! connections to Graph, and what measures both use this instead. Heads are read by httparse, which is hyper's parser;
//! where a message ends is decided here (RFC 9112 section 6.3), and more strictly than the RFC asks for. What could be
//! read in two ways is not read: an unusual request is left to hyper, and an ambiguous response is an error, since
//! whoever reads it in the wrong way takes the rest of it for the response to the next message. The fuzz target `http1`
//! compares both directions with hyper.

mod chunks;
mod date;
mod error;
mod fields;
mod request;
mod response;
mod response_reader;
mod write;

pub use error::ResponseError;
pub use fields::{Field, ROOM, Room, field_lines, retry_after, span};
pub use request::{LARGEST_BODY, Partial, Request, Unready};
pub use response_reader::{Response, ResponseReader};
pub use write::HeadWriter;

/// Fields of a head, and of trailers, at most; hyper gives up at as many.
const MAX_FIELDS: usize = 100;
