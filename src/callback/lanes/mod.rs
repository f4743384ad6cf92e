//! Whose turn it is: pure, the time is passed in.
//!
//! Each chat is a lane, delivered in order, one callback at a time. A callback that fails holds up its lane, which
//! waits longer with each failure, as on-prem's callbacks did, and nobody else's. When it has failed
//! [`PATIENCE`] times, the one behind it is tried as well. If the client does not take that one either, it is away,
//! and the order is kept for when it comes back. If it does, the first one is tried once more, since the client may
//! just have come back; when it fails again it is the callback that is ill, so it leaves the lane and goes on alone.
//!
//! When a client that was away takes something again, all lanes go on at once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::Kept;

/// Failures of a callback until the next one of its lane is tried, too.
const PATIENCE: u32 = 3;
/// Failures in a row after which the client counts as away.
const AWAY: u32 = 5;

/// A callback that waits for its delivery.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the store's queue.
    pub place: i64,
    /// When it was queued, in seconds since the Unix epoch.
    pub at: i64,
    /// What is posted; none when it has to be read from the store.
    pub body: Option<Kept>,
}

/// How long lanes wait after failures: the first time one step, then two, and so on up to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// `callback_backoff_delay_ms`
    pub step: Duration,
    /// `max_callback_backoff_delay_ms`
    pub most: Duration,
}

impl Backoff {
    fn after(self, failures: u32) -> Duration {
        self.step.saturating_mul(failures).min(self.most)
    }
}

/// One delivery to be tried.
#[derive(Clone)]
pub struct Attempt {
    /// What is delivered.
    pub event: Event,
    /// How often its lane has failed before.
    pub failures: u32,
    lane: Key,
    is_second: bool,
}

/// What becomes of a chat's lane, or of a callback that is on its own.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Chat(Arc<str>),
    Alone(i64),
}

#[derive(Default)]
struct Lane {
    events: VecDeque<Event>,
    failures: u32,
    /// Whether the client has taken what stands behind the first one.
    is_suspect: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In the row of lanes that can go on; the flag says that the second callback is tried.
    Ready(bool),
    /// One of its callbacks is on its way.
    #[default]
    Busy,
    /// After a failure.
    Waiting(Instant),
}

/// The callbacks of one number.
#[derive(Default)]
pub struct Lanes {
    lanes: HashMap<Key, Lane>,
    ready: VecDeque<Key>,
    waiting: BTreeSet<(Instant, Key)>,
    failures_in_row: u32,
}

impl Lanes {
    /// Adds a callback. One that was queued earlier goes before one that was queued later, whoever comes first.
    pub fn add(&mut self, chat: Arc<str>, event: Event) {
        self.insert(Key::Chat(chat), event);
    }

    /// The next callback to deliver, if there is one whose time has come.
    pub fn next(&mut self, now: Instant) -> Option<Attempt> {
        while let Some((due, _)) = self.waiting.first()
            && *due <= now
            && let Some((_, key)) = self.waiting.pop_first()
        {
            self.make_ready(key, false);
        }
        while let Some(key) = self.ready.pop_front() {
            // A lane that was emptied and made anew may stand here twice.
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            let State::Ready(is_second) = lane.state else { continue };
            if let Some(event) = lane.events.get(usize::from(is_second)).cloned() {
                lane.state = State::Busy;
                return Some(Attempt { event, failures: lane.failures, lane: key, is_second });
            }
            // The second one was taken out meanwhile.
            self.settle(key);
        }
        None
    }

    /// The client has taken it.
    pub fn delivered(&mut self, attempt: &Attempt) {
        if let Some(lane) = self.lanes.get_mut(&attempt.lane) {
            lane.events.retain(|queued| queued.place != attempt.event.place);
            lane.is_suspect = attempt.is_second;
            if !attempt.is_second {
                lane.failures = 0;
            }
        }
        self.settle(attempt.lane.clone());
        if self.failures_in_row >= AWAY {
            self.wake();
        }
        self.failures_in_row = 0;
    }

    /// The client has not taken it.
    pub fn failed(&mut self, attempt: &Attempt, now: Instant, backoff: Backoff) {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let key = &attempt.lane;
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if !attempt.is_second {
            lane.failures = lane.failures.saturating_add(1);
            if lane.is_suspect {
                return self.set_apart(key.clone(), now, backoff);
            }
            if lane.failures >= PATIENCE && lane.events.len() > 1 {
                return self.make_ready(key.clone(), true);
            }
        }
        let due = now + backoff.after(lane.failures);
        self.wait(key.clone(), due);
    }

    /// The first callback of a lane goes on alone, and the lane without it.
    fn set_apart(&mut self, key: Key, now: Instant, backoff: Backoff) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let failures = std::mem::take(&mut lane.failures);
        lane.is_suspect = false;
        if let Some(ill) = lane.events.pop_front() {
            let alone = Key::Alone(ill.place);
            let events = VecDeque::from([ill]);
            self.lanes.insert(alone.clone(), Lane { events, failures, ..Lane::default() });
            self.wait(alone, now + backoff.after(failures));
        }
        self.settle(key);
    }

    fn wait(&mut self, key: Key, due: Instant) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.state = State::Waiting(due);
            self.waiting.insert((due, key));
        }
    }

    /// Everything that waits goes on: the client may be another one now, or back.
    pub fn wake(&mut self) {
        for (_, key) in std::mem::take(&mut self.waiting) {
            self.make_ready(key, false);
        }
    }

    /// What was on its way is not any more, and nobody knows what became of it.
    pub fn restart(&mut self) {
        let busy = self.lanes.iter().filter(|(_, lane)| lane.state == State::Busy);
        for key in busy.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.make_ready(key, false);
        }
    }

    /// When the next lane has waited long enough.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Takes out what was queued before `t` and is not on its way, and gives the places.
    pub fn take_older(&mut self, t: i64) -> Vec<i64> {
        let mut places = Vec::new();
        for lane in self.lanes.values_mut().filter(|lane| lane.state != State::Busy) {
            lane.events.retain(|event| {
                let stays = event.at >= t;
                if !stays {
                    places.push(event.place);
                }
                stays
            });
        }
        let gone: Vec<Key> = self
            .lanes
            .iter()
            .filter(|(_, lane)| lane.events.is_empty() && lane.state != State::Busy)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.remove(&key);
        }
        places
    }

    /// When the oldest callback was queued, in seconds since the Unix epoch.
    pub fn oldest(&self) -> Option<i64> {
        self.lanes.values().filter_map(|lane| lane.events.front()).map(|event| event.at).min()
    }

    fn insert(&mut self, key: Key, event: Event) {
        let lane = self.lanes.entry(key.clone()).or_default();
        let is_new = lane.events.is_empty() && lane.state == State::Busy;
        let behind = lane.events.iter().rev().take_while(|queued| queued.place > event.place).count();
        // The first place belongs to what is on its way.
        let first_free = usize::from(!is_new && lane.state == State::Busy);
        let index = (lane.events.len() - behind).max(first_free.min(lane.events.len()));
        lane.events.insert(index, event);
        if is_new {
            self.make_ready(key, false);
        }
    }

    fn make_ready(&mut self, key: Key, is_second: bool) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.state = State::Ready(is_second);
            self.ready.push_back(key);
        }
    }

    /// A lane goes on with what is next, or is over.
    fn settle(&mut self, key: Key) {
        if self.lanes.get(&key).is_some_and(|lane| lane.events.is_empty()) {
            self.remove(&key);
        } else {
            self.make_ready(key, false);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(Lane { state: State::Waiting(due), .. }) = self.lanes.remove(key) {
            self.waiting.remove(&(due, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
