use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::StatusCode;
use tokio::time::Instant;

use super::*;
use crate::telemetry::Metrics;

const JANE: &str = "16505551234";

fn pacer(per_second: u32, max_wait: Duration) -> Pacer {
    let settings = Settings { name: "support".to_owned(), max_wait, ceiling: Ceiling::Fixed(per_second) };
    Pacer::new(settings, Metrics::default().pacing)
}

fn answer(http: u16, retry_after: Option<u32>, body: &str) -> Result<Answer, CallError> {
    let status = StatusCode::from_u16(http).unwrap();
    Ok(Answer { status, retry_after, body: body.to_owned().into() })
}

fn taken() -> Result<Answer, CallError> {
    answer(200, None, r#"{"messages":[{"id":"wamid.x"}]}"#)
}

fn error(code: i64, retry_after: Option<u32>) -> Result<Answer, CallError> {
    answer(400, retry_after, &format!(r#"{{"error":{{"message":"m","code":{code}}}}}"#))
}

fn broken(sent: Sent) -> Result<Answer, CallError> {
    Err(CallError { sent, is_timeout: false, reason: "broken".to_owned() })
}

/// Sends to `to` into calls that end with `outcomes`, one after the other and then well; with how many there were.
async fn send(
    pacer: &Pacer,
    to: &str,
    outcomes: &[fn() -> Result<Answer, CallError>],
) -> (Result<Paced, Refusal>, u32) {
    let calls = AtomicU32::new(0);
    let call = || {
        let number = calls.fetch_add(1, Ordering::Relaxed) as usize;
        std::future::ready(outcomes.get(number).map_or_else(taken, |outcome| outcome()))
    };
    let mut waited = Duration::ZERO;
    let paced = pacer.send(to, &mut waited, call).await;
    (paced, calls.into_inner())
}

fn status(paced: Result<Paced, Refusal>) -> u16 {
    paced.unwrap().outcome.unwrap().status.as_u16()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test]
async fn messages_go_in_order_and_no_faster_than_they_may() {
    let pacer = pacer(20, seconds(5));
    let order = Mutex::new(Vec::new());
    let begun = Instant::now();
    let messages = (0..6).map(|number| {
        let (pacer, order) = (&pacer, &order);
        async move {
            let mut waited = Duration::ZERO;
            let call = || async {
                order.lock().unwrap().push(number);
                taken()
            };
            pacer.send(JANE, &mut waited, call).await.unwrap();
            waited
        }
    });
    let waits = join_all(messages).await;
    assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4, 5]);
    // Two go at once, and one in each twentieth of a second after that.
    assert!(begun.elapsed() >= Duration::from_millis(200), "{waits:?}");
    assert!(waits[0] < waits[5], "{waits:?}");
}

#[tokio::test]
async fn what_would_wait_for_too_long_is_refused_at_once() {
    let pacer = pacer(1, Duration::ZERO);
    let mut refusals = Vec::new();
    let mut calls = 0;
    // Only a thread that sleeps for a second between each two of them would let all of them pass.
    for _ in 0..10 {
        let (paced, called) = send(&pacer, JANE, &[]).await;
        refusals.extend(paced.err());
        calls += called as usize;
    }
    assert_eq!(calls + refusals.len(), 10, "a refused message is not sent");
    let refusal = refusals.first().unwrap();
    assert_eq!((refusal.limit, refusal.retry_after()), (Limit::Number(1), 1));
}

#[tokio::test]
async fn earlier_waits_count() {
    let pacer = pacer(1, seconds(5));
    send(&pacer, JANE, &[]).await.0.unwrap();
    pacer.gate.rate.close(pacer.beginning.now() + rate::SECOND);
    let mut waited = seconds(5);
    let paced = pacer.send(JANE, &mut waited, || std::future::ready(taken())).await;
    assert_eq!(paced.unwrap_err().limit, Limit::Throttled);
}

#[tokio::test]
async fn a_throttled_message_is_sent_again_twice_at_most() {
    let throttled: fn() -> _ = || error(130_429, None);
    for (count, calls, http) in [(1, 2, 200), (2, 3, 200), (3, 3, 400), (9, 3, 400)] {
        let pacer = pacer(1000, seconds(5));
        let (paced, called) = send(&pacer, JANE, &vec![throttled; count]).await;
        assert_eq!(paced.as_ref().unwrap().repeats, calls - 1, "{count}");
        assert_eq!((status(paced), called), (http, calls), "{count}");
        assert!(pacer.gate.rate.is_slowed(pacer.beginning.now()));
    }
}

#[tokio::test]
async fn nothing_else_is_ever_sent_again() {
    let outcomes: [fn() -> Result<Answer, CallError>; 14] = [
        taken,
        || broken(Sent::Maybe),
        || broken(Sent::No),
        || error(131_056, None),
        || error(131_056, Some(0)),
        || error(131_048, None),
        || error(131_047, None),
        || error(131_016, Some(0)),
        || error(131_000, None),
        || answer(500, Some(0), ""),
        || answer(503, Some(0), "<html>"),
        || answer(502, None, "{}"),
        || answer(302, Some(0), ""),
        || answer(200, None, r#"{"error":{"message":"m","code":130429}}"#),
    ];
    for (at, outcome) in outcomes.into_iter().enumerate() {
        let pacer = pacer(1000, seconds(5));
        let (paced, calls) = send(&pacer, JANE, &[outcome]).await;
        assert_eq!((paced.unwrap().repeats, calls), (0, 1), "{at}");
        assert!(!pacer.gate.rate.is_slowed(pacer.beginning.now()), "{at}");
    }
}

#[tokio::test]
async fn a_number_that_cloud_closes_is_closed_and_another_is_not() {
    for (code, retry_after, http) in [(130_429, Some(1000), 400), (131_057, Some(1000), 400)] {
        let (closed, other) = (pacer(80, seconds(5)), pacer(80, seconds(5)));
        let settled: fn() -> _ =
            if code == 130_429 { || error(130_429, Some(1000)) } else { || error(131_057, Some(1000)) };
        let (paced, calls) = send(&closed, JANE, &[settled]).await;
        assert_eq!((status(paced), calls), (http, 1), "{retry_after:?} does not fit into five seconds");
        let (paced, calls) = send(&closed, "another user", &[]).await;
        let refusal = paced.unwrap_err();
        assert_eq!((refusal.limit, calls), (Limit::Throttled, 0));
        assert!((900..=1000).contains(&refusal.retry_after()), "{refusal:?}");
        assert_eq!(send(&other, JANE, &[]).await.1, 1);
    }
}

#[tokio::test]
async fn a_closure_holds_for_those_that_wait_already() {
    let pacer = pacer(1, seconds(5));
    let answering = tokio::sync::Notify::new();
    let mut waited = Duration::ZERO;
    let first = pacer.send(JANE, &mut waited, || async {
        answering.notified().await;
        error(130_429, Some(1000))
    });
    let second = send(&pacer, JANE, &[]);
    let (first, (second, calls), ()) = tokio::join!(first, second, async { answering.notify_one() });
    assert_eq!(first.unwrap().repeats, 0);
    assert_eq!((second.unwrap_err().limit, calls), (Limit::Throttled, 0));
}

/// Polled once: there they stand and wait.
#[tokio::test]
async fn who_leaves_the_queue_costs_no_turn() {
    let pacer = pacer(1, seconds(5));
    assert_eq!(send(&pacer, JANE, &[]).await.1, 1);
    let due = pacer.gate.rate.due(pacer.beginning.now(), 0);
    for _ in 0..10 {
        assert!(send(&pacer, JANE, &[]).now_or_never().is_none());
    }
    assert_eq!(pacer.gate.rate.due(pacer.beginning.now(), 0), due);
}

#[tokio::test]
async fn nobody_overtakes_one_that_waits() {
    let gate = Gate::new(1, Beginning::now_on());
    let hour = 3600 * rate::SECOND;
    gate.rate.close(hour);
    let mut first = pin!(gate.pass(0, 3 * hour));
    assert_eq!(first.as_mut().now_or_never(), None);
    // The bucket is full again, and the first has not noticed yet.
    assert_eq!(gate.pass(2 * hour, 3 * hour).now_or_never(), None);
    assert_eq!(gate.rate.take(2 * hour), Ok(()), "its turn is still there");
}

#[tokio::test]
async fn a_pair_that_is_closed_while_its_message_waits_for_the_number_is_kept() {
    let pacer = pacer(1, seconds(5));
    let first = pacer.gate.first();
    let mut waiting = pin!(send(&pacer, JANE, &[]));
    assert!(waiting.as_mut().now_or_never().is_none());
    let (key, now) = (pacer.pairs.key(JANE), pacer.beginning.now());
    pacer.pairs.failed(key, now, now, 1000 * rate::SECOND);
    drop(first);
    let (paced, calls) = waiting.await;
    assert_eq!((paced.unwrap_err().limit, calls), (Limit::ThrottledPair, 0));
    let (due, now) = (pacer.gate.rate.due(0, 0), pacer.beginning.now());
    assert!(due <= now, "the number's turn is given back: {due} {now}");
}

#[tokio::test]
async fn a_message_that_is_not_sent_again_counts_for_no_pair() {
    let pacer = pacer(1000, seconds(5));
    assert_eq!(send(&pacer, JANE, &[|| error(130_429, Some(1000))]).await.1, 1);
    let (key, now) = (pacer.pairs.key(JANE), pacer.beginning.now());
    let fitting = (0..50).filter(|_| pacer.pairs.reserve(key, now, now).is_ok()).count();
    assert_eq!(fitting, 45);
}

#[tokio::test]
async fn the_pair_limit_is_kept_without_a_turn_of_the_number() {
    let pacer = pacer(1000, seconds(5));
    for message in 0..45 {
        assert_eq!(send(&pacer, JANE, &[]).await.1, 1, "{message}");
    }
    let due = pacer.gate.rate.due(0, 0);
    let (paced, calls) = send(&pacer, JANE, &[]).await;
    let refusal = paced.unwrap_err();
    assert_eq!((refusal.limit, calls), (Limit::Pair, 0));
    assert!((5..=6).contains(&refusal.retry_after()), "{refusal:?}");
    assert_eq!(pacer.gate.rate.due(0, 0), due, "no turn was taken");
    assert_eq!(send(&pacer, "another user", &[]).await.1, 1);
}

#[tokio::test]
async fn what_never_reached_cloud_counts_for_no_pair() {
    let pacer = pacer(1000, seconds(5));
    for message in 0..90 {
        assert_eq!(send(&pacer, JANE, &[|| broken(Sent::No)]).await.1, 1, "{message}");
    }
    for message in 0..45 {
        let (_, calls) = send(&pacer, JANE, &[|| broken(Sent::Maybe)]).await;
        assert_eq!(calls, 1, "{message}");
    }
    assert_eq!(send(&pacer, JANE, &[]).await.0.unwrap_err().limit, Limit::Pair, "what is in doubt counts");
}

#[tokio::test]
async fn a_pair_that_cloud_refuses_is_closed_and_no_other() {
    let pacer = pacer(1000, Duration::ZERO);
    assert_eq!(send(&pacer, JANE, &[|| error(131_056, Some(1000))]).await.1, 1);
    let (paced, calls) = send(&pacer, JANE, &[]).await;
    let refusal = paced.unwrap_err();
    assert_eq!((refusal.limit, calls), (Limit::ThrottledPair, 0));
    assert!((900..=1000).contains(&refusal.retry_after()), "{refusal:?}");
    assert_eq!(send(&pacer, "another user", &[]).await.1, 1);
}

#[tokio::test]
async fn a_short_closure_of_a_pair_is_waited_for() {
    let pacer = pacer(1000, seconds(5));
    assert_eq!(send(&pacer, JANE, &[|| error(131_056, None)]).await.1, 1);
    let closed = pacer.pairs.closed(pacer.pairs.key(JANE), pacer.beginning.now()).unwrap();
    assert_eq!(send(&pacer, JANE, &[]).await.1, 1);
    assert!(pacer.beginning.now() >= closed);
    let key = pacer.pairs.key(JANE);
    let due = pacer.pairs.reserve(key, pacer.beginning.now(), Nanos::MAX).unwrap();
    assert!(!due.has_failed, "the success ended the row of failures");
}
