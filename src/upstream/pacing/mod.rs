//! Messages go out no faster than Cloud lets their number send, and no faster than it lets them go to one user.
//!
//! What comes faster waits, for so long at most; what would wait longer is refused here, before Cloud refuses it. When
//! Cloud refuses all the same, the number is slowed down and nobody else, and the message is sent again: a throttling
//! answer says that nothing was sent. Nothing else is ever sent again here (`throttle`).
//!
//! `rate` and `pairs` are pure, with the time passed in; `gate` waits.

mod gate;
mod pairs;
mod rate;
mod refusal;
mod throttle;
mod throughput;
mod time;

pub use refusal::{Limit, Refusal};
pub use throughput::{Questions, follow};

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep_until;

use self::gate::{Gate, Late};
use self::pairs::{Key, Pairs};
use self::rate::Nanos;
use self::throttle::{Kind, Throttle};
use self::time::{Beginning, nanos};
use super::{Answer, CallError, Sent, Target};
use crate::cloud::number::Throughput;
use crate::telemetry::PacingMetrics;

/// How often a message is sent again that Cloud throttled.
const MOST_REPEATS: u32 = 2;

/// How one number is paced.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name in the log.
    pub name: String,
    /// How long a message waits in all.
    pub max_wait: Duration,
    /// How many messages it sends in a second.
    pub ceiling: Ceiling,
}

/// How many messages a number sends in a second.
#[derive(Clone, Debug)]
pub enum Ceiling {
    /// So many.
    Fixed(u32),
    /// What Graph says here, and what is usual until it has.
    Asked(Target),
}

/// Paces the messages of one number.
#[derive(Debug)]
pub struct Pacer {
    settings: Settings,
    metrics: PacingMetrics,
    beginning: Beginning,
    gate: Gate,
    pairs: Pairs,
    /// Cloud refused a message for the rate: maybe the number has another one than it had.
    throttled: Notify,
}

/// What became of a message.
#[derive(Debug)]
pub struct Paced {
    /// How the last call ended.
    pub outcome: Result<Answer, CallError>,
    /// How many calls Cloud refused for the rate before that.
    pub repeats: u32,
}

/// A message that may go.
struct Turn {
    key: Key,
    /// Whether Cloud refused messages to the user lately.
    has_failed: bool,
    /// How long it has waited.
    idle: Nanos,
}

impl Pacer {
    /// Of a number that was quiet until now.
    pub fn new(settings: Settings, metrics: PacingMetrics) -> Self {
        let ceiling = match settings.ceiling {
            Ceiling::Fixed(ceiling) => ceiling,
            Ceiling::Asked(_) => Throughput::Standard.per_second(),
        };
        let beginning = Beginning::now_on();
        let gate = Gate::new(ceiling, beginning);
        Self { settings, metrics, beginning, gate, pairs: Pairs::default(), throttled: Notify::new() }
    }

    /// How many messages it sends in a second when nothing is wrong.
    pub fn per_second(&self) -> u64 {
        self.gate.rate.ceiling()
    }

    /// Whether Graph is asked for that.
    pub fn is_asked(&self) -> bool {
        matches!(self.settings.ceiling, Ceiling::Asked(_))
    }

    /// Makes the call of a message to `to` when it is its turn, and again after a throttling answer. `waited` is how
    /// long the message has waited here before, and is kept: all its waits together have their limit.
    pub async fn send<F, Fut>(&self, to: &str, waited: &mut Duration, call: F) -> Result<Paced, Refusal>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<Answer, CallError>>,
    {
        let begun = self.beginning.now();
        let latest = begun.saturating_add(nanos(self.settings.max_wait.saturating_sub(*waited)));
        let mut turn = self.enter(to, begun, latest).await.inspect_err(|_| self.metrics.refused())?;
        let mut repeats = 0;
        loop {
            let sent = self.beginning.now();
            let outcome = call().await;
            let pause = self.learn(&turn, sent, &outcome, repeats);
            if let Some(pause) = pause {
                if repeats < MOST_REPEATS && self.enter_again(&mut turn, pause, latest).await {
                    repeats += 1;
                    self.metrics.repeated();
                    continue;
                }
                self.pairs.give_back(turn.key);
            }
            if turn.idle > 0 {
                self.metrics.waited(Duration::from_nanos(turn.idle));
            }
            // A call that was refused is time that the client waited for nothing, too.
            *waited = waited.saturating_add(Duration::from_nanos(sent.saturating_sub(begun)));
            return Ok(Paced { outcome, repeats });
        }
    }

