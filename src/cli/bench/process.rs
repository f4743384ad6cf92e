//! What a process takes: processor time and memory, from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The unit of times in `/proc/PID/stat`: USER_HZ, which is 100 on all of Linux's common machines (proc(5)).
const TICK: Duration = Duration::from_millis(10);
/// Where `utime` and `stime` are among the fields behind the name of the program (proc(5), fields 14 and 15).
const TIMES: [usize; 2] = [11, 12];
/// How far the two measures may differ by their grain alone: each of the coarse one's two times is a tick at most off.
const GRAIN: Duration = Duration::from_millis(20);

/// A process to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What it is called in reports.
    pub name: String,
    pub pid: u32,
}

/// What it had taken at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Of each thread that runs, exact to the nanosecond.
    threads: BTreeMap<u32, Duration>,
    /// Of all threads, ended ones too, exact to a tick.
    whole: Duration,
    pub rss_kib: u64,
    pub peak_rss_kib: u64,
}

impl Process {
    /// A process by its id, called as the program is.
    pub fn find(pid: u32) -> Option<Self> {
        let name = fs::read_to_string(folder(pid).join("comm")).ok()?;
        Some(Self { name: name.trim().to_owned(), pid })
    }

    /// What it takes now; none when it has gone, or where there is no `/proc`.
    pub fn sample(&self) -> Option<Sample> {
        let folder = folder(self.pid);
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            value.trim().split(' ').next()?.parse().ok()
        };
        Some(Sample {
            threads: threads(&folder),
            whole: whole(&fs::read_to_string(folder.join("stat")).ok()?)?,
            // A process that has ended and was not waited for has no memory.
            rss_kib: field("VmRSS:").unwrap_or_default(),
            peak_rss_kib: field("VmHWM:").unwrap_or_default(),
        })
    }
}

impl Sample {
    /// The processor time since another one: by the threads, unless some ended meanwhile and took theirs with them.
    pub fn cpu_since(&self, before: &Self) -> Duration {
        let exact: Duration = self
            .threads
            .iter()
            .map(|(id, now)| now.saturating_sub(before.threads.get(id).copied().unwrap_or_default()))
            .sum();
        let coarse = self.whole.saturating_sub(before.whole);
        let has_lost = before.threads.keys().any(|id| !self.threads.contains_key(id));
        if self.threads.is_empty() || has_lost || coarse > exact + GRAIN { coarse } else { exact }
    }
}

fn folder(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

fn threads(folder: &Path) -> BTreeMap<u32, Duration> {
    let Ok(tasks) = fs::read_dir(folder.join("task")) else { return BTreeMap::new() };
    let read = |task: fs::DirEntry| {
        let id = task.file_name().to_str()?.parse().ok()?;
        Some((id, on_cpu(&fs::read_to_string(task.path().join("schedstat")).ok()?)?))
    };
    tasks.filter_map(|task| read(task.ok()?)).collect()
}

/// The first field of `schedstat`: nanoseconds on a processor (the kernel's sched-stats.rst).
fn on_cpu(schedstat: &str) -> Option<Duration> {
    schedstat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn whole(stat: &str) -> Option<Duration> {
    // The name of the program stands in brackets and may contain anything.
    let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
    TIMES.iter().map(|at| Some(TICK * fields.get(*at)?.parse::<u32>().ok()?)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(threads: &[(u32, u64)], whole: u64) -> Sample {
        let threads = threads.iter().map(|(id, ms)| (*id, Duration::from_millis(*ms))).collect();
        Sample { threads, whole: Duration::from_millis(whole), ..Sample::default() }
    }

    #[test]
    fn time_is_exact_while_threads_last_and_whole_when_they_end() {
        let before = sample(&[(1, 1000), (2, 500)], 1500);
        for (what, after, ms) in [
            ("one went on", sample(&[(1, 1003), (2, 500)], 1500), 3),
            ("one began", sample(&[(1, 1003), (2, 500), (3, 4)], 1510), 7),
            ("one ended", sample(&[(1, 1003)], 1550), 50),
            ("one began and ended", sample(&[(1, 1003), (2, 500)], 1600), 100),
            ("no schedstat", sample(&[], 1520), 20),
        ] {
            assert_eq!(after.cpu_since(&before), Duration::from_millis(ms), "{what}");
        }
    }

    #[test]
    fn files_are_read_as_they_are_documented() {
        let stat = "17 (a) b (c) R 1 17 17 0 -1 4194304 100 0 0 0 123 45 0 0 20 0 1 0 100 1 1";
        assert_eq!(whole(stat), Some(Duration::from_millis(1680)));
        assert_eq!((whole(""), whole("17 (a) R 1"), on_cpu("")), (None, None, None));
        assert_eq!(on_cpu("1234567 89 10\n"), Some(Duration::from_nanos(1_234_567)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_there() {
        let process = Process::find(std::process::id()).unwrap();
        let before = process.sample().unwrap();
        let spun = std::time::Instant::now();
        while process.sample().unwrap().cpu_since(&before) < Duration::from_millis(1) {
            assert!(spun.elapsed() < Duration::from_secs(60), "no time passes");
        }
        assert!(before.rss_kib > 0 && before.peak_rss_kib >= before.rss_kib);
        assert_eq!(Process::find(u32::MAX), None);
    }
}
