//! How fast messages go out: from the configuration to the numbers.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::build::{StartError, target};
use crate::cloud::number::Throughput;
use crate::config::{self, Config, MessageRate};
use crate::server::State;
use crate::telemetry::PacingMetrics;
use crate::upstream::pacing::{Ceiling, Pacer, Questions, Settings, follow};

/// What paces a number, if anything does.
pub(super) fn pacer(
    config: &Config,
    number: &config::Number,
    metrics: PacingMetrics,
) -> Result<Option<Arc<Pacer>>, StartError> {
    if !config.pacing.enabled {
        return Ok(None);
    }
    let ceiling = match number.messages_per_second.unwrap_or(config.pacing.messages_per_second) {
        MessageRate::Fixed(ceiling) => Ceiling::Fixed(ceiling),
        MessageRate::Auto => {
            Ceiling::Asked(target(config, number, &format!("?fields={}", Throughput::FIELD))?)
        }
    };
    let settings = Settings { name: number.name.clone(), max_wait: config.pacing.max_wait, ceiling };
    Ok(Some(Arc::new(Pacer::new(settings, metrics))))
}

/// Says at start what operators should know before they wonder.
pub(super) fn announce(pacing: &config::Pacing) {
    if !pacing.enabled {
        return;
    }
    tracing::info!(
        messages_per_second = %pacing.messages_per_second,
        max_wait = ?pacing.max_wait,
        "messages are paced, for each number and for each user that it writes to; pacing.enabled = false switches \
         it off"
    );
}

/// Asks Graph for the throughput of the numbers whose configuration does not say it, until `ending`.
pub(super) fn follow_throughput(state: &State, tasks: &TaskTracker, ending: &CancellationToken) {
    let pacers = || state.numbers.all().iter().filter_map(|number| number.pacer.as_ref());
    let asked = || pacers().filter(|pacer| pacer.is_asked());
    let questions = Arc::new(Questions::of(asked().count()));
    for pacer in asked() {
        let following =
            follow(Arc::clone(pacer), state.upstream.clone(), Arc::clone(&questions), ending.clone());
        tasks.spawn(following);
    }
}
