//! The proxy as a process of its own, so that the processor time is its alone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

/// The key of every request.
pub const KEY: &str = "bench-key-0123456789";
/// What webhooks are signed with.
pub const SECRET: &str = "bench-app-secret";
/// The number.
pub const NUMBER: &str = "106540352242922";
/// The unit of times in `/proc/PID/stat`: USER_HZ, which is 100 on all of Linux's common machines (proc(5)).
const TICK: Duration = Duration::from_millis(10);
/// Where `utime` and `stime` are among the fields behind the name of the program (proc(5), fields 14 and 15).
const TIMES: [usize; 2] = [11, 12];

pub struct Proxy {
    process: Child,
    pub api: SocketAddr,
    pub webhooks: SocketAddr,
}

impl Proxy {
    /// With its store in a file, and room for all events that wait at once.
    pub fn start(folder: &Path, cloud: &str, callbacks: SocketAddr) -> Self {
        let (path, store) = (folder.join("prembridge.toml"), folder.join("prembridge.db"));
        let config = format!(
            "[listen]\napi = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nwebhook = \"127.0.0.1:0\"\n\
             [store]\nurl = \"sqlite:{}\"\n[log]\nrequests = false\n[pacing]\nenabled = false\n[limits]\nmax_callbacks = 1000000\n\
             [shutdown]\nlame_duck = \"0s\"\n[cloud]\nbase_url = \"{cloud}\"\n\
             [[number]]\nphone_number_id = \"{NUMBER}\"\naccess_token = \"EAAB\"\napp_secret = \"{SECRET}\"\n\
             callback_url = \"http://{callbacks}/\"\n[[number.api_key]]\nkey = \"{KEY}\"\nrole = \"admin\"\n",
            store.display()
        );
        fs::write(&path, config).unwrap();
        let binary = std::env::var("PROXY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_prembridge").to_owned());
        let mut command = Command::new(binary);
        command.args(["serve", "-c", path.to_str().unwrap()]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let api = told(&mut lines, "on-prem API on http://");
        let webhooks = told(&mut lines, "webhooks on http://");
        // What comes later is read and forgotten, so that the process never waits for a reader.
        thread::spawn(move || lines.lines().for_each(drop));
        Self { process, api, webhooks }
    }

    /// The processor time of all its threads so far, ended ones too.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        TIMES.map(|index| TICK * fields.get(index).unwrap().parse::<u32>().unwrap()).into_iter().sum()
    }

    /// Ends it in good order: what is on its way is finished, and nothing comes later.
    pub fn stop(mut self) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success(), "it did not end in good order");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address behind `start` in the first line that begins with it.
fn told(lines: &mut BufReader<ChildStderr>, start: &str) -> SocketAddr {
    let found =
        lines.lines().map(Result::unwrap).find_map(|line| line.strip_prefix(start).map(str::to_owned));
    let url = found.expect("the proxy does not say where it listens");
    url.split('/').next().unwrap().parse().unwrap()
}
