//! A scriptable upstream over raw sockets, the proxy before it and a client of the proxy.

mod client;
mod proxy;
mod server;

pub use client::{Client, Reply, message};
pub use proxy::{Proxy, config};
pub use server::{Act, Stub, accepted, answer, closed_port};
