//! Which wanted file is fetched when: without a clock and without tasks, so that tests need not wait.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::store::WantedRow;

/// Files that are fetched at the same time: nobody waits for them, so the network is others' first.
const MAX_RUNNING: usize = 4;
/// Of these, files of one number: a slow one must not hold up the others.
const MAX_PER_NUMBER: usize = 2;
/// What is added to the pause after each failure, in seconds.
const STEP: i64 = 30;
/// The longest pause, in seconds.
const MAX_PAUSE: i64 = 15 * 60;

/// A file by its number and Cloud's id.
type Name = (String, String);

/// What is in flight, and what failed lately.
#[derive(Debug, Default)]
pub struct Schedule {
    running: HashSet<Name>,
    failed: HashMap<Name, Failure>,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    count: i64,
    /// The last one, in seconds since the Unix epoch.
    at: i64,
}

impl Failure {
    /// For how many seconds the file is left alone from `now` on.
    fn left(self, now: i64) -> i64 {
        let pause = self.count.saturating_mul(STEP).min(MAX_PAUSE);
        let passed = now.saturating_sub(self.at);
        // A clock that was turned back must not stretch the pause.
        if passed < 0 { 0 } else { pause.saturating_sub(passed).max(0) }
    }
}

impl Schedule {
    /// Whether another file may be begun.
    pub fn has_room(&self) -> bool {
        self.running.len() < MAX_RUNNING
    }

    /// Those of `rows`, all that are known with the oldest first, which begin now; only of numbers that `is_known`.
    pub fn begin(&mut self, rows: &[WantedRow], now: i64, is_known: impl Fn(&str) -> bool) -> Vec<WantedRow> {
        let names: HashSet<Name> = rows.iter().map(name).collect();
        let Self { running, failed } = self;
        failed.retain(|name, _| names.contains(name) || running.contains(name));
        let mut begun = Vec::new();
        while self.has_room() {
            let may = |row: &&WantedRow| is_known(&row.number) && self.may_begin(row, now);
            // The number with the fewest in flight is first, so that many files of one number hide no other's.
            let Some(row) = rows.iter().filter(may).min_by_key(|row| self.in_flight(&row.number)) else {
                break;
            };
            self.running.insert(name(row));
            begun.push(row.clone());
        }
        begun
    }

    /// A file needs no further attempt.
    pub fn ended(&mut self, row: &WantedRow) {
        self.running.remove(&name(row));
        self.failed.remove(&name(row));
    }

    /// A file is to be retried, later after every failure.
    pub fn failed(&mut self, row: &WantedRow, now: i64) {
        self.running.remove(&name(row));
        let failure = self.failed.entry(name(row)).or_insert(Failure { count: 0, at: now });
        *failure = Failure { count: failure.count.saturating_add(1), at: now };
    }

    /// How long nothing begins by the passing of time alone.
    pub fn pause(&self, now: i64) -> Duration {
        let waiting = self.failed.iter().filter(|(name, _)| !self.running.contains(*name));
        // What is due and has not begun waits for something else to end.
        let left = waiting.map(|(_, failure)| failure.left(now)).filter(|left| *left > 0).min();
        Duration::from_secs(left.unwrap_or(MAX_PAUSE).unsigned_abs())
    }

    fn may_begin(&self, row: &WantedRow, now: i64) -> bool {
        let name = name(row);
        !self.running.contains(&name)
            && self.in_flight(&row.number) < MAX_PER_NUMBER
            && self.failed.get(&name).is_none_or(|failure| failure.left(now) == 0)
    }

    fn in_flight(&self, number: &str) -> usize {
        self.running.iter().filter(|(running, _)| running == number).count()
    }
}

