//! Connections that wait for their next call.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::line::Line;

/// A connection that was used so lately is left for the next call, which finds out itself whether it is still open:
/// one that finds them all taken away to be looked at would have to open another.
const WARM: Duration = Duration::from_secs(1);

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
    pub(super) fn take(&self, now: Instant) -> Option<Line> {
        let (line, since) = self.lines().pop_back()?;
        (now.duration_since(since) < self.keep).then_some(line)
    }

    /// Puts one back that was used until now.
    pub(super) fn put(&self, line: Line, now: Instant) {
        self.lines().push_back((line, now));
    }

    /// Closes those that are too old, or that the other side has closed.
    pub(super) fn tend(&self, now: Instant) {
        let age = |since: &Instant| now.duration_since(*since);
        // Looked at outside of the lock: closing takes a call into the system for each.
        let lines: VecDeque<_> = {
            let mut lines = self.lines();
            let cold = lines.partition_point(|(_, since)| age(since) >= WARM.min(self.keep));
            lines.drain(..cold).collect()
        };
        let alive = |(mut line, since): (Line, Instant)| {
            (age(&since) < self.keep && line.is_alive()).then_some((line, since))
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
