//! From a link to Cloud's id of its file.

pub mod cache;
pub mod fetch;
mod hot_cache;
mod intake;
mod request;
pub mod resolver;
mod slots;
