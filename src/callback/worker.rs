//! Delivers the callbacks of one number, as many at a time as its client wants.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::CLOUD_REPEATS_FOR;
use super::deliver::{Dial, Outcome, Transport};
use super::queue::Queue;
use super::schedule::{Attempt, Backoff};
use crate::clock::Clock;
use crate::onprem::callback::CallbackTopic;
use crate::settings::NumberSettings;
use crate::store::Store;
use crate::telemetry::{CallbackMetrics, DeliveryKey};

/// How often what nobody asked for is thrown away.
const SWEEP: Duration = Duration::from_secs(300);
/// How soon what could not be done is retried.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// At the end there is less time, and these are the pauses: what stays in the store is delivered again after the next
/// start.
const LAST: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1), Duration::from_secs(2)];
/// For how long callbacks are held whose client has not said where it wants them: then Cloud would have given up, too.
const HELD_FOR: Duration = Duration::from_secs(CLOUD_REPEATS_FOR.unsigned_abs());
/// After these many failures of one callback the log hears of it only now and then.
const LOUD: u32 = 3;
/// That is, each time that this many more have failed.
const NOW_AND_THEN: u32 = 20;

/// What workers share.
#[derive(Clone)]
pub struct Tools {
    /// Where the queue is.
    pub store: Arc<dyn Store>,
    /// Makes transports to clients.
    pub dial: Arc<dyn Dial>,
    /// What time it is.
    pub clock: Clock,
    /// Counters.
    pub metrics: CallbackMetrics,
}

type Delivery = Pin<Box<dyn Future<Output = Delivered> + Send>>;

/// A delivery that has ended.
struct Delivered {
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
    transport: Option<Arc<dyn Transport>>,
    /// Whether there should be a transport, and cannot be.
    is_cut: bool,
    /// Since when there has been nowhere to deliver to.
    aimless_since: Option<Instant>,
    deliveries: FuturesUnordered<Delivery>,
    /// How many of them are of chats that have failed before.
    retries: usize,
}

/// Delivers until `ending`; then waits for what is in flight. A panic, which would be our mistake, costs what was in
/// flight a repetition, and never the deliveries of the number.
pub async fn run(queue: Arc<Queue>, tools: Tools, ending: CancellationToken) {
    while !ending.is_cancelled() {
        let work = work(Arc::clone(&queue), tools.clone(), ending.clone());
        if AssertUnwindSafe(work).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!(number = queue.name, "the delivery of callbacks panicked, and begins anew");
        sleep(RETRY_AFTER).await;
        queue.schedule().restart();
    }
}

async fn work(queue: Arc<Queue>, tools: Tools, ending: CancellationToken) {
    let settings = queue.watch();
    let mut worker = Worker {
        queue,
        tools,
        settings,
        transport: None,
        is_cut: false,
        aimless_since: None,
        deliveries: FuturesUnordered::new(),
        retries: 0,
    };
    worker.redial();
    let mut sweep = Instant::now() + SWEEP;
    loop {
        if worker.settings.has_changed().unwrap_or(false) {
            // Nothing more goes to where it should not go any more.
            worker.redial();
            worker.queue.schedule().wake();
        }
        let due = worker.dispatch();
        if worker.has_chores() {
            sweep = sweep.min(Instant::now() + RETRY_AFTER);
        }
        tokio::select! {
            () = ending.cancelled() => break,
            Some(delivered) = worker.deliveries.next(), if !worker.deliveries.is_empty() => worker.complete(delivered),
            Ok(()) = changed(&mut worker.settings) => {}
            () = worker.queue.added() => {}
            () = sleep_until(due.unwrap_or(sweep)), if due.is_some() => {}
            () = sleep_until(sweep) => {
                worker.sweep().await;
                sweep = Instant::now() + SWEEP;
            }
        }
    }
    // First, since those in flight may take longer than there is time.
    worker.delete_late().await;
    while let Some(delivered) = worker.deliveries.next().await {
        worker.complete(delivered);
    }
    worker.delete_last().await;
}

/// Waits for a change, and leaves it to be seen.
async fn changed(settings: &mut watch::Receiver<Arc<NumberSettings>>) -> Result<(), watch::error::RecvError> {
    settings.changed().await?;
    settings.mark_changed();
    Ok(())
}

impl Worker {
    fn redial(&mut self) {
        let settings = Arc::clone(&self.settings.borrow_and_update());
        let dialled = self.tools.dial.dial(&settings);
        if let (Err(reason), false) = (&dialled, self.is_cut) {
            tracing::error!(number = self.queue.name, reason, "callbacks cannot be delivered");
        }
        self.is_cut = dialled.is_err();
        self.transport = dialled.unwrap_or_default();
        match settings.callback_target() {
            Some(_) => self.aimless_since = None,
            None => drop(self.aimless_since.get_or_insert_with(Instant::now)),
        }
    }

    /// Whether something is left to do that nobody will remind us of.
    fn has_chores(&self) -> bool {
        self.is_cut || !self.queue.undeleted().is_empty()
    }

