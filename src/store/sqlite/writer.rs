//! The one thread that owns the connection, and the queue in front of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::room::Room;
use super::seen::{self, Seen};
use crate::store::{Error, Reply};

/// How many compiled statements are kept: all that there are, with room for more.
const STATEMENTS: usize = 64;

/// How many jobs may wait; a caller beyond that waits for room, which is the back-pressure.
const QUEUE: usize = 1024;

/// How many jobs share one commit at most: what the first of them waits for the last stays short.
const BATCH: usize = 256;

/// A commit that brings so many events says that more are on their way.
const MANY: usize = 8;

/// How long the next one then waits for company: a commit costs as much as some twenty events, whoever shares it.
const LINGER: Duration = Duration::from_micros(500);

/// Hands jobs to the thread. Dropping it lets the thread finish what is queued, and waits for it.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Gives the connection to a thread of its own: SQLite blocks, and has one writer anyway.
    pub(super) fn start(mut connection: Connection, room: Option<Room>) -> Result<Self, Error> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let seen = Seen::load(&mut connection, seen::SIZES)?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || run(connection, seen, room, queue))
            .map_err(|error| Error::Engine(format!("its thread cannot be started: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in a transaction, which is committed before the reply and rolled back on an error. On a full disk it
    /// is run once more.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Reply<'_, T> {
        self.submit_with_seen(move |tx, _| work(tx))
    }

    /// The same for work that changes what was seen.
    pub(super) fn submit_with_seen<T: Send + 'static>(
        &self,
        work: impl FnMut(&Transaction<'_>, &mut Seen) -> Result<T, Error> + Send + 'static,
    ) -> Reply<'_, T> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Work { work, outcome: None, reply });
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

/// A job in two steps, so that one commit serves many: first all run, then the transaction is decided, then
/// all learn of it.
trait Job: Send {
    /// Does the work; on an error it must be undone.
    fn run(&mut self, tx: &Transaction<'_>, seen: &mut Seen) -> Result<(), Error>;
    /// Whether the disk was too full for it, when its transaction has ended like this.
    fn is_short_of_room(&self, committed: &Result<(), Error>) -> bool;
    /// Tells the caller; nobody listening is no error.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

struct Work<T, F> {
    work: F,
    outcome: Option<Result<T, Error>>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T: Send, F: FnMut(&Transaction<'_>, &mut Seen) -> Result<T, Error> + Send> Job for Work<T, F> {
    fn run(&mut self, tx: &Transaction<'_>, seen: &mut Seen) -> Result<(), Error> {
        let outcome = (self.work)(tx, seen);
        let done = outcome.as_ref().map(drop).map_err(Error::clone);
        self.outcome = Some(outcome);
        done
    }

    fn is_short_of_room(&self, committed: &Result<(), Error>) -> bool {
        let of_all = committed.as_ref().err();
        let own = self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err());
        matches!(own.or(of_all), Some(Error::Full))
    }

    /// A job's own error says more than that of the commit.
    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let Self { outcome, reply, .. } = *self;
        let _ = reply.send(match outcome {
            Some(Ok(value)) => committed.map(|()| value),
            Some(Err(error)) => Err(error),
            None => Err(committed.err().unwrap_or(Error::Closed)),
        });
    }
}

/// Whatever waits when the thread is free shares one transaction, and so one wait for the disk: a commit is
/// dear, and under load everybody's comes with it. A lone job is committed at once, unless it follows on many events.
fn run(
    mut connection: Connection,
    mut seen: Seen,
    mut room: Option<Room>,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
) {
    let mut jobs = Vec::with_capacity(BATCH);
    let mut is_busy = false;
    while let Some(job) = next(&mut queue, || keep(&mut seen, |seen| seen.go_on(&mut connection))) {
        jobs.push(job);
        if is_busy {
            thread::sleep(LINGER);
        }
        while jobs.len() < BATCH
            && let Ok(job) = queue.try_recv()
        {
            jobs.push(job);
        }
        let committed = attempt(&mut connection, &mut seen, &mut jobs);
        is_busy = seen.added() >= MANY;
        seen.end(committed.is_ok());
        let mut again = Vec::new();
        for job in jobs.drain(..) {
            if room.is_some() && job.is_short_of_room(&committed) {
                again.push(job);
            } else {
                job.finish(committed.clone());
            }
        }
        if let (Some(room), false) = (&mut room, again.is_empty()) {
            room.make(&connection);
            let left = once_more(&mut connection, &mut seen, again);
            let is_short = !left.is_empty();
            if is_short {
                room.spend(&connection);
                for (job, committed) in
                    once_more(&mut connection, &mut seen, left.into_iter().map(|(job, _)| job))
                {
                    job.finish(committed);
                }
            }
            room.tell(is_short);
        }
        keep(&mut seen, |seen| {
            seen.settle(&mut connection);
            true
        });
    }
}

/// Waits for a job; until there is one, does what is left to do, piece by piece.
fn next(queue: &mut mpsc::Receiver<Box<dyn Job>>, mut go_on: impl FnMut() -> bool) -> Option<Box<dyn Job>> {
    loop {
        match queue.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) if go_on() => {}
            Err(TryRecvError::Empty) => return queue.blocking_recv(),
        }
    }
}

/// Upkeep of what was seen; a panic, which would be our mistake, must not end the thread.
fn keep(seen: &mut Seen, work: impl FnOnce(&mut Seen) -> bool) -> bool {
    catch_unwind(AssertUnwindSafe(|| work(seen))).unwrap_or_else(|_| {
        seen.failed(&Error::Engine("it panicked".to_owned()));
        false
    })
}

/// Tries each of `jobs` for itself, so that what needs room does not undo what makes some. Gives back those for which
/// there was still none.
fn once_more(
    connection: &mut Connection,
    seen: &mut Seen,
    jobs: impl IntoIterator<Item = Box<dyn Job>>,
) -> Vec<(Box<dyn Job>, Result<(), Error>)> {
    let mut left = Vec::new();
    for mut job in jobs {
        let committed = attempt(connection, seen, std::slice::from_mut(&mut job));
        seen.end(committed.is_ok());
        if job.is_short_of_room(&committed) {
            left.push((job, committed));
        } else {
            job.finish(committed);
        }
    }
    left
}

/// One transaction. That of a panic, which would be our mistake, is rolled back on its way.
fn attempt(connection: &mut Connection, seen: &mut Seen, jobs: &mut [Box<dyn Job>]) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| decide(connection, seen, jobs)))
        .unwrap_or_else(|_| Err(Error::Engine("it panicked; nothing was changed".to_owned())))
}

