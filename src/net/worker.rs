//! Which of the threads that serve clients this one is.

use std::cell::Cell;

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// Makes this thread worker number `worker`, counted from 1.
pub fn become_worker(worker: usize) {
    WORKER.set(worker);
}

/// The number of this worker; 0 on every other thread. What workers keep for themselves, they keep by this.
pub fn this_worker() -> usize {
    WORKER.get()
}
