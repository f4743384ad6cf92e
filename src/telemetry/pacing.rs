//! Counters about messages that were not sent at once.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::OutcomeLabel;

/// Counters about messages that were not sent at once; clones count together.
#[derive(Clone, Debug)]
pub struct PacingMetrics {
    wait: Histogram,
    messages: Family<OutcomeLabel, Counter>,
}

impl Default for PacingMetrics {
    fn default() -> Self {
        // 1 ms, a place in the queue at 1,000 per second, to 33 s, above the longest wait that makes sense.
        Self { wait: Histogram::new(exponential_buckets(0.001, 2.0, 16)), messages: Family::default() }
    }
}

impl PacingMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "pacing_wait",
            "Time that messages waited for their turn, of those that had to",
            Unit::Seconds,
            self.wait.clone(),
        );
        registry.register(
            "paced_messages",
            "Messages that waited for their turn, that were refused because it came too late, and repeats of those \
             that Cloud throttled",
            self.messages.clone(),
        );
    }

    /// Counts a message whose turn came after so long.
    pub fn waited(&self, time: Duration) {
        self.wait.observe(time.as_secs_f64());
        self.count("waited");
    }

    /// Counts a message that was refused here.
    pub fn refused(&self) {
        self.count("refused");
    }

    /// Counts a message that is sent again because Cloud refused it for the rate.
    pub fn repeated(&self) {
        self.count("repeated");
    }

    fn count(&self, outcome: &'static str) {
        self.messages.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
