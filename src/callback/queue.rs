//! The queue of one number, as everybody but its worker sees it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};

use super::lanes::{Event, Lanes};
use crate::settings::NumberSettings;
use crate::telemetry::Deliveries;

/// Bytes of bodies that all queues together keep in memory; what is beyond is read from the store when its turn
/// comes.
const MEMORY: usize = 32 * 1024 * 1024;
/// How many callbacks are kept of a number whose client has not said where it wants them: until it does so, or for
/// as long as Cloud itself would have kept them. Numbers that only send must not fill the disk.
pub const HELD: usize = 1000;
/// How long a number that had a place for its callbacks is waited for.
const LEFT_AFTER: Duration = Duration::from_secs(86_400);

/// A body in memory, counted for as long as it is there.
#[derive(Clone)]
pub struct Kept(Arc<Counted>);

/// Leaves the body out: it is what people wrote.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

struct Counted {
    body: Bytes,
    memory: Memory,
}

/// How many bytes are in memory. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<AtomicUsize>);

impl Memory {
    /// Keeps `body`, unless there is too much already.
    pub fn keep(&self, body: Bytes) -> Option<Kept> {
        let held = self.0.fetch_add(body.len(), Ordering::Relaxed);
        let counted = Counted { body, memory: self.clone() };
        (held < MEMORY).then(|| Kept(Arc::new(counted)))
    }
}

impl Kept {
    /// The body.
    pub fn body(&self) -> Bytes {
        self.0.body.clone()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.body.len(), Ordering::Relaxed);
    }
}

/// The callbacks of one number that have not been taken.
pub struct Queue {
    /// Its phone number id.
    pub number: String,
    /// Its name, for metrics and the log.
    pub name: String,
    /// What became of deliveries.
    pub deliveries: Deliveries,
    most: usize,
    depth: AtomicUsize,
    lanes: Mutex<Lanes>,
    /// Places of callbacks that were taken, or thrown away, while the store took no change.
    undeleted: Mutex<Vec<i64>>,
    /// When somebody last knew where callbacks should go.
    aimed_at: Mutex<Option<Instant>>,
    bell: Notify,
    is_occupied: AtomicBool,
    settings: watch::Receiver<Arc<NumberSettings>>,
}

/// Leaves the chats out: they are people's numbers.
impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut form = f.debug_struct("Queue");
        form.field("name", &self.name).field("depth", &self.depth()).finish_non_exhaustive()
    }
}

/// Whether there is room.
#[derive(Debug)]
pub enum Room {
    /// For all that was asked for.
    Some(Reserved),
    /// Not now.
    Full,
    /// Not before the client says where it wants its callbacks.
    NotHeld,
}

/// Room for callbacks that are on their way into the store; given back unless it is used.
#[derive(Debug)]
pub struct Reserved {
    queue: Arc<Queue>,
    left: usize,
}

impl Queue {
    /// The queue of `number`, with room for `most`.
    pub fn new(
        number: String,
        name: String,
        most: usize,
        settings: watch::Receiver<Arc<NumberSettings>>,
    ) -> Self {
        Self {
            number,
            name,
            deliveries: Deliveries::default(),
            most,
            depth: AtomicUsize::new(0),
            lanes: Mutex::default(),
            undeleted: Mutex::default(),
            aimed_at: Mutex::default(),
            bell: Notify::new(),
            is_occupied: AtomicBool::new(false),
            settings,
        }
    }

    /// Whether no callback gets in any more. Then its number should not cause further ones.
    pub fn is_full(&self) -> bool {
        self.depth() >= self.most
    }

    /// How far it may fill up before callbacks of our own making stay out: what Cloud tells needs the rest.
    pub fn own_share(&self) -> usize {
        (self.most / 10).max(HELD.min(self.most))
    }

    /// How many callbacks wait, are on their way to the client, or into the store.
    pub fn depth(&self) -> usize {
        self.depth.load(Ordering::Relaxed)
    }

