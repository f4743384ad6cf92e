//! Tests that need what a machine may not have.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says that the calling test has nothing to run with, and why; the test then returns. `./test` lists such tests and
/// does not count them as passed. Under CI, where nothing may be missing, the test fails.
pub fn not_run(why: &str) {
    // An empty variable is none, as for `./test`.
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{why}");
    let thread = std::thread::current();
    // The harness names the thread of a test after it.
    let line = format!("{}: {why}\n", thread.name().unwrap_or("a test"));
    print!("not run: {line}");
    if let Some(path) = std::env::var_os("PREMBRIDGE_NOT_RUN") {
        let mut list = OpenOptions::new().create(true).append(true).open(path).unwrap();
        list.write_all(line.as_bytes()).unwrap();
    }
}
