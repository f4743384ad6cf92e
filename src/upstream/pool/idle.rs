//! Idle connections.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Http1Connection;

/// A connection used more recently is left in the pool, for the next call to find out whether it is still open: a call
/// that finds none, because all are being checked, would have to open another.
const WARM: Duration = Duration::from_secs(1);

/// The most recently used connection is taken first, so that surplus ones age and are evicted.
pub(super) struct Idle {
    connections: Mutex<VecDeque<(Http1Connection, Instant)>>,
    keep: Duration,
}

impl Idle {
    /// Keeps each for `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self { connections: Mutex::default(), keep }
    }

    /// The most recently used connection, unless it is too old. It may have been closed meanwhile.
    pub(super) fn take(&self, now: Instant) -> Option<Http1Connection> {
        let (connection, since) = self.connections().pop_back()?;
        (now.duration_since(since) < self.keep).then_some(connection)
    }

    /// Returns a connection to the pool, which was used until now.
    pub(super) fn put(&self, connection: Http1Connection, now: Instant) {
        self.connections().push_back((connection, now));
    }

    /// Closes connections that are too old, or that the other side has closed.
    pub(super) fn tend(&self, now: Instant) {
        let age = |since: &Instant| now.duration_since(*since);
        // Checked outside of the lock: closing takes a system call for each.
        let checked: VecDeque<_> = {
            let mut connections = self.connections();
            let cold = connections.partition_point(|(_, since)| age(since) >= WARM.min(self.keep));
            connections.drain(..cold).collect()
        };
        let alive = |(mut connection, since): (Http1Connection, Instant)| {
            (age(&since) < self.keep && connection.is_alive()).then_some((connection, since))
        };
        let mut kept: VecDeque<_> = checked.into_iter().filter_map(alive).collect();
        let mut connections = self.connections();
        kept.append(&mut connections);
        *connections = kept;
    }

    fn connections(&self) -> MutexGuard<'_, VecDeque<(Http1Connection, Instant)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("connections", &self.connections().len()).finish_non_exhaustive()
    }
}
