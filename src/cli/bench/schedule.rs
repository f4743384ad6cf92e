//! When each message of an open loop is due: by arithmetic alone, whatever the connections do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Thousandths of a message per second times this are messages per nanosecond.
const SCALE: u128 = 1_000_000_000_000;

/// Messages per second, exact to a thousandth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(u64);

impl Rate {
    /// So many messages per second.
    pub const fn new(per_second: u32) -> Self {
        Self(per_second as u64 * 1000)
    }

    pub fn per_second(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=1_000_000.0).contains(rate));
        let rate = rate.ok_or("give messages per second, from 0.001 to 1000000")?;
        Ok(Self((rate * 1000.0).round() as u64))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            f.write_str(&super::text::grouped(self.0 / 1000))
        } else {
            write!(f, "{}", self.per_second())
        }
    }
}

/// The messages of one run; those of the warm-up come first.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    rate: Rate,
    warm_up: u64,
    total: u64,
}

impl Schedule {
    /// Messages at `rate` for a warm-up that is not counted, then for a time that is.
    pub fn new(rate: Rate, warm_up: Duration, duration: Duration) -> Self {
        let within = |time: Duration| rounded(time.as_nanos() * u128::from(rate.0), SCALE);
        let warm_up = within(warm_up);
        Self { rate, warm_up, total: warm_up + within(duration).max(1) }
    }

    /// How many there are, with the warm-up.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn counted(&self) -> u64 {
        self.total - self.warm_up
    }

    /// Whether the message with this number, from 0, is counted.
    pub fn counts(&self, index: u64) -> bool {
        index >= self.warm_up
    }

    /// When the message with this number is due, since the start.
    pub fn due(&self, index: u64) -> Duration {
        nanoseconds(u128::from(index) * SCALE / u128::from(self.rate.0))
    }

    /// When the first message that counts is due.
    pub fn counted_from(&self) -> Duration {
        self.due(self.warm_up)
    }

    /// When the next one after the last would be due.
    pub fn end(&self) -> Duration {
        self.due(self.total)
    }

    /// How many are due when so much time has passed.
    pub fn due_by(&self, passed: Duration) -> u64 {
        let count = ((passed.as_nanos() + 1) * u128::from(self.rate.0)).div_ceil(SCALE);
        u64::try_from(count).unwrap_or(u64::MAX).min(self.total)
    }
}

fn rounded(dividend: u128, divisor: u128) -> u64 {
    u64::try_from((dividend + divisor / 2) / divisor).unwrap_or(u64::MAX)
}

fn nanoseconds(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_rate_is_read_and_shown() {
        for (text, shown) in [("250", "250"), ("1000", "1,000"), ("0.5", "0.5"), ("1e3", "1,000")] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), shown);
        }
        for text in ["", "x", "0", "-1", "0.0001", "1000001", "nan", "inf"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn there_are_as_many_messages_as_the_rate_says() {
        let schedule = Schedule::new(Rate::new(250), SECOND, SECOND * 10);
        assert_eq!((schedule.total(), schedule.counted()), (2750, 2500));
        assert!(!schedule.counts(249) && schedule.counts(250));
        assert_eq!((schedule.counted_from(), schedule.end()), (SECOND, SECOND * 11));
        assert_eq!(schedule.due(1), Duration::from_millis(4));
        // Seventy do not divide a second.
        assert_eq!(Schedule::new(Rate::new(70), Duration::ZERO, SECOND * 10).counted(), 700);
        // Of the slowest and shortest there is still one.
        assert_eq!(Schedule::new(Rate(1), Duration::ZERO, SECOND).total(), 1);
    }

    #[test]
    fn they_are_due_one_after_the_other() {
        let schedule = Schedule::new(Rate::new(1000), Duration::ZERO, SECOND);
        let at = |micros| schedule.due_by(Duration::from_micros(micros));
        assert_eq!([at(0), at(999), at(1000), at(1001), at(5_000_000)], [1, 1, 2, 2, 1000]);
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn what_is_due_by_a_time_was_due_before_it(milli in 1..=1_000_000_000_u64, nanos in 0..=u64::from(u32::MAX)) {
            let schedule = Schedule::new(Rate(milli), Duration::ZERO, Duration::from_secs(1 << 40));
            let passed = Duration::from_nanos(nanos);
            let count = schedule.due_by(passed);
            prop_assert!(count > 0 && schedule.due(count - 1) <= passed && schedule.due(count) > passed);
        }
    }
}
