//! Webhooks in, callbacks out, through the whole app.

mod bounds;
mod commits;
mod deferred;
mod deliver;
mod identity;
mod ids;
mod parts;
mod process;
mod receive;
pub mod scene;
mod switches;
mod unverified;
