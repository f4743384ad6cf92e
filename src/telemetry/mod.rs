//! Metrics and logs. Labels come from closed sets only: never numbers, ids or URLs of people.

mod callbacks;
mod log;
mod media;
mod pacing;
mod requests;
mod shard;
mod tally;

pub use callbacks::CallbackMetrics;
pub use log::{LogFormat, init_log, log_panics};
pub use media::MediaMetrics;
pub use pacing::PacingMetrics;
pub use requests::{RequestMetrics, UpstreamLabels};
pub use tally::{Busy, CallKey, Deliveries, DeliveryKey, Ledger, Ongoing, Tallies, Total};

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// A translation rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RuleLabel {
    /// Its id.
    pub rule: &'static str,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// One of a few words.
    pub outcome: &'static str,
}

/// An error that a client saw.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ErrorLabels {
    /// The on-prem code.
    pub code: u16,
    /// `client`, `upstream`, `provider` or `internal`.
    pub source: &'static str,
}

/// Every metric of the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests answered, and calls to Graph.
    pub requests: RequestMetrics,
    /// Errors that clients saw.
    pub errors: Family<ErrorLabels, Counter>,
    /// Messages of which nobody knows whether Cloud took them.
    pub in_doubt: Counter,
    /// Cloud codes without a row in the table.
    pub unmapped_cloud_code: Counter,
    /// Keys that Cloud refused although a rule should have removed them.
    pub unexpected_key_leaked: Counter,
    /// Translation rules that applied.
    pub rules: Family<RuleLabel, Counter>,
    /// Logins.
    pub logins: Family<OutcomeLabel, Counter>,
    /// Messages that were not sent at once.
    pub pacing: PacingMetrics,
    /// Files.
    pub media: MediaMetrics,
    /// Webhooks and callbacks.
    pub callbacks: CallbackMetrics,
    /// Requests that panicked.
    pub panics: Counter,
    /// Open client connections.
    pub connections: Gauge,
    /// 1 while new work is welcome.
    pub ready: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("prembridge"),
            requests: RequestMetrics::default(),
            errors: Family::default(),
            in_doubt: Counter::default(),
            unmapped_cloud_code: Counter::default(),
            unexpected_key_leaked: Counter::default(),
            rules: Family::default(),
            logins: Family::default(),
            pacing: PacingMetrics::default(),
            media: MediaMetrics::default(),
            callbacks: CallbackMetrics::default(),
            panics: Counter::default(),
            connections: Gauge::default(),
            ready: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "build",
            "The running version",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register_collector(Box::new(self.requests.clone()));
        registry.register("errors", "Errors that clients saw", self.errors.clone());
        registry.register(
            "in_doubt",
            "Messages of which nobody knows whether Cloud took them",
            self.in_doubt.clone(),
        );
        registry.register(
            "unmapped_cloud_code",
            "Cloud errors without a row in the table",
            self.unmapped_cloud_code.clone(),
        );
        registry.register(
            "unexpected_key_leaked",
            "Messages that Cloud refused for a key it does not know",
            self.unexpected_key_leaked.clone(),
        );
        registry.register("rules_applied", "Translation rules that applied", self.rules.clone());
        registry.register("logins", "Logins by outcome", self.logins.clone());
        self.pacing.register(registry);
        self.media.register(registry);
        self.callbacks.register(registry);
        registry.register("panics", "Requests that panicked", self.panics.clone());
        registry.register("connections", "Open client connections", self.connections.clone());
        registry.register("ready", "1 while new work is welcome", self.ready.clone());
    }

    /// The metrics in the OpenMetrics text form.
    pub fn render(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            // A `String` never refuses to be written to.
            Err(_) => String::new(),
        }
    }
}

/// Numbers requests; see [`request_id`].
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// How many numbers a thread takes at once.
const BLOCK: u64 = 1024;

/// A request id that is unique within the fleet: a random word of this process and a counter.
pub fn request_id(process: &str) -> String {
    thread_local! {
        static NEXT: Cell<u64> = const { Cell::new(0) };
    }
    // Threads take numbers by the block: all of them would have to share one counter.
    let number = match NEXT.get() {
        next if next % BLOCK != 0 => next,
        _ => REQUESTS.fetch_add(BLOCK, Ordering::Relaxed),
    };
    NEXT.set(number + 1);
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number);
    let mut id = String::with_capacity(process.len() + 1 + digits.len());
    id.push_str(process);
    id.push('-');
    id.push_str(digits);
    id
}
