use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// Some time after the beginning.
const NOW: Nanos = 100 * SECOND;

/// How many go at `now`.
fn at_once(rate: &Rate, now: Nanos) -> u64 {
    (0..).take_while(|_| rate.take(now).is_ok()).count() as u64
}

#[test]
fn a_tenth_of_a_second_may_go_at_once() {
    for (ceiling, burst) in [(1, 1), (10, 1), (19, 1), (20, 2), (80, 8), (1000, 100)] {
        let rate = Rate::new(ceiling);
        assert_eq!(at_once(&rate, NOW), burst, "{ceiling}");
        let due = rate.take(NOW).unwrap_err();
        assert!((NOW + 1..=NOW + SECOND / u64::from(ceiling)).contains(&due), "{ceiling}: {due}");
        assert_eq!((rate.take(due - 1), rate.take(due)), (Err(due), Ok(())), "{ceiling}");
        assert_eq!(at_once(&rate, due + 3600 * SECOND), burst, "no more is saved up: {ceiling}");
    }
}

#[test]
fn threads_share_one_bucket() {
    let rate = Rate::new(1000);
    let taken = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| at_once(&rate, NOW))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    assert_eq!(taken, 100);
}

#[test]
fn those_before_are_waited_for() {
    let rate = Rate::new(10);
    assert_eq!((rate.due(NOW, 0), rate.take(NOW)), (NOW, Ok(())));
    let tenth = SECOND / 10;
    assert_eq!((rate.due(NOW, 0), rate.due(NOW, 3)), (NOW + tenth, NOW + 4 * tenth));
    rate.close(NOW + SECOND);
    assert_eq!(rate.due(NOW, 3), NOW + SECOND + 3 * tenth);
    rate.give_back(NOW);
    assert_eq!(rate.take(NOW + SECOND), Ok(()));
}

#[test]
fn nothing_goes_while_it_is_closed() {
    let rate = Rate::new(80);
    assert_eq!(rate.close(NOW + 2 * SECOND), 0);
    assert_eq!(rate.close(NOW + SECOND), NOW + 2 * SECOND);
    assert_eq!(rate.closed(NOW), Some(NOW + 2 * SECOND));
    assert_eq!(rate.take(NOW), Err(NOW + 2 * SECOND));
    assert_eq!(rate.take(NOW + 2 * SECOND - 1), Err(NOW + 2 * SECOND));
    assert_eq!((rate.closed(NOW + 2 * SECOND), rate.take(NOW + 2 * SECOND)), (None, Ok(())));
}

#[test]
fn a_throttle_halves_and_quiet_gives_back() {
    let rate = Rate::new(80);
    let per_second = |now| rate.thousandths(now, rate.slowed.load(Ordering::Relaxed)) as f64 / 1000.0;
    assert!(rate.throttled(NOW - SECOND, NOW), "it was whole");
    assert_eq!((per_second(NOW), rate.is_slowed(NOW)), (40.0, true));
    assert!(rate.take(NOW).is_ok() && rate.take(NOW).is_err(), "no burst after a throttle");
    assert_eq!(per_second(NOW + SECOND / 2), 44.0);
    assert_eq!(per_second(NOW + SECOND), 48.0);
    assert!(!rate.throttled(NOW + SECOND / 2, NOW + SECOND), "it was not whole");
    assert_eq!(per_second(NOW + SECOND), 24.0);
    assert_eq!(per_second(NOW + 8 * SECOND), 80.0);
    assert!(!rate.is_slowed(NOW + 8 * SECOND));
    assert!(rate.throttled(NOW + 8 * SECOND, NOW + 9 * SECOND), "it was whole again");
}

#[test]
fn messages_that_were_on_their_way_halve_once() {
    let rate = Rate::new(1000);
    for answered in 0..100 {
        rate.throttled(NOW, NOW + SECOND / 10 + answered * SECOND / 1000);
    }
    assert_eq!(rate.thousandths(NOW, rate.slowed.load(Ordering::Relaxed)), 500_000);
}

#[test]
fn it_never_stands_still() {
    let rate = Rate::new(3);
    for second in 0..100 {
        rate.throttled(NOW + second * SECOND, NOW + second * SECOND + SECOND / 2);
    }
    let now = NOW + 100 * SECOND;
    assert!(rate.thousandths(now, rate.slowed.load(Ordering::Relaxed)) >= LEAST);
    assert!(rate.due(now, 0) <= now + SECOND);
}

