//! What all our HTTP clients have in common.

use std::error::Error;
use std::io;
use std::pin::Pin;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};
use hyper::body::Body;

/// The body of a request or an answer that is too large for memory.
pub type ByteStream = Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>;

/// Our `User-Agent`, the same to everyone.
pub static AGENT: HeaderValue = HeaderValue::from_static(concat!("prembridge/", env!("CARGO_PKG_VERSION")));

/// Sets our `User-Agent`.
pub fn user_agent(headers: &mut HeaderMap) {
    headers.insert(USER_AGENT, AGENT.clone());
}

/// The innermost cause, which says most.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
