//! The one thread that owns the connection, and commits what waits for it in groups.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::dedupe::{self, Change, Dedupe};
use super::reserve::Reserve;
use crate::store::group_commit::{self, Gathered, GroupCommit};
use crate::store::{Error, Reply};

/// How many compiled statements are kept: all that there are, with room for more.
const STATEMENTS: usize = 64;

/// A commit that brings so many events says that more are on their way.
const MANY: usize = 8;

/// How long the next one then waits for company: a commit costs as much as some twenty events, whoever shares it.
const LINGER: Duration = Duration::from_micros(500);

/// How many pieces of upkeep may follow one commit; what is left is done after the next ones.
const UPKEEP: usize = 8;

/// Hands jobs to the thread. Dropping it lets the thread finish what waits, and waits for it.
pub(super) struct Writer {
    commits: Option<GroupCommit<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// What is done in a transaction.
pub(super) trait Job: Send {
    /// How many bytes it writes, as far as that matters.
    fn bytes(&self) -> usize {
        0
    }
    /// Does the work. It is done again if its transaction fails for the sake of others.
    fn run(&mut self, tx: &mut Change<'_>) -> Result<(), Error>;
    /// Tells the caller of the end of the transaction; nobody listening is no error.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

impl group_commit::Job for Box<dyn Job> {
    fn bytes(&self) -> usize {
        (**self).bytes()
    }
}

struct Work<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl Writer {
    /// Gives the connection to a thread of its own: SQLite blocks, and has one writer anyway.
    pub(super) fn start(mut connection: Connection, reserve: Option<Reserve>) -> Result<Self, Error> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let dedupe = Dedupe::open(&mut connection, dedupe::SIZES)?;
        let (commits, gathered) = GroupCommit::new();
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || Engine { connection, dedupe, reserve }.run(gathered))
            .map_err(|error| Error::Engine(format!("its thread cannot be started: {error}")))?;
        Ok(Self { commits: Some(commits), thread: Some(thread) })
    }

    /// Runs `work` in a transaction, which is committed before the reply and rolled back on an error. It may be run more
    /// than once, when a transaction fails that it shares with others.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Change<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Reply<'_, T> {
        let (reply, answer) = oneshot::channel();
        let job = Work { work, value: None, reply };
        Box::pin(async move {
            self.join(Box::new(job));
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    /// Puts a job behind all others.
    pub(super) fn join(&self, job: Box<dyn Job>) {
        let refused = match &self.commits {
            Some(commits) => commits.join(job).err(),
            None => Some(job),
        };
        refused.into_iter().for_each(|job| job.finish(Err(Error::Closed)));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.commits.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to drain; its callers were told `Closed`.
            let _ = thread.join();
        }
    }
}

impl<T: Send, F: FnMut(&mut Change<'_>) -> Result<T, Error> + Send> Job for Work<T, F> {
    fn run(&mut self, tx: &mut Change<'_>) -> Result<(), Error> {
        self.value = Some((self.work)(tx)?);
        Ok(())
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let Self { value, reply, .. } = *self;
        let _ = reply.send(committed.and_then(|()| value.ok_or(Error::Closed)));
    }
}

/// What the thread works with.
struct Engine {
    connection: Connection,
    dedupe: Dedupe,
    /// None in memory.
    reserve: Option<Reserve>,
}

/// Why a transaction was rolled back.
enum Failed {
    /// For the sake of one of its jobs.
    Job(Error),
    /// For a reason that concerns all of them.
    All(Error),
}

impl Engine {
    /// Whatever waits when the thread is free shares one transaction, and so one wait for the disk. A lone job is
    /// committed at once, unless it follows on many events.
    fn run(mut self, mut gathered: Gathered<Box<dyn Job>>) {
        let mut is_busy = false;
        while let Some(first) = gathered.first(|| self.dedupe.maintain(&mut self.connection, true)) {
            if is_busy {
                thread::sleep(LINGER);
            }
            is_busy = self.flush(gathered.group(first)) >= MANY;
            for _ in 0..UPKEEP {
                if !self.dedupe.maintain(&mut self.connection, false) {
                    break;
                }
            }
        }
    }

    /// Commits a group, and says how many events it brought. When one of its jobs fails, each is tried for itself. When
    /// the disk is full, room is made, and each that needs some is tried again, in two steps ([`Reserve`]).
    fn flush(&mut self, mut jobs: Vec<Box<dyn Job>>) -> usize {
        let mut added = 0;
        let mut is_full = match self.commit(&mut jobs) {
            Ok(events) => {
                jobs.into_iter().for_each(|job| job.finish(Ok(())));
                return events;
            }
            Err(Failed::All(Error::Full) | Failed::Job(Error::Full)) => true,
            Err(Failed::Job(_)) if jobs.len() > 1 => false,
            Err(Failed::Job(error) | Failed::All(error)) => {
                jobs.into_iter().for_each(|job| job.finish(Err(error.clone())));
                return 0;
            }
        };
        let mut steps = [Reserve::make_room, Reserve::spend].into_iter().enumerate();
        let mut is_short = None;
        loop {
            if is_full {
                let (Some(reserve), Some((step, make_room))) = (&self.reserve, steps.next()) else { break };
                make_room(reserve, &self.connection);
                is_short = Some(step > 0);
            }
            jobs = self.one_by_one(jobs, &mut added);
            if jobs.is_empty() {
                break;
            }
            is_full = true;
        }
        jobs.into_iter().for_each(|job| job.finish(Err(Error::Full)));
        if let (Some(reserve), Some(is_short)) = (&mut self.reserve, is_short) {
            reserve.report(is_short);
        }
        added
    }

    /// Tries each job for itself, so that what needs room does not undo what makes some, and gives back those for which
    /// there is none.
    fn one_by_one(&mut self, jobs: Vec<Box<dyn Job>>, added: &mut usize) -> Vec<Box<dyn Job>> {
        let mut left = Vec::new();
        for mut job in jobs {
            match self.commit(std::slice::from_mut(&mut job)) {
                Err(Failed::Job(Error::Full) | Failed::All(Error::Full)) => left.push(job),
                Err(Failed::Job(error) | Failed::All(error)) => job.finish(Err(error)),
                Ok(events) => {
                    *added += events;
                    job.finish(Ok(()));
                }
            }
        }
        left
    }

    /// One transaction, and how many events it brought. A panic, which would be our mistake, rolls it back on its way.
    fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<usize, Failed> {
        let Self { connection, dedupe, .. } = self;
        let work = || {
            let mut tx = dedupe.begin(connection).map_err(Failed::All)?;
            for job in jobs {
                if let Err(error) = job.run(&mut tx) {
                    // Some errors undo the whole transaction (SQLite, "Transactions", 3.1): they are nobody's own.
                    return Err(if tx.is_autocommit() { Failed::All(error) } else { Failed::Job(error) });
                }
            }
            tx.commit().map_err(Failed::All)
        };
        let panicked = || Error::Engine("it panicked; nothing was changed".to_owned());
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Failed::Job(panicked())))
    }
}
