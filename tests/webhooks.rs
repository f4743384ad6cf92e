//! Webhooks in, callbacks out, through the whole app.

mod bounds;
mod commits;
mod deferred;
mod deliver;
mod forgotten;
#[cfg(target_os = "linux")]
mod full_disk;
mod identity;
mod ids;
mod own;
mod parts;
mod pauses;
mod process;
mod receive;
pub mod scene;
mod switches;
mod unverified;
