//! What is still to be posted, and in which order.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use tokio::time::Instant;

/// How many posts are under way at a time.
pub(super) const IN_FLIGHT: usize = 8;

/// A webhook to post.
#[derive(Debug)]
pub(super) struct Job {
    /// Its place among all that were ever queued.
    pub(super) number: u64,
    pub(super) body: Bytes,
    /// What it is signed with instead of the subscription's secret.
    pub(super) secret: Option<String>,
    /// Webhooks of one lane, the statuses of one message, go one after the other.
    pub(super) lane: Option<String>,
    pub(super) failures: u32,
}

/// All that were not taken yet. It has no limit: a webhook that was lost would be a fault of the mock.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    /// May be posted at once.
    ready: VecDeque<Job>,
    /// Failed, and are posted again at their time.
    later: BTreeMap<(Instant, u64), Job>,
    /// For each lane that has a job in `ready`, `later` or under way: those behind it.
    lanes: BTreeMap<String, VecDeque<Job>>,
    under_way: usize,
}

impl Queue {
    pub(super) fn add(&mut self, body: Bytes, secret: Option<String>, lane: Option<&str>) {
        let job = Job { number: self.next, body, secret, lane: lane.map(str::to_owned), failures: 0 };
        self.next += 1;
        match lane {
            None => self.ready.push_back(job),
            Some(lane) => match self.lanes.get_mut(lane) {
                Some(behind) => behind.push_back(job),
                None => {
                    self.lanes.insert(lane.to_owned(), VecDeque::new());
                    self.ready.push_back(job);
                }
            },
        }
    }

    /// The next one to post, which is under way from now on; those whose time has come again go first.
    pub(super) fn start(&mut self, now: Instant) -> Option<Job> {
        if self.under_way == IN_FLIGHT {
            return None;
        }
        let due = self.later.first_entry().filter(|entry| entry.key().0 <= now);
        let job = due.map(|entry| entry.remove()).or_else(|| self.ready.pop_front())?;
        self.under_way += 1;
        Some(job)
    }

    /// When [`Queue::start`] gives something that it does not give now, if nothing else happens.
    pub(super) fn due(&self) -> Option<Instant> {
        let first = self.later.first_key_value().map(|((at, _), _)| *at);
        first.filter(|_| self.under_way < IN_FLIGHT)
    }

    /// One that was under way failed.
    pub(super) fn again(&mut self, job: Job, at: Instant) {
        self.under_way -= 1;
        self.later.insert((at, job.number), job);
    }

    /// One that was under way is done.
    pub(super) fn done(&mut self, job: Job) {
        self.under_way -= 1;
        let Some(lane) = job.lane else { return };
        match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some(next) => self.ready.push_back(next),
            None => {
                self.lanes.remove(&lane);
            }
        }
    }

    /// Forgets all that are not under way.
    pub(super) fn forget(&mut self) {
        self.ready.clear();
        self.later.clear();
        self.lanes.clear();
    }

    pub(super) fn len(&self) -> usize {
        let behind: usize = self.lanes.values().map(VecDeque::len).sum();
        self.ready.len() + self.later.len() + behind + self.under_way
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn text(job: &Job) -> &str {
        std::str::from_utf8(&job.body).unwrap()
    }

    #[tokio::test]
    async fn a_lane_goes_one_by_one_and_others_pass_it() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add("a1".into(), None, Some("a"));
        queue.add("a2".into(), None, Some("a"));
        queue.add("b1".into(), None, Some("b"));
        queue.add("c".into(), None, None);
        let first = queue.start(now).unwrap();
        assert_eq!(text(&first), "a1");
        let others = [queue.start(now).unwrap(), queue.start(now).unwrap()];
        assert_eq!(others.each_ref().map(text), ["b1", "c"]);
        assert!(queue.start(now).is_none());

        let at = now + Duration::from_millis(100);
        queue.again(first, at);
        assert_eq!((queue.due(), queue.len()), (Some(at), 4));
        assert!(queue.start(now).is_none());
        let again = queue.start(at).unwrap();
        assert_eq!(text(&again), "a1");
        queue.done(again);
        assert_eq!(text(&queue.start(at).unwrap()), "a2");
    }

    #[tokio::test]
    async fn only_so_many_are_under_way() {
        let now = Instant::now();
        let mut queue = Queue::default();
        (0..IN_FLIGHT + 2).for_each(|n| queue.add(n.to_string().into(), None, None));
        let mut jobs: Vec<_> = std::iter::from_fn(|| queue.start(now)).collect();
        assert_eq!(jobs.len(), IN_FLIGHT);
        queue.again(jobs.remove(0), now);
        assert_eq!(text(&queue.start(now).unwrap()), "0", "what failed goes before what is new");
        assert_eq!(queue.due(), None, "a free place, not a time, is waited for");
        queue.forget();
        assert_eq!(queue.len(), IN_FLIGHT);
        jobs.into_iter().for_each(|job| queue.done(job));
        assert_eq!(queue.len(), 1);
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn none_is_lost_and_lanes_keep_their_order(
            lanes in prop::collection::vec(prop::option::of(0..3_u8), 1..40),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 200),
        ) {
            let mut now = Instant::now();
            let mut queue = Queue::default();
            for (n, lane) in lanes.iter().enumerate() {
                let lane = lane.map(|lane| lane.to_string());
                queue.add(n.to_string().into(), None, lane.as_deref());
            }
            let (mut running, mut done, mut picks) = (Vec::new(), Vec::<(Option<String>, u64)>::new(), picks.into_iter());
            while queue.len() > 0 {
                running.extend(std::iter::from_fn(|| queue.start(now)));
                prop_assert!(running.len() <= IN_FLIGHT);
                if running.is_empty() {
                    now = queue.due().unwrap();
                    continue;
                }
                // When the picks have run out everything goes well.
                let (at, fails) = picks.next().map_or((0, false), |(at, fails)| (at.index(running.len()), fails));
                let job = running.remove(at);
                if fails {
                    queue.again(job, now + Duration::from_millis(1));
                } else {
                    done.push((job.lane.clone(), job.number));
                    queue.done(job);
                }
            }
            prop_assert_eq!(done.len(), lanes.len());
            for lane in [0, 1, 2].map(|lane: u8| Some(lane.to_string())) {
                let order: Vec<_> = done.iter().filter(|(of, _)| *of == lane).map(|(_, n)| *n).collect();
                prop_assert!(order.is_sorted());
            }
        }
    }
}
