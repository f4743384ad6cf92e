//! The one thread that owns the connection, and the queue in front of it.

use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::store::{Error, Reply};

/// How many compiled statements are kept: all that there are, with room for more.
const STATEMENTS: usize = 64;

/// How many jobs may wait; a caller beyond that waits for room, which is the back-pressure.
const QUEUE: usize = 1024;

/// Hands jobs to the thread. Dropping it lets the thread finish what is queued, and waits for it.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Gives the connection to a thread of its own: SQLite blocks, and has one writer anyway.
    pub(super) fn start(connection: Connection) -> Result<Self, Error> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || run(connection, queue))
            .map_err(|error| Error::Engine(format!("its thread cannot be started: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in a transaction, which is committed before the reply and rolled back on an error.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Reply<'_, T> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Work { work: Some(work), outcome: None, reply });
        Box::pin(async move {
            let jobs = self.jobs.as_ref().ok_or(Error::Closed)?;
            jobs.send(job).await.map_err(|_| Error::Closed)?;
            answer.await.map_err(|_| Error::Closed)?
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to drain; its callers were told `Closed`.
            let _ = thread.join();
        }
    }
}

/// A job in two steps, so that one commit can later serve many: first all run, then the transaction is
/// decided, then all learn of it.
trait Job: Send {
    /// Does the work and says whether it should be committed.
    fn run(&mut self, tx: &Transaction<'_>) -> bool;
    /// Tells the caller; nobody listening is no error.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

struct Work<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send, F: FnOnce(&Transaction<'_>) -> Result<T, Error> + Send> Job for Work<T, F> {
    fn run(&mut self, tx: &Transaction<'_>) -> bool {
        self.outcome = self.work.take().map(|work| work(tx));
        matches!(self.outcome, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let Self { outcome, reply, .. } = *self;
        let _ = reply.send(committed.and_then(|()| outcome.unwrap_or(Err(Error::Closed))));
    }
}

fn run(mut connection: Connection, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(mut job) = queue.blocking_recv() {
        let committed = decide(&mut connection, job.as_mut());
        job.finish(committed);
    }
}

/// Takes the write lock at once: a transaction that upgrades later can fail half-way with "busy".
fn decide(connection: &mut Connection, job: &mut dyn Job) -> Result<(), Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if job.run(&tx) {
        tx.commit()?;
    }
    // Otherwise the drop rolls back; its own failure would only hide the job's error.
    Ok(())
}
