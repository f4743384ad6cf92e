//! Messages whose answer has not come: until then nobody knows what Cloud calls their recipients, and a webhook may be
//! quicker than the answer.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::callback::queue::lock;

/// How long a webhook waits for an answer. Cloud itself waits longer, and the callback then has Cloud's own id.
const PATIENCE: Duration = Duration::from_secs(5);
/// However a country writes its numbers, so many of the last digits stay. Who shares them waits a little in vain.
const TAIL: usize = 6;

pub(super) struct Flights {
    tails: Mutex<HashMap<String, usize>>,
    landed: Notify,
    pub(super) patience: Duration,
}

impl Default for Flights {
    fn default() -> Self {
        Self { tails: Mutex::default(), landed: Notify::new(), patience: PATIENCE }
    }
}

/// A message on its way.
pub struct Flight<'f> {
    flights: &'f Flights,
    tail: String,
}

impl Flights {
    pub(super) fn begin(&self, written: &str) -> Flight<'_> {
        let tail = tail(written).to_owned();
        *lock(&self.tails).entry(tail.clone()).or_default() += 1;
        Flight { flights: self, tail }
    }

    pub(super) fn any(&self) -> bool {
        !lock(&self.tails).is_empty()
    }

    /// Waits until none is on its way to somebody who may be one of `ids`; the time counts from `since`.
    pub(super) async fn landed(&self, ids: &[String], since: Instant) {
        let all = async {
            loop {
                let mut landed = pin!(self.landed.notified());
                landed.as_mut().enable();
                if !ids.iter().any(|id| lock(&self.tails).contains_key(tail(id))) {
                    return;
                }
                landed.await;
            }
        };
        // Afterwards the callback goes out as it is.
        let _ = timeout_at(since + self.patience, all).await;
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut tails = lock(&self.flights.tails);
        if let Some(count) = tails.get_mut(&self.tail) {
            *count -= 1;
            if *count == 0 {
                tails.remove(&self.tail);
            }
        }
        drop(tails);
        self.flights.landed.notify_waiters();
    }
}

fn tail(id: &str) -> &str {
    id.len().checked_sub(TAIL).and_then(|at| id.get(at..)).unwrap_or(id)
}
