//! Whose turn it is: pure, the time is passed in.
//!
//! Each chat is a lane, delivered in order, one callback at a time. A callback that fails holds up its lane, which
//! waits longer with each failure, as on-prem's callbacks did, and nobody else's. When the first one of a lane has
//! failed [`PATIENCE`] times, the question is who is ill, the callback or the client:
//!
//! - Has the client taken anything since, in whatever lane, then it is the callback. It leaves its lane and goes on
//!   alone, with its own pauses.
//! - Otherwise one of those behind it is tried, each time another one. If the client takes that, the first one is tried
//!   once more, since the client may just have come back, and leaves the lane when it fails again.
//! - Otherwise the client is away, and the order is kept for when it comes back.
//!
//! When a client that was away takes something again, all chats go on at once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::Kept;

/// Failures of a callback until somebody asks whether it is ill.
const PATIENCE: u32 = 3;
/// A client counts as away after so many failures in a row,
const AWAY: u32 = 5;
/// and when it has taken nothing for so long: one that takes some and refuses others is there.
const AWAY_FOR: Duration = Duration::from_secs(30);
/// How far behind the first callback of a lane one is looked for that the client takes.
const DEPTH: usize = 16;
/// Shorter pauses would only be a way to keep somebody's server busy.
const SHORTEST: Duration = Duration::from_millis(10);

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
        self.step.saturating_mul(failures).min(self.most).max(SHORTEST)
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
    /// Whether it is the first of its lane.
    is_first: bool,
    /// Whether its lane has failed before.
    pub is_retry: bool,
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
    /// When the first of these failures was.
    failing_since: Option<Instant>,
    /// Which one behind the first is tried next.
    probe: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In the row of lanes that can go on, with the callback at this index.
    Ready(usize),
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
    /// Lanes that can go on and have not failed.
    ready: VecDeque<Key>,
    /// And those that have.
    retries: VecDeque<Key>,
    waiting: BTreeSet<(Instant, Key)>,
    failures_in_row: u32,
    /// When the client took something.
    taken_at: Option<Instant>,
    /// When it first did not, after that.
    failing_since: Option<Instant>,
}

impl Lanes {
    /// Adds a callback. One that was queued earlier goes before one that was queued later, whoever comes first.
    pub fn add(&mut self, chat: Arc<str>, event: Event) {
        self.insert(Key::Chat(chat), event);
    }

    /// The next callback to deliver, if there is one whose time has come. With `may_retry` one of a lane that has
    /// failed before is first; else there will be none, so that what hangs cannot take every turn.
    pub fn next(&mut self, now: Instant, may_retry: bool) -> Option<Attempt> {
        while let Some((due, _)) = self.waiting.first()
            && *due <= now
            && let Some((_, key)) = self.waiting.pop_first()
        {
            self.make_ready(key, 0);
        }
        loop {
            let retry = if may_retry { self.retries.pop_front() } else { None };
            let key = retry.or_else(|| self.ready.pop_front())?;
            // A lane that was emptied and made anew may stand here twice.
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            let State::Ready(index) = lane.state else { continue };
            if let Some(event) = lane.events.get(index).cloned() {
                lane.state = State::Busy;
                let (failures, is_retry) = (lane.failures, lane.failures > 0);
                return Some(Attempt { event, failures, lane: key, is_first: index == 0, is_retry });
            }
            // What should be tried was taken out meanwhile.
            self.settle(key);
        }
    }

    /// The client has taken it.
    pub fn delivered(&mut self, attempt: &Attempt, now: Instant) {
        if let Some(lane) = self.lanes.get_mut(&attempt.lane) {
            // It stands first, or not far behind.
            if let Some(index) = lane.events.iter().position(|queued| queued.place == attempt.event.place) {
                lane.events.remove(index);
            }
            if attempt.is_first {
                lane.forgive();
            }
        }
        self.settle(attempt.lane.clone());
        let is_long = self.failing_since.is_some_and(|since| now >= since + AWAY_FOR);
        if is_long && self.failures_in_row >= AWAY {
            self.go_on();
        }
        self.failures_in_row = 0;
        self.failing_since = None;
        self.taken_at = Some(now);
    }

    /// The client has not taken it.
    pub fn failed(&mut self, attempt: &Attempt, now: Instant, backoff: Backoff) {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        self.failing_since.get_or_insert(now);
        let key = &attempt.lane;
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if attempt.is_first {
            lane.failures = lane.failures.saturating_add(1);
            let since = *lane.failing_since.get_or_insert(now);
            if lane.failures >= PATIENCE && lane.events.len() > 1 {
                if self.taken_at.is_some_and(|taken| taken >= since) {
                    return self.set_apart(key.clone(), now, backoff);
                }
                let behind = lane.events.len().min(DEPTH) - 1;
                let index = 1 + lane.probe % behind;
                lane.probe = lane.probe.wrapping_add(1);
                return self.make_ready(key.clone(), index);
            }
        }
        let due = now + backoff.after(lane.failures);
        self.wait(key.clone(), due);
    }

    /// The first callback of a lane goes on alone, and the lane without it.
    fn set_apart(&mut self, key: Key, now: Instant, backoff: Backoff) {
        let Some(lane) = self.lanes.get_mut(&key) else { return };
        let failures = lane.failures;
        lane.forgive();
        if let Some(ill) = lane.events.pop_front() {
            let alone = Key::Alone(ill.place);
            let events = VecDeque::from([ill]);
            self.lanes.insert(alone.clone(), Lane { events, failures, ..Lane::default() });
            self.wait(alone, now + backoff.after(failures));
        }
        self.settle(key);
    }

    /// The client is back: every chat goes on, but not what it refused before.
    fn go_on(&mut self) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (chats, alone): (BTreeSet<_>, _) = waiting.partition(|(_, key)| matches!(key, Key::Chat(_)));
        self.waiting = alone;
        for (_, key) in chats {
            self.make_ready(key, 0);
        }
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
            self.make_ready(key, 0);
        }
    }

    /// What was on its way is not any more, and nobody knows what became of it.
    pub fn restart(&mut self) {
        let busy = self.lanes.iter().filter(|(_, lane)| lane.state == State::Busy);
        for key in busy.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.make_ready(key, 0);
        }
    }

    /// How many callbacks go on alone, because the client takes others and not these.
    pub fn set_apart_count(&self) -> usize {
        self.lanes.keys().filter(|key| matches!(key, Key::Alone(_))).count()
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
            self.make_ready(key, 0);
        }
    }

    fn make_ready(&mut self, key: Key, index: usize) {
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.state = State::Ready(index);
            let row = if lane.failures > 0 { &mut self.retries } else { &mut self.ready };
            row.push_back(key);
        }
    }

    /// A lane goes on with what is next, or is over.
    fn settle(&mut self, key: Key) {
        if self.lanes.get(&key).is_some_and(|lane| lane.events.is_empty()) {
            self.remove(&key);
        } else {
            self.make_ready(key, 0);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(Lane { state: State::Waiting(due), .. }) = self.lanes.remove(key) {
            self.waiting.remove(&(due, key.clone()));
        }
    }
}

impl Lane {
    fn forgive(&mut self) {
        (self.failures, self.failing_since, self.probe) = (0, None, 0);
    }
}

#[cfg(test)]
mod tests;
