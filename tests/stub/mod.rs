//! A scriptable upstream and a scriptable media provider over raw sockets, the proxy between them and a client of
//! the proxy.

mod answer;
mod client;
pub mod http2;
mod provider;
mod proxy;
mod server;
mod sink;

pub use answer::{Answer, Payload};
pub use client::{Client, Reply, message};
pub use provider::{End, Provider};
pub use proxy::{Proxy, config};
pub use server::{Act, Stub, accepted, answer, closed_port};
pub use sink::{Got, Sink, Take};
