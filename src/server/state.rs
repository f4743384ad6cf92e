//! What every request may look at. Built once by `app`; nothing in here is behind a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::webhook::Access;
use crate::clock::Clock;
use crate::net::egress::Guard;
use crate::number::Registry;
use crate::relay::Relay;
use crate::session::Sessions;
use crate::store::Store;
use crate::telemetry::Metrics;

/// Facts about this process and where it runs.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The name of the host.
    pub host: String,
    /// The version of its operating system.
    pub os_version: String,
    /// The engine of the store, as on-prem wrote them.
    pub db_engine: &'static str,
    /// When the process started, in seconds since the Unix epoch.
    pub started_at: i64,
}

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of headers.
    pub headers: usize,
    /// Bytes of a JSON body.
    pub body: usize,
    /// Bytes of an uploaded file.
    pub media: u64,
    /// Time for a body to arrive.
    pub body_timeout: Duration,
}

/// What every request may look at.
pub struct State {
    /// The numbers. Swapped whole; a request keeps the number that it began with.
    pub numbers: ArcSwap<Registry>,
    /// Does at Cloud what clients ask for.
    pub relay: Relay,
    /// Logins and tokens.
    pub sessions: Sessions,
    /// The certificate that we made for ourselves, as PEM, if clients see that one.
    pub own_certificate: Option<String>,
    /// Stands before the URLs that clients set for their callbacks.
    pub callback_guard: Arc<Guard>,
    /// Where everything is kept that survives a restart.
    pub store: Arc<dyn Store>,
    /// Who may send webhooks.
    pub webhook: Access,
    /// What time it is.
    pub clock: Clock,
    /// Facts about this process and where it runs.
    pub installation: Installation,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What one request may cost.
    pub limits: Limits,
    /// Whether each request is logged.
    pub log_requests: bool,
    /// A random word of this process, for request ids.
    pub process: String,
    /// Whether new work is welcome.
    pub draining: AtomicBool,
}

impl State {
    /// Whether the process is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("numbers", &self.numbers.load()).finish_non_exhaustive()
    }
}
