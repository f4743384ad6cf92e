//! Wiring: a configuration becomes listeners, and later goes away in good order.

mod build;
mod callbacks;
mod descriptors;
mod egress;
mod error;
mod installation;
mod media;
mod pacing;
mod probe;
mod upstream;

pub use descriptors::{raise_open_files, too_few_open_files};
pub use egress::{callback_guard, guard, refuses_private_links};
pub use error::StartError;
pub use probe::{Probe, probe_numbers};

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::runtime::Workers;
use crate::server::{self, State};

/// How often what has expired by itself is forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// The running proxy.
#[derive(Debug)]
pub struct App {
    state: Arc<State>,
    workers: Arc<Workers>,
    addresses: Addresses,
    /// Ends the API listener and its connections.
    closing: CancellationToken,
    /// Ends the admin listener, which outlives the other so that balancers can watch the drain.
    ending: CancellationToken,
    tasks: TaskTracker,
    admin_tasks: TaskTracker,
    lame_duck: Duration,
    drain_timeout: Duration,
}

/// Where the proxy listens.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The on-prem API.
    pub api: SocketAddr,
    /// The operator's listener.
    pub admin: SocketAddr,
    /// Where Cloud posts webhooks; none where no number could take one.
    pub webhook: Option<SocketAddr>,
    /// `http` or `https`, for the on-prem API and webhooks.
    pub scheme: &'static str,
}

impl App {
    /// Opens the store, binds the listeners and serves.
    pub async fn start(config: Config, clock: Clock) -> Result<Self, StartError> {
        let built = build::build(config, clock).await?;
        let api_address = built.api.address().map_err(StartError::Listener)?;
        let webhook = match &built.webhook {
            Some(listener) => Some(listener.address().map_err(StartError::Listener)?),
            None => built.state.webhook.is_on_api.then_some(api_address),
        };
        let app = Self {
            addresses: Addresses {
                api: api_address,
                admin: built.admin.address().map_err(StartError::Listener)?,
                webhook,
                scheme: built.scheme,
            },
            state: Arc::new(built.state),
            workers: Arc::new(built.workers),
            closing: CancellationToken::new(),
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            admin_tasks: TaskTracker::new(),
            lame_duck: built.lame_duck,
            drain_timeout: built.drain_timeout,
        };
        app.tasks.spawn(built.api.serve(
            Arc::clone(&app.state),
            server::dispatch,
            app.closing.clone(),
            app.tasks.clone(),
            Some(Arc::clone(&app.workers)),
        ));
        if let Some(listener) = built.webhook {
            let (state, closing) = (Arc::clone(&app.state), app.closing.clone());
            // Not on the workers: reading a large webhook, or the store, must not hold up messages.
            let tasks = app.tasks.clone();
            app.tasks.spawn(listener.serve(state, server::webhook::dispatch, closing, tasks, None));
        }
        let admin = built.admin.serve(
            Arc::clone(&app.state),
            server::admin::dispatch,
            app.ending.clone(),
            app.admin_tasks.clone(),
            None,
        );
        app.admin_tasks.spawn(admin);
        app.admin_tasks.spawn(tend(Arc::clone(&app.state), app.ending.clone()));
        app.admin_tasks.spawn(purge(Arc::clone(&app.state), app.ending.clone()));
        pacing::follow_throughput(&app.state, &app.admin_tasks, &app.ending);
        app.state.metrics.ready.set(1);
        Ok(app)
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Its state, for tests that look inside.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Readiness goes first, so that balancers look elsewhere while requests are still served; then
    /// the listener closes and running requests finish. Says whether all of them did.
    pub async fn drain(self) -> bool {
        self.state.draining.store(true, Ordering::Relaxed);
        self.state.metrics.ready.set(0);
        tokio::time::sleep(self.lame_duck).await;
        self.closing.cancel();
        self.tasks.close();
        let end = tokio::time::Instant::now() + self.drain_timeout;
        let drained = tokio::time::timeout_at(end, self.tasks.wait()).await.is_ok();
        // Deliveries that are on their way would be repeated after the next start.
        let delivered = tokio::time::timeout_at(end, self.state.relay.callbacks.stop()).await.is_ok();
        self.state.relay.media.stop().await;
        self.ending.cancel();
        self.admin_tasks.close();
        // The operator's connections are not worth waiting long for.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.admin_tasks.wait()).await;
        drained && delivered
    }
}

/// Keeps connections to Cloud from lying about.
async fn tend(state: Arc<State>, ending: CancellationToken) {
    let _ = ending.run_until_cancelled(state.relay.upstream.tend()).await;
}

/// Keeps what expires by itself from growing for ever.
async fn purge(state: Arc<State>, ending: CancellationToken) {
    loop {
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
        if let Err(error) = state.sessions.purge().await {
            tracing::warn!(%error, "expired revocations could not be removed");
        }
        if let Err(error) = state.relay.callbacks.purge().await {
            tracing::warn!(%error, "lapsed events could not be removed");
        }
        if let Err(error) = state.relay.media.purge().await {
            tracing::warn!(%error, "lapsed files could not be removed");
        }
    }
}
