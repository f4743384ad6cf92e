use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const BACKOFF: Backoff = Backoff { step: Duration::from_secs(3), max: Duration::from_secs(900) };

fn event(place: i64) -> Event {
    Event { place, at: place, body: None }
}

fn scheduled(queued: &[(&str, i64)]) -> Schedule {
    let mut schedule = Schedule::default();
    for (chat, place) in queued {
        schedule.add(Arc::from(*chat), event(*place));
    }
    schedule
}

fn places(schedule: &mut Schedule, now: Instant) -> Vec<i64> {
    std::iter::from_fn(|| schedule.next(now, true)).map(|attempt| attempt.event.place).collect()
}

/// Delivers until nothing is due, to a client that takes what `takes` says; gives the places in their order.
fn run(schedule: &mut Schedule, now: Instant, takes: impl Fn(i64) -> bool) -> Vec<(i64, bool)> {
    let mut tried = Vec::new();
    while let Some(attempt) = schedule.next(now, true) {
        let (place, taken) = (attempt.event.place, takes(attempt.event.place));
        tried.push((place, taken));
        if taken {
            schedule.delivered(&attempt, now);
        } else {
            schedule.failed(&attempt, now, BACKOFF);
        }
    }
    tried
}

#[test]
fn one_at_a_time_of_each_chat_in_order() {
    let now = Instant::now();
    let mut schedule = scheduled(&[("a", 1), ("a", 2), ("b", 3), ("a", 4)]);
    let first = schedule.next(now, true).unwrap();
    assert_eq!(first.event.place, 1);
    assert_eq!(places(&mut schedule, now), [3]);
    schedule.delivered(&first, now);
    assert_eq!(places(&mut schedule, now), [2]);
}

#[test]
fn who_was_queued_earlier_goes_earlier() {
    let now = Instant::now();
    let mut schedule = scheduled(&[("a", 2), ("a", 3), ("a", 1)]);
    assert_eq!(run(&mut schedule, now, |_| true), [(1, true), (2, true), (3, true)]);
    let mut schedule = scheduled(&[("a", 5)]);
    let flying = schedule.next(now, true).unwrap();
    schedule.add(Arc::from("a"), event(4));
    schedule.delivered(&flying, now);
    assert_eq!(places(&mut schedule, now), [4]);
}

