use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const BACKOFF: Backoff = Backoff { step: Duration::from_secs(3), most: Duration::from_secs(900) };

fn event(place: i64) -> Event {
    Event { place, at: place, body: None }
}

fn lanes(queued: &[(&str, i64)]) -> Lanes {
    let mut lanes = Lanes::default();
    for (chat, place) in queued {
        lanes.add(Arc::from(*chat), event(*place));
    }
    lanes
}

fn places(lanes: &mut Lanes, now: Instant) -> Vec<i64> {
    std::iter::from_fn(|| lanes.next(now, true)).map(|attempt| attempt.event.place).collect()
}

/// Delivers until nothing is due, to a client that takes what `takes` says; gives the places in their order.
fn run(lanes: &mut Lanes, now: Instant, takes: impl Fn(i64) -> bool) -> Vec<(i64, bool)> {
    let mut tried = Vec::new();
    while let Some(attempt) = lanes.next(now, true) {
        let (place, taken) = (attempt.event.place, takes(attempt.event.place));
        tried.push((place, taken));
        if taken {
            lanes.delivered(&attempt, now);
        } else {
            lanes.failed(&attempt, now, BACKOFF);
        }
    }
    tried
}

#[test]
fn one_at_a_time_of_each_chat_in_order() {
    let now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("a", 4)]);
    let first = lanes.next(now, true).unwrap();
    assert_eq!(first.event.place, 1);
    assert_eq!(places(&mut lanes, now), [3]);
    lanes.delivered(&first, now);
    assert_eq!(places(&mut lanes, now), [2]);
}

#[test]
fn who_was_queued_earlier_goes_earlier() {
    let now = Instant::now();
    let mut lanes = lanes(&[("a", 2), ("a", 3), ("a", 1)]);
    assert_eq!(run(&mut lanes, now, |_| true), [(1, true), (2, true), (3, true)]);
    let mut lanes = self::lanes(&[("a", 5)]);
    let flying = lanes.next(now, true).unwrap();
    lanes.add(Arc::from("a"), event(4));
    lanes.delivered(&flying, now);
    assert_eq!(places(&mut lanes, now), [4]);
}

#[test]
fn delays_grow_by_a_step_up_to_the_most() {
    let start = Instant::now();
    let mut lanes = lanes(&[("a", 1)]);
    let mut now = start;
    let mut delays = Vec::new();
    for _ in 0..400 {
        assert_eq!(run(&mut lanes, now, |_| false), [(1, false)]);
        let due = lanes.due().unwrap();
        assert!(lanes.next(due - Duration::from_millis(1), true).is_none(), "not before its time");
        delays.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(delays[..4], [3, 6, 9, 12]);
    assert_eq!(delays[298..302], [897, 900, 900, 900]);
    assert_eq!(run(&mut lanes, now, |_| true), [(1, true)]);
    assert!(lanes.lanes.is_empty() && lanes.due().is_none());
}

#[test]
fn what_the_client_refuses_while_it_takes_others_goes_on_alone() {
    let mut now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("a", 3), ("a", 4)]);
    let takes = |place| !matches!(place, 1 | 2);
    let mut tried = Vec::new();
    while lanes.lanes.keys().any(|key| matches!(key, Key::Chat(_))) {
        tried.extend(run(&mut lanes, now, takes));
        now = lanes.due().unwrap();
    }
    let taken: Vec<_> = tried.iter().filter(|(_, taken)| *taken).map(|(place, _)| *place).collect();
    assert_eq!(taken, [3, 4], "two ill ones in a row block nothing: {tried:?}");
    assert!(tried.len() <= 14, "{tried:?}");
    assert_eq!(lanes.set_apart_count(), 2);
    lanes.add(Arc::from("a"), event(5));
    assert!(run(&mut lanes, now, |place| place == 5).contains(&(5, true)));
    while let Some(due) = lanes.due() {
        run(&mut lanes, due, |_| true);
    }
    assert!(lanes.lanes.is_empty());
}

