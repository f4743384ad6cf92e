//! The proxy and the mock as processes, ended by their ids.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::client::KEY;

/// A process that ends with its owner.
struct Process(Child);

impl Process {
    fn start(folder: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_prembridge"));
        command.args(args).env("TMPDIR", folder).stdin(Stdio::null());
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What follows `start` in the first line that begins with it. What comes later is read and forgotten, so that the
/// process never waits for a reader.
fn told(from: impl Read + Send + 'static, start: &str) -> String {
    let mut lines = BufReader::new(from).lines();
    let found = lines.by_ref().find_map(|line| line.unwrap().strip_prefix(start).map(str::to_owned)).unwrap();
    thread::spawn(move || lines.for_each(drop));
    found
}

/// `prembridge mock-cloud`
pub struct Mock {
    _process: Process,
    pub url: String,
}

impl Mock {
    pub fn start(folder: &Path) -> Self {
        let mut process = Process::start(folder, &["mock-cloud", "--listen", "127.0.0.1:0"]);
        let url = told(process.0.stdout.take().unwrap(), "mock Cloud API on ");
        Self { _process: process, url }
    }

    pub fn address(&self) -> String {
        self.url.trim_start_matches("http://").to_owned()
    }
}

/// `prembridge serve`
pub struct Proxy {
    process: Process,
    files: PathBuf,
    pub api: String,
}

/// Resident memory in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    pub resident: u64,
    /// The most since the process began.
    pub peak: u64,
}

impl Proxy {
    pub fn start(folder: &Path, cloud: &str) -> Self {
        let (path, files) = (folder.join("prembridge.toml"), folder.join("files"));
        let config = format!(
            "[listen]\napi = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[store]\nurl = \"memory:\"\n\
             [log]\nrequests = false\n[pacing]\nenabled = false\n[egress]\nallow = [\"127.0.0.1\"]\n\
             [media]\nfolder = {files:?}\nfetch_timeout = \"10m\"\nupload_timeout = \"10m\"\n\
             [cloud]\nbase_url = \"{cloud}\"\n\
             [[number]]\nphone_number_id = \"106540352242922\"\naccess_token = \"EAAB\"\n\
             [[number.api_key]]\nkey = \"{KEY}\"\n"
        );
        fs::write(&path, config).unwrap();
        let mut process = Process::start(folder, &["serve", "-c", path.to_str().unwrap()]);
        let api = told(process.0.stderr.take().unwrap(), "on-prem API on http://");
        Self { process, files, api }
    }

    pub fn memory(&self) -> Memory {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
        };
        Memory { resident: value("VmRSS"), peak: value("VmHWM") }
    }

    /// No file that is still arriving, with a name or without.
    pub fn assert_nothing_left(&self) {
        let names = fs::read_dir(&self.files).unwrap().map(|entry| entry.unwrap().file_name());
        let partial = names.filter(|name| name.to_string_lossy().starts_with("partial-")).count();
        let open = fs::read_dir(format!("/proc/{}/fd", self.process.0.id())).unwrap();
        let targets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        let unnamed = targets.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).count();
        assert_eq!((partial, unnamed), (0, 0), "temporary files are left");
    }
}
