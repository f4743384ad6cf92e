//! Deadlines of what is mostly ready already.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

/// Waits for `work` until `end`, which is computed only if `work` is not ready: a look at the clock costs as much as
/// reading what has arrived.
pub async fn within<T>(end: impl FnOnce() -> Instant, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    let mut work = pin!(work);
    let done = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    });
    match done.await {
        Some(done) => Ok(done),
        None => timeout_at(end(), work).await,
    }
}
