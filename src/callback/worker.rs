//! Delivers the callbacks of one number, as many at a time as its client wants.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::deliver::{Dial, Line, Outcome};
use super::lanes::{Attempt, Backoff};
use super::queue::Queue;
use crate::clock::Clock;
use crate::onprem::callback::CallbackTopic;
use crate::settings::NumberSettings;
use crate::store::Store;
use crate::telemetry::{CallbackMetrics, DeliveryKey};

/// How often what could not be done at once is tried again, and what nobody asked for is thrown away.
const SWEEP: Duration = Duration::from_secs(5);
/// For how long callbacks are held whose client has not said where it wants them, in seconds: Cloud, too, gives up
/// after seven days ("Webhooks", retries).
const HELD_FOR: i64 = 7 * 86_400;
/// After these many failures of one callback the log hears of it only now and then.
const LOUD: u32 = 3;
/// That is, each time that this many more have failed.
const NOW_AND_THEN: u32 = 20;

/// What workers share.
#[derive(Clone)]
pub struct Tools {
    /// Where the queue is.
    pub store: Arc<dyn Store>,
    /// Makes ways to clients.
    pub dial: Arc<dyn Dial>,
    /// What time it is.
    pub clock: Clock,
    /// Counters.
    pub metrics: CallbackMetrics,
}

type Flight = Pin<Box<dyn Future<Output = Landed> + Send>>;

/// A delivery that has ended.
struct Landed {
    attempt: Attempt,
    end: End,
}

enum End {
    /// The client has it, or it was in the store no more.
    Taken { is_deleted: bool },
    /// The client has not taken it.
    NotTaken,
    /// The store did not give its body.
    NotRead,
}

struct Worker {
    queue: Arc<Queue>,
    tools: Tools,
    settings: watch::Receiver<Arc<NumberSettings>>,
    line: Option<Arc<dyn Line>>,
    flights: FuturesUnordered<Flight>,
    /// Places of callbacks that were taken, or thrown away, while the store took no change.
    undeleted: Vec<i64>,
}

/// Delivers until `ending`; then waits for what is on its way.
pub async fn run(queue: Arc<Queue>, tools: Tools, ending: CancellationToken) {
    let settings = queue.watch();
    let (flights, undeleted) = (FuturesUnordered::new(), Vec::new());
    let mut worker = Worker { queue, tools, settings, line: None, flights, undeleted };
    worker.redial();
    let mut sweep = Instant::now() + SWEEP;
    loop {
        let due = worker.take_off();
        tokio::select! {
            () = ending.cancelled() => break,
            Some(landed) = worker.flights.next(), if !worker.flights.is_empty() => worker.land(landed),
            Ok(()) = worker.settings.changed() => {
                worker.redial();
                worker.queue.lanes().wake();
            }
            () = worker.queue.bell() => {}
            () = sleep_until(due.map_or(sweep, |due| due.min(sweep))) => {
                if Instant::now() >= sweep {
                    worker.sweep().await;
                    sweep = Instant::now() + SWEEP;
                }
            }
        }
    }
    while let Some(landed) = worker.flights.next().await {
        worker.land(landed);
    }
    worker.delete_late().await;
}

impl Worker {
    fn redial(&mut self) {
        let settings = Arc::clone(&self.settings.borrow_and_update());
        self.line = self.tools.dial.dial(&settings).unwrap_or_else(|reason| {
            tracing::error!(number = self.queue.name, reason, "callbacks cannot be delivered");
            None
        });
    }

    /// Begins what can be begun, and says when more can be.
    fn take_off(&mut self) -> Option<Instant> {
        let line = Arc::clone(self.line.as_ref()?);
        let most = self.settings.borrow().application.max_concurrent_requests();
        while self.flights.len() < most {
            let Some(attempt) = self.queue.lanes().next(Instant::now()) else {
                return self.queue.lanes().due();
            };
            let flight = fly(attempt, Arc::clone(&line), self.tools.clone(), Arc::clone(&self.queue));
            self.flights.push(Box::pin(flight));
        }
        None
    }

