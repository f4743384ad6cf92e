//! What all connections of a run share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::counters::{Counters, Exchange};
use super::failure::Failure;
use super::load::{Load, Turn};
use super::request::Template;
use super::target::Target;

/// What all connections share from the beginning.
pub struct Site {
    pub target: Target,
    pub template: Template,
    pub timeout: Duration,
}

/// What they share from the start of the load.
#[derive(Debug)]
pub struct Run {
    pub load: Load,
    counted_from: Instant,
    counters: Mutex<Counters>,
}

impl Run {
    pub fn new(load: Load, counters: Counters) -> Arc<Self> {
        let counted_from = load.counted_from();
        Arc::new(Self { load, counted_from, counters: Mutex::new(counters) })
    }

    /// What was counted so far.
    pub fn counters(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what became of a message, on a connection that was `free` since then.
    pub fn add(&self, turn: &Turn, free: Instant, ended: Instant, outcome: Result<(), Failure>) {
        if !turn.counts {
            return;
        }
        let since = |instant: Instant| instant.saturating_duration_since(self.counted_from);
        let late = turn.taken.saturating_duration_since(turn.due.max(free));
        self.counters().add(&Exchange {
            latency: ended.saturating_duration_since(turn.due),
            late: self.load.is_open().then_some(late),
            taken: since(turn.taken),
            ended: since(ended),
            outcome,
        });
    }
}
