//! Commits of webhooks, shared by those that come together.
//!
//! All webhooks stand in one row, whatever thread they came on: Cloud may tell one chat's events over several
//! connections, and they have to stay in order. While the store is busy the row grows, and when the store is free it
//! takes from the front what one transaction should have. So the more webhooks come, the more of them share a job of the
//! store and a wait for the disk; and one that comes alone waits for nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::lanes::Event;
use super::queue::{Memory, Queue, Reserved, lock};
use crate::store::{Batch, Error, Queued, Store};
use crate::telemetry::CallbackMetrics;

/// How many webhooks share a transaction at most. There may be many after a stall, and everybody waits for its end.
const TOGETHER: usize = 512;
/// How many bytes of callbacks they bring at most. One webhook alone may bring more.
const BYTES: usize = 4 * 1024 * 1024;

/// Brings webhooks into the store, and what is in the store into the lanes.
pub(super) struct Commits {
    store: Arc<dyn Store>,
    metrics: CallbackMetrics,
    memory: Memory,
    tasks: TaskTracker,
    row: Arc<Mutex<Row>>,
}

/// Those who wait for the store, in the order in which they came.
#[derive(Default)]
struct Row {
    waiting: VecDeque<Waiting>,
    /// Whether somebody has the duty to have them taken.
    is_called: bool,
    /// Ends when those who were taken last are in the lanes.
    landed: Option<oneshot::Receiver<()>>,
}

struct Waiting {
    batch: Arc<Batch>,
    rooms: Vec<Reserved>,
    done: oneshot::Sender<Result<Told, Error>>,
}

/// What became of the callbacks of a webhook.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// How many are in the queue.
    pub queued: usize,
    /// How many had been there before.
    pub repeated: usize,
}

impl Told {
    fn of(places: &[Option<i64>]) -> Self {
        let queued = places.iter().flatten().count();
        Self { queued, repeated: places.len() - queued }
    }
}

impl Commits {
    pub(super) fn new(store: Arc<dyn Store>, metrics: CallbackMetrics, tasks: TaskTracker) -> Self {
        Self { store, metrics, memory: Memory::default(), tasks, row: Arc::default() }
    }

    /// Has `batch` committed and put into the lanes, whether or not anybody waits for the answer: what is in the store
    /// has to be in the lanes.
    pub(super) fn begin(
        self: &Arc<Self>,
        batch: Batch,
        rooms: Vec<Reserved>,
    ) -> oneshot::Receiver<Result<Told, Error>> {
        let (done, answer) = oneshot::channel();
        // The duty is made before the task, which may go with its runtime before it runs.
        if let Some(duty) = Duty::join(&self.row, Waiting { batch: Arc::new(batch), rooms, done }) {
            self.tasks.spawn(Arc::clone(self).serve(duty));
        }
        answer
    }

    /// Commits one batch, which is put into the lanes later.
    pub(super) async fn alone(&self, batch: Batch, rooms: Vec<Reserved>) -> Result<Landing, Error> {
        let batch = Arc::new(batch);
        let one = Arc::clone(&batch);
        let queued = self.store.queue_all(Box::new(|| vec![one])).await?.pop();
        let places = queued.unwrap_or(Err(Error::Closed))?;
        Ok(Landing { batch, places, rooms })
    }

    /// Puts into the lanes what is in the store.
    pub(super) fn land(&self, landings: impl IntoIterator<Item = Landing>) {
        let (mut queued, mut repeated) = (0, 0);
        let mut bells: Vec<Arc<Queue>> = Vec::new();
        for Landing { batch, places, mut rooms } in landings {
            for (place, callback) in places.into_iter().zip(&batch.callbacks) {
                let Some(place) = place else {
                    repeated += 1;
                    continue;
                };
                queued += 1;
                if let Some(room) = rooms.iter_mut().find(|room| room.number() == callback.number) {
                    let body = self.memory.keep(callback.body.clone());
                    room.put(&callback.chat, Event { place, at: batch.at, body });
                }
            }
            for queue in rooms.iter().map(Reserved::queue) {
                if !bells.iter().any(|known| Arc::ptr_eq(known, queue)) {
                    bells.push(Arc::clone(queue));
                }
            }
        }
        bells.iter().for_each(|queue| queue.ring());
        self.metrics.events("queued", queued);
        self.metrics.events("repeated", repeated);
    }

