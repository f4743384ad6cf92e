//! The queue of one number, as everybody but its worker sees it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio::time::{Duration, Instant};

use super::schedule::{Event, Schedule};
use crate::settings::NumberSettings;
use crate::telemetry::Deliveries;

/// How many callbacks are kept of a number whose client has not said where it wants them: until it does so, or for
/// as long as Cloud itself would have kept them. Numbers that only send must not fill the disk.
pub const HELD: usize = 1000;
/// How long a number that had a place for its callbacks is waited for.
const LEFT_AFTER: Duration = Duration::from_secs(86_400);

/// The callbacks of one number that have not been taken.
pub struct Queue {
    /// Its phone number id.
    pub number: String,
    /// Its name, for metrics and the log.
    pub name: String,
    /// What became of deliveries.
    pub deliveries: Deliveries,
    max: usize,
    depth: AtomicUsize,
    schedule: Mutex<Schedule>,
    /// Places of callbacks that were taken, or thrown away, while the store took no change.
    undeleted: Mutex<Vec<i64>>,
    /// When somebody last knew where callbacks should go.
    aimed_at: Mutex<Option<Instant>>,
    added: Notify,
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

/// Why a queue has no capacity.
#[derive(Debug)]
pub enum NoCapacity {
    /// It is full for now.
    Full,
    /// Nothing is held before the client says where it wants its callbacks.
    NotHeld,
}

/// Capacity for callbacks that are on their way into the store; given back unless it is used.
#[derive(Debug)]
pub struct Permit {
    queue: Arc<Queue>,
    left: usize,
}

impl Queue {
    /// The queue of `number`, with a capacity of `max`.
    pub fn new(
        number: String,
        name: String,
        max: usize,
        settings: watch::Receiver<Arc<NumberSettings>>,
    ) -> Self {
        Self {
            number,
            name,
            deliveries: Deliveries::default(),
            max,
            depth: AtomicUsize::new(0),
            schedule: Mutex::default(),
            undeleted: Mutex::default(),
            aimed_at: Mutex::default(),
            added: Notify::new(),
            is_occupied: AtomicBool::new(false),
            settings,
        }
    }

    /// Whether no callback gets in any more. Then its number should not cause further ones.
    pub fn is_full(&self) -> bool {
        self.depth() >= self.max
    }

    /// How far it may fill up before callbacks of our own making stay out: what Cloud tells needs the rest.
    pub fn own_share(&self) -> usize {
        (self.max / 10).max(HELD.min(self.max))
    }

    /// How many callbacks wait, are in flight, or on their way into the store.
    pub fn depth(&self) -> usize {
        self.depth.load(Ordering::Relaxed)
    }

    /// When the oldest one was queued, in seconds since the Unix epoch.
    pub fn oldest(&self) -> Option<i64> {
        self.schedule().oldest()
    }

    /// What its client wants.
    pub fn settings(&self) -> Arc<NumberSettings> {
        Arc::clone(&self.settings.borrow())
    }

    pub(super) fn watch(&self) -> watch::Receiver<Arc<NumberSettings>> {
        self.settings.clone()
    }

    /// Capacity for `count` more. An empty queue takes as many as come at once: Cloud would repeat them for ever.
    pub fn reserve(self: &Arc<Self>, count: usize) -> Result<Permit, NoCapacity> {
        let is_wanted = self.settings.borrow().callback_target().is_some();
        let is_left = self.is_left(is_wanted);
        let max = if is_wanted { self.max } else { HELD.min(self.max) };
        let update = self.depth.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |depth| {
            depth.checked_add(count).filter(|sum| depth == 0 || *sum <= max)
        });
        match update {
            Ok(_) => Ok(Permit { queue: Arc::clone(self), left: count }),
            Err(_) if is_left => Err(NoCapacity::NotHeld),
            Err(_) => Err(NoCapacity::Full),
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
        self.schedule().add(Arc::from(chat), Event { place, at, body: None });
    }

    /// Gives back the capacity of `count` callbacks that are out of the store.
    pub(super) fn release(&self, count: usize) {
        self.depth.fetch_sub(count, Ordering::Relaxed);
    }

    /// Waits until something was added.
    pub(super) async fn added(&self) {
        self.added.notified().await;
    }

    /// Whether all slots of the worker are taken, so that it need not be woken. To be taken back before the schedule is
    /// looked at: who adds something later, under the schedule's lock, sees it then.
    pub(super) fn occupy(&self, is_occupied: bool) {
        self.is_occupied.store(is_occupied, Ordering::Relaxed);
    }

    pub(super) fn schedule(&self) -> MutexGuard<'_, Schedule> {
        lock(&self.schedule)
    }

    pub(super) fn undeleted(&self) -> MutexGuard<'_, Vec<i64>> {
        lock(&self.undeleted)
    }

    /// How many callbacks the client refuses while it takes others.
    pub fn set_apart(&self) -> usize {
        self.schedule().set_apart_count()
    }
}

/// What is in there is whole at every moment: nothing calls out.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Permit {
    /// The number whose queue it is.
    pub fn number(&self) -> &str {
        &self.queue.number
    }

    /// Schedules a callback that is in the store now. `wake` is due after the last one.
    pub fn schedule(&mut self, chat: &str, event: Event) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.queue.schedule().add(Arc::from(chat), event);
        }
    }

    /// Wakes the worker, unless it will look by itself when a slot is free.
    pub(super) fn wake(&self) {
        if !self.queue.is_occupied.load(Ordering::Relaxed) {
            self.queue.added.notify_one();
        }
    }
}

impl Drop for Permit {
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
