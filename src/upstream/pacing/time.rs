//! Time as one number, which fits into an atomic.

use std::time::Duration;

use tokio::time::Instant;

use super::rate::Nanos;

/// The moment that times are counted from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning(Instant);

impl Beginning {
    /// From now on.
    pub(super) fn now_on() -> Self {
        Self(Instant::now())
    }

    /// What time it is.
    pub(super) fn now(self) -> Nanos {
        nanos(self.0.elapsed())
    }

    /// The moment of a time.
    pub(super) fn at(self, time: Nanos) -> Instant {
        self.0 + Duration::from_nanos(time)
    }
}

/// A duration, which is at most the 584 years that fit.
pub(super) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A part of a duration, as large as `random` says: all of it at the highest.
pub(super) fn part(of: Duration, random: u32) -> Duration {
    of.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
