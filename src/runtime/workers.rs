//! The threads that serve clients.
//!
//! Each has a runtime of its own, and a connection stays on the thread that got it: its calls to Cloud travel on
//! connections of the same thread, so that no message ever waits for another core to wake up.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

thread_local! {
    static WORKER: Cell<usize> = const { Cell::new(0) };
}

/// Makes this thread worker number `worker`, counted from 1.
pub fn become_worker(worker: usize) {
    WORKER.set(worker);
}

/// The number of this worker; 0 on every other thread. Workers index what they keep for themselves by it.
pub fn this_worker() -> usize {
    WORKER.get()
}

/// The threads. Dropping this ends them and the tasks that still run on them.
#[derive(Debug)]
pub struct Workers {
    all: Vec<Worker>,
    ending: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Workers {
    /// Starts `count` threads.
    pub fn start(count: usize) -> io::Result<Self> {
        let ending = CancellationToken::new();
        // If one cannot be started, dropping this ends the others.
        let mut workers = Self { all: Vec::new(), ending: ending.clone() };
        for number in 1..=count {
            let (report, started) = mpsc::channel();
            let ending = ending.clone();
            // The runtime is built on its own thread: dropping one within another runtime panics, which would happen
            // here if the thread could not be spawned.
            thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(report.send(Err(error))),
                };
                become_worker(number);
                drop(report.send(Ok(runtime.handle().clone())));
                runtime.block_on(ending.cancelled());
                // File reads and the like must not hold up the end of the thread.
                runtime.shutdown_background();
            })?;
            let runtime = started.recv().map_err(io::Error::other)??;
            workers.all.push(Worker { runtime, connections: Arc::default() });
        }
        Ok(workers)
    }

    /// A slot on the thread with the fewest connections.
    pub fn slot(&self) -> Option<Slot> {
        let worker = self.all.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed))?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Some(Slot { runtime: worker.runtime.clone(), connections: Arc::clone(&worker.connections) })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

/// One connection's slot on a thread, for as long as it lives.
#[derive(Debug)]
pub struct Slot {
    /// The thread's runtime.
    pub runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
