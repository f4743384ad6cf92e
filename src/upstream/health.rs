//! Whether a number's calls reach Cloud and are welcome there: what `/v1/health` tells.
//!
//! Every call in the name of a number leaves its outcome here. Only when there was none for a while is Cloud asked
//! on purpose.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::{Answer, CallError, Target, Upstream};
use crate::clock::Clock;
use crate::cloud::GraphError;
use crate::cloud::number::{NumberState, Stage};

/// So many failures in a row are more than a blip.
const MANY: u32 = 5;
/// What was learnt from a call is good for this long, in seconds.
const FRESH: i64 = 60;
/// The time between two questions, in seconds.
const BETWEEN: i64 = 30;
/// How long whoever asks waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the latest calls say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nobody has called.
    Unknown,
    /// Cloud answers, and takes the token.
    Good,
    /// Cloud was not reached lately, less than five times in a row.
    Failing,
    /// Cloud was not reached five times in a row, or more.
    Lost,
    /// Cloud does not take the token.
    Refused,
    /// Cloud does not know the number.
    Unregistered,
}

/// The standing of one number. No call waits for another one in here.
#[derive(Debug)]
pub struct Health {
    phone_number_id: String,
    clock: Clock,
    /// One of the words below, or [`FAILED`] and the number of failures.
    state: AtomicU32,
    called_at: AtomicI64,
    probed_at: AtomicI64,
    probing: Mutex<()>,
}

const UNKNOWN: u32 = 0;
const GOOD: u32 = 1;
const REFUSED: u32 = 2;
const UNREGISTERED: u32 = 3;
const FAILED: u32 = 16;

/// A moment that is long ago on every clock.
const NEVER: i64 = i64::MIN;

impl Health {
    /// Of the number with this id.
    pub fn new(phone_number_id: String, clock: Clock) -> Self {
        Self {
            phone_number_id,
            clock,
            state: AtomicU32::new(UNKNOWN),
            called_at: AtomicI64::new(NEVER),
            probed_at: AtomicI64::new(NEVER),
            probing: Mutex::new(()),
        }
    }

    /// What the latest calls say.
    pub fn standing(&self) -> Standing {
        match self.state.load(Ordering::Relaxed) {
            UNKNOWN => Standing::Unknown,
            GOOD => Standing::Good,
            REFUSED => Standing::Refused,
            UNREGISTERED => Standing::Unregistered,
            failed if failed < FAILED + MANY => Standing::Failing,
            _ => Standing::Lost,
        }
    }

