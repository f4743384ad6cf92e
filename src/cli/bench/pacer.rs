//! Releases each message when it is due, on a thread of its own: the runtime's timer ticks in milliseconds, the kernel's
//! in microseconds.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::load::Open;

/// The shortest sleep. At higher rates several messages are released at once, none later than this.
const SHORTEST: Duration = Duration::from_micros(50);
/// The longest, so that a stop is noticed.
const LONGEST: Duration = Duration::from_millis(50);

/// Releases all messages of a run, and one more for each connection, so that everybody finds the end.
pub fn run(open: &Open, connections: usize) {
    sleep_exactly();
    let mut released = 0;
    while released < open.schedule.total() && !open.is_stopped() {
        let now = Instant::now();
        let due = if now < open.start { 0 } else { open.schedule.due_by(now - open.start) };
        if due > released {
            open.release(due - released);
            released = due;
        }
        let next = open.start + open.schedule.due(released);
        sleep(next.saturating_duration_since(Instant::now()).clamp(SHORTEST, LONGEST));
    }
    open.release(connections as u64);
}

/// Asks the kernel not to bundle this thread's timers with others, which it does for 50 µs otherwise (proc(5),
/// `timerslack_ns`). Where it says no, messages are a little later, and that is reported.
fn sleep_exactly() {
    let thread = fs::read_link("/proc/thread-self").ok();
    let id = thread.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    if let Some(id) = id {
        let _ = fs::write(format!("/proc/{id}/timerslack_ns"), "1");
    }
}