    /// Begins what can be begun, and says when more can be.
    fn dispatch(&mut self) -> Option<Instant> {
        let transport = Arc::clone(self.transport.as_ref()?);
        let max = self.settings.borrow().application.max_concurrent_requests();
        self.queue.occupy(false);
        while self.deliveries.len() < max {
            // Half of the slots are for what has not failed yet: callbacks that hang must not hold up everybody.
            let may_retry = self.retries < max.div_ceil(2);
            let Some(attempt) = self.queue.schedule().next(Instant::now(), may_retry) else {
                return self.queue.schedule().due();
            };
            self.retries += usize::from(attempt.is_retry);
            self.deliveries.push(Box::pin(guarded(
                attempt,
                Arc::clone(&transport),
                self.tools.clone(),
                Arc::clone(&self.queue),
            )));
        }
        // Each delivery that completes brings us here again.
        self.queue.occupy(true);
        None
    }

    fn complete(&mut self, delivered: Delivered) {
        let Delivered { attempt, end } = delivered;
        self.retries -= usize::from(attempt.is_retry);
        let now = Instant::now();
        let backoff = {
            let settings = self.settings.borrow();
            let application = &settings.application;
            Backoff { step: application.backoff_step(), max: application.backoff_most() }
        };
        match end {
            End::Taken { is_deleted } => {
                if !is_deleted {
                    self.queue.undeleted().push(attempt.event.place);
                }
                self.queue.schedule().delivered(&attempt, now);
                self.queue.release(1);
            }
            End::NotTaken | End::NotRead => self.queue.schedule().failed(&attempt, now, backoff),
        }
    }

    async fn sweep(&mut self) {
        if self.is_cut {
            self.redial();
        }
        self.delete_late().await;
        // A number that had somewhere to deliver to a moment ago will have it again.
        let is_long = |since: Instant| since.elapsed() >= HELD_FOR;
        if self.aimless_since.is_some_and(is_long) {
            let since = self.tools.clock.now().saturating_sub(CLOUD_REPEATS_FOR);
            let old = self.queue.schedule().take_older(since);
            if !old.is_empty() {
                tracing::warn!(
                    number = self.queue.name,
                    callbacks = old.len(),
                    "callbacks were thrown away: for seven days nobody said where they should go"
                );
                self.tools.metrics.thrown_away(&self.queue.name, old.len());
                self.queue.release(old.len());
                self.queue.undeleted().extend(old);
                self.delete_late().await;
            }
        }
    }

    /// The store took no change when these were taken; nobody must get them again after the next start.
    async fn delete_late(&mut self) {
        let places = self.queue.undeleted().clone();
        if !places.is_empty() && self.tools.store.delete_callbacks(places.clone()).await.is_ok() {
            // Whatever came meanwhile stands behind them; a full disk can leave a hundred thousand.
            self.queue.undeleted().drain(..places.len());
        }
    }

    /// The same when there is no later.
    async fn delete_last(&mut self) {
        let mut pauses = LAST.iter();
        loop {
            self.delete_late().await;
            let callbacks = self.queue.undeleted().len();
            match pauses.next() {
                _ if callbacks == 0 => return,
                Some(pause) => sleep(*pause).await,
                None => {
                    let number = self.queue.name.as_str();
                    tracing::error!(
                        number,
                        callbacks,
                        "delivered callbacks will be delivered again: the store kept them"
                    );
                    return;
                }
            }
        }
    }
}

/// A panic, which would be our mistake, counts as a failure of the one callback.
async fn guarded(
    attempt: Attempt,
    transport: Arc<dyn Transport>,
    tools: Tools,
    queue: Arc<Queue>,
) -> Delivered {
    let delivery = AssertUnwindSafe(deliver(&attempt, transport, tools, &queue)).catch_unwind().await;
    let end = delivery.unwrap_or_else(|_| {
        let (number, place) = (queue.name.as_str(), attempt.event.place);
        tracing::error!(number, place, "the delivery of a callback panicked");
        End::NotTaken
    });
    Delivered { attempt, end }
}

async fn deliver(attempt: &Attempt, transport: Arc<dyn Transport>, tools: Tools, queue: &Queue) -> End {
    let (place, name) = (attempt.event.place, &*queue.name);
    let body = match &attempt.event.body {
        Some(kept) => kept.body(),
        None => match tools.store.callback_body(place).await {
            Ok(Some(body)) => Bytes::from(body),
            Ok(None) => return End::Taken { is_deleted: true },
            Err(error) => {
                tracing::warn!(number = name, place, %error, "a callback could not be read");
                return End::NotRead;
            }
        },
    };
    let (kind, started) = (CallbackTopic::of(&body), Instant::now());
    let outcome = transport.deliver(body).await;
    let code = if let Outcome::Refused(status) = outcome { status } else { 0 };
    let key = DeliveryKey { kind: kind.name(), outcome: outcome.name(), code };
    queue.deliveries.add(key, started.elapsed());
    tools.metrics.delivery(name, outcome.name());
    if outcome != Outcome::Taken {
        report(attempt, &outcome, name);
        return End::NotTaken;
    }
    let deleted = tools.store.delete_callbacks(vec![place]).await;
    if let Err(error) = &deleted {
        tracing::warn!(number = name, place, %error, "a delivered callback could not be taken out of the queue");
    }
    End::Taken { is_deleted: deleted.is_ok() }
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
