//! Webhooks: signed as Graph signs them, posted until they are taken, remembered.
//!
//! Statuses are queued when a message is accepted, so the first may overtake the answer to the sender, as with Cloud.

mod api;
mod body;
pub(super) mod control;
mod deliver;
mod inbound;
mod queue;
mod signature;
mod subscription;
mod target;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub(super) use deliver::run;
pub use inbound::InboundMessage;
pub use subscription::{Retry, StatusWord, Subscription};

use super::errors::GraphError;
use super::state::{Accepted, State};
use queue::{Job, Queue};
use target::Target;

/// Of more tries of one webhook the oldest are forgotten.
const TRIES_KEPT: usize = 1000;
/// What failed when a subscription names `failed` among what is told of each message.
const UNDELIVERABLE: u32 = 131_026;

/// A webhook that was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentWebhook {
    /// The raw body, which was signed.
    #[serde(serialize_with = "as_json")]
    pub body: Bytes,
    /// Every post of it, oldest first.
    pub tries: Vec<Try>,
}

impl SentWebhook {
    /// The body as JSON, or null.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it was answered with 200, the only answer that ends it.
    pub fn is_taken(&self) -> bool {
        self.tries.last().is_some_and(|last| last.status == Some(200))
    }
}

/// One post of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Try {
    /// When it ended, in seconds since 1970.
    pub at: u64,
    /// The HTTP status; none when there was no answer.
    pub status: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
}

/// The webhooks of one mock.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    /// Whether anybody is subscribed, so that a bench takes no lock.
    is_on: AtomicBool,
    board: Mutex<Board>,
    /// Something was queued.
    wake: Notify,
    /// How many were not taken yet.
    waiting: watch::Sender<usize>,
    challenges: AtomicU64,
}

#[derive(Debug, Default)]
struct Board {
    subscriber: Option<Arc<Subscriber>>,
    queue: Queue,
    /// By their number in the queue.
    sent: BTreeMap<u64, SentWebhook>,
}

/// A subscription and its connections.
#[derive(Debug)]
struct Subscriber {
    subscription: Subscription,
    /// An error that every try tells.
    target: Result<Target, String>,
}

impl Hooks {
    pub(super) fn subscribe(&self, subscription: Subscription) {
        let target = Target::new(subscription.extra_roots.as_deref());
        let subscriber = Subscriber { subscription, target };
        let mut board = self.board();
        board.subscriber = Some(Arc::new(subscriber));
        self.is_on.store(true, Ordering::Release);
    }

    /// What waits is forgotten; what is under way is not repeated.
    pub(super) fn unsubscribe(&self) {
        let mut board = self.board();
        board.subscriber = None;
        self.is_on.store(false, Ordering::Release);
        board.queue.forget();
        self.waiting.send_replace(board.queue.len());
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Acquire)
    }

    /// The statuses of a message that was just accepted.
    pub(super) fn accepted(&self, state: &State, message: &Accepted) {
        let Some(subscriber) = self.subscriber() else { return };
        for word in &subscriber.subscription.statuses {
            let errors = match word {
                StatusWord::Failed => vec![GraphError::of(UNDELIVERABLE)],
                StatusWord::Sent | StatusWord::Delivered | StatusWord::Read | StatusWord::Played => {
                    Vec::new()
                }
            };
            self.status(state, message, *word, &errors);
        }
    }

    /// Queues a status; false when nobody is subscribed.
    fn status(&self, state: &State, message: &Accepted, word: StatusWord, errors: &[GraphError]) -> bool {
        let content = body::status(message, word, errors, state.now());
        self.enveloped(state, &message.phone_number_id, content, Some(&message.wamid))
    }

    /// Queues what a user wrote; its id is given even when nobody is subscribed.
    fn inbound(&self, state: &State, phone_number_id: &str, message: InboundMessage) -> String {
        let (content, id) = message.complete(state, phone_number_id);
        self.enveloped(state, phone_number_id, content, None);
        id
    }

    fn enveloped(
        &self,
        state: &State,
        phone_number_id: &str,
        content: Map<String, Value>,
        lane: Option<&str>,
    ) -> bool {
        let Some(subscriber) = self.subscriber() else { return false };
        let waba_id = &subscriber.subscription.waba_id;
        let webhook = body::envelope(&state.options, waba_id, phone_number_id, content);
        self.queue(signature::escaped(&webhook), None, lane)
    }

    /// Queues a body, signed with the subscription's secret or with this one; false when nobody is subscribed.
    fn queue(&self, body: Bytes, secret: Option<String>, lane: Option<&str>) -> bool {
        let mut board = self.board();
        if board.subscriber.is_none() {
            return false;
        }
        board.queue.add(body, secret, lane);
        self.waiting.send_replace(board.queue.len());
        self.wake.notify_one();
        true
    }

    fn subscriber(&self) -> Option<Arc<Subscriber>> {
        self.board().subscriber.clone()
    }

    fn start(&self) -> Option<(Arc<Subscriber>, Job)> {
        let mut board = self.board();
        let subscriber = board.subscriber.clone()?;
        Some((subscriber, board.queue.start(Instant::now())?))
    }

    /// Writes down how a post ended, and repeats it as long as somebody is subscribed.
    fn settle(&self, state: &State, mut job: Job, retry: Retry, outcome: Result<u16, String>) {
        let is_taken = outcome == Ok(200);
        let mut board = self.board();
        if state.options.record {
            let fresh = SentWebhook { body: job.body.clone(), tries: Vec::new() };
            let tries = &mut board.sent.entry(job.number).or_insert(fresh).tries;
            tries.push(Try { at: state.now(), status: outcome.as_ref().ok().copied(), error: outcome.err() });
            if tries.len() > TRIES_KEPT {
                tries.remove(0);
            }
            while board.sent.len() > state.options.record_limit {
                board.sent.pop_first();
            }
        }
        if is_taken || board.subscriber.is_none() {
            board.queue.done(job);
        } else {
            job.failures = job.failures.saturating_add(1);
            let at = Instant::now() + retry.pause(job.failures);
            board.queue.again(job, at);
        }
        self.waiting.send_replace(board.queue.len());
    }

    pub(super) fn sent(&self) -> Vec<SentWebhook> {
        self.board().sent.values().cloned().collect()
    }

    /// Forgets what was posted; what waits goes on.
    pub(super) fn clear(&self) {
        self.board().sent.clear();
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn as_json<S: Serializer>(body: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => json.serialize(serializer),
        Err(_) => serializer.serialize_str(&String::from_utf8_lossy(body)),
    }
}
