//! How fast messages go out.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config;
use crate::server::State;
use crate::upstream::pacing::{Questions, follow};

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
    let numbers = state.numbers.load();
    let pacers = || numbers.all().iter().filter_map(|number| number.pacer.as_ref());
    let asked = || pacers().filter(|pacer| pacer.is_asked());
    let questions = Arc::new(Questions::of(asked().count()));
    for pacer in asked() {
        let following =
            follow(Arc::clone(pacer), state.relay.upstream.clone(), Arc::clone(&questions), ending.clone());
        tasks.spawn(following);
    }
}
