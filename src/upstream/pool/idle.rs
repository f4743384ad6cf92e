//! Connections that wait for their next call.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;

/// The one that was used last is taken first, so that those which are too many grow old and go.
pub(super) struct Idle {
    lines: Mutex<VecDeque<(Line, Instant)>>,
    keep: Duration,
}

impl Idle {
    /// Keeps each for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self { lines: Mutex::default(), keep }
    }

    /// The one that was used last, unless that is too long ago. It may have been closed meanwhile.
    pub(super) fn take(&self) -> Option<Line> {
        let (line, since) = self.lines().pop_back()?;
        (since.elapsed() < self.keep).then_some(line)
    }

    /// Puts one back that was used just now.
    pub(super) fn put(&self, line: Line) {
        self.lines().push_back((line, Instant::now()));
    }

    /// Closes those that are too old, or that the other side has closed.
    pub(super) fn tend(&self) {
        // Looked at outside of the lock: closing takes a call into the system for each.
        let lines = std::mem::take(&mut *self.lines());
        let alive = |(mut line, since): (Line, Instant)| {
            (since.elapsed() < self.keep && line.is_alive()).then_some((line, since))
        };
        let mut kept: VecDeque<_> = lines.into_iter().filter_map(alive).collect();
        let mut lines = self.lines();
        kept.append(&mut lines);
        *lines = kept;
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<(Line, Instant)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("lines", &self.lines().len()).finish_non_exhaustive()
    }
}
