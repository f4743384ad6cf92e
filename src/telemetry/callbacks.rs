//! Counters about webhooks and callbacks. Numbers go by the names of the configuration.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::OutcomeLabel;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NumberLabel {
    number: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    number: String,
    outcome: &'static str,
}

/// Counters about webhooks and callbacks; clones count together.
#[derive(Clone, Debug, Default)]
pub struct CallbackMetrics {
    webhooks: Family<OutcomeLabel, Counter>,
    events: Family<OutcomeLabel, Counter>,
    deliveries: Family<DeliveryLabels, Counter>,
    depth: Family<NumberLabel, Gauge>,
    oldest: Family<NumberLabel, Gauge>,
    set_apart: Family<NumberLabel, Gauge>,
    thrown_away: Family<NumberLabel, Counter>,
}

impl CallbackMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("webhooks", "Webhooks by what was answered", self.webhooks.clone());
        registry.register(
            "webhook_events",
            "Messages, statuses and errors of webhooks by what became of them",
            self.events.clone(),
        );
        registry.register(
            "callback_deliveries",
            "Deliveries of callbacks to clients by outcome, repeated ones too",
            self.deliveries.clone(),
        );
        registry.register("callback_queue_depth", "Callbacks that are not delivered yet", self.depth.clone());
        registry.register_with_unit(
            "callback_queue_oldest",
            "Age of the oldest callback that is not delivered yet",
            Unit::Seconds,
            self.oldest.clone(),
        );
        registry.register(
            "callbacks_set_apart",
            "Callbacks that a client refuses while it takes others",
            self.set_apart.clone(),
        );
        registry.register(
            "callbacks_thrown_away",
            "Callbacks that were thrown away because nobody had said where they should go",
            self.thrown_away.clone(),
        );
    }

    /// Counts a webhook: `accepted`, or why not.
    pub fn webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts something that a webhook told.
    pub fn event(&self, outcome: &'static str) {
        self.events.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts several of one kind.
    pub fn events(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            self.events.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
    }

    /// Counts a delivery.
    pub fn delivery(&self, number: &str, outcome: &'static str) {
        self.deliveries.get_or_create(&DeliveryLabels { number: number.to_owned(), outcome }).inc();
    }

    /// Counts callbacks that had nowhere to go.
    pub fn thrown_away(&self, number: &str, count: usize) {
        let label = NumberLabel { number: number.to_owned() };
        self.thrown_away.get_or_create(&label).inc_by(count as u64);
    }

    /// The state of a queue; the age is in seconds.
    pub fn queue(&self, number: &str, depth: usize, age: i64, set_apart: usize) {
        let label = NumberLabel { number: number.to_owned() };
        self.depth.get_or_create(&label).set(i64::try_from(depth).unwrap_or(i64::MAX));
        self.oldest.get_or_create(&label).set(age);
        self.set_apart.get_or_create(&label).set(i64::try_from(set_apart).unwrap_or(i64::MAX));
    }
}
