use proptest::prelude::*;

use super::*;

/// Some time after the beginning.
const NOW: Nanos = 1000 * SECOND;

/// How many messages to `key` go at `now`.
fn at_once(pairs: &Pairs, key: Key, now: Nanos) -> usize {
    (0..).take_while(|_| pairs.reserve(key, now, now).is_ok()).count()
}

/// How many users are kept.
fn kept(pairs: &Pairs) -> usize {
    let table = pairs.lock();
    assert_eq!(table.pairs.len(), table.looks.len());
    table.pairs.len()
}

#[test]
fn forty_five_at_once_and_one_in_six_seconds() {
    let pairs = Pairs::default();
    let (jane, john) = (pairs.key("16505551234"), pairs.key("16505551235"));
    assert_eq!(at_once(&pairs, jane, NOW), 45);
    let late = Late { at: NOW + 6 * SECOND, has_failed: false };
    assert_eq!(pairs.reserve(jane, NOW, NOW + 6 * SECOND - 1), Err(late));
    let due = Due { at: NOW + 6 * SECOND, has_failed: false };
    assert_eq!(pairs.reserve(jane, NOW, NOW + 6 * SECOND), Ok(due), "what was refused is not counted");
    assert_eq!(pairs.reserve(jane, NOW, Nanos::MAX).map(|due| due.at), Ok(NOW + 12 * SECOND));
    pairs.give_back(jane);
    assert_eq!(pairs.reserve(jane, NOW, Nanos::MAX).map(|due| due.at), Ok(NOW + 12 * SECOND));
    assert_eq!(at_once(&pairs, john, NOW), 45, "nobody else is concerned");
    assert_eq!(at_once(&pairs, jane, NOW + 3600 * SECOND), 45, "no more is saved up");
}

#[test]
fn a_user_that_cloud_refuses_is_closed_for_longer_and_longer() {
    let pairs = Pairs::default();
    let (jane, john) = (pairs.key("jane"), pairs.key("john"));
    let mut now = NOW;
    for seconds in [1, 4, 16, 64, 256, 256] {
        let sent = now;
        assert_eq!(pairs.reserve(jane, now, now).map(|due| due.at), Ok(now));
        now += SECOND;
        pairs.failed(jane, sent, now, 0);
        // Another one that was on its way.
        pairs.failed(jane, sent, now, 0);
        let open = now + seconds * SECOND;
        assert_eq!(pairs.closed(jane, now), Some(open), "{seconds}");
        assert_eq!(pairs.reserve(jane, now, open - 1), Err(Late { at: open, has_failed: true }));
        assert_eq!(pairs.reserve(john, now, now), Ok(Due { at: now, has_failed: false }));
        now = open;
        assert_eq!(pairs.closed(jane, now), None);
    }
    assert_eq!(pairs.reserve(jane, now, now), Ok(Due { at: now, has_failed: true }));
    pairs.succeeded(jane, now);
    assert_eq!(pairs.reserve(jane, now, now), Ok(Due { at: now, has_failed: false }));
    pairs.failed(jane, now + SECOND, now + 2 * SECOND, 0);
    assert_eq!(pairs.closed(jane, now + 2 * SECOND), Some(now + 3 * SECOND), "counted anew");
    pairs.succeeded(jane, now + SECOND);
    pairs.failed(jane, now + 3 * SECOND, now + 4 * SECOND, 0);
    let closed = pairs.closed(jane, now + 4 * SECOND);
    assert_eq!(closed, Some(now + 8 * SECOND), "a success that left before the failure ends nothing");
}

#[test]
fn cloud_may_ask_for_more() {
    let pairs = Pairs::default();
    let jane = pairs.key("jane");
    pairs.failed(jane, NOW, NOW, 9 * SECOND);
    assert_eq!(pairs.closed(jane, NOW), Some(NOW + 9 * SECOND));
}

#[test]
fn failures_are_forgotten_after_a_while() {
    let pairs = Pairs::default();
    let (jane, john) = (pairs.key("jane"), pairs.key("john"));
    pairs.failed(jane, NOW, NOW, 0);
    assert_eq!(kept(&pairs), 1);
    let mut now = NOW;
    while now < NOW + SECOND + MEMORY {
        assert!(kept(&pairs) >= 1 && pairs.closed(jane, NOW).is_some(), "{now}");
        now += 6 * SECOND;
        pairs.reserve(john, now, now).unwrap();
    }
    now += 6 * SECOND;
    pairs.reserve(john, now, now).unwrap();
    assert_eq!(pairs.closed(jane, NOW), None);
    assert_eq!(kept(&pairs), 1);
}

/// Ten minutes at the highest rate, each message to another user but for one in ten, which go to a few.
#[test]
fn memory_is_bounded_by_rate_and_time() {
    let pairs = Pairs::default();
    let mut most = 0;
    for message in 0_u64..600 * 1000 {
        let now = NOW + message * SECOND / 1000;
        let user = if message.is_multiple_of(10) { message % 7 } else { message };
        let _ = pairs.reserve(Key(user.wrapping_mul(0x9e37_79b9_7f4a_7c15)), now, now);
        most = most.max(kept(&pairs));
    }
    // 900 per second for six seconds, the few, and who is looked at a little later.
    assert!((5400..=5450).contains(&most), "{most}");
    for message in 0..3000_u64 {
        let now = NOW + 7200 * SECOND + message * INTERVAL;
        pairs.reserve(Key(1), now, now).unwrap();
    }
    assert_eq!(kept(&pairs), 1);
}

#[test]
fn there_are_never_too_many() {
    let pairs = Pairs::default();
    for user in 0..MOST as u64 + 10 {
        pairs.reserve(Key(user), NOW, NOW).unwrap();
    }
    assert_eq!(kept(&pairs), MOST);
    let stranger = Key(u64::MAX);
    assert_eq!(pairs.reserve(stranger, NOW, NOW), Ok(Due { at: NOW, has_failed: false }));
    pairs.failed(stranger, NOW, NOW, 0);
    assert_eq!((pairs.closed(stranger, NOW), kept(&pairs)), (None, MOST));
}

#[test]
fn keys_are_of_one_table_only() {
    let (one, other) = (Pairs::default(), Pairs::default());
    assert_eq!(one.key("16505551234"), one.key("16505551234"));
    assert_ne!(one.key("16505551234"), one.key("16505551235"));
    assert_ne!(one.key("16505551234"), other.key("16505551234"), "two random keys");
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    /// However messages arrive and whoever else is written to, no stretch of time has more than its share.
    #[test]
    fn no_stretch_has_more_than_its_share(
        messages in prop::collection::vec((0_u64..8000, 0_u64..3, 0_u64..10_000), 1..300),
    ) {
        let pairs = Pairs::default();
        let mut now = NOW;
        let mut going: [Vec<Nanos>; 3] = Default::default();
        for (milliseconds, user, patience) in messages {
            now += milliseconds * SECOND / 1000;
            let latest = now + patience * SECOND / 1000;
            if let Ok(due) = pairs.reserve(Key(user), now, latest) {
                prop_assert!((now..=latest).contains(&due.at));
                going[usize::try_from(user).unwrap()].push(due.at);
            }
        }
        for going in going {
            for (i, first) in going.iter().enumerate() {
                for (j, last) in going.iter().enumerate().skip(i) {
                    prop_assert!(last >= first, "in the order of arrival");
                    prop_assert!(last - first + TOLERANCE >= (j - i) as u64 * INTERVAL);
                }
            }
        }
    }
}
