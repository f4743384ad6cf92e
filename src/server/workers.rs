//! The threads that serve clients.
//!
//! Each has a runtime of its own, and a connection stays with the one that got it: its calls to Cloud travel on
//! connections of the same thread, so that no message ever waits for another core to wake up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::net::become_worker;

/// The threads. They end when this goes, and what still runs on them ends with them.
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
    /// Starts `count` of them.
    pub fn start(count: usize) -> io::Result<Self> {
        let ending = CancellationToken::new();
        // Whatever was started ends with this, if one cannot be.
        let mut workers = Self { all: Vec::new(), ending: ending.clone() };
        for number in 1..=count {
            let (told, started) = mpsc::channel();
            let ending = ending.clone();
            // Made on its thread: a runtime must not go in a place that others wait in, as it would if the thread
            // could not be had.
            thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return drop(told.send(Err(error))),
                };
                become_worker(number);
                drop(told.send(Ok(runtime.handle().clone())));
                runtime.block_on(ending.cancelled());
                // Reads of files and the like must not hold the thread up.
                runtime.shutdown_background();
            })?;
            let runtime = started.recv().map_err(io::Error::other)??;
            workers.all.push(Worker { runtime, connections: Arc::default() });
        }
        Ok(workers)
    }

    /// A place on the thread that has the fewest connections.
    pub(super) fn place(&self) -> Option<Place> {
        let worker = self.all.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed))?;
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Some(Place { runtime: worker.runtime.clone(), connections: Arc::clone(&worker.connections) })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.ending.cancel();
    }
}

/// A connection's place on a thread, for as long as it lives.
pub(super) struct Place {
    pub(super) runtime: Handle,
    connections: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
