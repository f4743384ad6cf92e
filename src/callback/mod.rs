//! Callbacks: what we post to clients, queued durably and delivered as the on-prem client did.
//!
//! # The way of a callback
//!
//! 1. `commit`: it is committed to the store's queue, with those that came with it. Those that come together share a
//!    transaction, in the order in which they came, up to a bound.
//! 2. `schedule`: the callbacks of each chat in order, with delays that grow like on-prem's. Pure.
//! 3. `worker`: one task per number delivers (`deliver`), as many at a time as the number's settings say. A callback
//!    leaves the store before its slot is given to another, so that a kill repeats at most what is in flight.
//!
//! `aliases` are the ids under which a client knows users.
//!
//! # Bounds
//!
//! A number's queue holds so many callbacks as `limits.max_callbacks` says: beyond that Cloud gets 503 and keeps its
//! events (for seven days), and whoever sends messages of this number gets 1016, since each would cause more.

mod aliases;
mod commit;
mod deliver;
mod memory;
mod queue;
mod schedule;
mod worker;

pub use aliases::{Aliases, Flight, numbers};
pub use commit::Counts;
pub use deliver::{Dial, Http, Outcome, Roots, Transport};
pub use queue::{HELD, NoCapacity, Permit, Queue};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::settings::NumberSettings;
use crate::store::{self, Batch, NewCallback, Store};
use crate::telemetry::CallbackMetrics;
use crate::translate::WaId;
use aliases::Writes;
use commit::Commits;

/// How long Cloud repeats what is not acknowledged, in seconds ("Webhooks", retries: "up to 7 days").
const CLOUD_REPEATS_FOR: i64 = 7 * 86_400;
/// How long events are remembered, in seconds: for a day longer than Cloud repeats.
const REMEMBERED_FOR: i64 = CLOUD_REPEATS_FOR + 86_400;
/// How much is forgotten at once.
const PURGE: usize = 2000;
/// How long a callback of our own making waits: the answer that gives its id to the client must come first.
const SETTLE: Duration = Duration::from_secs(1);

/// Why callbacks were not taken.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A number's queue is full.
    #[error("the queue of callbacks is full")]
    Full,
    /// The store has not committed it, or not in time.
    #[error("it could not be committed: {0}")]
    Store(String),
}

/// What callbacks need from the rest of the proxy.
pub struct Tools {
    /// Where the queue is.
    pub store: Arc<dyn Store>,
    /// Makes ways to clients.
    pub dial: Arc<dyn Dial>,
    /// What time it is.
    pub clock: Clock,
    /// Counters.
    pub metrics: CallbackMetrics,
    /// Which of a user's ids clients see.
    pub wa_id: WaId,
    /// How many callbacks each number's queue holds.
    pub most: usize,
}

/// Queues callbacks, and delivers them.
pub struct Callbacks {
    commits: Commits,
    writes: Arc<Writes>,
    tools: worker::Tools,
    wa_id: WaId,
    most: usize,
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callbacks")
    }
}

impl Callbacks {
    /// To be made where its tasks may run until the end.
    pub fn new(tools: Tools) -> Self {
        let Tools { store, dial, clock, metrics, wa_id, most } = tools;
        let (tasks, ending) = (TaskTracker::new(), CancellationToken::new());
        let commits = Commits::new(Arc::clone(&store), metrics.clone());
        let writes = Writes::new(Arc::clone(&store), tasks.clone(), ending.clone());
        let tools = worker::Tools { store, dial, clock, metrics };
        Self { commits, writes, tools, wa_id, most, tasks, ending }
    }