    /// Has those in the row taken, some at a time, until nobody is left there.
    async fn serve(self: Arc<Self>, duty: Duty) {
        let mut next = Some(duty);
        while let Some(duty) = next {
            let stage = Arc::new(Mutex::new(Stage::Called(duty)));
            let of_store = Arc::clone(&stage);
            let outcome = self.store.queue_all(Box::new(move || lock(&of_store).take())).await;
            let Some(Taken { waiting, before, landed, rest }) = lock(&stage).end() else { return };
            if let Some(before) = before {
                // It ends by its loss, whether those have landed or are lost themselves.
                let _ = before.await;
            }
            self.finish(waiting, outcome);
            drop(landed);
            next = rest;
        }
    }

    fn finish(&self, waiting: Vec<Waiting>, outcome: Result<Vec<Queued>, Error>) {
        let all = match outcome {
            Ok(all) => all,
            Err(error) => waiting.iter().map(|_| Err(error.clone())).collect(),
        };
        let (mut landings, mut told) = (Vec::new(), Vec::new());
        for (Waiting { batch, rooms, done }, queued) in waiting.into_iter().zip(all) {
            told.push((done, queued.as_ref().map(|places| Told::of(places)).map_err(Error::clone)));
            landings.extend(queued.ok().map(|places| Landing { batch, places, rooms }));
        }
        self.land(landings);
        // Nobody listening is no error.
        told.into_iter().for_each(|(done, outcome)| drop(done.send(outcome)));
    }
}

/// The duty to have those in the row taken; one has it at a time. If it is lost, they learn of it by the loss of their
/// senders, and the next one who comes calls anew.
struct Duty {
    row: Arc<Mutex<Row>>,
    is_done: bool,
}

impl Duty {
    /// Puts `waiting` at the end of the row. Whoever finds that nobody has the duty gets it.
    fn join(row: &Arc<Mutex<Row>>, waiting: Waiting) -> Option<Self> {
        let mut locked = lock(row);
        locked.waiting.push_back(waiting);
        let is_called = std::mem::replace(&mut locked.is_called, true);
        (!is_called).then(|| Self { row: Arc::clone(row), is_done: false })
    }

    /// Takes those whose turn it is.
    fn take(mut self) -> Taken {
        let (landed, of_next) = oneshot::channel();
        let (mut waiting, mut bytes) = (Vec::new(), 0_usize);
        let mut row = lock(&self.row);
        while waiting.len() < TOGETHER
            && let Some(next) = row.waiting.pop_front_if(|next| {
                bytes = bytes.saturating_add(next.bytes());
                waiting.is_empty() || bytes <= BYTES
            })
        {
            waiting.push(next);
        }
        let before = row.landed.replace(of_next);
        self.is_done = row.waiting.is_empty();
        row.is_called = !self.is_done;
        drop(row);
        let rest = if self.is_done { None } else { Some(self) };
        Taken { waiting, before, landed, rest }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if !self.is_done {
            let mut row = lock(&self.row);
            row.is_called = false;
            let lost = std::mem::take(&mut row.waiting);
            // Whom this wakes may come again at once.
            drop(row);
            drop(lost);
        }
    }
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.batch.callbacks.iter().map(|callback| callback.body.len()).sum()
    }
}

/// Those whom the store takes together.
struct Taken {
    waiting: Vec<Waiting>,
    /// Ends when those who were taken before are in the lanes: a chat's next callback must not be there first.
    before: Option<oneshot::Receiver<()>>,
    /// Its loss is what those who are taken next wait for.
    landed: oneshot::Sender<()>,
    /// For those who are left.
    rest: Option<Duty>,
}

/// How far a call of the store is. The store's job shares it with the task that waits for the outcome. It owns nothing
/// that owns the store, or the store's own thread might be the last to let go of it, and wait for its own end.
enum Stage {
    Called(Duty),
    Taken(Taken),
    Over,
}

impl Stage {
    /// What the store commits; nothing when the call is over.
    fn take(&mut self) -> Vec<Arc<Batch>> {
        let Some(taken) = self.end() else { return Vec::new() };
        let batches = taken.waiting.iter().map(|waiting| Arc::clone(&waiting.batch)).collect();
        *self = Self::Taken(taken);
        batches
    }

    /// Those who were taken, or would have been if the store had got that far.
    fn end(&mut self) -> Option<Taken> {
        match std::mem::replace(self, Self::Over) {
            Self::Called(duty) => Some(duty.take()),
            Self::Taken(taken) => Some(taken),
            Self::Over => None,
        }
    }
}

/// What is in the store and not in the lanes yet.
pub(super) struct Landing {
    batch: Arc<Batch>,
    places: Vec<Option<i64>>,
    rooms: Vec<Reserved>,
}
