//! A disk of a size that a test chooses, in a namespace of its own (Linux).

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::temp::TempDir;

/// Mounted at a folder for whoever is run on it, for as long as this lives.
pub struct Disk {
    keeper: Child,
    folder: TempDir,
}

impl Disk {
    /// So large; nothing where the system does not let us.
    pub fn new(size: &str) -> Option<Self> {
        let folder = TempDir::new();
        let place = folder.path().display();
        // The namespace lives as long as its first process, which waits for the end of its input.
        let script = format!("mount -t tmpfs -o size={size} none '{place}' && echo mounted && exec cat");
        let mut keeper = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let read = BufReader::new(keeper.stdout.take()?).read_line(&mut line);
        let disk = Self { keeper, folder };
        (read.is_ok() && line == "mounted\n").then_some(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `command` where it is mounted.
    pub fn wrap(&self, command: &Command) -> Command {
        let id = self.keeper.id().to_string();
        let mut wrapped = Command::new("nsenter");
        wrapped.args(["--preserve-credentials", "--user", "--mount", "--target", &id]);
        wrapped.arg(command.get_program()).args(command.get_args()).stderr(Stdio::piped());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        wrapped
    }

    /// Runs a line of the shell there, which has to succeed.
    pub fn shell(&self, line: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        assert!(self.wrap(&command).status().unwrap().success(), "{line}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
