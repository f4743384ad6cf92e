//! From the configuration to what webhooks and callbacks need.

use std::sync::Arc;

use super::upstream::connect_deadlines;
use crate::callback::{Callbacks, Http, Tools};
use crate::clock::Clock;
use crate::config::Config;
use crate::net::egress::Guard;
use crate::server::webhook::{Access, Room, Turns};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::webhook::{Intake, Secrets};

/// Whether anybody could send a webhook that we would take. Without it nothing listens for them.
pub fn takes_webhooks(config: &Config) -> bool {
    config.numbers.iter().any(|number| number.app_secret.is_some() || number.verify_token.is_some())
}

/// Whether Cloud calls the address of the on-prem API.
pub fn is_on_api(config: &Config) -> bool {
    takes_webhooks(config) && config.listen.webhook == config.listen.api
}

/// Who may send webhooks, and where they go.
pub fn access(config: &Config, callbacks: Arc<Callbacks>) -> Access {
    let mut secrets = Secrets::default();
    for number in &config.numbers {
        for secret in number.app_secret.iter().chain(&number.previous_app_secrets) {
            secrets.add(&number.phone_number_id, secret.expose().as_bytes());
        }
    }
    Access {
        secrets,
        verify_tokens: config.numbers.iter().filter_map(|number| number.verify_token.clone()).collect(),
        intake: Intake::new(callbacks),
        is_on_api: is_on_api(config),
        room: Room::default(),
        turns: Turns::default(),
    }
}

/// What callbacks need.
pub fn tools(
    config: &Config,
    store: &Arc<dyn Store>,
    guard: &Arc<Guard>,
    clock: Clock,
    metrics: &Metrics,
) -> Tools {
    let dial = Http::new(Arc::clone(guard), config.egress.ca_file.clone(), connect_deadlines(&config.cloud));
    Tools {
        store: Arc::clone(store),
        dial: Arc::new(dial),
        clock,
        metrics: metrics.callbacks.clone(),
        wa_id: config.compat.wa_id,
        most: config.limits.max_callbacks,
    }
}