    /// Asks Cloud for the number at `node`, unless a call or an earlier question has told enough; never two at a
    /// time, and never for longer than three seconds. Says how it ended, when it was asked.
    pub async fn refresh(&self, upstream: &Upstream, node: &Target) -> Option<&'static str> {
        self.refresh_within(PATIENCE, upstream, node).await
    }

    async fn refresh_within(
        &self,
        patience: Duration,
        upstream: &Upstream,
        node: &Target,
    ) -> Option<&'static str> {
        if !self.is_due() {
            return None;
        }
        let end = Instant::now() + patience;
        let _alone = timeout_at(end, self.probing.lock()).await.ok()?;
        // Whoever was before has asked in the meantime.
        if !self.is_due() {
            return None;
        }
        // A question is no call: it is not noted twice.
        let node = Target { health: None, ..node.clone() };
        let outcome = match timeout_at(end, upstream.get(&node)).await {
            Ok(outcome) => {
                self.learn_of_node(&outcome);
                match &outcome {
                    Ok(answer) if answer.status.is_success() => "ok",
                    Ok(_) => "refused",
                    Err(_) => "unsent",
                }
            }
            Err(_) => {
                self.fail();
                "unsent"
            }
        };
        // Only now: a question that was given up has told nothing, and the next one may ask.
        self.probed_at.store(self.clock.now(), Ordering::Relaxed);
        Some(outcome)
    }

    fn is_due(&self) -> bool {
        let now = self.clock.now();
        // A clock that was set back makes nothing last for ever.
        let is_within =
            |at: &AtomicI64, most| (0..most).contains(&now.saturating_sub(at.load(Ordering::Relaxed)));
        !is_within(&self.called_at, FRESH) && !is_within(&self.probed_at, BETWEEN)
    }

    /// Notes how a call ended.
    pub(super) fn note(&self, outcome: &Result<Answer, CallError>) {
        let is_unregistered = self.standing() == Standing::Unregistered;
        let succeeded = matches!(outcome, Ok(answer) if answer.status.is_success());
        // A number that cannot send can still be read: only the question itself takes such a verdict back.
        if is_unregistered && succeeded {
            return;
        }
        self.called_at.store(self.clock.now(), Ordering::Relaxed);
        self.learn(outcome);
    }

    /// What the number's own node says of it; an answer that does not tell is better than none.
    fn learn_of_node(&self, outcome: &Result<Answer, CallError>) {
        let stage = match outcome {
            Ok(answer) if answer.status.is_success() => {
                NumberState::parse(&answer.body).map(|state| state.stage)
            }
            Ok(_) | Err(_) => None,
        };
        match stage {
            Some(Stage::Verified | Stage::Unverified) => self.state.store(UNREGISTERED, Ordering::Relaxed),
            Some(Stage::Connected) | None => self.learn(outcome),
        }
    }

    fn learn(&self, outcome: &Result<Answer, CallError>) {
        match outcome {
            Ok(answer) if answer.status.is_success() => self.state.store(GOOD, Ordering::Relaxed),
            Ok(answer) => match GraphError::parse(&answer.body) {
                Some(error) => {
                    let state = self.of_error(answer.status.as_u16(), &error);
                    self.state.store(state, Ordering::Relaxed);
                }
                // Whoever stands before Graph.
                None => self.fail(),
            },
            Err(_) => self.fail(),
        }
    }

    fn fail(&self) {
        let next = |state: u32| Some(state.max(FAILED).saturating_add(1));
        let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }

    fn of_error(&self, http: u16, error: &GraphError) -> u32 {
        if error.is_token_fault(http) {
            REFUSED
        } else if error.is_unknown_number(&self.phone_number_id) {
            UNREGISTERED
        } else {
            // Whatever else Graph objects to, it was there.
            GOOD
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HttpVersion;
    use crate::upstream::Sent;

    const ID: &str = "106540352242922";

    fn health() -> Health {
        Health::new(ID.to_owned(), Clock::fixed(1_700_000_000))
    }

    fn answer(status: u16, body: &str) -> Result<Answer, CallError> {
        let status = http::StatusCode::from_u16(status).unwrap();
        Ok(Answer { status, retry_after: None, body: bytes::Bytes::from(body.to_owned()) })
    }

    fn error(code: i64, http: u16) -> Result<Answer, CallError> {
        answer(http, &format!(r#"{{"error":{{"message":"m","code":{code}}}}}"#))
    }

    fn unreached() -> Result<Answer, CallError> {
        Err(CallError { sent: Sent::No, is_timeout: false, reason: "refused".to_owned() })
    }

    #[test]
    fn each_answer_says_something() {
        let missing = format!(
            r#"{{"error":{{"message":"Unsupported get request. Object with ID '{ID}' does not exist","code":100,"error_subcode":33}}}}"#
        );
        let another = missing.replace(ID, "1037543291543636");
        for (outcome, expected) in [
            (answer(200, "{}"), Standing::Good),
            (error(131_047, 400), Standing::Good),
            (error(131_016, 503), Standing::Good),
            (error(100, 400), Standing::Good),
            (error(10, 403), Standing::Good),
            (answer(404, &another), Standing::Good),
            (error(190, 401), Standing::Refused),
            (error(0, 401), Standing::Refused),
            (error(104, 400), Standing::Refused),
            (error(463, 401), Standing::Refused),
            (error(133_010, 400), Standing::Unregistered),
            (error(33, 400), Standing::Unregistered),
            (answer(404, &missing), Standing::Unregistered),
            (answer(502, "<html>"), Standing::Failing),
            (answer(302, ""), Standing::Failing),
            (unreached(), Standing::Failing),
        ] {
            let health = health();
            assert_eq!(health.standing(), Standing::Unknown);
            health.note(&outcome);
            assert_eq!(health.standing(), expected, "{outcome:?}");
        }
    }

    #[test]
    fn five_failures_in_a_row_are_many_and_one_answer_ends_them() {
        let health = health();
        health.note(&error(190, 401));
        for failures in 1..8 {
            health.note(&unreached());
            let expected = if failures < MANY { Standing::Failing } else { Standing::Lost };
            assert_eq!(health.standing(), expected, "{failures}");
        }
        health.note(&error(131_047, 400));
        assert_eq!(health.standing(), Standing::Good);
        health.note(&unreached());
        assert_eq!(health.standing(), Standing::Failing, "counted anew");
    }

    #[test]
    fn a_question_is_due_when_nothing_was_heard() {
        let clock = Clock::fixed(1_700_000_000);
        let health = Health::new(ID.to_owned(), clock.clone());
        assert!(health.is_due());
        health.note(&answer(200, "{}"));
        assert!(!health.is_due());
        clock.advance(FRESH - 1);
        assert!(!health.is_due());
        clock.advance(1);
        assert!(health.is_due());
        health.probed_at.store(clock.now(), Ordering::Relaxed);
        clock.advance(BETWEEN - 1);
        assert!(!health.is_due());
        clock.advance(1);
        assert!(health.is_due());
        health.note(&answer(200, "{}"));
        clock.advance(-86_400);
        assert!(health.is_due(), "the clock was set back");
    }

    /// A place that takes connections and never answers, and a client with more patience than anybody.
    async fn silence() -> (tokio::net::TcpListener, Upstream, Target) {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let uri = format!("http://{}/v26.0/{ID}?fields=id", listener.local_addr().unwrap()).parse().unwrap();
        let long = Duration::from_secs(30);
        let tls = crate::net::client_config(None).unwrap();
        let connector = crate::net::Connector::new(tls, crate::net::Deadlines { connect: long, tls: long });
        let deadlines = crate::upstream::Deadlines { first_byte: long, total: long, pool_idle: long };
        let target = Target { uri, authorization: None, health: None };
        (listener, Upstream::new(&connector, HttpVersion::Http1, deadlines, 0), target)
    }

    const SHORT: Duration = Duration::from_millis(40);

    #[tokio::test]
    async fn nobody_waits_for_long() {
        let (_listener, upstream, node) = silence().await;
        let health = health();
        let ask = || health.refresh_within(SHORT, &upstream, &node);
        let (first, second) = tokio::join!(ask(), ask());
        assert_eq!((first, second), (Some("unsent"), None), "one has asked, the other has waited");
        assert_eq!(health.standing(), Standing::Failing);
        assert_eq!(health.refresh(&upstream, &node).await, None, "not again so soon");
    }

    /// Whoever asks may go away in between.
    #[tokio::test]
    async fn an_abandoned_question_blocks_nobody() {
        let (_listener, upstream, node) = silence().await;
        let health = health();
        let gone = tokio::time::timeout(SHORT, health.refresh(&upstream, &node));
        assert!(gone.await.is_err());
        assert_eq!(health.standing(), Standing::Unknown);
        assert_eq!(health.refresh_within(SHORT, &upstream, &node).await, Some("unsent"));
        assert_eq!(health.standing(), Standing::Failing);
    }
}
