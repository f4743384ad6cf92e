//! What Graph says of a number's throughput, read beside the messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::time::part;
use super::{Ceiling, Pacer};
use crate::cloud::number::{Throughput, is_node};
use crate::upstream::{Answer, Target, Upstream};

/// An upgrade is for good, so this is no hurry.
const USUALLY: Duration = Duration::from_secs(3600);
/// When questions fail for long, and after a throttling answer. They count towards a limit of 200 per hour.
const SOON: Duration = Duration::from_secs(300);
/// After the first failures. Most pass in a moment, and until then an upgraded number sends a twelfth of what it may.
const AFTER_FAILURES: [Duration; 4] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15), Duration::from_secs(60)];

/// How many numbers ask at the same time: each question may open a connection.
const AT_ONCE: usize = 4;
/// How far the first questions lie apart, on average.
const APART: Duration = Duration::from_millis(20);
/// Within this time all numbers have asked, however many there are.
const MOST_SPREAD: Duration = Duration::from_secs(10);

/// The questions of all numbers, which are not asked all at once.
#[derive(Debug)]
pub struct Questions {
    turns: Semaphore,
    /// Within which time the first ones are asked.
    spread: Duration,
}

impl Questions {
    /// Those of so many numbers. A single one asks without delay.
    pub fn of(numbers: usize) -> Self {
        let others = u32::try_from(numbers.saturating_sub(1)).unwrap_or(u32::MAX);
        let spread = APART.saturating_mul(others).min(MOST_SPREAD);
        Self { turns: Semaphore::new(AT_ONCE), spread }
    }

    /// Asks when it is this one's turn.
    async fn ask<F: Future>(&self, question: F) -> F::Output {
        // It is never closed, and would be no reason not to ask if it were.
        let _turn = self.turns.acquire().await;
        question.await
    }
}

/// Asks Graph for the throughput of the number, again and again, until `ending`; returns at once where the
/// configuration says it.
pub async fn follow(
    pacer: Arc<Pacer>,
    upstream: Upstream,
    questions: Arc<Questions>,
    ending: CancellationToken,
) {
    let Ceiling::Asked(node) = &pacer.settings.ceiling else { return };
    // This is no call for anybody: it says nothing about the number's health.
    let node = Target { health: None, ..node.clone() };
    let asking = async {
        sleep(part(questions.spread, random())).await;
        let mut plan = Plan::default();
        loop {
            let found = questions.ask(ask(&upstream, &node)).await;
            plan.note(&pacer, found);
            let asked = Instant::now();
            let due = asked + plan.pause(random());
            tokio::select! {
                () = sleep_until(due) => {}
                () = pacer.throttled.notified() => sleep_until(due.min(asked + spread_out(SOON, random()))).await,
            }
        }
    };
    tokio::select! {
        () = ending.cancelled() => {}
        () = asking => {}
    }
}

/// What a question brought.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Rate(Throughput),
    /// Graph answered, and did not say.
    Nothing,
    /// No answer of Graph's about the number, and why.
    Failed(String),
}

impl Found {
    fn read(answer: &Answer) -> Self {
        if !answer.status.is_success() {
            return Self::Failed(format!("HTTP {}", answer.status.as_u16()));
        }
        match Throughput::parse(&answer.body) {
            Some(throughput) => Self::Rate(throughput),
            None if is_node(&answer.body) => Self::Nothing,
            None => Self::Failed("the answer is not Graph's".to_owned()),
        }
    }
}

async fn ask(upstream: &Upstream, node: &Target) -> Found {
    match upstream.get(node).await {
        Ok(answer) => Found::read(&answer),
        Err(error) => Found::Failed(error.reason),
    }
}

/// When the number asks again.
#[derive(Debug, Default)]
struct Plan {
    /// How many questions in a row failed.
    failures: usize,
    /// Whether any answer told the rate.
    is_told: bool,
    has_warned: bool,
}

impl Plan {
    /// Takes in what a question brought. Says whether operators were warned.
    fn note(&mut self, pacer: &Pacer, found: Found) -> bool {
        let number = pacer.settings.name.as_str();
        let reason = match found {
            Found::Rate(throughput) => {
                tracing::debug!(
                    number,
                    messages_per_second = throughput.per_second(),
                    "the throughput is known"
                );
                pacer.gate.rate.set_ceiling(throughput.per_second());
                (self.failures, self.is_told) = (0, true);
                return false;
            }
            Found::Nothing => {
                tracing::debug!(number, "graph does not say the throughput");
                self.failures = 0;
                return false;
            }
            Found::Failed(reason) => reason,
        };
        self.failures += 1;
        if self.is_told || self.has_warned {
            tracing::debug!(number, reason, "graph could not be asked for the throughput");
            return false;
        }
        self.has_warned = true;
        tracing::warn!(
            number,
            reason,
            messages_per_second = pacer.per_second(),
            "graph could not be asked for the throughput of this number, which sends at the usual rate until it can"
        );
        true
    }

    fn pause(&self, random: u32) -> Duration {
        let whole = match self.failures.checked_sub(1) {
            None => USUALLY,
            Some(earlier) => AFTER_FAILURES.get(earlier).copied().unwrap_or(SOON),
        };
        spread_out(whole, random)
    }
}

/// Up to a quarter longer, so that numbers that were refused together do not come back together.
fn spread_out(pause: Duration, random: u32) -> Duration {
    pause + part(pause / 4, random)
}

/// Without random numbers nobody waits for longer than necessary.
fn random() -> u32 {
    getrandom::u32().unwrap_or(0)
}

#[cfg(test)]
#[path = "throughput_tests.rs"]
mod tests;
