//! Commits of webhooks: into the store, and from there into the schedules of their numbers.
//!
//! The store commits webhooks in the order in which they come, whatever thread they come on, and tells their outcomes in
//! that order: Cloud may tell one chat's events over several connections, and they have to stay in order. What is in the
//! store is scheduled whether or not anybody waits for it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::memory::Memory;
use super::queue::Permit;
use super::schedule::Event;
use crate::store::{Batch, Error, Queued, Store};
use crate::telemetry::CallbackMetrics;

/// Brings webhooks into the store, and what is in the store into the schedules.
pub(super) struct Commits {
    store: Arc<dyn Store>,
    shared: Arc<Shared>,
}

/// What commits count in. It owns nothing that owns the store: the store's own thread may be the one that drops it, and
/// cannot wait for its own end.
struct Shared {
    metrics: CallbackMetrics,
    memory: Memory,
}

/// What is in the store and not scheduled yet.
pub(super) struct Committed {
    batch: Arc<Batch>,
    places: Vec<Option<i64>>,
    permits: Vec<Permit>,
    shared: Arc<Shared>,
}

/// How many callbacks of a webhook were new, and how many had been there before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// New, and in the queue.
    pub queued: usize,
    /// Known already.
    pub repeated: usize,
}

impl Commits {
    pub(super) fn new(store: Arc<dyn Store>, metrics: CallbackMetrics) -> Self {
        Self { store, shared: Arc::new(Shared { metrics, memory: Memory::default() }) }
    }

    /// Commits a webhook and schedules its callbacks.
    pub(super) fn commit(
        &self,
        batch: Batch,
        permits: Vec<Permit>,
    ) -> oneshot::Receiver<Result<Counts, Error>> {
        self.begin(batch, permits, |outcome| outcome.map(Committed::schedule))
    }

    /// Commits callbacks and leaves it to the caller to schedule them.
    pub(super) fn commit_only(
        &self,
        batch: Batch,
        permits: Vec<Permit>,
    ) -> oneshot::Receiver<Result<Committed, Error>> {
        self.begin(batch, permits, |outcome| outcome)
    }

    /// `finish` runs on the store's thread, in the order of the commits.
    fn begin<T: Send + 'static>(
        &self,
        batch: Batch,
        permits: Vec<Permit>,
        finish: impl FnOnce(Result<Committed, Error>) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (batch, shared) = (Arc::new(batch), Arc::clone(&self.shared));
        let (sender, answer) = oneshot::channel();
        let queued = Arc::clone(&batch);
        let done = move |outcome: Queued| {
            let committed = outcome.map(|places| Committed { batch, places, permits, shared });
            // Nobody listening is no error.
            let _ = sender.send(finish(committed));
        };
        self.store.queue(queued, Box::new(done));
        answer
    }
}

impl Committed {
    /// Hands the callbacks to the workers of their numbers.
    pub(super) fn schedule(self) -> Counts {
        let Self { batch, places, mut permits, shared } = self;
        let mut counts = Counts::default();
        for (place, callback) in places.into_iter().zip(&batch.callbacks) {
            let Some(place) = place else {
                counts.repeated += 1;
                continue;
            };
            counts.queued += 1;
            if let Some(permit) = permits.iter_mut().find(|permit| permit.number() == callback.number) {
                let body = shared.memory.keep(callback.body.clone());
                permit.schedule(&callback.chat, Event { place, at: batch.at, body });
            }
        }
        permits.iter().for_each(Permit::wake);
        shared.metrics.events("queued", counts.queued as u64);
        shared.metrics.events("repeated", counts.repeated as u64);
        counts
    }
}