/// What another chat gets tells as much.
#[test]
fn other_chats_tell_that_the_client_is_there() {
    let mut now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("a", 3)]);
    let takes = |place| !matches!(place, 1 | 2);
    let mut taken = Vec::new();
    for other in 10..40 {
        lanes.add(Arc::from("b"), event(other));
        taken.extend(run(&mut lanes, now, takes).into_iter().filter(|(_, taken)| *taken));
        now += Duration::from_secs(1);
    }
    assert!(taken.contains(&(3, true)), "{taken:?}");
}

/// The client came back between a failure of the first one and the try of the second.
#[test]
fn who_comes_back_at_the_worst_moment_gets_two_in_the_wrong_order() {
    let mut now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("a", 3)]);
    for _ in 0..2 {
        assert_eq!(run(&mut lanes, now, |_| false), [(1, false)]);
        now = lanes.due().unwrap();
    }
    let first = lanes.next(now, true).unwrap();
    lanes.failed(&first, now, BACKOFF);
    assert_eq!(run(&mut lanes, now, |_| true), [(2, true), (1, true), (3, true)]);
}

#[test]
fn an_hour_away_loses_nothing_and_keeps_the_order() {
    let start = Instant::now();
    let mut lanes = Lanes::default();
    for place in 0..300 {
        lanes.add(Arc::from(format!("chat {}", place % 10)), event(place));
    }
    let mut now = start;
    let mut tries: HashMap<i64, Vec<Duration>> = HashMap::new();
    while now < start + Duration::from_secs(3600) {
        for (place, _) in run(&mut lanes, now, |_| false) {
            tries.entry(place).or_default().push(now - start);
        }
        now = lanes.due().unwrap();
    }
    assert!(tries.len() <= 10 * DEPTH, "of each chat the first, and later some behind it");
    assert!(tries.values().all(|tries| tries.len() <= 50));
    let delays: Vec<_> = tries[&0].windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    assert!(delays.iter().zip(1..).all(|(delay, step)| *delay == 3 * step), "{delays:?}");
    // One comes back first, and then all go on at once and in order.
    let taken: Vec<i64> = run(&mut lanes, now, |_| true).into_iter().map(|(place, _)| place).collect();
    assert_eq!(taken.len(), 300);
    for chat in 0..10 {
        let of_chat = taken.iter().filter(|place| *place % 10 == chat);
        assert!(of_chat.is_sorted());
    }
    assert!(lanes.lanes.is_empty() && lanes.due().is_none());
}

#[test]
fn a_client_that_takes_most_does_not_hurry_what_it_refuses() {
    let start = Instant::now();
    let mut lanes = lanes(&[("a", 0)]);
    let mut tries = 0;
    for second in 1..60 {
        lanes.add(Arc::from("b"), event(second));
        let now = start + Duration::from_secs(u64::try_from(second).unwrap());
        tries += run(&mut lanes, now, |place| place != 0).iter().filter(|(place, _)| *place == 0).count();
    }
    assert_eq!(tries, 6, "after 1, 4, 10, 19, 31 and 46 seconds");
}

/// What is ill must not be tried each time that something else is taken.
#[test]
fn many_ill_ones_keep_their_pauses_beside_a_healthy_one() {
    let start = Instant::now();
    let mut lanes = Lanes::default();
    for ill in 0..8 {
        lanes.add(Arc::from(format!("ill {ill}")), event(ill));
    }
    let mut tries = [0; 8];
    for second in 0..60 {
        let now = start + Duration::from_secs(second);
        lanes.add(Arc::from("healthy"), event(100 + i64::try_from(second).unwrap()));
        for (place, taken) in run(&mut lanes, now, |place| place >= 100) {
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
    let mut lanes = lanes(&[("a", 1), ("b", 2)]);
    run(&mut lanes, now, |_| false);
    now = lanes.due().unwrap();
    lanes.add(Arc::from("c"), event(3));
    lanes.add(Arc::from("d"), event(4));
    assert_eq!(lanes.next(now, true).unwrap().event.place, 1);
    assert_eq!(lanes.next(now, false).unwrap().event.place, 3);
    assert_eq!(lanes.next(now, true).unwrap().event.place, 2);
    assert_eq!(lanes.next(now, false).unwrap().event.place, 4);
    assert!(lanes.next(now, true).is_none());
}

#[test]
fn a_long_lane_is_drained_in_no_time() {
    let now = Instant::now();
    let mut lanes = Lanes::default();
    for place in 0..100_000 {
        lanes.add(Arc::from("a"), event(place));
    }
    assert_eq!(run(&mut lanes, now, |_| true).len(), 100_000);
}

#[test]
fn what_was_on_its_way_can_begin_anew() {
    let now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3)]);
    assert_eq!(places(&mut lanes, now), [1, 3]);
    lanes.restart();
    let mut taken: Vec<_> = run(&mut lanes, now, |_| true);
    taken.sort_unstable();
    assert_eq!(taken, [(1, true), (2, true), (3, true)]);
}