#[test]
fn another_ceiling_holds_at_once() {
    let rate = Rate::new(80);
    at_once(&rate, NOW);
    rate.set_ceiling(1000);
    assert_eq!(rate.ceiling(), 1000);
    assert_eq!(at_once(&rate, NOW + SECOND), 100);
    rate.throttled(NOW + SECOND, NOW + 2 * SECOND);
    rate.set_ceiling(20);
    assert_eq!(at_once(&rate, NOW + 10 * SECOND), 2);
}

/// A Cloud that takes so many per second, and saves a second's worth up.
struct Cloud {
    limit: f64,
    tokens: f64,
    at: Nanos,
}

impl Cloud {
    fn takes(&mut self, now: Nanos) -> bool {
        let time = (now - self.at) as f64 / SECOND as f64;
        self.tokens = (self.tokens + time * self.limit).min(self.limit);
        self.at = now;
        let takes = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(takes));
        takes
    }
}

/// An hour of more messages than there is room for, against a Cloud that takes fewer than it said; a tenth of a second
/// lies between a message and its answer.
fn hour(ceiling: u32, limit: u32) -> (u64, u64) {
    let rate = Rate::new(ceiling);
    let mut cloud = Cloud { limit: f64::from(limit), tokens: f64::from(limit), at: 0 };
    let mut answers: VecDeque<(Nanos, bool)> = VecDeque::new();
    let (mut now, mut taken, mut refused) = (0, 0, 0);
    while now < 3600 * SECOND {
        let due = rate.take(now).err();
        if due.is_none() {
            answers.push_back((now, cloud.takes(now)));
        }
        let answer = answers.front().map(|(sent, _)| sent + SECOND / 10);
        match (due, answer) {
            (Some(due), Some(answer)) => now = due.min(answer).max(now),
            (Some(due), None) => now = due,
            (None, _) => {}
        }
        while let Some((sent, is_taken)) = answers.pop_front_if(|(sent, _)| *sent + SECOND / 10 <= now) {
            if is_taken {
                taken += 1;
            } else {
                refused += 1;
                rate.throttled(sent, now);
            }
        }
    }
    (taken, refused)
}

#[test]
fn in_an_hour_of_throttling_it_finds_the_limit() {
    for (ceiling, limit) in [(80, 40), (80, 20), (1000, 80), (80, 79)] {
        let (taken, refused) = hour(ceiling, limit);
        let most = u64::from(limit) * 3600;
        assert!(taken >= most * 8 / 10, "{ceiling} {limit}: {taken} of {most}");
        assert!(refused * 4 <= taken, "{ceiling} {limit}: {refused} refused, {taken} taken");
    }
    let (taken, refused) = hour(80, 100);
    assert_eq!(refused, 0);
    assert!((288_000 - 80..=288_000 + 8).contains(&taken), "{taken}");
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    /// However messages arrive, no stretch of time has more than its rate and the burst.
    #[test]
    fn no_stretch_has_more_than_its_share(
        ceiling in 1_u32..=1000,
        gaps in prop::collection::vec(0_u64..20, 1..200),
    ) {
        let rate = Rate::new(ceiling);
        let (interval, tolerance) = rate.shape(NOW);
        let mut now = NOW;
        let mut taken = Vec::new();
        for gap in gaps {
            now += gap * interval / 10;
            if rate.take(now).is_ok() {
                taken.push(now);
            }
        }
        for (i, first) in taken.iter().enumerate() {
            for (j, last) in taken.iter().enumerate().skip(i) {
                prop_assert!(last - first + tolerance >= (j - i) as u64 * interval);
            }
        }
    }

    /// Who comes when it was told to passes, whatever happened before.
    #[test]
    fn a_time_that_was_told_is_kept(
        ceiling in 1_u32..=1000,
        events in prop::collection::vec((0_u64..2000, 0_u8..8), 0..60),
    ) {
        let rate = Rate::new(ceiling);
        let mut now = NOW;
        for (milliseconds, event) in events {
            now += milliseconds * MILLISECOND;
            match event {
                0 => { rate.throttled(now.saturating_sub(SECOND), now); }
                1 => { rate.close(now + SECOND); }
                _ => { let _ = rate.take(now); }
            }
        }
        if let Err(due) = rate.take(now) {
            prop_assert!(due > now);
            prop_assert_eq!(rate.due(now, 0), due);
            prop_assert_eq!(rate.take(due), Ok(()));
        }
    }
}
