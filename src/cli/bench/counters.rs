//! What became of the messages, in memory that does not grow with their number.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::{CreationError, Histogram};

use super::failure::Failure;

/// Digits that a time keeps: an error of a thousandth.
const DIGITS: u8 = 3;
/// Times are kept in units of this many nanoseconds.
const SHORTEST: u64 = 100;
/// The longest: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// What happened to one message, in times since counting began.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// From when it was due, or sent when nothing is due, to its end.
    pub latency: Duration,
    /// How long it was not sent although a connection was free; none when nothing is due.
    pub late: Option<Duration>,
    pub taken: Duration,
    pub ended: Duration,
    pub outcome: Result<(), Failure>,
}

/// Counts and times of a run.
#[derive(Debug)]
pub struct Counters {
    latency: Histogram<u64>,
    late: Histogram<u64>,
    /// Of the second that is running.
    window: Histogram<u64>,
    second: u64,
    windows: Vec<Window>,
    failures: BTreeMap<String, u64>,
    sent: u64,
    last_taken: Duration,
}

/// One second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its number, from 0.
    pub second: u64,
    pub answered: u64,
    pub p50: Duration,
    pub p99: Duration,
}

/// Times, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    pub min: Duration,
    pub mean: Duration,
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub p99_9: Duration,
    pub max: Duration,
}

/// A row of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    pub from: Duration,
    /// What it ends before; the last contains it.
    pub to: Duration,
    pub count: u64,
}

impl Counters {
    pub fn new() -> Result<Self, CreationError> {
        let histogram = || Histogram::new_with_bounds(SHORTEST, LONGEST, DIGITS);
        Ok(Self {
            latency: histogram()?,
            late: histogram()?,
            window: histogram()?,
            second: 0,
            windows: Vec::new(),
            failures: BTreeMap::new(),
            sent: 0,
            last_taken: Duration::ZERO,
        })
    }

    /// Counts a message that was sent, or that could not be.
    pub fn add(&mut self, exchange: &Exchange) {
        self.sent += 1;
        self.last_taken = self.last_taken.max(exchange.taken);
        if let Some(late) = exchange.late {
            self.late.saturating_record(nanoseconds(late));
        }
        let second = exchange.ended.as_secs();
        if second > self.second {
            self.close_window();
            self.second = second;
        }
        match &exchange.outcome {
            Ok(()) => {
                let latency = nanoseconds(exchange.latency);
                self.latency.saturating_record(latency);
                self.window.saturating_record(latency);
            }
            Err(failure) => self.add_failures(failure, 1),
        }
    }

    /// Counts failures without a message that was sent.
    pub fn add_failures(&mut self, failure: &Failure, count: u64) {
        if count > 0 {
            *self.failures.entry(failure.to_string()).or_default() += count;
        }
    }

    /// Closes the last second.
    pub fn close_window(&mut self) {
        if !self.window.is_empty() {
            self.windows.push(Window {
                second: self.second,
                answered: self.window.len(),
                p50: quantile(&self.window, 0.5),
                p99: quantile(&self.window, 0.99),
            });
            self.window.reset();
        }
    }

    /// How many were sent, or tried to be.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How many got the right answer.
    pub fn answered(&self) -> u64 {
        self.latency.len()
    }

    /// How many did not.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub fn failures(&self) -> &BTreeMap<String, u64> {
        &self.failures
    }

    /// Second by second; those without an answer are left out.
    pub fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The right answers a second, over `duration` or, when messages had to wait for a connection, until the last one
    /// was sent. How long the last answers take does not matter.
    pub fn per_second(&self, duration: Duration) -> f64 {
        self.answered() as f64 / self.last_taken.max(duration).as_secs_f64()
    }

    /// Times of the right answers; none when there is none.
    pub fn latency(&self) -> Option<Times> {
        Times::of(&self.latency)
    }

    /// How late messages were sent for which a connection was free; none when nothing was due.
    pub fn late(&self) -> Option<Times> {
        Times::of(&self.late)
    }

    /// The times of the right answers in so many rows, each so many times as wide as the one before.
    pub fn rows(&self, count: u32) -> Vec<Row> {
        let (min, max) = (self.latency.min().max(1), self.latency.max().max(1));
        if self.latency.is_empty() {
            return Vec::new();
        }
        let factor = (max as f64 / min as f64).powf(1.0 / f64::from(count));
        let edge = |at: u32| {
            if at == count { max } else { (min as f64 * factor.powi(at.cast_signed())) as u64 }
        };
        let mut rows = Vec::new();
        for at in 0..count {
            // The last row contains its end, the others do not.
            let (from, to) = (edge(at), edge(at + 1));
            let last = if at + 1 == count { to } else { to.saturating_sub(1) };
            let below = |value| {
                self.latency.iter_recorded().take_while(move |step| step.value_iterated_to() <= value)
            };
            let sum = |value: u64| below(value).map(|step| step.count_at_value()).sum::<u64>();
            let before = if at == 0 { 0 } else { sum(from.saturating_sub(1)) };
            let count = sum(if at + 1 == count { u64::MAX } else { last }) - before;
            rows.push(Row { from: Duration::from_nanos(from), to: Duration::from_nanos(to), count });
        }
        rows
    }
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            min: Duration::from_nanos(histogram.min()),
            mean: Duration::from_nanos(histogram.mean() as u64),
            p50: quantile(histogram, 0.5),
            p90: quantile(histogram, 0.9),
            p99: quantile(histogram, 0.99),
            p99_9: quantile(histogram, 0.999),
            max: Duration::from_nanos(histogram.max()),
        })
    }
}

fn quantile(histogram: &Histogram<u64>, quantile: f64) -> Duration {
    // The end of a step may lie above what is in it.
    Duration::from_nanos(histogram.value_at_quantile(quantile).min(histogram.max()))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "counters_tests.rs"]
mod tests;
