//! Which files messages were sent with, until Cloud has told what became of them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Found;

/// How long it is remembered, in seconds: until Cloud has told what became of the message.
const KEPT: i64 = 86_400;
/// Of how many messages; the oldest go first. A cache that prefers what was used often would turn new ones away,
/// because each is asked for once at most.
const MOST: usize = 10_000;

/// Files by message id.
#[derive(Debug, Default)]
pub struct Sent(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    found: HashMap<Arc<str>, Vec<Found>>,
    /// In the order of their sending, with its time. Those that were taken out stay here until it is their turn.
    order: VecDeque<(i64, Arc<str>)>,
}

impl Sent {
    /// Remembers the files of a message that was sent at `now`, and forgets those of old ones.
    pub fn note(&self, message_id: &str, found: Vec<Found>, now: i64) {
        let id: Arc<str> = Arc::from(message_id);
        let mut queue = self.lock();
        while queue.order.len() >= MOST || queue.order.front().is_some_and(|(at, _)| is_old(*at, now)) {
            if let Some((_, old)) = queue.order.pop_front() {
                queue.found.remove(&old);
            }
        }
        queue.order.push_back((now, Arc::clone(&id)));
        queue.found.insert(id, found);
    }

    /// Takes out the files of a message.
    pub fn take(&self, message_id: &str) -> Option<Vec<Found>> {
        self.lock().found.remove(message_id)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_old(at: i64, now: i64) -> bool {
    now.saturating_sub(at) > KEPT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::reason::{Event, Lookup, Upload};

    fn file(media_id: &str) -> Vec<Found> {
        let event = Event { lookup: Lookup::Fresh, upload: Upload::Known, forgotten: None };
        let media_id = media_id.to_owned();
        vec![Found { media_id, event, source: None, upload: None, is_shared: true }]
    }

    fn taken(sent: &Sent, message_id: &str) -> Option<String> {
        sent.take(message_id).map(|found| found[0].media_id.clone())
    }

    #[test]
    fn is_told_once() {
        let sent = Sent::default();
        sent.note("a", file("1"), 0);
        assert_eq!(taken(&sent, "a").as_deref(), Some("1"));
        assert_eq!(taken(&sent, "a"), None);
    }

    #[test]
    fn the_oldest_go_first_and_new_ones_always_get_in() {
        let sent = Sent::default();
        for index in 0..=MOST {
            sent.note(&index.to_string(), file("1"), 0);
        }
        let there = ["0", "1", &MOST.to_string()].map(|id| taken(&sent, id).is_some());
        assert_eq!(there, [false, true, true]);
        assert_eq!(sent.lock().order.len(), MOST);
    }

    #[test]
    fn old_ones_are_forgotten() {
        let sent = Sent::default();
        for (id, at) in [("a", 0), ("b", 1), ("c", KEPT + 1)] {
            sent.note(id, file("1"), at);
        }
        assert_eq!(["a", "b", "c"].map(|id| taken(&sent, id).is_some()), [false, true, true]);
    }
}
