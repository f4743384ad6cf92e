//! `[pacing]`: how fast messages go out.

use std::fmt;
use std::time::Duration;

use super::check::Check;
use super::raw;

/// The most that Cloud lets any number send ("Throughput": 1,000 messages per second after the upgrade).
const MOST_PER_SECOND: u32 = 1000;

/// What a message waits at most, unless the file says something else.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// `[pacing]`: messages wait for their turn, and are refused here when that takes too long.
#[derive(Clone, Debug)]
pub struct Pacing {
    /// Whether there is any of it.
    pub enabled: bool,
    /// How long a message waits in all.
    pub max_wait: Duration,
    /// How many messages a number sends in a second.
    pub messages_per_second: MessageRate,
}

/// `messages_per_second`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRate {
    /// What Graph says of the number.
    Auto,
    /// So many, 1 to 1000.
    Fixed(u32),
}

impl fmt::Display for MessageRate {
    /// As the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(rate) => rate.fmt(f),
        }
    }
}

pub(super) fn pacing(raw: raw::Pacing, total_timeout: Duration, check: &mut Check<'_>) -> Pacing {
    // A file that allows its calls little time needs no second key to be valid.
    let usual = MAX_WAIT.min(total_timeout / 2);
    let max_wait = check.duration("pacing.max_wait", raw.max_wait, usual);
    if max_wait >= total_timeout {
        let message = format!(
            "{max_wait:?} is not below cloud.total_timeout ({total_timeout:?}); a message must not wait longer \
             than its call may take"
        );
        check.report.problem("pacing.max_wait", message);
    }
    Pacing {
        enabled: raw.enabled.unwrap_or(true),
        max_wait,
        messages_per_second: check.parsed(
            "pacing.messages_per_second",
            raw.messages_per_second,
            MessageRate::Auto,
            message_rate,
        ),
    }
}

/// `"auto"` or 1 to 1000.
pub(super) fn message_rate(raw::Rate(text): raw::Rate) -> Result<MessageRate, String> {
    if text == "auto" {
        return Ok(MessageRate::Auto);
    }
    match text.parse::<i64>().map(u32::try_from) {
        Ok(Ok(rate @ 1..=MOST_PER_SECOND)) => Ok(MessageRate::Fixed(rate)),
        Ok(_) => Err(format!("{text} is out of range; use 1 to {MOST_PER_SECOND}, or \"auto\"")),
        Err(_) => Err(format!("{text:?} is not known; use \"auto\" or a number from 1 to {MOST_PER_SECOND}")),
    }
}
