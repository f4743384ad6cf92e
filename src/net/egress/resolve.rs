//! Names to addresses.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// A lookup that is under way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of hosts; tests bring their own.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, which may be an address itself, in the order in which to try them.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// Lookups at the same time. One that hangs goes on when nobody waits for it any more, in a thread of its own: a
/// few slow name servers must not take all threads.
const LOOKUPS: usize = 128;

/// What the operating system says.
#[derive(Clone, Debug)]
pub struct SystemResolver(Arc<Semaphore>);

impl Default for SystemResolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move {
            if let Ok(address) = host.parse::<IpAddr>() {
                return Ok(vec![SocketAddr::new(address, port)]);
            }
            let turn = Arc::clone(&self.0).acquire_owned().await.map_err(io::Error::other)?;
            let host = host.to_owned();
            let lookup = move || {
                let _turn = turn;
                Ok((host.as_str(), port).to_socket_addrs()?.collect())
            };
            spawn_blocking(lookup).await.map_err(io::Error::other)?
        })
    }
}