#[test]
fn delays_grow_by_a_step_up_to_the_maximum() {
    let start = Instant::now();
    let mut schedule = scheduled(&[("a", 1)]);
    let mut now = start;
    let mut delays = Vec::new();
    for _ in 0..400 {
        assert_eq!(run(&mut schedule, now, |_| false), [(1, false)]);
        let due = schedule.due().unwrap();
        assert!(schedule.next(due - Duration::from_millis(1), true).is_none(), "not before its time");
        delays.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(delays[..4], [3, 6, 9, 12]);
    assert_eq!(delays[298..302], [897, 900, 900, 900]);
    assert_eq!(run(&mut schedule, now, |_| true), [(1, true)]);
    assert!(schedule.chats.is_empty() && schedule.due().is_none());
}

#[test]
fn what_the_client_refuses_while_it_takes_others_goes_on_alone() {
    let mut now = Instant::now();
    let mut schedule = scheduled(&[("a", 1), ("a", 2), ("a", 3), ("a", 4)]);
    let takes = |place| !matches!(place, 1 | 2);
    let mut tried = Vec::new();
    while schedule.chats.keys().any(|key| matches!(key, Key::Chat(_))) {
        tried.extend(run(&mut schedule, now, takes));
        now = schedule.due().unwrap();
    }
    let taken: Vec<_> = tried.iter().filter(|(_, taken)| *taken).map(|(place, _)| *place).collect();
    assert_eq!(taken, [3, 4], "two ill ones in a row block nothing: {tried:?}");
    assert!(tried.len() <= 14, "{tried:?}");
    assert_eq!(schedule.set_apart_count(), 2);
    schedule.add(Arc::from("a"), event(5));
    assert!(run(&mut schedule, now, |place| place == 5).contains(&(5, true)));
    while let Some(due) = schedule.due() {
        run(&mut schedule, due, |_| true);
    }
    assert!(schedule.chats.is_empty());
}

/// What another chat gets tells as much.
#[test]
fn other_chats_tell_that_the_client_is_there() {
    let mut now = Instant::now();
    let mut schedule = scheduled(&[("a", 1), ("a", 2), ("a", 3)]);
    let takes = |place| !matches!(place, 1 | 2);
    let mut taken = Vec::new();
    for other in 10..40 {
        schedule.add(Arc::from("b"), event(other));
        taken.extend(run(&mut schedule, now, takes).into_iter().filter(|(_, taken)| *taken));
        now += Duration::from_secs(1);
    }
    assert!(taken.contains(&(3, true)), "{taken:?}");
}

/// The client came back between a failure of the first one and the try of the second.
#[test]
fn who_comes_back_at_the_worst_moment_gets_two_in_the_wrong_order() {
    let mut now = Instant::now();
    let mut schedule = scheduled(&[("a", 1), ("a", 2), ("a", 3)]);
    for _ in 0..2 {
        assert_eq!(run(&mut schedule, now, |_| false), [(1, false)]);
        now = schedule.due().unwrap();
    }
    let first = schedule.next(now, true).unwrap();
    schedule.failed(&first, now, BACKOFF);
    assert_eq!(run(&mut schedule, now, |_| true), [(2, true), (1, true), (3, true)]);
}

#[test]
fn an_hour_away_loses_nothing_and_keeps_the_order() {
    let start = Instant::now();
    let mut schedule = Schedule::default();
    for place in 0..300 {
        schedule.add(Arc::from(format!("chat {}", place % 10)), event(place));
    }
    let mut now = start;
    let mut tries: HashMap<i64, Vec<Duration>> = HashMap::new();
    while now < start + Duration::from_secs(3600) {
        for (place, _) in run(&mut schedule, now, |_| false) {
            tries.entry(place).or_default().push(now - start);
        }
        now = schedule.due().unwrap();
    }
    assert!(tries.len() <= 10 * DEPTH, "of each chat the first, and later some behind it");
    assert!(tries.values().all(|tries| tries.len() <= 50));
    let delays: Vec<_> = tries[&0].windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert!(delays.iter().zip(1..).all(|(delay, step)| *delay == 3 * step), "{delays:?}");
    // One comes back first, and then all go on at once and in order.
    let taken: Vec<i64> = run(&mut schedule, now, |_| true).into_iter().map(|(place, _)| place).collect();
    assert_eq!(taken.len(), 300);
    for chat in 0..10 {
        let of_chat = taken.iter().filter(|place| *place % 10 == chat);
        assert!(of_chat.is_sorted());
    }
    assert!(schedule.chats.is_empty() && schedule.due().is_none());
}

#[test]
fn a_client_that_takes_most_does_not_hurry_what_it_refuses() {
    let start = Instant::now();
    let mut schedule = scheduled(&[("a", 0)]);
    let mut tries = 0;
    for second in 1..60 {
        schedule.add(Arc::from("b"), event(second));
        let now = start + Duration::from_secs(u64::try_from(second).unwrap());
        tries += run(&mut schedule, now, |place| place != 0).iter().filter(|(place, _)| *place == 0).count();
    }
    assert_eq!(tries, 6, "after 1, 4, 10, 19, 31 and 46 seconds");
}

/// What is ill must not be tried each time that something else is taken.
#[test]
fn many_ill_ones_keep_their_pauses_beside_a_healthy_one() {
    let start = Instant::now();
    let mut schedule = Schedule::default();
    for ill in 0..8 {
        schedule.add(Arc::from(format!("ill {ill}")), event(ill));
    }
    let mut tries = [0; 8];
    for second in 0..60 {
        let now = start + Duration::from_secs(second);
        schedule.add(Arc::from("healthy"), event(100 + i64::try_from(second).unwrap()));
        for (place, taken) in run(&mut schedule, now, |place| place >= 100) {
            if !taken {
                tries[usize::try_from(place).unwrap()] += 1;
            }
        }
    }
    assert_eq!(tries, [6; 8], "after 0, 3, 9, 18, 30 and 45 seconds");
}

#[test]
fn what_failed_before_does_not_take_every_turn() {
    let mut now = Instant::now();
    let mut schedule = scheduled(&[("a", 1), ("b", 2)]);
    run(&mut schedule, now, |_| false);
    now = schedule.due().unwrap();
    schedule.add(Arc::from("c"), event(3));
    schedule.add(Arc::from("d"), event(4));
    assert_eq!(schedule.next(now, true).unwrap().event.place, 1);
    assert_eq!(schedule.next(now, false).unwrap().event.place, 3);
    assert_eq!(schedule.next(now, true).unwrap().event.place, 2);
    assert_eq!(schedule.next(now, false).unwrap().event.place, 4);
    assert!(schedule.next(now, true).is_none());
}

#[test]
fn a_long_chat_is_drained_in_no_time() {
    let now = Instant::now();
    let mut schedule = Schedule::default();
    for place in 0..100_000 {
        schedule.add(Arc::from("a"), event(place));
    }
    assert_eq!(run(&mut schedule, now, |_| true).len(), 100_000);
}

#[test]
fn what_was_on_its_way_can_begin_anew() {
    let now = Instant::now();
    let mut schedule = scheduled(&[("a", 1), ("a", 2), ("b", 3)]);
    assert_eq!(places(&mut schedule, now), [1, 3]);
    schedule.restart();
    let mut taken: Vec<_> = run(&mut schedule, now, |_| true);
    taken.sort_unstable();
    assert_eq!(taken, [(1, true), (2, true), (3, true)]);
}

#[test]
fn old_ones_are_taken_out_but_not_from_under_a_delivery() {
    let now = Instant::now();
    let mut schedule = scheduled(&[("a", 1), ("a", 2), ("b", 3), ("c", 9)]);
    let flying = schedule.next(now, true).unwrap();
    assert_eq!(schedule.take_older(5), [3]);
    schedule.add(Arc::from("b"), event(4));
    schedule.delivered(&flying, now);
    assert_eq!(schedule.oldest(), Some(2));
    let mut old = schedule.take_older(5);
    old.sort_unstable();
    assert_eq!(old, [2, 4]);
    schedule.add(Arc::from("b"), event(10));
    let left = run(&mut schedule, now, |_| true);
    assert_eq!(left.len(), 2, "each once: {left:?}");
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    /// Whatever fails and whenever: nothing is lost or delivered twice, and where nothing of a chat failed its
    /// order is kept.
    #[test]
    fn everything_is_delivered_once(
        queued in prop::collection::vec((0_usize..4, 0_u8..8), 1..60),
        slots in 1_usize..5,
        seed in any::<u64>(),
    ) {
        let names = ["a", "b", "c", "d"];
        let mut schedule = Schedule::default();
        let mut failures: HashMap<i64, u8> = HashMap::new();
        let (mut flying, mut taken) = (VecDeque::new(), Vec::new());
        let (mut now, mut random) = (Instant::now(), seed);
        let mut waiting = queued.iter().enumerate();
        let mut all_queued = false;
        while !all_queued || !schedule.chats.is_empty() {
            for _ in 0..random % 4 {
                match waiting.next() {
                    Some((place, (chat, fails))) => {
                        let place = i64::try_from(place).unwrap();
                        failures.insert(place, *fails);
                        schedule.add(Arc::from(names[*chat]), event(place));
                    }
                    None => all_queued = true,
                }
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 1;
            while flying.len() < slots && let Some(attempt) = schedule.next(now, true) {
                flying.push_back(attempt);
            }
            if let Some(attempt) = flying.pop_front() {
                let left = failures.get_mut(&attempt.event.place).unwrap();
                if *left == 0 {
                    taken.push(attempt.event.place);
                    schedule.delivered(&attempt, now);
                } else {
                    *left -= 1;
                    schedule.failed(&attempt, now, BACKOFF);
                }
            } else if let Some(due) = schedule.due() {
                now = due;
            }
        }
        prop_assert!(schedule.due().is_none() && schedule.next(now, true).is_none());
        let mut sorted = taken.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..i64::try_from(queued.len()).unwrap()).collect::<Vec<_>>());
        for (chat, _) in names.iter().enumerate() {
            let is_of_chat = |place: &&i64| queued[usize::try_from(**place).unwrap()].0 == chat;
            let well = queued.iter().filter(|(of, _)| *of == chat).all(|(_, fails)| *fails == 0);
            prop_assert!(!well || taken.iter().filter(is_of_chat).is_sorted());
        }
    }
}

