//! Answers that say "too fast": which they are, and how long a message that got one waits.

use std::time::Duration;

use super::time::part;
use crate::cloud::GraphError;
use crate::translate::errors::table;
use crate::upstream::Answer;

/// Cloud's word is taken for an hour at most; after that one message finds out whether it still holds.
const LONGEST: Duration = Duration::from_secs(3600);
/// The same of what is not Graph's: a proxy or a CDN speaks of its own load, or of another client's calls.
const LONGEST_OF_OTHERS: Duration = Duration::from_secs(60);
/// A pause that operators hear of.
const LONG: Duration = Duration::from_secs(10);
/// How long a number in maintenance is left alone when Cloud does not say. An upgrade takes up to a minute.
const MAINTENANCE: Duration = Duration::from_secs(3);
/// The most that the first repeat waits when Cloud does not say; the second twice that.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What is too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The number.
    Number,
    /// Anything: the number is in maintenance.
    Maintenance,
    /// This user.
    Pair,
}

/// A refusal for the rate: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttle {
    pub(super) kind: Kind,
    /// How long Cloud wants to be left alone.
    pub(super) pause: Option<Duration>,
}

impl Throttle {
    /// The refusal in `answer`, if it is one. Everything else, above all what leaves doubt, is none.
    pub(super) fn read(answer: &Answer) -> Option<Self> {
        let http = answer.status.as_u16();
        if !(400..600).contains(&http) {
            return None;
        }
        let (kind, longest) = match GraphError::parse(&answer.body) {
            Some(GraphError { code: Some(code), .. }) => (of_code(code, http)?, LONGEST),
            // HTML from the edge: RFC 6585 section 4 is all that is known.
            Some(_) | None if http == 429 => (Kind::Number, LONGEST_OF_OTHERS),
            Some(_) | None => return None,
        };
        let asked = answer.retry_after.map(|seconds| Duration::from_secs(seconds.into()).min(longest));
        let pause = match kind {
            Kind::Maintenance => Some(asked.unwrap_or(MAINTENANCE)),
            Kind::Number | Kind::Pair => asked,
        };
        Some(Self { kind, pause })
    }
}

/// "Error codes", throttling errors; in the words of [`table`].
fn of_code(code: i64, http: u16) -> Option<Kind> {
    match code {
        130_429 | 4 | 80_007 | 80_008 | 613 => Some(Kind::Number),
        131_057 | 2_494_100 => Some(Kind::Maintenance),
        131_056 => Some(Kind::Pair),
        // A limit that Meta thought of later. Of a known code the code tells more than the status: spam limits do not
        // pass by waiting for a second.
        code => (http == 429 && table::row_of(code).is_none()).then_some(Kind::Number),
    }
}

/// The pause before the repeat of that number, counted from 0: what Cloud asked for, or a random part of a doubling
/// time if that is longer.
pub(super) fn pause(asked: Option<Duration>, repeat: u32, random: u32) -> Duration {
    let most = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(repeat));
    part(most, random).max(asked.unwrap_or_default())
}

/// Whether a closure for `pause` is worth a warning where the number is closed for `standing` already. Of a hundred
/// messages that are refused together, one is.
pub(super) fn is_news(pause: Duration, standing: Duration) -> bool {
    pause > LONG && (standing <= LONG || pause > standing + LONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(http: u16, retry_after: Option<u32>, body: &str) -> Option<Throttle> {
        let status = http::StatusCode::from_u16(http).unwrap();
        Throttle::read(&Answer { status, retry_after, body: body.to_owned().into() })
    }

    fn error(code: i64) -> String {
        format!(r#"{{"error":{{"message":"m","code":{code}}}}}"#)
    }

    #[test]
    fn throttling_answers_and_no_others() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (code, http, kind, pause) in [
            (130_429, 400, Kind::Number, None),
            (130_429, 429, Kind::Number, None),
            (4, 403, Kind::Number, None),
            (80_007, 400, Kind::Number, None),
            (80_008, 400, Kind::Number, None),
            (613, 400, Kind::Number, None),
            (777, 429, Kind::Number, None),
            (131_057, 500, Kind::Maintenance, seconds(3)),
            (2_494_100, 400, Kind::Maintenance, seconds(3)),
            (131_056, 429, Kind::Pair, None),
        ] {
            assert_eq!(read(http, None, &error(code)), Some(Throttle { kind, pause }), "{code}");
            let asked = Some(Throttle { kind, pause: seconds(2) });
            assert_eq!(read(http, Some(2), &error(code)), asked, "{code}");
        }
        let bare = Some(Throttle { kind: Kind::Number, pause: seconds(7) });
        for body in ["", "<html>", r#"{"error":{"message":"m"}}"#] {
            assert_eq!(read(429, Some(7), body), bare, "{body}");
        }
        for (code, http) in [
            (131_048, 429),
            (131_048, 400),
            (133_016, 429),
            (131_047, 400),
            (131_016, 503),
            (2, 503),
            (1, 500),
            (777, 400),
            (190, 401),
            (130_429, 200),
            (130_429, 302),
        ] {
            assert_eq!(read(http, Some(1), &error(code)), None, "{code} {http}");
        }
        for (http, body) in [(200, "{}"), (503, "<html>"), (500, ""), (502, r#"{"error":{"message":"m"}}"#)] {
            assert_eq!(read(http, Some(1), body), None, "{http} {body}");
        }
    }

    #[test]
    fn nobody_is_closed_for_good() {
        let pause = |http, asked, body: &str| read(http, Some(asked), body).unwrap().pause.unwrap().as_secs();
        for code in [130_429, 131_056, 131_057, 777] {
            assert_eq!(pause(429, u32::MAX, &error(code)), 3600, "{code}");
            assert_eq!(pause(429, 61, &error(code)), 61, "{code}");
        }
        for body in ["", "<html>", "{}", r#"{"error":{"message":"m"}}"#] {
            assert_eq!(
                [59, 60, 61, u32::MAX].map(|asked| pause(429, asked, body)),
                [59, 60, 60, 60],
                "{body}"
            );
        }
    }

    #[test]
    fn a_long_closure_is_told_once() {
        for (pause, standing, told) in [
            (0, 0, false),
            (10, 0, false),
            (11, 0, true),
            (11, 10, true),
            (12, 11, false),
            (1000, 1000, false),
            (1000, 999, false),
            (1000, 990, false),
            (1000, 989, true),
            (10, 1000, false),
        ] {
            let [pause, standing] = [pause, standing].map(Duration::from_secs);
            assert_eq!(is_news(pause, standing), told, "{pause:?} {standing:?}");
        }
    }

    #[test]
    fn pauses_are_random_and_never_shorter_than_asked() {
        let ms = Duration::from_millis;
        assert_eq!(pause(None, 0, 0), Duration::ZERO);
        assert_eq!((pause(None, 0, u32::MAX), pause(None, 1, u32::MAX)), (ms(250), ms(500)));
        assert_eq!(pause(Some(ms(2000)), 1, u32::MAX), ms(2000));
        assert_eq!(pause(Some(ms(100)), 0, u32::MAX), ms(250));
    }
}
