use proptest::prelude::*;

use super::super::schedule::{Rate, Schedule};
use super::*;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn near(found: Duration, expected: Duration) -> bool {
    found.abs_diff(expected) <= expected / 500
}

/// A run on so many connections, in a time of its own: `service` tells how long each message takes once it is sent.
fn simulate(rate: u32, seconds: u64, connections: usize, service: impl Fn(u64) -> Duration) -> Counters {
    let schedule = Schedule::new(Rate::new(rate), Duration::ZERO, Duration::from_secs(seconds));
    let mut free = vec![Duration::ZERO; connections];
    let mut counters = Counters::new().unwrap();
    for index in 0..schedule.total() {
        let next = free.iter_mut().min().unwrap();
        let due = schedule.due(index);
        let taken = due.max(*next);
        let ended = taken + service(index);
        let late = Some(taken - due.max(*next));
        *next = ended;
        counters.add(&Exchange { latency: ended - due, late, taken, ended, outcome: Ok(()) });
    }
    counters.close_window();
    counters
}

#[test]
fn a_stalled_connection_shows_in_the_latency_of_those_behind_it() {
    // Of a thousand messages one takes a second. Whoever measures from when each was sent sees one slow message.
    let stalled = simulate(100, 10, 1, |index| if index == 500 { ms(1000) } else { ms(1) });
    let times = stalled.latency().unwrap();
    assert!(near(times.p50, ms(1)) && near(times.max, ms(1000)), "{times:?}");
    // A hundred had to wait behind it, the last of them least.
    assert!(times.p99 > ms(850) && times.p90 > ms(1), "{times:?}");
    let slow: u64 = stalled.rows(12).iter().filter(|row| row.from > ms(100)).map(|row| row.count).sum();
    assert!((80..=110).contains(&slow), "{slow}");
    // It caught up, and it was not the pacer.
    assert!((stalled.per_second(Duration::from_secs(10)) - 100.0).abs() < 0.1);
    assert_eq!(stalled.late().unwrap().max, Duration::ZERO);
    // Where another connection is free, nobody waits.
    let free = simulate(100, 10, 2, |index| if index == 500 { ms(1000) } else { ms(1) });
    assert!(near(free.latency().unwrap().p99, ms(1)));
}

#[test]
fn a_rate_that_is_too_high_is_not_reached() {
    // Two connections carry 200 messages a second; with 250 the queue grows.
    let slow = simulate(250, 10, 2, |_| ms(10));
    let reached = slow.per_second(Duration::from_secs(10));
    assert!((199.0..202.0).contains(&reached), "{reached}");
    assert!(slow.latency().unwrap().p99 > ms(2000));
    // A long way to an answer is no low rate.
    let far = simulate(250, 10, 64, |_| ms(200));
    assert!((far.per_second(Duration::from_secs(10)) - 250.0).abs() < 0.1);
    assert!(near(far.latency().unwrap().p99, ms(200)));
}

#[test]
fn seconds_stand_for_themselves() {
    let counters = simulate(100, 3, 4, |index| if index < 100 { ms(1) } else { ms(20) });
    let seconds: Vec<_> = counters.windows().iter().map(|window| (window.second, window.answered)).collect();
    // The last two of each second are answered in the next.
    assert_eq!(seconds, [(0, 100), (1, 98), (2, 100), (3, 2)]);
    let [first, second, ..] = counters.windows() else { panic!("two seconds") };
    assert!(near(first.p99, ms(1)) && near(second.p50, ms(20)), "{first:?} {second:?}");
}

#[test]
fn failures_are_counted_by_kind_and_have_no_latency() {
    let mut counters = simulate(10, 1, 1, |_| ms(1));
    let failed = |failure| Exchange {
        latency: ms(1),
        late: None,
        taken: ms(999),
        ended: ms(1000),
        outcome: Err(failure),
    };
    for failure in [Failure::WrongRecipient, Failure::TimedOut(ms(30_000)), Failure::WrongRecipient] {
        counters.add(&failed(failure));
    }
    counters.add_failures(&Failure::NotSent, 5);
    counters.add_failures(&Failure::Closed, 0);
    let kinds: Vec<_> = counters.failures().iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
    let not_sent = "not sent: every connection was busy until the end";
    assert_eq!(kinds, [(not_sent, 5), ("timed out after 30s", 1), ("wrong recipient", 2)]);
    assert_eq!((counters.sent(), counters.answered(), counters.failed()), (13, 10, 8));
}

#[test]
fn nothing_has_no_times() {
    let counters = Counters::new().unwrap();
    assert_eq!((counters.latency(), counters.late(), counters.rows(12)), (None, None, Vec::new()));
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    #[test]
    fn rows_hold_every_answer_once(times in proptest::collection::vec(0..=7_200_000_000_u64, 1..50), count in 1..20_u32) {
        let mut counters = Counters::new().unwrap();
        for micros in &times {
            let latency = Duration::from_micros(*micros);
            counters.add(&Exchange { latency, late: None, taken: ms(0), ended: ms(0), outcome: Ok(()) });
        }
        let rows = counters.rows(count);
        prop_assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), times.len() as u64);
        prop_assert_eq!(rows.len(), count as usize);
        prop_assert!(rows.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].from <= pair[0].to));
    }
}
