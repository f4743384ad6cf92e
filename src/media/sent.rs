//! The files of sent messages, until Cloud has reported what became of them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::found::Found;

/// How long they are remembered, in seconds.
const KEEP: i64 = 86_400;
/// How many messages are remembered; the oldest are evicted first. A cache that prefers what was used often would
/// reject new ones, because each is asked for once at most.
const MAX_MESSAGES: usize = 10_000;

/// Files by message id.
///
/// Each message with files is noted, and hardly one is asked for: so noting is quick, and asking looks at all of them.
#[derive(Debug, Default)]
pub struct Sent(Mutex<VecDeque<Message>>);

/// In the order of their sending. Those whose files were taken out stay until they are evicted.
#[derive(Debug)]
struct Message {
    at: i64,
    id: Box<str>,
    /// The end of the id, where ids differ: comparing it first saves reading most of the others.
    end: Option<[u8; 8]>,
    found: Vec<Found>,
}

impl Sent {
    /// Remembers the files of a message that was sent at `now`, and forgets those of old ones.
    pub fn note(&self, message_id: &str, found: Vec<Found>, now: i64) {
        let message = Message { at: now, id: message_id.into(), end: end_of(message_id), found };
        let mut messages = self.lock();
        while messages.len() >= MAX_MESSAGES || messages.front().is_some_and(|oldest| is_old(oldest.at, now))
        {
            messages.pop_front();
        }
        messages.push_back(message);
    }

    /// Takes out the files of a message.
    pub fn take(&self, message_id: &str) -> Option<Vec<Found>> {
        let (mut messages, end) = (self.lock(), end_of(message_id));
        // Usually it was sent lately.
        let mut newest = messages.iter_mut().rev();
        let message = newest.find(|message| message.end == end && *message.id == *message_id)?;
        Some(std::mem::take(&mut message.found)).filter(|found| !found.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of(message_id: &str) -> Option<[u8; 8]> {
    message_id.as_bytes().last_chunk().copied()
}

fn is_old(at: i64, now: i64) -> bool {
    now.saturating_sub(at) > KEEP
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::reason::{Event, Lookup, Upload};

    fn file(media_id: &str) -> Vec<Found> {
        let event = Event { lookup: Lookup::Fresh, upload: Upload::Known, forgotten: None };
        let media_id = media_id.into();
        vec![Found { media_id, event, link: None, upload: None, is_shared: true }]
    }

    fn taken(sent: &Sent, message_id: &str) -> Option<String> {
        sent.take(message_id).map(|found| found[0].media_id.to_string())
    }

    #[test]
    fn is_told_once() {
        let sent = Sent::default();
        sent.note("a", file("1"), 0);
        assert_eq!(taken(&sent, "a").as_deref(), Some("1"));
        assert_eq!(taken(&sent, "a"), None);
    }

    #[test]
    fn ids_that_end_alike_are_told_apart() {
        let sent = Sent::default();
        sent.note("wamid.1.12345678", file("1"), 0);
        sent.note("wamid.2.12345678", file("2"), 0);
        assert_eq!(taken(&sent, "wamid.3.12345678"), None);
        assert_eq!(taken(&sent, "wamid.1.12345678").as_deref(), Some("1"));
        assert_eq!(taken(&sent, "wamid.2.12345678").as_deref(), Some("2"));
    }

    #[test]
    fn the_oldest_go_first_and_new_ones_always_get_in() {
        let sent = Sent::default();
        for index in 0..=MAX_MESSAGES {
            sent.note(&index.to_string(), file("1"), 0);
        }
        let there = ["0", "1", &MAX_MESSAGES.to_string()].map(|id| taken(&sent, id).is_some());
        assert_eq!(there, [false, true, true]);
        assert_eq!(sent.lock().len(), MAX_MESSAGES);
    }

    #[test]
    fn old_ones_are_forgotten() {
        let sent = Sent::default();
        for (id, at) in [("a", 0), ("b", 1), ("c", KEEP + 1)] {
            sent.note(id, file("1"), at);
        }
        assert_eq!(["a", "b", "c"].map(|id| taken(&sent, id).is_some()), [false, true, true]);
    }
}
