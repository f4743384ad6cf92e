//! Writing behind: no request waits for it, and what comes together is one change of the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::callback::queue::lock;
use crate::store::{AliasRow, Error, Store};
use crate::translate::WaId;

/// How long the first one waits for others. What a kill loses is what came within this time, and what the store was
/// writing.
const LINGER: Duration = Duration::from_millis(100);
/// How many wait for a store that takes no changes; what is beyond is known until the next start.
const MOST: usize = 100_000;

/// Brings changes of all numbers into the store.
pub struct Writes {
    pub(super) store: Arc<dyn Store>,
    waiting: Mutex<Waiting>,
    tasks: TaskTracker,
    /// From when on nothing waits for others.
    ending: CancellationToken,
    /// Where the tasks run: the threads of clients may end before the store has everything.
    runtime: Handle,
}

/// By number and id: only the latest of each counts.
type Rows = HashMap<(String, String), AliasRow>;

#[derive(Default)]
struct Waiting {
    rows: Rows,
    /// Those that the store is writing.
    in_writing: Rows,
    /// Ids that are over, in the order in which they ended; what leads to them goes after the rows were written.
    ended: Vec<Ended>,
    is_called: bool,
}

/// The number whose client knew a user by this id.
#[derive(Clone)]
struct Ended {
    number: String,
    setting: WaId,
    id: String,
}

impl Writes {
    /// To be made where the tasks may run until the end.
    pub fn new(store: Arc<dyn Store>, tasks: TaskTracker, ending: CancellationToken) -> Arc<Self> {
        Arc::new(Self { store, waiting: Mutex::default(), tasks, ending, runtime: Handle::current() })
    }

    pub(super) fn put(self: &Arc<Self>, row: AliasRow) {
        let mut waiting = lock(&self.waiting);
        if waiting.rows.len() >= MOST {
            return;
        }
        waiting.rows.insert((row.number.clone(), row.id.clone()), row);
        self.call(&mut waiting);
    }

    /// Takes everything out of the store that leads to `id`.
    pub(super) fn end(self: &Arc<Self>, number: &str, setting: WaId, id: &str) {
        let mut waiting = lock(&self.waiting);
        waiting.ended.push(Ended { number: number.to_owned(), setting, id: id.to_owned() });
        self.call(&mut waiting);
    }

    /// What is about to be in the store for `id`.
    pub(super) fn waiting(&self, number: &str, id: &str) -> Option<AliasRow> {
        let key = (number.to_owned(), id.to_owned());
        let waiting = lock(&self.waiting);
        waiting.rows.get(&key).or_else(|| waiting.in_writing.get(&key)).cloned()
    }

    /// Whether what leads to `id` is about to go.
    pub(super) fn is_ending(&self, number: &str, id: &str) -> bool {
        lock(&self.waiting).ended.iter().any(|ended| ended.number == number && ended.id == id)
    }

    /// Tries again what the store did not take.
    pub fn again(self: &Arc<Self>) {
        let mut waiting = lock(&self.waiting);
        if !waiting.rows.is_empty() || !waiting.ended.is_empty() {
            self.call(&mut waiting);
        }
    }

    fn call(self: &Arc<Self>, waiting: &mut Waiting) {
        if !std::mem::replace(&mut waiting.is_called, true) {
            self.tasks.spawn_on(Arc::clone(self).write(), &self.runtime);
        }
    }

    async fn write(self: Arc<Self>) {
        loop {
            let _ = self.ending.run_until_cancelled(sleep(LINGER)).await;
            let (rows, ended) = {
                let mut waiting = lock(&self.waiting);
                waiting.in_writing = std::mem::take(&mut waiting.rows);
                (waiting.in_writing.values().cloned().collect(), waiting.ended.clone())
            };
            let outcome = self.bring(rows, &ended).await;
            let mut waiting = lock(&self.waiting);
            let rows = std::mem::take(&mut waiting.in_writing);
            if outcome.is_ok() {
                waiting.ended.drain(..ended.len());
            }
            if let Err(error) = &outcome {
                tracing::warn!(%error, "ids of users could not be written down; they will be tried again");
                for (key, row) in rows {
                    waiting.rows.entry(key).or_insert(row);
                }
            }
            // What failed waits for the next one who calls: a store may be full for hours.
            if outcome.is_err() || waiting.rows.is_empty() && waiting.ended.is_empty() {
                waiting.is_called = false;
                return;
            }
        }
    }

    async fn bring(&self, rows: Vec<AliasRow>, ended: &[Ended]) -> Result<(), Error> {
        self.store.put_aliases(rows).await?;
        for Ended { number, setting, id } in ended {
            self.store.end_aliases(number, *setting, id).await?;
        }
        Ok(())
    }
}