/// On-prem's own settings allow a pause of nothing.
#[test]
fn no_pause_keeps_a_server_busy() {
    let now = Instant::now();
    let mut schedule = scheduled(&[("a", 1)]);
    let attempt = schedule.next(now, true).unwrap();
    schedule.failed(&attempt, now, Backoff { step: Duration::ZERO, max: Duration::ZERO });
    assert_eq!(schedule.due(), Some(now + Duration::from_millis(10)));
}

#[test]
fn a_client_was_away_after_five_failures_and_thirty_seconds() {
    let long = Backoff { step: Duration::from_secs(900), max: Duration::from_secs(900) };
    for (failures, seconds, is_away) in [(5, 30, true), (4, 30, false), (5, 29, false)] {
        let start = Instant::now();
        let end = start + Duration::from_secs(seconds);
        let mut schedule = scheduled(&[("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5)]);
        let attempts: Vec<_> = std::iter::from_fn(|| schedule.next(start, true)).take(failures).collect();
        attempts.iter().for_each(|attempt| schedule.failed(attempt, start, long));
        schedule.add(Arc::from("x"), event(6));
        let taken =
            std::iter::from_fn(|| schedule.next(end, true)).find(|attempt| attempt.event.place == 6).unwrap();
        schedule.delivered(&taken, end);
        let at_once = places(&mut schedule, end).len();
        assert_eq!(at_once, if is_away { failures } else { 0 }, "{failures} in {seconds} s");
    }
}