    /// Waits for the user, and then for the number: a message that the pair limit holds up takes no turn from others.
    async fn enter(&self, to: &str, begun: Nanos, latest: Nanos) -> Result<Turn, Refusal> {
        let key = self.pairs.key(to);
        let due = self.pairs.reserve(key, begun, latest).map_err(|late| pair_refusal(late, begun))?;
        let mut turn = Turn { key, has_failed: due.has_failed, idle: 0 };
        let (mut now, mut due) = (begun, due.at);
        loop {
            if due > now {
                now = self.wait_for_pair(key, due, latest).await?;
            }
            let has_waited = match self.gate.pass(now, latest).await {
                Ok(has_waited) => has_waited,
                Err(late) => {
                    self.pairs.give_back(key);
                    return Err(self.refusal(late));
                }
            };
            if !has_waited {
                turn.idle = now - begun;
                return Ok(turn);
            }
            now = self.beginning.now();
            match self.pairs.closed(key, now) {
                None => {
                    turn.idle = now - begun;
                    return Ok(turn);
                }
                // Cloud refused another message to the same user in the meantime.
                Some(closed) => {
                    self.gate.rate.give_back(now);
                    due = closed;
                }
            }
        }
    }

    /// Waits until a user may be written to, and says when that is.
    async fn wait_for_pair(&self, key: Key, mut due: Nanos, latest: Nanos) -> Result<Nanos, Refusal> {
        loop {
            if due > latest {
                self.pairs.give_back(key);
                let late = pairs::Late { at: due, has_failed: true };
                return Err(pair_refusal(late, self.beginning.now()));
            }
            sleep_until(self.beginning.at(due)).await;
            let now = self.beginning.now();
            match self.pairs.closed(key, now) {
                Some(closed) => due = closed,
                None => return Ok(now),
            }
        }
    }

    /// Waits for a pause and another turn, if both come in time.
    async fn enter_again(&self, turn: &mut Turn, pause: Duration, latest: Nanos) -> bool {
        let begun = self.beginning.now();
        let due = begun.saturating_add(nanos(pause));
        if due > latest {
            return false;
        }
        sleep_until(self.beginning.at(due)).await;
        let now = self.beginning.now();
        let may_go = self.pairs.closed(turn.key, now).is_none() && self.gate.pass(now, latest).await.is_ok();
        turn.idle += self.beginning.now().saturating_sub(begun);
        may_go
    }

    /// What a call that began at `sent` says about the number and the user. When nothing was sent because of the
    /// number's rate: the pause after which it may be tried again.
    fn learn(
        &self,
        turn: &Turn,
        sent: Nanos,
        outcome: &Result<Answer, CallError>,
        repeats: u32,
    ) -> Option<Duration> {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) => {
                if error.sent == Sent::No {
                    self.pairs.give_back(turn.key);
                }
                return None;
            }
        };
        if answer.status.is_success() {
            if turn.has_failed {
                self.pairs.succeeded(turn.key, sent);
            }
            return None;
        }
        let throttle = Throttle::read(answer)?;
        let now = self.beginning.now();
        let asked = nanos(throttle.pause.unwrap_or_default());
        match throttle.kind {
            Kind::Pair => {
                self.pairs.failed(turn.key, sent, now, asked);
                return None;
            }
            Kind::Maintenance => self.close(now, asked),
            Kind::Number => {
                self.close(now, asked);
                self.slow_down(sent, now);
            }
        }
        // Without random numbers everybody waits for the whole time.
        Some(throttle::pause(throttle.pause, repeats, getrandom::u32().unwrap_or(u32::MAX)))
    }

    fn close(&self, now: Nanos, asked: Nanos) {
        let standing = self.gate.rate.close(now.saturating_add(asked)).saturating_sub(now);
        let pause = Duration::from_nanos(asked);
        if throttle::is_news(pause, Duration::from_nanos(standing)) {
            let seconds = pause.as_secs();
            tracing::warn!(number = self.settings.name, seconds, "cloud closes this number for a while");
        }
    }

    fn slow_down(&self, sent: Nanos, now: Nanos) {
        if self.gate.rate.throttled(sent, now) {
            tracing::warn!(
                number = self.settings.name,
                messages_per_second = self.per_second(),
                "cloud throttles this number, which is slowed down"
            );
        }
        self.throttled.notify_one();
    }

    fn refusal(&self, Late(at): Late) -> Refusal {
        let (rate, now) = (&self.gate.rate, self.beginning.now());
        let is_throttled = rate.closed(now).is_some() || rate.is_slowed(now);
        let limit = if is_throttled { Limit::Throttled } else { Limit::Number(rate.ceiling()) };
        Refusal { limit, after: Duration::from_nanos(at.saturating_sub(now)) }
    }
}

fn pair_refusal(late: pairs::Late, now: Nanos) -> Refusal {
    let limit = if late.has_failed { Limit::ThrottledPair } else { Limit::Pair };
    Refusal { limit, after: Duration::from_nanos(late.at.saturating_sub(now)) }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
