//! Files that are kept here: what clients uploaded and what users sent.

pub mod budget;
pub mod files;
pub mod kept;
pub mod prefetch;
mod schedule;
