//! The listeners: accept, TLS, route, handlers, respond.
//!
//! A connection begins on the fast path, which serves what clients usually send and keeps no memory for idle
//! connections; from the first request on that is unusual in its HTTP, hyper serves it. Both make an `Asked`
//! and take a `Reply`: what is in between does not know which of them it was.
//!
//! One function writes each error (`respond::failure`), in the on-prem dialect.

pub mod admin;
mod asked;
mod body;
mod connection;
mod dispatch;
mod fast_path;
mod future_pool;
mod handlers;
mod listener;
mod respond;
mod state;
pub mod webhook;

pub use asked::{Asked, Fields, Head, Name, Target};
pub use body::Asking;
pub use dispatch::{MEDIA, dispatch};
pub use listener::{Listener, ServeLimits};
pub use state::{Installation, Limits, State};
