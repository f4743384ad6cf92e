//! Which callback of a number is delivered next. Pure: the time is passed in.
//!
//! The callbacks of a chat are delivered in order, one at a time. One that fails holds up its chat, which waits longer with
//! each failure, as on-prem's callbacks did, and nobody else's. When the first one of a chat has failed
//! [`FAILURE_THRESHOLD`] times, either the callback or the client is at fault:
//!
//! - If the client has taken anything since, in whatever chat, it is the callback. It is set apart from its chat and
//!   retried alone, with its own pauses.
//! - Otherwise one of those behind it is tried, each time another one. If the client takes that, the first one is tried
//!   once more, since the client may just have come back, and is set apart when it fails again.
//! - Otherwise the client is away, and the order is kept for when it comes back.
//!
//! When a client that was away takes something again, all chats go on at once.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::memory::Kept;

/// Failures of a callback after which it is asked whether it is at fault.
const FAILURE_THRESHOLD: u32 = 3;
/// A client counts as away after so many failures in a row,
const AWAY: u32 = 5;
/// and when it has taken nothing for so long: one that takes some and refuses others is there.
const AWAY_FOR: Duration = Duration::from_secs(30);
/// How far behind the first callback of a chat one is looked for that the client takes.
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

/// How long chats wait after failures: the first time one step, then two, and so on up to a maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// `callback_backoff_delay_ms`
    pub step: Duration,
    /// `max_callback_backoff_delay_ms`
    pub max: Duration,
}

impl Backoff {
    fn after(self, failures: u32) -> Duration {
        self.step.saturating_mul(failures).min(self.max).max(SHORTEST)
    }
}

/// One delivery to be tried.
#[derive(Clone)]
pub struct Attempt {
    /// What is delivered.
    pub event: Event,
    /// How often its chat has failed before.
    pub failures: u32,
    chat: Key,
    /// Whether it is the first of its chat.
    is_first: bool,
    /// Whether its chat has failed before.
    pub is_retry: bool,
}

/// A chat, or a callback that was set apart from its chat.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
    Chat(Arc<str>),
    SetApart(i64),
}

#[derive(Default)]
struct Chat {
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
    /// Among those that can go on, with the callback at this index.
    Ready(usize),
    /// One of its callbacks is in flight.
    #[default]
    Busy,
    /// After a failure.
    Waiting(Instant),
}

/// The callbacks of one number.
#[derive(Default)]
pub struct Schedule {
    chats: HashMap<Key, Chat>,
    /// Chats that can go on and have not failed.
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

impl Schedule {
    /// Adds a callback. One that was queued earlier goes before one that was queued later, whoever comes first.
    pub fn add(&mut self, chat: Arc<str>, event: Event) {
        self.insert(Key::Chat(chat), event);
    }

