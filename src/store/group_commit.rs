//! A commit that is shared by those who come together: it costs as much whoever shares it.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

/// How many jobs share a commit at most. There may be many after a stall, and everybody waits for the last.
const MAX_JOBS: usize = 512;
/// How many bytes they bring at most. One alone may bring more.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What can wait for a commit.
pub trait Job {
    /// How much it writes.
    fn bytes(&self) -> usize;
}

/// Where jobs wait for their commit, in the order in which they come. It is not bounded: whoever brings a job waits for
/// its outcome, or has to have a permit for it.
pub struct GroupCommit<J>(mpsc::UnboundedSender<J>);

/// The engine's side: it takes what has gathered while it was busy.
pub struct Gathered<J> {
    jobs: mpsc::UnboundedReceiver<J>,
    /// Did not fit in the last group.
    next: Option<J>,
}

impl<J: Job> GroupCommit<J> {
    /// Both sides.
    pub fn new() -> (Self, Gathered<J>) {
        let (sender, jobs) = mpsc::unbounded_channel();
        (Self(sender), Gathered { jobs, next: None })
    }

    /// Puts a job behind all others; gives it back when the engine is gone.
    pub fn join(&self, job: J) -> Result<(), J> {
        self.0.send(job).map_err(|refused| refused.0)
    }
}

impl<J: Job> Gathered<J> {
    /// Waits for a job, the first of its group. Until there is one, does what `idle` does, as long as that gives true.
    /// None when there will be no more.
    pub fn first(&mut self, mut idle: impl FnMut() -> bool) -> Option<J> {
        if let Some(job) = self.next.take() {
            return Some(job);
        }
        loop {
            match self.jobs.try_recv() {
                Ok(job) => return Some(job),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) if idle() => {}
                Err(TryRecvError::Empty) => return self.jobs.blocking_recv(),
            }
        }
    }

    /// The group that begins with `first`: all that wait, up to the bounds.
    pub fn group(&mut self, first: J) -> Vec<J> {
        let mut bytes = first.bytes();
        let mut group = vec![first];
        while group.len() < MAX_JOBS
            && let Ok(job) = self.jobs.try_recv()
        {
            bytes = bytes.saturating_add(job.bytes());
            if bytes > MAX_BYTES {
                self.next = Some(job);
                break;
            }
            group.push(job);
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Job for (usize, usize) {
        fn bytes(&self) -> usize {
            self.1
        }
    }

    /// Has jobs of these sizes wait, and gives the groups in which they are taken.
    fn groups(bytes: impl IntoIterator<Item = usize>) -> Vec<Vec<usize>> {
        let (commit, mut gathered) = GroupCommit::new();
        bytes.into_iter().enumerate().for_each(|job| commit.join(job).unwrap());
        drop(commit);
        let next = || gathered.first(|| false).map(|first| gathered.group(first));
        std::iter::from_fn(next).map(|group| group.into_iter().map(|(number, _)| number).collect()).collect()
    }

    #[test]
    fn a_commit_takes_so_many_jobs_and_no_more() {
        let groups = groups(vec![1; 2_000]);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [512, 512, 512, 464]);
        assert!(groups.concat().is_sorted(), "in their order");
    }

    #[test]
    fn a_commit_takes_so_many_bytes_and_no_more() {
        const MIB: usize = 1024 * 1024;
        let groups = groups([2 * MIB, MIB, 5 * MIB, 1, 5 * MIB, 4 * MIB, 0]);
        assert_eq!(
            groups,
            [vec![0, 1], vec![2], vec![3], vec![4], vec![5, 6]],
            "one that is larger goes alone"
        );
    }

    #[test]
    fn what_is_left_to_do_is_done_until_a_job_comes() {
        let (commit, mut gathered) = GroupCommit::new();
        let mut left = 3;
        let first = gathered.first(|| {
            left -= 1;
            if left == 0 {
                commit.join((7, 0)).unwrap();
            }
            true
        });
        assert_eq!((first, left), (Some((7, 0)), 0));
        drop(gathered);
        assert_eq!(commit.join((8, 0)), Err((8, 0)), "nobody would take it");
    }
}
