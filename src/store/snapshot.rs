//! A value that the store keeps and memory shows.

use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use super::{ChangeLock, Error};

/// What memory shows of a value that the store keeps. Reading asks memory alone; a change is committed to the store
/// first and shows after, where whoever watches is told of it. Clones share the value.
pub struct Snapshot<T>(Arc<Shared<T>>);

struct Shared<T> {
    shown: watch::Sender<Arc<T>>,
    lock: ChangeLock,
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Leaves the value out, which may hold secrets.
impl<T> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snapshot")
    }
}

impl<T: Send + Sync + 'static> Snapshot<T> {
    /// Shows `value`, as the store has it.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Shared { shown: watch::Sender::new(Arc::new(value)), lock: ChangeLock::default() }))
    }

    /// The value.
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.shown.borrow())
    }

    /// The value, and each change from now on.
    pub fn watch(&self) -> watch::Receiver<Arc<T>> {
        self.0.shown.subscribe()
    }

    /// Changes the value. `change` commits the next one, made from the present one, and gives it back with a result of
    /// its own. Changes run one after the other, each to its end, even if the caller goes away; one that fails is none.
    pub async fn change<R, E, F>(&self, change: impl FnOnce(Arc<T>) -> F + Send + 'static) -> Result<R, E>
    where
        F: Future<Output = Result<(T, R), E>> + Send,
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let this = self.clone();
        let run = async move {
            let (next, result) = change(this.now()).await?;
            this.0.shown.send_replace(Arc::new(next));
            Ok(result)
        };
        self.0.lock.run(run).await
    }
}