    fn land(&mut self, landed: Landed) {
        let Landed { attempt, end } = landed;
        let now = Instant::now();
        let backoff = {
            let settings = self.settings.borrow();
            let application = &settings.application;
            Backoff { step: application.backoff_step(), most: application.backoff_most() }
        };
        match end {
            End::Taken { is_deleted } => {
                if !is_deleted {
                    self.undeleted.push(attempt.event.place);
                }
                self.queue.lanes().delivered(&attempt);
                self.queue.release(1);
            }
            End::NotTaken | End::NotRead => self.queue.lanes().failed(&attempt, now, backoff),
        }
    }

    async fn sweep(&mut self) {
        self.delete_late().await;
        if self.line.is_none() && self.settings.borrow().callback_target().is_none() {
            let old = self.queue.lanes().take_older(self.tools.clock.now().saturating_sub(HELD_FOR));
            if !old.is_empty() {
                tracing::warn!(
                    number = self.queue.name,
                    callbacks = old.len(),
                    "callbacks were thrown away: for seven days nobody said where they should go"
                );
                self.tools.metrics.thrown_away(&self.queue.name, old.len());
                self.queue.release(old.len());
                self.undeleted.extend(old);
                self.delete_late().await;
            }
        }
    }

    /// The store took no change when these were taken; nobody must get them again after the next start.
    async fn delete_late(&mut self) {
        if self.undeleted.is_empty() {
            return;
        }
        if self.tools.store.delete_callbacks(self.undeleted.clone()).await.is_ok() {
            self.undeleted.clear();
        }
    }
}

async fn fly(attempt: Attempt, line: Arc<dyn Line>, tools: Tools, queue: Arc<Queue>) -> Landed {
    let (place, name) = (attempt.event.place, &*queue.name);
    let body = match &attempt.event.body {
        Some(kept) => kept.body(),
        None => match tools.store.callback_body(place).await {
            Ok(Some(body)) => Bytes::from(body),
            Ok(None) => return Landed { attempt, end: End::Taken { is_deleted: true } },
            Err(error) => {
                tracing::warn!(number = name, place, %error, "a callback could not be read");
                return Landed { attempt, end: End::NotRead };
            }
        },
    };
    let (kind, started) = (CallbackTopic::of(&body), Instant::now());
    let outcome = line.deliver(body).await;
    let code = if let Outcome::Refused(status) = outcome { status } else { 0 };
    let key = DeliveryKey { kind: kind.name(), outcome: outcome.name(), code };
    queue.deliveries.add(key, started.elapsed());
    tools.metrics.delivery(name, outcome.name());
    if outcome != Outcome::Taken {
        report(&attempt, &outcome, name);
        return Landed { attempt, end: End::NotTaken };
    }
    let deleted = tools.store.delete_callbacks(vec![place]).await;
    if let Err(error) = &deleted {
        tracing::warn!(number = name, place, %error, "a delivered callback could not be taken out of the queue");
    }
    Landed { attempt, end: End::Taken { is_deleted: deleted.is_ok() } }
}

fn report(attempt: &Attempt, outcome: &Outcome, name: &str) {
    let failures = attempt.failures.saturating_add(1);
    let reason = match outcome {
        Outcome::Taken => return,
        Outcome::Refused(status) => format!("it answered HTTP {status}; only 200 acknowledges"),
        Outcome::TimedOut => "it did not answer in time".to_owned(),
        Outcome::Unreached(reason) => reason.clone(),
    };
    if failures <= LOUD || failures.is_multiple_of(NOW_AND_THEN) {
        tracing::warn!(
            number = name,
            place = attempt.event.place,
            failures,
            reason,
            "the client did not take a callback; it will be repeated"
        );
    } else {
        tracing::debug!(number = name, place = attempt.event.place, failures, reason, "callback not taken");
    }
}