fn name(row: &WantedRow) -> Name {
    (row.number.clone(), row.media_id.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(number: &str, id: u32) -> WantedRow {
        WantedRow {
            number: number.into(),
            media_id: id.to_string(),
            media_type: String::new(),
            added_at: i64::from(id),
        }
    }

    fn ids(rows: &[WantedRow]) -> Vec<String> {
        rows.iter().map(|row| format!("{}{}", row.number, row.media_id)).collect()
    }

    #[test]
    fn four_begin_and_of_one_number_two() {
        let mut schedule = Schedule::default();
        let rows =
            [row("a", 1), row("a", 2), row("a", 3), row("b", 4), row("x", 5), row("c", 6), row("c", 7)];
        let begun = schedule.begin(&rows, 0, |number| number != "x");
        assert_eq!(ids(&begun), ["a1", "b4", "c6", "a2"], "each number once before any twice");
        assert!(!schedule.has_room());
        assert_eq!(schedule.begin(&rows, 0, |_| true), []);
        schedule.ended(&rows[3]);
        let left: Vec<_> = rows.iter().filter(|row| row.media_id != "4").cloned().collect();
        assert_eq!(ids(&schedule.begin(&left, 0, |number| number != "x")), ["c7"], "a has two already");
    }

    #[test]
    fn each_failure_makes_the_pause_longer_until_a_quarter_of_an_hour() {
        let (mut schedule, rows, mut now) = (Schedule::default(), [row("a", 1)], 1_000);
        assert_eq!(schedule.pause(now), Duration::from_secs(900), "nothing is awaited");
        for failure in 1_i64..100 {
            assert_eq!(schedule.begin(&rows, now, |_| true), rows, "{failure}");
            schedule.failed(&rows[0], now);
            let pause = (30 * failure).min(900);
            assert_eq!(schedule.pause(now), Duration::from_secs(pause.unsigned_abs()));
            assert_eq!(schedule.begin(&rows, now + pause - 1, |_| true), []);
            assert_eq!(schedule.pause(now + pause - 1), Duration::from_secs(1));
            now += pause;
        }
        schedule.begin(&rows, now, |_| true);
        schedule.ended(&rows[0]);
        schedule.begin(&rows, now, |_| true);
        schedule.failed(&rows[0], now);
        assert_eq!(schedule.pause(now), Duration::from_secs(30), "a success forgets failures");
        assert_eq!(schedule.begin(&rows, now - 5, |_| true), rows, "the clock was turned back");
    }

    #[test]
    fn failures_of_what_is_not_wanted_are_forgotten() {
        let (mut schedule, rows) = (Schedule::default(), [row("a", 1)]);
        schedule.begin(&rows, 0, |_| true);
        schedule.failed(&rows[0], 0);
        schedule.begin(&[], 1, |_| true);
        assert_eq!(schedule.begin(&rows, 2, |_| true), rows);
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        /// A day of a few numbers: (seconds that pass, which of the running ends, whether it fails).
        #[test]
        fn no_limit_is_passed_and_no_pause_cut_short(
            days in prop::collection::vec((0_i64..1_000, any::<prop::sample::Index>(), any::<bool>()), 1..100)
        ) {
            let mut rows: Vec<_> = (0..24).map(|id| row(["a", "b", "c"][id as usize % 3], id)).collect();
            let (mut schedule, mut now) = (Schedule::default(), 0);
            let mut running: Vec<WantedRow> = Vec::new();
            let mut failures: HashMap<Name, (i64, i64)> = HashMap::new();
            for (passed, which, fails) in days {
                now += passed;
                for row in schedule.begin(&rows, now, |_| true) {
                    prop_assert!(!running.contains(&row));
                    if let Some((count, at)) = failures.get(&name(&row)) {
                        prop_assert!(now - at >= (30 * count).min(900));
                    }
                    running.push(row);
                }
                prop_assert!(running.len() <= 4);
                for number in ["a", "b", "c"] {
                    prop_assert!(running.iter().filter(|row| row.number == number).count() <= 2);
                }
                // Nothing that could begin is left lying.
                prop_assert!(schedule.begin(&rows, now, |_| true).is_empty());
                if running.is_empty() {
                    continue;
                }
                let row = running.remove(which.index(running.len()));
                if fails {
                    schedule.failed(&row, now);
                    let count = failures.get(&name(&row)).map_or(1, |(count, _)| count + 1);
                    failures.insert(name(&row), (count, now));
                } else {
                    schedule.ended(&row);
                    rows.retain(|other| *other != row);
                }
            }
        }
    }
}