    /// The queue of a number, empty as yet, and what an earlier run knew of its users.
    pub async fn open(
        &self,
        number: &str,
        name: &str,
        settings: watch::Receiver<Arc<NumberSettings>>,
    ) -> Result<(Arc<Queue>, Arc<Aliases>), store::Error> {
        let queue = Queue::new(number.to_owned(), name.to_owned(), self.most, settings);
        let (writes, clock) = (Arc::clone(&self.writes), self.tools.clock.clone());
        let aliases = Aliases::open(number.to_owned(), self.wa_id, aliases::MOST, writes, clock).await?;
        Ok((Arc::new(queue), Arc::new(aliases)))
    }

    /// Puts what an earlier run left into the queues.
    pub async fn restore<'q>(
        &self,
        queue_of: impl Fn(&str) -> Option<&'q Arc<Queue>>,
    ) -> Result<(), store::Error> {
        let mut nobodys = 0_u64;
        for row in self.tools.store.queued_callbacks().await? {
            match queue_of(&row.number) {
                Some(queue) => queue.restore(&row.chat, row.place, row.at),
                None => nobodys += 1,
            }
        }
        if nobodys > 0 {
            tracing::warn!(callbacks = nobodys, "the queue has callbacks of numbers that are not configured");
        }
        Ok(())
    }

    /// Begins to deliver what is, and comes, into `queue`.
    pub fn start(&self, queue: &Arc<Queue>) {
        self.tasks.spawn(worker::run(Arc::clone(queue), self.tools.clone(), self.ending.clone()));
    }

    /// Commits callbacks for which there is capacity, and schedules them, whether or not anybody waits for the
    /// answer.
    pub fn commit(
        &self,
        batch: Batch,
        permits: Vec<Permit>,
    ) -> oneshot::Receiver<Result<Counts, store::Error>> {
        self.commits.commit(batch, permits)
    }

    /// Queues a callback of our own making.
    pub async fn add(&self, queue: &Arc<Queue>, chat: String, body: Vec<u8>) -> Result<(), Refused> {
        if queue.depth() >= queue.own_share() {
            return Err(Refused::Full);
        }
        let permit = queue.reserve(1).map_err(|_| Refused::Full)?;
        let callback =
            NewCallback { number: queue.number.clone(), chat, key: None, wanted: None, body: body.into() };
        let batch = Batch { at: self.now(), callbacks: vec![callback], users: Vec::new() };
        let (done, answer) = oneshot::channel();
        let committed = self.commits.commit_only(batch, vec![permit]);
        self.tasks.spawn(async move {
            match committed.await.unwrap_or(Err(store::Error::Closed)) {
                Ok(committed) => {
                    let _ = done.send(Ok(()));
                    // The answer that names what this is about is still on its way to the client.
                    sleep(SETTLE).await;
                    committed.schedule();
                }
                Err(error) => drop(done.send(Err(Refused::Store(error.to_string())))),
            }
        });
        // Without a limit of our own: who is told that it failed must not get it later all the same.
        answer.await.unwrap_or_else(|_| Err(Refused::Store("the task ended".to_owned())))
    }

    /// The time, in seconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.tools.clock.now()
    }

    /// Where the queue is.
    pub fn store(&self) -> &dyn Store {
        &*self.tools.store
    }

    /// Counters.
    pub fn metrics(&self) -> &CallbackMetrics {
        &self.tools.metrics
    }

    /// Brings the gauges of `queue` up to date.
    pub fn measure(&self, queue: &Queue) {
        let age = queue.oldest().map_or(0, |at| self.now().saturating_sub(at).max(0));
        self.tools.metrics.queue(&queue.name, queue.depth(), age, queue.set_apart());
    }

    /// Forgets what has lapsed.
    pub async fn purge(&self) -> Result<(), store::Error> {
        let (store, now) = (&self.tools.store, self.tools.clock.now());
        store.forget_events(now.saturating_sub(REMEMBERED_FOR)).await?;
        self.writes.again();
        while store.purge_aliases(now.saturating_sub(aliases::KEPT_FOR), PURGE).await? == PURGE {}
        Ok(())
    }

    /// Begins no further deliveries, and waits for those on their way.
    pub async fn stop(&self) {
        self.ending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
