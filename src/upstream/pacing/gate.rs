//! Where messages of one number wait for their turn.
//!
//! Nobody is handed a time in advance: the first in the queue waits for the bucket, and the others for the first. So
//! the order is that of arrival, a closure or a change of the rate holds for those that wait already, and who leaves
//! the queue costs no turn. When nobody waits, which is nearly always, a message passes with one atomic exchange.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Mutex;
use tokio::time::{sleep_until, timeout_at};

use super::rate::{Nanos, Rate};
use super::time::Beginning;

/// The bucket of a number and who waits for it.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) rate: Rate,
    beginning: Beginning,
    /// Held by the first in the queue; fair.
    turn: Mutex<()>,
    waiting: AtomicUsize,
}

/// When it would have been the turn of a message that did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Late(pub(super) Nanos);

impl Gate {
    pub(super) fn new(ceiling: u32, beginning: Beginning) -> Self {
        Self { rate: Rate::new(ceiling), beginning, turn: Mutex::default(), waiting: AtomicUsize::new(0) }
    }

    /// Waits from `now` for a turn, until `latest`, or not at all when it is known to come later. Says whether there
    /// was a wait.
    pub(super) async fn pass(&self, now: Nanos, latest: Nanos) -> Result<bool, Late> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting == 0 && self.rate.take(now).is_ok() {
            return Ok(false);
        }
        let due = self.rate.due(now, waiting);
        if due > latest {
            return Err(Late(due));
        }
        let _place = Place::in_queue(&self.waiting);
        let end = self.beginning.at(latest);
        let Ok(_turn) = timeout_at(end, self.turn.lock()).await else {
            // Those before are late themselves: the number was slowed down or closed in the meantime.
            let now = self.beginning.now();
            return Err(Late(self.rate.due(now, self.waiting.load(Ordering::Relaxed))));
        };
        loop {
            match self.rate.take(self.beginning.now()) {
                Ok(()) => return Ok(true),
                Err(due) if due > latest => return Err(Late(due)),
                Err(due) => sleep_until(self.beginning.at(due)).await,
            }
        }
    }
}

#[cfg(test)]
impl Gate {
    /// Another message, first in the queue for as long as the test keeps this.
    pub(super) fn first(&self) -> impl Sized {
        (Place::in_queue(&self.waiting), self.turn.try_lock().unwrap())
    }
}

/// A place in the queue, until it goes: also when a message is given up.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn in_queue(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
