//! The listeners: accept, TLS, route, handlers, respond.
//!
//! One function writes each error ([`respond::Failure::response`]), in the on-prem dialect.

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

pub use dispatch::{MEDIA, dispatch};
pub use listener::{Listener, ServeLimits};
pub use respond::{Failure, Source};
pub use state::{Compat, Installation, Limits, Number, Numbers, State, Waba};
pub use workers::Workers;
