//! Callbacks: what Cloud tells by webhook, queued durably and delivered as the on-prem client did.
//!
//! # The way of a webhook
//!
//! 1. `signature`: whose it is, from the raw bytes.
//! 2. `intake`: each value goes through [`value_to_onprem`](crate::translate::value_to_onprem), which needs what the
//!    store knows of its users, and under which ids the client knows them (`aliases`); switched-off statuses are left
//!    out.
//! 3. `commit`: the callbacks of a webhook are committed to the store's queue in one transaction, with the keys of their
//!    events, so that repetitions are recognised. Only then is Cloud told. Webhooks that come together share a transaction,
//!    in the order in which they came, up to a bound.
//! 4. `schedule`: the callbacks of each chat in order, with delays that grow like on-prem's. Pure.
//! 5. `worker`: one task per number delivers (`deliver`), as many at a time as the number's settings say. A callback
//!    leaves the store before its slot is given to another, so that a kill repeats at most what is in flight.
//!
//! # Bounds
//!
//! A number's queue holds so many callbacks as `limits.max_callbacks` says: beyond that Cloud gets 503 and keeps its
//! events (for seven days), and whoever sends messages of this number gets 1016, since each would cause more.

mod aliases;
mod commit;
mod deliver;
mod intake;
mod memory;
mod queue;
mod schedule;
mod signature;
mod worker;

pub use aliases::{Aliases, Flight};
pub use deliver::{Dial, Http, Outcome, Roots, Transport};
pub use intake::{Intake, Receipt, Refused};
pub use queue::{HELD, Queue};
pub use signature::{SIGNATURE, Secrets, Signed, Unsigned, is_signature};

use std::sync::Arc;

use aliases::Writes;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::{self, Store};
use crate::telemetry::CallbackMetrics;
use crate::translate::{Options, WaId};

/// How long Cloud repeats what is not acknowledged, in seconds ("Webhooks", retries: "up to 7 days").
const CLOUD_REPEATS_FOR: i64 = 7 * 86_400;
/// How long events are remembered, in seconds: for a day longer than Cloud repeats.
const REMEMBERED_FOR: i64 = CLOUD_REPEATS_FOR + 86_400;
/// How much is forgotten at once.
const PURGE: usize = 2000;

/// What callbacks need from the rest of the proxy.
pub struct Tools {
    /// Where the queue is.
    pub store: Arc<dyn Store>,
    /// What clients want.
    pub settings: Settings,
    /// Makes ways to clients.
    pub dial: Arc<dyn Dial>,
    /// What time it is.
    pub clock: Clock,
    /// Counters.
    pub metrics: CallbackMetrics,
    /// Choices of the translation.
    pub options: Options,
    /// Which of a user's ids clients see.
    pub wa_id: WaId,
    /// How many callbacks each number's queue holds.
    pub most: usize,
}

/// The callbacks of all numbers.
pub struct Callbacks {
    intake: Intake,
    writes: Arc<Writes>,
    tools: worker::Tools,
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callbacks")
    }
}

impl Callbacks {
    /// Reads what an earlier run left. Numbers are given by id and name.
    pub async fn open(
        numbers: impl Iterator<Item = (String, String)>,
        tools: Tools,
    ) -> Result<Self, store::Error> {
        let Tools { store, settings, dial, clock, metrics, options, wa_id, most } = tools;
        let (tasks, ending) = (TaskTracker::new(), CancellationToken::new());
        let mut intake =
            Intake::new(Arc::clone(&store), clock.clone(), options, metrics.clone(), tasks.clone());
        let writes = Writes::new(Arc::clone(&store), tasks.clone(), ending.clone());
        for (number, name) in numbers {
            let queue = Queue::new(number.clone(), name, most, settings.watch(&number));
            let aliases =
                Aliases::open(number.clone(), wa_id, aliases::MOST, Arc::clone(&writes), clock.clone());
            intake.aliases.insert(number.clone(), Arc::new(aliases.await?));
            intake.queues.insert(number, Arc::new(queue));
        }
        let mut nobodys = 0_u64;
        for row in store.queued_callbacks().await? {
            match intake.queues.get(&row.number) {
                Some(queue) => queue.restore(&row.chat, row.place, row.at),
                None => nobodys += 1,
            }
        }
        if nobodys > 0 {
            tracing::warn!(callbacks = nobodys, "the queue has callbacks of numbers that are not configured");
        }
        let tools = worker::Tools { store, dial, clock, metrics };
        Ok(Self { intake, writes, tools, tasks, ending })
    }

    /// Begins to deliver.
    pub fn start(&self) {
        for queue in self.intake.queues.values() {
            self.tasks.spawn(worker::run(Arc::clone(queue), self.tools.clone(), self.ending.clone()));
        }
    }

    /// Where webhooks go in.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// The queue of a number.
    pub fn queue(&self, number: &str) -> Option<&Arc<Queue>> {
        self.intake.queues.get(number)
    }

    /// Under which ids the client of a number knows users.
    pub fn aliases(&self, number: &str) -> Option<&Arc<Aliases>> {
        self.intake.aliases.get(number)
    }

    /// Brings the gauges up to date.
    pub fn measure(&self) {
        let now = self.tools.clock.now();
        for queue in self.intake.queues.values() {
            let age = queue.oldest().map_or(0, |at| now.saturating_sub(at).max(0));
            self.tools.metrics.queue(&queue.name, queue.depth(), age, queue.set_apart());
        }
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