    /// When the oldest one was queued, in seconds since the Unix epoch.
    pub fn oldest(&self) -> Option<i64> {
        self.lanes().oldest()
    }

    /// What its client wants.
    pub fn settings(&self) -> Arc<NumberSettings> {
        Arc::clone(&self.settings.borrow())
    }

    pub(super) fn watch(&self) -> watch::Receiver<Arc<NumberSettings>> {
        self.settings.clone()
    }

    /// Room for `count` more. An empty queue takes as many as come at once: Cloud would repeat them for ever.
    pub fn reserve(self: &Arc<Self>, count: usize) -> Room {
        let is_wanted = self.settings.borrow().callback_target().is_some();
        let is_left = self.is_left(is_wanted);
        let most = if is_wanted { self.most } else { HELD.min(self.most) };
        let update = self.depth.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |depth| {
            depth.checked_add(count).filter(|sum| depth == 0 || *sum <= most)
        });
        match update {
            Ok(_) => Room::Some(Reserved { queue: Arc::clone(self), left: count }),
            Err(_) if is_left => Room::NotHeld,
            Err(_) => Room::Full,
        }
    }

    /// Whether nobody knows where callbacks should go, and nobody did lately: then it is a number that only sends.
    /// One whose settings were just reset will have a place for them again.
    fn is_left(&self, is_wanted: bool) -> bool {
        let mut aimed_at = lock(&self.aimed_at);
        if is_wanted {
            *aimed_at = Some(Instant::now());
        }
        aimed_at.is_none_or(|at| at.elapsed() >= LEFT_AFTER) && self.depth() <= HELD
    }

    /// Takes in what an earlier run left in the store.
    pub(super) fn restore(&self, chat: &str, place: i64, at: i64) {
        self.depth.fetch_add(1, Ordering::Relaxed);
        self.lanes().add(Arc::from(chat), Event { place, at, body: None });
    }

    /// Gives back the room of `count` callbacks that are out of the store.
    pub(super) fn release(&self, count: usize) {
        self.depth.fetch_sub(count, Ordering::Relaxed);
    }

    /// Waits until something was added.
    pub(super) async fn bell(&self) {
        self.bell.notified().await;
    }

    /// Says that something was added. A worker that cannot begin anything looks by itself when it can.
    pub(super) fn ring(&self) {
        if !self.is_occupied.load(Ordering::Relaxed) {
            self.bell.notify_one();
        }
    }

    /// Whether the bell is in vain. To be taken back before the lanes are looked at: who adds something later, under
    /// the lanes' lock, sees it then.
    pub(super) fn occupy(&self, is_occupied: bool) {
        self.is_occupied.store(is_occupied, Ordering::Relaxed);
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        lock(&self.lanes)
    }

    pub(super) fn undeleted(&self) -> MutexGuard<'_, Vec<i64>> {
        lock(&self.undeleted)
    }

    /// How many callbacks the client refuses while it takes others.
    pub fn set_apart(&self) -> usize {
        self.lanes().set_apart_count()
    }
}

/// What is in there is whole at every moment: nothing calls out.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reserved {
    /// Whose room it is.
    pub fn number(&self) -> &str {
        &self.queue.number
    }

    /// The same.
    pub(super) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Uses room for a callback that is in the store now. Whoever has put all of theirs rings.
    pub fn put(&mut self, chat: &str, event: Event) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.queue.lanes().add(Arc::from(chat), event);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.queue.release(self.left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_had_a_place_for_its_callbacks_is_waited_for_a_day() {
        let (_settings, settings) = watch::channel(Arc::default());
        let queue = Queue::new("1".to_owned(), "support".to_owned(), 10, settings);
        assert!(queue.is_left(false), "one that never had any only sends");
        for (hours, is_left) in [(0, false), (23, false), (24, true)] {
            *lock(&queue.aimed_at) = Instant::now().checked_sub(Duration::from_hours(hours));
            assert_eq!(queue.is_left(false), is_left, "{hours}");
        }
    }
}
