//! The result: for people, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::counters::{Counters, Times};
use super::process::{Process, Sample};
use super::schedule::Rate;
use super::text::{grouped, mebibytes, milliseconds, rounded, span, time};

/// How many rows the histogram has.
const ROWS: u32 = 12;
/// How long the longest bar is.
const BAR: u64 = 40;
/// The part of the rate that has to be reached.
const ENOUGH: f64 = 0.99;

/// A finished run.
pub struct Report<'a> {
    /// The name of the profile; none for a rate of one's own.
    pub profile: Option<&'static str>,
    pub url: &'a str,
    /// Messages per second; none for as many as possible.
    pub rate: Option<Rate>,
    pub duration: Duration,
    pub connections: usize,
    pub counters: &'a Counters,
    pub processes: Vec<Usage>,
}

/// What a process took while messages were counted.
pub struct Usage {
    pub process: Process,
    /// The processor time and the memory at the end; none when it could not be read.
    pub taken: Option<(Duration, Sample)>,
}

impl Report<'_> {
    /// Whether the rate was reached without a failure.
    pub fn is_carried(&self) -> bool {
        let reached = self.counters.per_second(self.duration);
        let is_enough = self.rate.is_none_or(|rate| reached >= rate.per_second() * ENOUGH);
        is_enough && self.counters.failed() == 0 && self.counters.answered() > 0
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.verdict());
        for (kind, count) in self.counters.failures() {
            let _ = writeln!(text, "  failed: {} x {kind}", grouped(*count));
        }
        if let Some(times) = self.counters.latency() {
            self.times(&times, &mut text);
        }
        let _ = writeln!(
            text,
            "\nachieved  {} messages/s in {}, {} connections to {}",
            rounded(self.counters.per_second(self.duration)),
            span(self.duration),
            self.connections,
            self.url,
        );
        if let Some(late) = self.counters.late() {
            let (p50, p99, max) = (time(late.p50), time(late.p99), time(late.max));
            let _ = writeln!(
                text,
                "lateness  p50 {p50}, p99 {p99}, max {max}: how much of the latency is this program's own, from when\n\
                 {:10}a message was due until it was sent, if a connection was free",
                ""
            );
        }
        self.usage(&mut text);
        text
    }

    /// The result in a sentence.
    pub fn verdict(&self) -> String {
        let counters = self.counters;
        let p99 = counters.latency().map(|times| format!(", p99 {}", time(times.p99))).unwrap_or_default();
        let all = grouped(counters.answered() + counters.failed());
        let answered = format!("{} of {all} answered{p99}", grouped(counters.answered()));
        match self.rate {
            Some(rate) => {
                let does = if self.is_carried() { "carries" } else { "does not carry" };
                format!("{does} {rate} messages/s: {answered}")
            }
            None => {
                let reached = rounded(counters.per_second(self.duration));
                let failed = if self.is_carried() { "" } else { "with failures, " };
                format!("{failed}at most {reached} messages/s: {answered} (service time)")
            }
        }
    }

    /// What its times are times of.
    pub fn latency_is(&self) -> &'static str {
        if self.rate.is_some() {
            "latency, from when a message was due to its answer"
        } else {
            "service time, from when a message was sent to its answer"
        }
    }

    fn times(&self, times: &Times, text: &mut String) {
        let _ = writeln!(text, "\n{}", self.latency_is());
        for (name, value) in [
            ("p50", times.p50),
            ("p90", times.p90),
            ("p99", times.p99),
            ("p99.9", times.p99_9),
            ("max", times.max),
        ] {
            let _ = writeln!(text, "  {name:<6}{:>10}", time(value));
        }
        text.push('\n');
        let rows = self.counters.rows(ROWS);
        let max = rows.iter().map(|row| row.count).max().unwrap_or_default().max(1);
        for row in rows {
            // A bar for the few, too: they are what one looks for.
            let bar = "#".repeat((row.count * BAR).div_ceil(max) as usize);
            let (from, to) = (time(row.from), time(row.to));
            let line = format!("  {from:>9} to {to:>9}  {bar:<40}  {:>9}", grouped(row.count));
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }

    fn usage(&self, text: &mut String) {
        if self.processes.is_empty() {
            return;
        }
        let _ = writeln!(
            text,
            "\n{:<24}{:>16}{:>14}{:>12}{:>12}",
            "process", "CPU per message", "CPU in all", "memory", "at most"
        );
        for usage in &self.processes {
            let name = format!("{} ({})", usage.process.name, usage.process.pid);
            let Some((cpu, memory)) = &usage.taken else {
                let _ = writeln!(text, "{name:<24}  could not be read");
                continue;
            };
            let each = self.each(*cpu).map(|micros| format!("{} µs", rounded(micros)));
            let _ = writeln!(
                text,
                "{name:<24}{:>16}{:>14}{:>12}{:>12}",
                each.unwrap_or_default(),
                format!("{} s", rounded(cpu.as_secs_f64())),
                mebibytes(memory.rss_kib),
                mebibytes(memory.peak_rss_kib),
            );
        }
    }

    /// Microseconds for each answer.
    pub fn each(&self, cpu: Duration) -> Option<f64> {
        let answered = self.counters.answered();
        (answered > 0).then(|| cpu.as_secs_f64() * 1e6 / answered as f64)
    }

    /// One JSON object on one line.
    pub fn json(&self) -> String {
        let ms = |time: Option<Duration>| time.map(|time| thousandths(milliseconds(time)));
        let (latency, late) = (self.counters.latency(), self.counters.late());
        let windows = self.counters.windows().iter().map(|window| JsonWindow {
            second: window.second,
            answered: window.answered,
            p50_ms: ms(Some(window.p50)),
            p99_ms: ms(Some(window.p99)),
        });
        let processes = self.processes.iter().map(|usage| {
            let taken = usage.taken.as_ref();
            JsonProcess {
                name: &usage.process.name,
                pid: usage.process.pid,
                cpu_us_per_message: taken.and_then(|(cpu, _)| self.each(*cpu)).map(thousandths),
                cpu_seconds: taken.map(|(cpu, _)| cpu.as_secs_f64()),
                rss_kib: taken.map(|(_, memory)| memory.rss_kib),
                peak_rss_kib: taken.map(|(_, memory)| memory.peak_rss_kib),
            }
        });
        let json = Json {
            profile: self.profile,
            url: self.url,
            rate: self.rate.map(Rate::per_second),
            duration_seconds: self.duration.as_secs_f64(),
            connections: self.connections,
            sent: self.counters.sent(),
            answered: self.counters.answered(),
            failed: self.counters.failed(),
            failures: self.counters.failures(),
            messages_per_second: thousandths(self.counters.per_second(self.duration)),
            latency_is: if self.rate.is_some() { "since due" } else { "service time" },
            latency_ms: JsonLatency {
                min: ms(latency.map(|times| times.min)),
                mean: ms(latency.map(|times| times.mean)),
                p50: ms(latency.map(|times| times.p50)),
                p90: ms(latency.map(|times| times.p90)),
                p99: ms(latency.map(|times| times.p99)),
                p99_9: ms(latency.map(|times| times.p99_9)),
                max: ms(latency.map(|times| times.max)),
            },
            windows: windows.collect(),
            pacer_late_ms: JsonLate {
                p50: ms(late.map(|times| times.p50)),
                p99: ms(late.map(|times| times.p99)),
                max: ms(late.map(|times| times.max)),
            },
            processes: processes.collect(),
            carried: self.is_carried(),
        };
        // Strings and numbers always serialize.
        serde_json::to_string(&json).unwrap_or_default()
    }
}

/// Without digits that are noise.
fn thousandths(number: f64) -> f64 {
    (number * 1e3).round() / 1e3
}

#[derive(Serialize)]
struct Json<'a> {
    profile: Option<&'static str>,
    url: &'a str,
    rate: Option<f64>,
    duration_seconds: f64,
    connections: usize,
    sent: u64,
    answered: u64,
    failed: u64,
    failures: &'a BTreeMap<String, u64>,
    messages_per_second: f64,
    latency_is: &'static str,
    latency_ms: JsonLatency,
    windows: Vec<JsonWindow>,
    pacer_late_ms: JsonLate,
    processes: Vec<JsonProcess<'a>>,
    carried: bool,
}

#[derive(Serialize)]
struct JsonLatency {
    min: Option<f64>,
    mean: Option<f64>,
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    p99_9: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct JsonWindow {
    second: u64,
    answered: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

#[derive(Serialize)]
struct JsonLate {
    p50: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct JsonProcess<'a> {
    name: &'a str,
    pid: u32,
    cpu_us_per_message: Option<f64>,
    cpu_seconds: Option<f64>,
    rss_kib: Option<u64>,
    peak_rss_kib: Option<u64>,
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