    /// The next callback to deliver, if there is one whose time has come. With `may_retry` one of a chat that has
    /// failed before is first; otherwise there is none, so that what hangs cannot take every slot.
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
            // A chat that was emptied and made anew may stand here twice.
            let Some(chat) = self.chats.get_mut(&key) else { continue };
            let State::Ready(index) = chat.state else { continue };
            if let Some(event) = chat.events.get(index).cloned() {
                chat.state = State::Busy;
                let (failures, is_retry) = (chat.failures, chat.failures > 0);
                return Some(Attempt { event, failures, chat: key, is_first: index == 0, is_retry });
            }
            // What should be tried was taken out meanwhile.
            self.advance(key);
        }
    }

    /// The client has taken it.
    pub fn delivered(&mut self, attempt: &Attempt, now: Instant) {
        if let Some(chat) = self.chats.get_mut(&attempt.chat) {
            // It stands first, or not far behind.
            if let Some(index) = chat.events.iter().position(|queued| queued.place == attempt.event.place) {
                chat.events.remove(index);
            }
            if attempt.is_first {
                chat.forgive();
            }
        }
        self.advance(attempt.chat.clone());
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
        let key = &attempt.chat;
        let Some(chat) = self.chats.get_mut(key) else { return };
        if attempt.is_first {
            chat.failures = chat.failures.saturating_add(1);
            let since = *chat.failing_since.get_or_insert(now);
            if chat.failures >= FAILURE_THRESHOLD && chat.events.len() > 1 {
                if self.taken_at.is_some_and(|taken| taken >= since) {
                    return self.set_apart(key.clone(), now, backoff);
                }
                let behind = chat.events.len().min(DEPTH) - 1;
                let index = 1 + chat.probe % behind;
                chat.probe = chat.probe.wrapping_add(1);
                return self.make_ready(key.clone(), index);
            }
        }
        let due = now + backoff.after(chat.failures);
        self.wait(key.clone(), due);
    }

    /// The first callback of a chat is retried alone, and the chat goes on without it.
    fn set_apart(&mut self, key: Key, now: Instant, backoff: Backoff) {
        let Some(chat) = self.chats.get_mut(&key) else { return };
        let failures = chat.failures;
        chat.forgive();
        if let Some(refused) = chat.events.pop_front() {
            let alone = Key::SetApart(refused.place);
            let events = VecDeque::from([refused]);
            self.chats.insert(alone.clone(), Chat { events, failures, ..Chat::default() });
            self.wait(alone, now + backoff.after(failures));
        }
        self.advance(key);
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
        if let Some(chat) = self.chats.get_mut(&key) {
            chat.state = State::Waiting(due);
            self.waiting.insert((due, key));
        }
    }

    /// Everything that waits goes on: the client may be another one now, or back.
    pub fn wake(&mut self) {
        for (_, key) in std::mem::take(&mut self.waiting) {
            self.make_ready(key, 0);
        }
    }

    /// What was in flight is not any more, and nobody knows what became of it.
    pub fn restart(&mut self) {
        let busy = self.chats.iter().filter(|(_, chat)| chat.state == State::Busy);
        for key in busy.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.make_ready(key, 0);
        }
    }

    /// How many callbacks are set apart, because the client takes others and not these.
    pub fn set_apart_count(&self) -> usize {
        self.chats.keys().filter(|key| matches!(key, Key::SetApart(_))).count()
    }

    /// When the next chat has waited long enough.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Takes out what was queued before `t` and is not in flight, and gives the places.
    pub fn take_older(&mut self, t: i64) -> Vec<i64> {
        let mut places = Vec::new();
        for chat in self.chats.values_mut().filter(|chat| chat.state != State::Busy) {
            chat.events.retain(|event| {
                let stays = event.at >= t;
                if !stays {
                    places.push(event.place);
                }
                stays
            });
        }
        let gone: Vec<Key> = self
            .chats
            .iter()
            .filter(|(_, chat)| chat.events.is_empty() && chat.state != State::Busy)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.remove(&key);
        }
        places
    }

    /// When the oldest callback was queued, in seconds since the Unix epoch.
    pub fn oldest(&self) -> Option<i64> {
        self.chats.values().filter_map(|chat| chat.events.front()).map(|event| event.at).min()
    }

    fn insert(&mut self, key: Key, event: Event) {
        let chat = self.chats.entry(key.clone()).or_default();
        let is_new = chat.events.is_empty() && chat.state == State::Busy;
        let behind = chat.events.iter().rev().take_while(|queued| queued.place > event.place).count();
        // The first place belongs to what is in flight.
        let first_free = usize::from(!is_new && chat.state == State::Busy);
        let index = (chat.events.len() - behind).max(first_free.min(chat.events.len()));
        chat.events.insert(index, event);
        if is_new {
            self.make_ready(key, 0);
        }
    }

    fn make_ready(&mut self, key: Key, index: usize) {
        if let Some(chat) = self.chats.get_mut(&key) {
            chat.state = State::Ready(index);
            let queue = if chat.failures > 0 { &mut self.retries } else { &mut self.ready };
            queue.push_back(key);
        }
    }

    /// A chat goes on with what is next, or is over.
    fn advance(&mut self, key: Key) {
        if self.chats.get(&key).is_some_and(|chat| chat.events.is_empty()) {
            self.remove(&key);
        } else {
            self.make_ready(key, 0);
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(Chat { state: State::Waiting(due), .. }) = self.chats.remove(key) {
            self.waiting.remove(&(due, key.clone()));
        }
    }
}

impl Chat {
    fn forgive(&mut self) {
        (self.failures, self.failing_since, self.probe) = (0, None, 0);
    }
}

#[cfg(test)]
mod tests;
