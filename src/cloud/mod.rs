//! The Cloud API (Graph) wire format: what we send, what Graph answers, what it
//! posts to us.
//!
//! Pure: serde only. Nothing here knows that an on-prem API exists.

mod card;
pub mod error;
pub mod hidden;
pub mod message;
pub mod number;
pub mod profile;
pub mod reply;
pub mod template;
pub mod webhook;

pub use error::GraphError;
pub use hidden::Hidden;
