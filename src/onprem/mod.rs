//! The On-Premises wire format: what clients send to us and what they read from us.
//!
//! Pure: serde only. Nothing here knows that a Cloud API exists.

pub mod account;
pub mod callback;
pub mod contacts;
pub mod error;
pub mod form;
pub mod health;
pub mod media;
pub mod message;
pub mod metrics;
pub mod number;
pub mod openapi;
pub mod profile;
pub mod providers;
mod read;
pub mod reply;
pub mod route;
pub mod services;
pub mod settings;
pub mod stickers;
pub mod support;
pub mod templates;
pub mod users;

pub use error::{ErrorCode, Invalid};
