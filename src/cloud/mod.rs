//! The Cloud API (Graph) wire format: what we send and what Graph answers.
//!
//! Pure: serde only. Nothing here knows that an on-prem API exists.

pub mod error;
pub mod message;
pub mod reply;

pub use error::GraphError;
