//! What is said of a message that is not sent because it would have to wait for too long.

use std::time::Duration;

use thiserror::Error;

/// Which limit stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Limit {
    /// The number's own.
    #[error(
        "this number sends {0} messages per second at most (messages_per_second), and its turn would not have come \
         within pacing.max_wait"
    )]
    Number(u64),
    /// The number's, for as long as Cloud refuses its messages.
    #[error(
        "the Cloud API throttles this number, and its turn would not have come within pacing.max_wait (see \
         pacing.enabled)"
    )]
    Throttled,
    /// That of messages to one user.
    #[error(
        "a user gets 45 messages at once and one in six seconds after that (the Cloud API's pair limit, kept by \
         pacing.enabled), and the turn of this one would not have come within pacing.max_wait"
    )]
    Pair,
    /// The same, because Cloud refused one.
    #[error(
        "the Cloud API takes no more messages to this user for now (its pair limit, 131056), and that does not end \
         within pacing.max_wait (see pacing.enabled)"
    )]
    ThrottledPair,
}

/// A message that is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{limit}; nothing was sent")]
pub struct Refusal {
    /// Why.
    pub limit: Limit,
    /// When it would have been its turn.
    pub after: Duration,
}

impl Refusal {
    /// Whole seconds after which sending it again makes sense.
    pub fn retry_after(&self) -> u32 {
        let whole = self.after.as_secs() + u64::from(self.after.subsec_nanos() > 0);
        u32::try_from(whole).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        for (nanos, seconds) in
            [(0, 1), (1, 1), (1_000_000_000, 1), (1_000_000_001, 2), (5_999_999_999, 6), (u64::MAX, u32::MAX)]
        {
            let refusal = Refusal { limit: Limit::Pair, after: Duration::from_nanos(nanos) };
            assert_eq!(refusal.retry_after(), seconds, "{nanos}");
        }
    }

    #[test]
    fn it_names_the_limit_and_the_key() {
        for (limit, what, key) in [
            (Limit::Number(80), "80 messages per second", "messages_per_second"),
            (Limit::Throttled, "throttles this number", "pacing.enabled"),
            (Limit::Pair, "45 messages at once", "pacing.enabled"),
            (Limit::ThrottledPair, "131056", "pacing.enabled"),
        ] {
            let text = Refusal { limit, after: Duration::ZERO }.to_string();
            assert!(text.contains(what) && text.contains(key), "{text}");
            assert!(text.ends_with("; nothing was sent"), "{text}");
        }
    }
}
