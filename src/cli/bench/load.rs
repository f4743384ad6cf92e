//! Which message comes next, and since when it is due.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::schedule::Schedule;

/// A message that a connection may send.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub index: u64,
    pub due: Instant,
    pub taken: Instant,
    /// Whether it comes after the warm-up.
    pub counts: bool,
}

/// Where messages come from.
#[derive(Debug)]
pub enum Load {
    /// Each is due at its time, whatever became of those before.
    Open(Open),
    /// Each connection sends its next one when the last is answered.
    Closed(Closed),
}

/// See [`Load::Open`].
#[derive(Debug)]
pub struct Open {
    pub start: Instant,
    pub schedule: Schedule,
    /// One permit for each message that is due and not taken.
    due: Semaphore,
    next: AtomicU64,
}

/// See [`Load::Closed`].
#[derive(Debug)]
pub struct Closed {
    counted_from: Instant,
    end: Instant,
    next: AtomicU64,
    is_over: AtomicBool,
}

impl Load {
    /// An open loop; the pacer has to [release](Open::release) what is due.
    pub fn open(start: Instant, schedule: Schedule) -> Self {
        Self::Open(Open { start, schedule, due: Semaphore::new(0), next: AtomicU64::new(0) })
    }

    pub fn closed(start: Instant, warm_up: Duration, duration: Duration) -> Self {
        let counted_from = start + warm_up;
        let is_over = AtomicBool::new(false);
        Self::Closed(Closed { counted_from, end: counted_from + duration, next: AtomicU64::new(0), is_over })
    }

    /// The next message, when it is due; none at the end. Those who wait get theirs in the order in which they asked.
    pub async fn next(&self) -> Option<Turn> {
        match self {
            Self::Open(open) => {
                open.due.acquire().await.ok()?.forget();
                let index = open.next.fetch_add(1, Ordering::Relaxed);
                let schedule = &open.schedule;
                (index < schedule.total()).then(|| Turn {
                    index,
                    due: open.start + schedule.due(index),
                    taken: Instant::now(),
                    counts: schedule.counts(index),
                })
            }
            Self::Closed(closed) => {
                let now = Instant::now();
                if now >= closed.end || closed.is_over.load(Ordering::Relaxed) {
                    return None;
                }
                let index = closed.next.fetch_add(1, Ordering::Relaxed);
                Some(Turn { index, due: now, taken: now, counts: now >= closed.counted_from })
            }
        }
    }

    pub fn counted_from(&self) -> Instant {
        match self {
            Self::Open(open) => open.start + open.schedule.counted_from(),
            Self::Closed(closed) => closed.counted_from,
        }
    }

    /// When the last message is due.
    pub fn end(&self) -> Instant {
        match self {
            Self::Open(open) => open.start + open.schedule.end(),
            Self::Closed(closed) => closed.end,
        }
    }

    /// Whether messages are due at a time of their own.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// No message is taken any more.
    pub fn stop(&self) {
        match self {
            Self::Open(open) => open.due.close(),
            Self::Closed(closed) => closed.is_over.store(true, Ordering::Relaxed),
        }
    }

    /// How many that count were never taken.
    pub fn left(&self) -> u64 {
        match self {
            Self::Open(open) => {
                let left = open.schedule.total().saturating_sub(open.next.load(Ordering::Relaxed));
                left.min(open.schedule.counted())
            }
            Self::Closed(_) => 0,
        }
    }
}

impl Open {
    /// Lets so many more be taken.
    pub fn release(&self, count: u64) {
        self.due.add_permits(usize::try_from(count).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS / 2));
    }

    /// Whether it was [stopped](Load::stop).
    pub fn is_stopped(&self) -> bool {
        self.due.is_closed()
    }
}
