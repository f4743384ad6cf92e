//! Changes one after the other, each to its end.

use std::sync::Arc;

use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Error;

/// Whoever changes the store and what memory shows of it takes a turn, so that both see the changes in
/// one order.
#[derive(Debug, Default)]
pub struct Turn(Arc<Mutex<()>>);

impl Turn {
    /// Waits until no change runs, and lets none begin while the guard lives.
    pub async fn wait(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.0).lock_owned().await
    }

    /// Gives a change its turn and runs it to its end even if the caller goes away. A handler is dropped
    /// when its client hangs up; between commit and memory that would leave memory saying what the store
    /// does not, until the next start. Waiting for the turn takes no thread, so changes hold one thread in all.
    pub async fn run<T, E>(&self, change: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let turn = self.wait().await;
        let runtime = tokio::runtime::Handle::current();
        let done = tokio::task::spawn_blocking(move || {
            let result = runtime.block_on(change);
            drop(turn);
            result
        });
        done.await.map_err(|_| Error::Closed)?
    }
}
