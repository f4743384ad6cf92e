//! A pool of memory for the futures of requests in progress.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::ReusableBoxFuture;

use super::respond::Reply;

/// Allocations that a thread keeps: less than half a MiB.
const KEPT: usize = 64;

thread_local! {
    static POOL: RefCell<Vec<ReusableBoxFuture<'static, Reply>>> = const { RefCell::new(Vec::new()) };
}

/// The future of a reply, in memory that an earlier one has left.
///
/// A future of some KiB is more than the system's allocator has at hand: asking it for one costs a message more than all
/// of its smaller allocations. hyper would keep such memory in every connection, idle or not.
pub(super) struct PooledFuture {
    future: Option<ReusableBoxFuture<'static, Reply>>,
}

impl PooledFuture {
    pub(super) fn new(reply: impl Future<Output = Reply> + Send + 'static) -> Self {
        let future = match POOL.with_borrow_mut(Vec::pop) {
            Some(mut pooled) => {
                pooled.set(reply);
                pooled
            }
            None => ReusableBoxFuture::new(reply),
        };
        Self { future: Some(future) }
    }
}

impl Future for PooledFuture {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        // It has completed, and nobody polls again.
        let Some(mut future) = self.future.take() else { return Poll::Pending };
        match future.poll(context) {
            // Only now: a future that has not completed would live on in the pool.
            Poll::Ready(reply) => {
                POOL.with_borrow_mut(|pool| {
                    if pool.len() < KEPT {
                        pool.push(future);
                    }
                });
                Poll::Ready(reply)
            }
            Poll::Pending => {
                self.future = Some(future);
                Poll::Pending
            }
        }
    }
}