#[test]
fn old_ones_are_taken_out_but_not_from_under_a_delivery() {
    let now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("c", 9)]);
    let flying = lanes.next(now, true).unwrap();
    assert_eq!(lanes.take_older(5), [3]);
    lanes.add(Arc::from("b"), event(4));
    lanes.delivered(&flying, now);
    assert_eq!(lanes.oldest(), Some(2));
    let mut old = lanes.take_older(5);
    old.sort_unstable();
    assert_eq!(old, [2, 4]);
    lanes.add(Arc::from("b"), event(10));
    let left = run(&mut lanes, now, |_| true);
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
        let mut lanes = Lanes::default();
        let mut failures: HashMap<i64, u8> = HashMap::new();
        let (mut flying, mut taken) = (VecDeque::new(), Vec::new());
        let (mut now, mut random) = (Instant::now(), seed);
        let mut waiting = queued.iter().enumerate();
        let mut all_queued = false;
        while !all_queued || !lanes.lanes.is_empty() {
            for _ in 0..random % 4 {
                match waiting.next() {
                    Some((place, (chat, fails))) => {
                        let place = i64::try_from(place).unwrap();
                        failures.insert(place, *fails);
                        lanes.add(Arc::from(names[*chat]), event(place));
                    }
                    None => all_queued = true,
                }
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 1;
            while flying.len() < slots && let Some(attempt) = lanes.next(now, true) {
                flying.push_back(attempt);
            }
            if let Some(attempt) = flying.pop_front() {
                let left = failures.get_mut(&attempt.event.place).unwrap();
                if *left == 0 {
                    taken.push(attempt.event.place);
                    lanes.delivered(&attempt, now);
                } else {
                    *left -= 1;
                    lanes.failed(&attempt, now, BACKOFF);
                }
            } else if let Some(due) = lanes.due() {
                now = due;
            }
        }
        prop_assert!(lanes.due().is_none() && lanes.next(now, true).is_none());
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
    let mut lanes = lanes(&[("a", 1)]);
    let attempt = lanes.next(now, true).unwrap();
    lanes.failed(&attempt, now, Backoff { step: Duration::ZERO, most: Duration::ZERO });
    assert_eq!(lanes.due(), Some(now + Duration::from_millis(10)));
}

#[test]
fn a_client_was_away_after_five_failures_and_thirty_seconds() {
    let long = Backoff { step: Duration::from_secs(900), most: Duration::from_secs(900) };
    for (failures, seconds, is_away) in [(5, 30, true), (4, 30, false), (5, 29, false)] {
        let start = Instant::now();
        let end = start + Duration::from_secs(seconds);
        let mut lanes = lanes(&[("1", 1), ("2", 2), ("3", 3), ("4", 4), ("5", 5)]);
        let attempts: Vec<_> = std::iter::from_fn(|| lanes.next(start, true)).take(failures).collect();
        attempts.iter().for_each(|attempt| lanes.failed(attempt, start, long));
        lanes.add(Arc::from("x"), event(6));
        let taken =
            std::iter::from_fn(|| lanes.next(end, true)).find(|attempt| attempt.event.place == 6).unwrap();
        lanes.delivered(&taken, end);
        let at_once = places(&mut lanes, end).len();
        assert_eq!(at_once, if is_away { failures } else { 0 }, "{failures} in {seconds} s");
    }
}
