//! From a link to Cloud's id of its file.

pub mod cache;
pub mod fetch;
pub mod hot_cache;
mod intake;
mod request;
pub mod resolver;
pub mod slots;
