//! Commits of webhooks, shared by those that come together.
//!
//! While the store is busy, whoever comes waits, and when it is free it takes all of them at once. So the more webhooks
//! come, the more of them share a job of the store, a wait for the disk and a wake-up of this thread by the store's; and
//! one that comes alone waits for nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::lanes::Event;
use super::queue::{Memory, Queue, Reserved};
use crate::net::this_worker;
use crate::store::{Batch, Error, Store};
use crate::telemetry::CallbackMetrics;

/// Threads that share nothing here; those of a larger machine share places, which costs them wake-ups and nothing else.
const PLACES: usize = 64;

/// Brings webhooks into the store, and what is in the store into the lanes.
pub(super) struct Commits {
    store: Arc<dyn Store>,
    metrics: CallbackMetrics,
    memory: Memory,
    tasks: TaskTracker,
    /// By the thread that they came on, so that whom the store wakes is woken on its own thread.
    places: Vec<Mutex<Place>>,
}

#[derive(Default)]
struct Place {
    waiting: Vec<Waiting>,
    /// Whether the store has been asked to take those who wait.
    is_called: bool,
}

struct Waiting {
    batch: Arc<Batch>,
    rooms: Vec<Reserved>,
    done: oneshot::Sender<Result<(), Error>>,
}

impl Commits {
    pub(super) fn new(store: Arc<dyn Store>, metrics: CallbackMetrics, tasks: TaskTracker) -> Self {
        let places = (0..PLACES).map(|_| Mutex::default()).collect();
        Self { store, metrics, memory: Memory::default(), tasks, places }
    }

    /// Has `batch` committed and put into the lanes, whether or not anybody waits for the answer: what is in the store
    /// has to be in the lanes.
    pub(super) fn begin(
        self: &Arc<Self>,
        batch: Batch,
        rooms: Vec<Reserved>,
    ) -> oneshot::Receiver<Result<(), Error>> {
        let (done, answer) = oneshot::channel();
        let number = this_worker() % PLACES;
        if let Some(mut place) = self.place(number) {
            place.waiting.push(Waiting { batch: Arc::new(batch), rooms, done });
            if !std::mem::replace(&mut place.is_called, true) {
                drop(place);
                self.tasks.spawn(Arc::clone(self).serve(number));
            }
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

    async fn serve(self: Arc<Self>, number: usize) {
        let call = Arc::new(Call { commits: Arc::clone(&self), number, taken: Mutex::default() });
        let of_store = Arc::clone(&call);
        let outcome = self.store.queue_all(Box::new(move || of_store.take())).await;
        let waiting = call.taken();
        match outcome {
            Ok(all) => {
                let (mut landings, mut told) = (Vec::new(), Vec::new());
                for (Waiting { batch, rooms, done }, queued) in waiting.into_iter().zip(all) {
                    told.push((done, queued.as_ref().map(drop).map_err(Error::clone)));
                    landings.extend(queued.ok().map(|places| Landing { batch, places, rooms }));
                }
                self.land(landings);
                // Nobody listening is no error.
                told.into_iter().for_each(|(done, outcome)| drop(done.send(outcome)));
            }
            Err(error) => {
                waiting.into_iter().for_each(|waiting| drop(waiting.done.send(Err(error.clone()))));
            }
        }
    }

    fn place(&self, number: usize) -> Option<MutexGuard<'_, Place>> {
        // What is in there is whole at every moment: nothing calls out.
        self.places.get(number).map(|place| place.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// That the store takes those who wait in a place. However it ends, the next one who comes calls anew.
struct Call {
    commits: Arc<Commits>,
    number: usize,
    /// Those who waited, from when the store took them.
    taken: Mutex<Option<Vec<Waiting>>>,
}

impl Call {
    /// Takes those who wait.
    fn take(&self) -> Vec<Arc<Batch>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all = taken.get_or_insert_with(|| {
            let Some(mut place) = self.commits.place(self.number) else { return Vec::new() };
            place.is_called = false;
            std::mem::take(&mut place.waiting)
        });
        all.iter().map(|waiting| Arc::clone(&waiting.batch)).collect()
    }

    /// Those who were taken, which are those who wait if the store did not get that far.
    fn taken(&self) -> Vec<Waiting> {
        self.take();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Whoever is still in there is told by the loss of the sender.
        self.take();
    }
}

/// What is in the store and not in the lanes yet.
pub(super) struct Landing {
    batch: Arc<Batch>,
    places: Vec<Option<i64>>,
    rooms: Vec<Reserved>,
}
