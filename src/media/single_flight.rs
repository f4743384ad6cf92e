//! Collapses concurrent work: whoever needs what is already being worked on waits for that result.
//!
//! The work runs in a task of its own, so that a client that hangs up cancels nothing that others wait for.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::key::Key;

/// The work ended without a result: it panicked, or the process is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

type Running<V> = Arc<Mutex<HashMap<Key, watch::Receiver<Option<V>>>>>;

/// Work in flight, by key.
pub struct SingleFlight<V> {
    running: Running<V>,
    background: Background,
}

/// Tasks that belong to no request, and what ends them.
#[derive(Clone, Default)]
pub struct Background {
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Background {
    /// Runs `work` until it is done or [`Background::stop`] is called.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let ending = self.ending.clone();
        self.tasks.spawn(async move { ending.run_until_cancelled(work).await })
    }

    /// Cancels all tasks and waits for them.
    pub async fn stop(&self) {
        self.ending.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl<V: Clone + Send + Sync + 'static> SingleFlight<V> {
    /// Runs work as tasks of `background`.
    pub fn new(background: Background) -> Self {
        Self { running: Arc::default(), background }
    }

    /// The result of the work on `key`, and whether this call's `work` made it.
    ///
    /// Between a caller's own look at the cache and this, earlier work may have ended: `work` has to look at the
    /// cache again.
    pub async fn join<F>(&self, key: Key, work: impl FnOnce() -> F) -> Result<(V, bool), Lost>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (sender, mine) = watch::channel(None);
        let theirs = lock(&self.running).entry(key).or_insert_with(|| mine.clone()).clone();
        let leads = theirs.same_channel(&mine);
        let mut result = theirs;
        if leads {
            // Not under the lock: a task that ends at once takes it too.
            let guard = RemoveOnDrop { key, running: Arc::clone(&self.running) };
            let work = work();
            self.background.spawn(async move {
                let value = work.await;
                // First: whoever comes now finds the result in the cache, or needs a new one.
                drop(guard);
                sender.send_replace(Some(value));
            });
        }
        drop(mine);
        let value = result.wait_for(Option::is_some).await.map_err(|_| Lost)?.clone();
        value.map(|value| (value, leads)).ok_or(Lost)
    }

    /// Runs `work` for this caller alone.
    pub async fn alone<F>(&self, work: F) -> Result<V, Lost>
    where
        F: Future<Output = V> + Send + 'static,
    {
        self.background.spawn(work).await.ok().flatten().ok_or(Lost)
    }
}

/// Removes the work from the list, however it ends.
struct RemoveOnDrop<V> {
    key: Key,
    running: Running<V>,
}

impl<V> Drop for RemoveOnDrop<V> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The map is whole at every moment, whoever panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn many_share_one_flight_and_the_next_is_a_new_one() {
        let flights = SingleFlight::new(Background::default());
        let runs = Arc::new(AtomicUsize::new(0));
        let go = Arc::new(Notify::new());
        let work = || {
            let (runs, go) = (Arc::clone(&runs), Arc::clone(&go));
            async move {
                go.notified().await;
                runs.fetch_add(1, Ordering::Relaxed)
            }
        };
        let all = join_all((0..50).map(|_| flights.join([1; 32], work)));
        let (all, ()) = tokio::join!(all, async { go.notify_one() });
        assert_eq!(all.iter().filter(|outcome| **outcome == Ok((0, true))).count(), 1);
        assert_eq!(all.iter().filter(|outcome| **outcome == Ok((0, false))).count(), 49);
        go.notify_one();
        assert_eq!(flights.join([1; 32], work).await, Ok((1, true)));
        assert!(lock(&flights.running).is_empty());
    }

    #[tokio::test]
    async fn a_caller_that_leaves_cancels_nothing() {
        let flights = SingleFlight::new(Background::default());
        let go = Arc::new(Notify::new());
        let work = || {
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                7
            }
        };
        {
            let mut leaver = std::pin::pin!(flights.join([2; 32], work));
            assert!(futures_util::poll!(leaver.as_mut()).is_pending());
        }
        let (stays, ()) = tokio::join!(flights.join([2; 32], work), async { go.notify_one() });
        assert_eq!(stays, Ok((7, false)));
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_to_everyone_and_blocks_nobody() {
        let flights: SingleFlight<u8> = SingleFlight::new(Background::default());
        let fails = || async { panic!("on purpose") };
        assert_eq!(flights.join([3; 32], fails).await, Err(Lost));
        assert_eq!(flights.join([3; 32], || async { 1 }).await, Ok((1, true)));
    }
}
