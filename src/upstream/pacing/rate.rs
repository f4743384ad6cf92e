//! How fast one number sends: pure, lock-free, the time passed in.
//!
//! A bucket by virtual scheduling (GCRA, ITU-T I.371 annex A): all that is kept of the past is when the next message
//! would be due if none ever came early. Below its ceiling the rate goes as TCP's window does (RFC 5681 section 3.1):
//! a throttling answer halves it, quiet lets it grow by equal steps.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Nanoseconds since some beginning.
pub(super) type Nanos = u64;

/// One second.
pub(super) const SECOND: Nanos = 1_000_000_000;
const MILLISECOND: Nanos = 1_000_000;

/// No rate falls below one message per second, in thousandths: below that nothing would find out that it may grow.
const LEAST: u64 = 1000;
/// The bits of [`Rate::slowed`] that hold a rate in thousandths: half of the highest ceiling has 19.
const RATE_BITS: u32 = 20;

/// The bucket of one number. Every field stands for itself, so no two of them need to be seen together: what a
/// message makes of a value that was just replaced is off by one message at most.
#[derive(Debug)]
pub(super) struct Rate {
    /// Messages per second when nothing is wrong.
    ceiling: AtomicU32,
    /// When the next message would be due if none came early.
    next: AtomicU64,
    /// Until when nothing is sent at all.
    closed: AtomicU64,
    /// When the rate was halved last, in milliseconds, and above how many thousandths of a message per second it has
    /// grown since; 0 for never.
    slowed: AtomicU64,
}

impl Rate {
    /// A full bucket.
    pub(super) fn new(ceiling: u32) -> Self {
        Self {
            ceiling: AtomicU32::new(ceiling),
            next: AtomicU64::new(0),
            closed: AtomicU64::new(0),
            slowed: AtomicU64::new(0),
        }
    }

    /// Takes a message out, or says when there will be one.
    pub(super) fn take(&self, now: Nanos) -> Result<(), Nanos> {
        let (interval, tolerance) = self.shape(now);
        let closed = self.closed.load(Ordering::Relaxed);
        let mut next = self.next.load(Ordering::Relaxed);
        loop {
            let due = next.saturating_sub(tolerance).max(closed);
            if due > now {
                return Err(due);
            }
            let taken = next.max(now).saturating_add(interval);
            match self.next.compare_exchange_weak(next, taken, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => next = other,
            }
        }
    }

    /// Puts a message back that was taken and not sent.
    pub(super) fn give_back(&self, now: Nanos) {
        let (interval, _) = self.shape(now);
        let back = |next: Nanos| Some(next.saturating_sub(interval));
        let _ = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
    }

    /// When a message is due that has so many before it, as things are now.
    pub(super) fn due(&self, now: Nanos, ahead: usize) -> Nanos {
        let (interval, tolerance) = self.shape(now);
        let first = self.next.load(Ordering::Relaxed).saturating_sub(tolerance).max(now);
        let first = first.max(self.closed.load(Ordering::Relaxed));
        first.saturating_add(interval.saturating_mul(ahead as u64))
    }

    /// Cloud refused a message for the rate, one that left at `sent`. Says whether the rate was whole until then.
    pub(super) fn throttled(&self, sent: Nanos, now: Nanos) -> bool {
        let was_whole = !self.is_slowed(now);
        // What left before the rate was halved says nothing about the rate since: with a hundred messages on their
        // way, one moment of too much would end at the floor (RFC 5681 halves once per round trip for the same
        // reason).
        let halve = |slowed: u64| {
            let is_stale = slowed != 0 && sent / MILLISECOND <= slowed >> RATE_BITS;
            let half = (self.thousandths(now, slowed) / 2).max(LEAST);
            (!is_stale).then_some((now / MILLISECOND) << RATE_BITS | half)
        };
        let halved = self.slowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, halve).is_ok();
        // Cloud's bucket is empty, so ours is: no burst.
        let (_, tolerance) = self.shape(now);
        let begins = self.closed.load(Ordering::Relaxed).max(now);
        self.next.fetch_max(begins.saturating_add(tolerance), Ordering::Relaxed);
        was_whole && halved
    }

    /// Lets nothing out before `until`. Says until when nothing was let out anyway.
    pub(super) fn close(&self, until: Nanos) -> Nanos {
        self.closed.fetch_max(until, Ordering::Relaxed)
    }

    /// Until when nothing is let out, if that is not over.
    pub(super) fn closed(&self, now: Nanos) -> Option<Nanos> {
        Some(self.closed.load(Ordering::Relaxed)).filter(|closed| *closed > now)
    }

    /// Whether it sends less than it may, because Cloud refused messages for it.
    pub(super) fn is_slowed(&self, now: Nanos) -> bool {
        self.thousandths(now, self.slowed.load(Ordering::Relaxed)) < self.ceiling() * 1000
    }

    /// Messages per second when nothing is wrong.
    pub(super) fn ceiling(&self) -> u64 {
        u64::from(self.ceiling.load(Ordering::Relaxed))
    }

    /// Sets how many messages per second there are when nothing is wrong.
    pub(super) fn set_ceiling(&self, ceiling: u32) {
        self.ceiling.store(ceiling, Ordering::Relaxed);
    }

    /// The rate in thousandths of a message per second: a second of quiet gives a tenth of the ceiling back.
    fn thousandths(&self, now: Nanos, slowed: u64) -> u64 {
        let whole = self.ceiling() * 1000;
        if slowed == 0 {
            return whole;
        }
        let quiet = (now / MILLISECOND).saturating_sub(slowed >> RATE_BITS);
        let base = slowed & ((1 << RATE_BITS) - 1);
        base.saturating_add(quiet.saturating_mul(whole) / 10_000).min(whole)
    }

    /// The time between two messages, and how much of it may be saved up.
    ///
    /// A tenth of a second's worth may go at once. Messages do not arrive at equal distances, and timers are late by a
    /// millisecond or two, in which a number at 1,000 per second would lose its turn for ever; and it is a tenth of
    /// what Cloud, which counts by the second, takes as the limit.
    fn shape(&self, now: Nanos) -> (Nanos, Nanos) {
        let thousandths = self.thousandths(now, self.slowed.load(Ordering::Relaxed)).max(LEAST);
        let interval = 1000 * SECOND / thousandths;
        // The message itself is the first of them. A rate that grows makes this larger, so that nobody's turn moves
        // away from him who waits for it.
        (interval, (SECOND / 10).saturating_sub(interval))
    }
}

#[cfg(test)]
#[path = "rate_tests.rs"]
mod tests;
