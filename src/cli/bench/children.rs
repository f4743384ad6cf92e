//! The mock Cloud API and the proxy, each as a process of its own, so that what it takes is its alone.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use uuid::Uuid;

use super::process::Process;

/// How long a start may take.
const START: Duration = Duration::from_secs(30);
/// How long an end may take; then it is forced.
const END: Duration = Duration::from_secs(5);
/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(5);
/// The number that sends.
const NUMBER: &str = "106540352242922";

/// Both, until this is dropped.
pub struct Children {
    pub url: String,
    /// What it lets in.
    pub key: String,
    proxy: Part,
    mock: Part,
}

impl Children {
    /// Starts them on free ports.
    pub fn start(is_paced: bool) -> Result<Self, String> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        // It does half of what the proxy does, and should not take its processors.
        let threads = (cores / 4).max(1).to_string();
        let arguments = ["mock-cloud", "--listen", "127.0.0.1:0", "--no-record", "--threads", &threads];
        let mut mock = Part::new("mock-cloud", &arguments)?;
        let cloud = mock.told(Output::Standard, "mock Cloud API on ")?;
        let key = Uuid::new_v4().simple().to_string();
        // Only its owner can read it, and it goes as soon as it was read.
        let mut file = NamedTempFile::new().map_err(|error| format!("no temporary file: {error}"))?;
        file.write_all(configuration(&cloud, &key, is_paced).as_bytes())
            .map_err(|error| format!("{}: {error}", file.path().display()))?;
        let path = file.path().to_str().ok_or("the folder for temporary files has a strange name")?;
        let mut proxy = Part::new("proxy", &["serve", "-c", path])?;
        let url = proxy.told(Output::Error, "on-prem API on ")?;
        Ok(Self { url, key, proxy, mock })
    }

    /// The two processes.
    pub fn processes(&self) -> [Process; 2] {
        [&self.proxy, &self.mock].map(|part| Process { name: part.name.to_owned(), pid: part.child.id() })
    }
}

/// What the proxy is told.
fn configuration(cloud: &str, key: &str, is_paced: bool) -> String {
    format!(
        "[listen]\napi = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n\
         [cloud]\nbase_url = \"{cloud}\"\n\
         [pacing]\nenabled = {is_paced}\n\
         [store]\nurl = \"memory:\"\n\
         [log]\nrequests = false\n\
         [shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"1s\"\n\
         [[number]]\nname = \"bench\"\nphone_number_id = \"{NUMBER}\"\naccess_token = \"EAAB{key}\"\n\
         [[number.api_key]]\nkey = \"{key}\"\n"
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Standard,
    Error,
}

/// One of them. It ends when its standard input does, so it does not outlive this process however that ends.
struct Part {
    name: &'static str,
    child: Child,
    lines: mpsc::Receiver<(Output, String)>,
}

impl Part {
    fn new(name: &'static str, arguments: &[&str]) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("{name} does not start: {error}");
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        // What overrides the configuration of another proxy must not lead this one to the real Cloud.
        for (variable, _) in std::env::vars_os() {
            if variable.to_string_lossy().starts_with("PREMBRIDGE__") {
                command.env_remove(variable);
            }
        }
        command.args(arguments).arg("--until-stdin-ends");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A Ctrl-C is for us, who end it in good order.
        let mut child = command.process_group(0).spawn().map_err(failed)?;
        let (sender, lines) = mpsc::channel();
        if let (Some(standard), Some(error)) = (child.stdout.take(), child.stderr.take()) {
            forward(Output::Standard, standard, sender.clone());
            forward(Output::Error, error, sender);
        }
        Ok(Self { name, child, lines })
    }

    /// The rest of the line that begins like this.
    fn told(&mut self, from: Output, start: &str) -> Result<String, String> {
        let end = Instant::now() + START;
        let mut others = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok((output, line)) = self.lines.recv_timeout(left) else {
                return Err(format!("the {} did not start{others}", self.name));
            };
            match line.strip_prefix(start) {
                Some(rest) if output == from => return Ok(rest.to_owned()),
                Some(_) | None => others.push_str(&format!("\n{line}")),
            }
        }
    }
}

/// Reads to the end, so that the process never waits for a reader.
fn forward(output: Output, from: impl Read + Send + 'static, to: mpsc::Sender<(Output, String)>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // Nobody listens any more once it has started.
            let _ = to.send((output, line));
        }
    });
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let end = Instant::now() + END;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(LOOK);
        }
        // Nothing happens to one that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
