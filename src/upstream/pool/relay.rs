//! Who is woken for a connection.
//!
//! A connection and the call that travels on it are polled by one task and wake each other through that task all the
//! time: the call is written, so look at the channel; the head is there, so look for the answer. Each such wake-up would
//! have the whole task polled again. And a connection that lies idle remembers the task of its last call, which the next
//! call would wake for nothing. A relay between them forgets the former and, of what the connection wakes, leaves
//! nothing of the latter. The line's timer is not behind it: see `Motor::alarm` there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often in a row a call is polled because it woke itself, before others have their turn.
const ROUNDS: usize = 8;

/// Wakes a connection's task; one for each connection.
pub(super) struct Relay {
    signal: Arc<Signal>,
    waker: Waker,
}

#[derive(Default)]
struct Signal {
    /// The task of the call that is under way.
    task: AtomicWaker,
    /// Whether that task is polling right now.
    is_polled: AtomicBool,
    /// Whether somebody has woken the connection since its poll began.
    is_woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The poll ends in the other order: it takes `is_polled` back, then looks at `is_woken`. Whoever finds a poll
        // under way here has therefore set the flag before that look. If it is cleared by then, a round has begun since.
        self.is_woken.store(true, Ordering::SeqCst);
        if !self.is_polled.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

impl Relay {
    /// Of a connection that nobody uses.
    pub(super) fn new() -> Self {
        let signal: Arc<Signal> = Arc::default();
        Self { waker: Waker::from(Arc::clone(&signal)), signal }
    }

    /// Polls `work` for the task of `context` until it is ready or nothing wakes it any more.
    pub(super) fn poll<T>(
        &self,
        context: &mut Context<'_>,
        mut work: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let signal = &*self.signal;
        signal.task.register(context.waker());
        for _ in 0..ROUNDS {
            signal.is_polled.store(true, Ordering::SeqCst);
            // Read and not only overwritten: a wake-up that comes before this is answered by the poll that follows,
            // which then sees all that was done before the wake-up.
            signal.is_woken.swap(false, Ordering::SeqCst);
            if let Poll::Ready(done) = work(&mut Context::from_waker(&self.waker)) {
                self.rest();
                return Poll::Ready(done);
            }
            signal.is_polled.store(false, Ordering::SeqCst);
            if !signal.is_woken.load(Ordering::SeqCst) {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Wakes nobody until the next poll: what happens to an idle connection is found when it is used again.
    pub(super) fn rest(&self) {
        self.signal.task.take();
        self.signal.is_polled.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn task() -> (Arc<Count>, Waker) {
        let count: Arc<Count> = Arc::default();
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn what_wakes_itself_is_polled_again_and_wakes_nobody() {
        let ((count, waker), relay, mut polls) = (task(), Relay::new(), 0);
        let done = relay.poll(&mut Context::from_waker(&waker), |context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready("done") }
        });
        assert_eq!((done, polls, count.0.load(Ordering::SeqCst)), (Poll::Ready("done"), 3, 0));
    }

    #[test]
    fn what_wakes_itself_for_ever_lets_others_in_between() {
        let ((count, waker), relay, mut polls) = (task(), Relay::new(), 0);
        let pending: Poll<()> = relay.poll(&mut Context::from_waker(&waker), |context| {
            polls += 1;
            context.waker().wake_by_ref();
            Poll::Pending
        });
        assert_eq!((pending, polls, count.0.load(Ordering::SeqCst)), (Poll::Pending, ROUNDS, 1));
    }

    #[test]
    fn what_waits_wakes_its_task_and_what_is_done_wakes_nobody() {
        let ((count, waker), relay) = (task(), Relay::new());
        let mut kept = None;
        let pending: Poll<()> = relay.poll(&mut Context::from_waker(&waker), |context| {
            kept = Some(context.waker().clone());
            Poll::Pending
        });
        assert!(pending.is_pending() && count.0.load(Ordering::SeqCst) == 0);
        kept.as_ref().unwrap().wake_by_ref();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(relay.poll(&mut Context::from_waker(&waker), |_| Poll::Ready(())).is_ready());
        kept.unwrap().wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 1, "an idle connection has no task");
    }
}
