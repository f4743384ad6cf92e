//! What Graph says of a number's throughput, read beside the messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Ceiling, Pacer};
use crate::cloud::number::Throughput;
use crate::upstream::{Target, Upstream};

/// An upgrade is for good, so this is no hurry.
const USUALLY: Duration = Duration::from_secs(3600);
/// When it was not told, and after a throttling answer. Such calls count towards a limit of 200 per hour.
const SOON: Duration = Duration::from_secs(300);

/// Asks Graph for the throughput of the number, again and again, until `ending`; returns at once where the
/// configuration says it.
pub async fn follow(pacer: Arc<Pacer>, upstream: Upstream, ending: CancellationToken) {
    let Ceiling::Asked(node) = &pacer.settings.ceiling else { return };
    // This is no call for anybody: it says nothing about the number's health.
    let node = Target { health: None, ..node.clone() };
    let asking = async {
        loop {
            let is_told = ask(&pacer, &upstream, &node).await;
            let asked = Instant::now();
            tokio::select! {
                () = sleep(if is_told { USUALLY } else { SOON }) => {}
                () = pacer.throttled.notified() => sleep_until(asked + SOON).await,
            }
        }
    };
    tokio::select! {
        () = ending.cancelled() => {}
        () = asking => {}
    }
}

/// Says whether Graph told.
async fn ask(pacer: &Pacer, upstream: &Upstream, node: &Target) -> bool {
    let number = pacer.settings.name.as_str();
    let answer = match upstream.get(node).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(number, reason = error.reason, "the throughput is not known");
            return false;
        }
    };
    let found = if answer.status.is_success() { Throughput::parse(&answer.body) } else { None };
    let Some(throughput) = found else {
        tracing::debug!(number, status = answer.status.as_u16(), "the throughput is not known");
        return false;
    };
    tracing::debug!(number, messages_per_second = throughput.per_second(), "the throughput is known");
    pacer.gate.rate.set_ceiling(throughput.per_second());
    true
}
