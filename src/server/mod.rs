//! The listeners: accept, TLS, route, handlers, respond.
//!
//! A connection begins in `plain`, which reads and answers what clients usually send and keeps no memory for one that
//! waits; the first request of it that is unusual in its HTTP is hyper's, and so are all after it. Both make an
//! `Asked` of a request, and take a `Reply`: what is in between does not know which of them it was.
//!
//! One function writes each error (`respond::failure`), in the on-prem dialect.

pub mod admin;
mod asked;
mod body;
mod connection;
mod dispatch;
mod handlers;
mod listener;
mod plain;
mod respond;
mod room;
mod state;
pub mod webhook;
mod workers;

pub use asked::{Asked, Fields, Head, Name, Target};
pub use body::Asking;
pub use dispatch::{MEDIA, dispatch};
pub use listener::{Listener, ServeLimits};
pub use plain::head;
pub use state::{Installation, Limits, State};
pub use workers::Workers;
