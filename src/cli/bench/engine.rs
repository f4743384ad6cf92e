//! The connections, on one thread or a few.
//!
//! The engine shares the machine with what it measures, so it does as little as it can: one write and one read for each
//! message, and no task, channel or allocation.

use std::sync::Arc;
use std::thread;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::connection::Connection;
use super::failure::Failure;
use super::load::Load;
use super::pacer;
use super::run::{Run, Site};

/// Open connections.
pub struct Engine {
    connections: usize,
    threads: Vec<Thread>,
}

struct Thread {
    begin: oneshot::Sender<Arc<Run>>,
    done: oneshot::Receiver<()>,
    leave: oneshot::Sender<()>,
}

impl Engine {
    /// Opens the connections; the first that fails is told.
    pub async fn connect(site: &Arc<Site>, connections: usize, threads: usize) -> Result<Self, Failure> {
        let threads = threads.clamp(1, connections.max(1));
        let mut started = Vec::new();
        for number in 0..threads {
            let share = connections / threads + usize::from(number < connections % threads);
            started.push(Thread::start(Arc::clone(site), share));
        }
        let mut open = Vec::new();
        for (thread, opened) in started {
            opened.await.unwrap_or(Err(Failure::Unreachable("no thread, or no runtime on it".to_owned())))?;
            open.push(thread);
        }
        Ok(Self { connections, threads: open })
    }

    /// Starts the load.
    pub fn begin(self, run: &Arc<Run>) -> Running {
        let mut leave = Vec::new();
        if run.load.is_open() {
            let (run, connections) = (Arc::clone(run), self.connections);
            let (sender, may_leave) = oneshot::channel();
            leave.push(sender);
            thread::spawn(move || {
                if let Load::Open(open) = &run.load {
                    pacer::run(open, connections);
                }
                let _ = may_leave.blocking_recv();
            });
        }
        let mut ends = Vec::new();
        for thread in self.threads {
            // A thread that has gone has no end to wait for.
            let _ = thread.begin.send(Arc::clone(run));
            ends.push(thread.done);
            leave.push(thread.leave);
        }
        Running { ends, _leave: leave }
    }
}

/// A load that was started.
pub struct Running {
    ends: Vec<oneshot::Receiver<()>>,
    /// Threads stay until this is dropped, since what they took is only known exactly while they are there.
    _leave: Vec<oneshot::Sender<()>>,
}

impl Running {
    /// Waits until all messages have ended; may be dropped and called again.
    pub async fn end(&mut self) {
        while let Some(done) = self.ends.last_mut() {
            // An error says that the thread has gone.
            let _ = done.await;
            self.ends.pop();
        }
    }
}

impl Thread {
    /// Starts it; the receiver tells when its connections are open.
    fn start(site: Arc<Site>, share: usize) -> (Self, oneshot::Receiver<Result<(), Failure>>) {
        let (begin, begun) = oneshot::channel();
        let (finish, done) = oneshot::channel();
        let (opened, is_open) = oneshot::channel();
        let (leave, may_leave) = oneshot::channel();
        thread::spawn(move || {
            if let Ok(runtime) = Builder::new_current_thread().enable_all().build() {
                runtime.block_on(work(site, share, opened, begun));
            }
            let _ = finish.send(());
            let _ = may_leave.blocking_recv();
        });
        (Self { begin, done, leave }, is_open)
    }
}

async fn work(
    site: Arc<Site>,
    share: usize,
    opened: oneshot::Sender<Result<(), Failure>>,
    begun: oneshot::Receiver<Arc<Run>>,
) {
    let mut connections = Vec::with_capacity(share);
    for _ in 0..share {
        match Connection::open(Arc::clone(&site)).await {
            Ok(connection) => connections.push(connection),
            Err(failure) => {
                let _ = opened.send(Err(failure));
                return;
            }
        }
    }
    let _ = opened.send(Ok(()));
    let Ok(run) = begun.await else { return };
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(connection.serve(Arc::clone(&run)));
    }
    tasks.join_all().await;
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
