//! Memory for requests that are being answered.

use std::cell::RefCell;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_util::sync::ReusableBoxFuture;

use super::respond::Reply;

/// Rooms that a thread keeps for later requests: less than half a MiB.
const KEPT: usize = 64;

thread_local! {
    static ROOMS: RefCell<Vec<ReusableBoxFuture<'static, Reply>>> = const { RefCell::new(Vec::new()) };
}

/// A request that is being answered, in memory that an earlier one has left.
///
/// A future of some KiB is more than the system's allocator has at hand: asking it for one costs a message more than all
/// of its smaller requests. hyper would keep room for one in every connection, idle or not.
pub(super) struct Answering {
    room: Option<ReusableBoxFuture<'static, Reply>>,
}

impl Answering {
    pub(super) fn new(reply: impl Future<Output = Reply> + Send + 'static) -> Self {
        let room = match ROOMS.with_borrow_mut(Vec::pop) {
            Some(mut room) => {
                room.set(reply);
                room
            }
            None => ReusableBoxFuture::new(reply),
        };
        Self { room: Some(room) }
    }
}

impl Future for Answering {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Reply> {
        // Without a room the answer was given, and nobody asks again.
        let Some(mut room) = self.room.take() else { return Poll::Pending };
        match room.poll(context) {
            // Only now: a future that was not finished would live on in a room that is kept.
            Poll::Ready(reply) => {
                ROOMS.with_borrow_mut(|rooms| {
                    if rooms.len() < KEPT {
                        rooms.push(room);
                    }
                });
                Poll::Ready(reply)
            }
            Poll::Pending => {
                self.room = Some(room);
                Poll::Pending
            }
        }
    }
}
