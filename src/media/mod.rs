//! Files: fetched from where a message links to, uploaded to Cloud once, remembered for as long as
//! their origin allows, and kept when a client uploaded them.

mod cache_control;
pub mod freshness;
mod lifetime;
pub mod validators;
mod why;
