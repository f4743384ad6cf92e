//! From the configuration to what webhooks and callbacks need.

use std::sync::Arc;

use super::build::connect_deadlines;
use crate::callback::{Callbacks, Http, Secrets, Tools};
use crate::clock::Clock;
use crate::config::Config;
use crate::net::egress::Guard;
use crate::server::webhook::Access;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::telemetry::Metrics;

/// Whether anybody could send a webhook that we would take. Without it nothing listens for them.
pub fn takes_webhooks(config: &Config) -> bool {
    config.numbers.iter().any(|number| number.app_secret.is_some() || number.verify_token.is_some())
}

/// Who may send webhooks.
pub fn access(config: &Config) -> Access {
    let mut secrets = Secrets::default();
    for number in &config.numbers {
        for secret in number.app_secret.iter().chain(&number.previous_app_secrets) {
            secrets.add(&number.phone_number_id, secret.expose().as_bytes());
        }
    }
    let verify_tokens = config.numbers.iter().filter_map(|number| number.verify_token.clone()).collect();
    let is_on_api = takes_webhooks(config) && config.listen.webhook == config.listen.api;
    Access { secrets, verify_tokens, is_on_api, ..Access::default() }
}

/// What callbacks need.
pub fn tools(
    config: &Config,
    store: &Arc<dyn Store>,
    settings: &Settings,
    guard: &Arc<Guard>,
    clock: Clock,
    metrics: &Metrics,
) -> Tools {
    let dial = Http::new(Arc::clone(guard), config.egress.ca_file.clone(), connect_deadlines(&config.cloud));
    Tools {
        store: Arc::clone(store),
        settings: settings.clone(),
        dial: Arc::new(dial),
        clock,
        metrics: metrics.callbacks.clone(),
        options: config.compat.options.clone(),
        wa_id: config.compat.wa_id,
        most: config.limits.max_callbacks,
    }
}

/// The queues of all numbers, with what was left in them by an earlier run.
pub async fn open(config: &Config, tools: Tools) -> Result<Callbacks, store::Error> {
    let numbers = config.numbers.iter().map(|number| (number.phone_number_id.clone(), number.name.clone()));
    Callbacks::open(numbers, tools).await
}
