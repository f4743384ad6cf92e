//! Changes of the store and of what memory shows of it.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::task::TaskTracker;

use super::Error;

/// Held by whoever changes the store and then memory, so that both see the changes in one order.
#[derive(Debug, Default)]
pub struct ChangeLock {
    lock: Arc<Mutex<()>>,
    tasks: TaskTracker,
}

impl ChangeLock {
    /// Waits until no change runs, and lets none begin while the guard lives.
    pub async fn lock(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.lock).lock_owned().await
    }

    /// Runs `change` under the lock, and to its end even if the caller goes away. A handler is dropped when its client
    /// hangs up; between commit and memory that would leave memory saying what the store does not, until the next start.
    pub async fn run<T, E>(&self, change: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let guard = self.lock().await;
        let task = self.tasks.spawn(async move {
            let _guard = guard;
            change.await
        });
        task.await.map_err(|_| Error::Closed)?
    }
}