/// Takes the write lock at once: a transaction that upgrades later can fail half-way with "busy".
fn decide(connection: &mut Connection, seen: &mut Seen, jobs: &mut [Box<dyn Job>]) -> Result<(), Error> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut is_worth_it = false;
    for job in jobs.iter_mut() {
        is_worth_it |= alone(&tx, seen, |tx, seen| job.run(tx, seen))?.is_ok();
    }
    // Otherwise the drop rolls back; its own failure would only hide the jobs' errors.
    if is_worth_it {
        seen.write(&tx)?;
        tx.commit()?;
    }
    Ok(())
}

/// What failed work had done is undone alone. An error of its own is within; the other one undoes everything.
pub(super) fn alone<T>(
    tx: &Transaction<'_>,
    seen: &mut Seen,
    work: impl FnOnce(&Transaction<'_>, &mut Seen) -> Result<T, Error>,
) -> Result<Result<T, Error>, Error> {
    let mark = seen.mark();
    tx.prepare_cached("SAVEPOINT job")?.execute([])?;
    let done = work(tx, seen);
    if let (Err(error), true) = (&done, tx.is_autocommit()) {
        // Some errors, a full disk among them, undo the whole transaction (SQLite, "Transactions", 3.1):
        // then nothing of what ran before has happened either.
        return Err(error.clone());
    }
    if done.is_err() {
        seen.undo(mark);
        tx.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    tx.prepare_cached("RELEASE job")?.execute([])?;
    Ok(done)
}
