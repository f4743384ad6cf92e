//! The real binary.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// No start and no end takes so long: the timer turns a hang into a failure.
const HANG: Duration = Duration::from_secs(60);

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the binary to its end with this standard input.
pub fn run(args: &[&str], stdin: &str) -> Run {
    run_with(args, stdin, &[])
}

/// The same with these variables.
pub fn run_with(args: &[&str], stdin: &str, variables: &[(&str, &str)]) -> Run {
    let mut command = command(args);
    command.envs(variables.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // A run that reads nothing closes the pipe; that is its right.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The binary, with its standard error kept.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prembridge"));
    // Variables of whoever runs the tests must not override the tests' files.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PREMBRIDGE") {
            command.env_remove(name);
        }
    }
    command.args(args).stderr(Stdio::piped());
    command
}

/// A running `prembridge serve`, killed when dropped.
pub struct Server {
    child: Child,
    lines: mpsc::Receiver<String>,
    log: String,
    pub api: SocketAddr,
    pub admin: SocketAddr,
    /// Where webhooks go; nowhere when none are taken.
    pub webhook: Option<SocketAddr>,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub fn start(config: &Path) -> Self {
        Self::of(command(&["serve", "-c", config.to_str().unwrap()]))
    }

    /// The same for a command that serves, however it is run.
    pub fn of(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stderr.lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server =
            Self { child, lines, log: String::new(), api: nowhere, admin: nowhere, webhook: None };
        server.api = server.wait_for("on-prem API on ");
        server.admin = server.wait_for("admin on ");
        let webhook = server.log.lines().find_map(|line| line.strip_prefix("webhooks on http://"));
        server.webhook = webhook.map(|line| line.split('/').next().unwrap().parse().unwrap());
        server
    }

    /// The address in the line that begins like this.
    fn wait_for(&mut self, start: &str) -> SocketAddr {
        loop {
            let line =
                self.lines.recv_timeout(HANG).unwrap_or_else(|_| panic!("no {start:?} in:\n{}", self.log));
            self.log.push_str(&line);
            self.log.push('\n');
            if let Some(url) = line.strip_prefix(start) {
                return url.split_once("://").unwrap().1.parse().unwrap();
            }
        }
    }

    /// What the system knows of it, by the name of a file in `/proc`.
    #[cfg(target_os = "linux")]
    pub fn proc(&self, name: &str) -> std::path::PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end: the exit code, and all that was written to standard error.
    pub fn wait(mut self) -> (Option<i32>, String) {
        // Standard error ends when the process does.
        loop {
            match self.lines.recv_timeout(HANG) {
                Ok(line) => {
                    self.log.push_str(&line);
                    self.log.push('\n');
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("still running:\n{}", self.log),
            }
        }
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
