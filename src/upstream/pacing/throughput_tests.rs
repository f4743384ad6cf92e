use std::cell::Cell;
use std::pin::pin;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use http::StatusCode;
use tokio::sync::Notify;

use super::super::Settings;
use super::*;
use crate::telemetry::Metrics;

fn pacer() -> Pacer {
    let settings =
        Settings { name: "support".to_owned(), max_wait: Duration::ZERO, ceiling: Ceiling::Fixed(80) };
    Pacer::new(settings, Metrics::default().pacing)
}

fn failed() -> Found {
    Found::Failed("broken".to_owned())
}

fn seconds(plan: &Plan) -> (u64, u64) {
    let whole = |random| {
        let pause = plan.pause(random);
        assert_eq!(pause.subsec_millis() % 250, 0, "{pause:?}");
        pause.as_secs()
    };
    (whole(0), whole(u32::MAX))
}

#[test]
fn after_a_failure_it_is_asked_again_soon_and_then_later() {
    let (pacer, mut plan) = (pacer(), Plan::default());
    for _ in 0..2 {
        for pauses in [(2, 2), (5, 6), (15, 18), (60, 75), (300, 375), (300, 375)] {
            plan.note(&pacer, failed());
            assert_eq!(seconds(&plan), pauses);
        }
        plan.note(&pacer, Found::Rate(Throughput::High));
        assert_eq!(seconds(&plan), (3600, 4500));
    }
    plan.note(&pacer, failed());
    plan.note(&pacer, Found::Nothing);
    assert_eq!(seconds(&plan), (3600, 4500), "Graph answered");
}

#[test]
fn what_is_known_stays_until_graph_says_otherwise() {
    let (pacer, mut plan) = (pacer(), Plan::default());
    for (found, per_second) in [
        (Found::Nothing, 80),
        (Found::Rate(Throughput::High), 1000),
        (Found::Nothing, 1000),
        (failed(), 1000),
        (Found::Rate(Throughput::Standard), 80),
    ] {
        plan.note(&pacer, found);
        assert_eq!(pacer.per_second(), per_second);
    }
}

#[test]
fn the_assumed_rate_is_warned_of_once() {
    let (pacer, mut plan) = (pacer(), Plan::default());
    assert!(!plan.note(&pacer, Found::Nothing));
    let warnings = [(); 9].map(|()| plan.note(&pacer, failed()));
    assert_eq!(warnings.iter().position(|warned| *warned), Some(0));
    assert_eq!(warnings.iter().filter(|warned| **warned).count(), 1);
    let mut told = Plan::default();
    told.note(&pacer, Found::Rate(Throughput::Standard));
    assert!(!told.note(&pacer, failed()), "that rate is not assumed");
}

#[test]
fn an_answer_without_a_throughput_is_no_failure() {
    let read = |http, body: &'static str| {
        let status = StatusCode::from_u16(http).unwrap();
        Found::read(&Answer { status, retry_after: None, body: body.into() })
    };
    let high = r#"{"throughput":{"level":"HIGH"},"id":"1"}"#;
    assert_eq!(read(200, high), Found::Rate(Throughput::High));
    assert_eq!(read(200, r#"{"id":"1"}"#), Found::Nothing);
    for (http, body) in [(500, high), (302, high), (200, "<html>"), (200, "{}"), (400, r#"{"id":"1"}"#)] {
        assert!(matches!(read(http, body), Found::Failed(_)), "{http} {body}");
    }
}

#[test]
fn the_first_questions_are_spread() {
    let milliseconds = |numbers| Questions::of(numbers).spread.as_millis();
    assert_eq!([0, 1, 2, 101].map(milliseconds), [0, 0, 20, 2000]);
    assert_eq!([501, usize::MAX].map(milliseconds), [10_000, 10_000]);
}

#[test]
fn four_are_asked_at_a_time() {
    let (questions, answer) = (Questions::of(10), Notify::new());
    let (begun, ended) = (Cell::new(0), Cell::new(0));
    let one = || {
        questions.ask(async {
            begun.set(begun.get() + 1);
            answer.notified().await;
            ended.set(ended.get() + 1);
        })
    };
    let mut all = pin!(join_all((0..10).map(|_| one())));
    for done in 0..10 {
        assert!(all.as_mut().now_or_never().is_none());
        assert_eq!((begun.get(), ended.get()), (10.min(done + 4), done));
        answer.notify_one();
    }
    assert!(all.now_or_never().is_some());
}
