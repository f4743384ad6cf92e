//! The listeners: accept, TLS, route, handlers, respond.
//!
//! A connection begins on the fast path, which serves what clients usually send and keeps no memory for idle
//! connections; from the first request on that is unusual in its HTTP, hyper serves it. Both make a `Request`
//! and take a `Reply`: what is in between does not know which of them it was.
//!
//! One function writes each error (`respond::failure`), in the on-prem dialect.

pub mod admin;
mod body;
mod connection;
mod crowd;
mod dispatch;
mod fast_path;
mod framing;
mod future_pool;
mod handlers;
mod listener;
mod request;
mod respond;
mod state;
pub mod webhook;

pub use body::RequestBody;
pub use dispatch::{MEDIA, dispatch};
pub use listener::{Listener, ServeLimits};
pub use request::{Fields, Head, Name, Request, Target};
pub use state::{Installation, Limits, State};
