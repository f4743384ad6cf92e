//! Files to and from Graph.

mod call;
pub mod download;
pub mod photo;
pub mod spool;
pub mod upload;
pub mod uploads;
