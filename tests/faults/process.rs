//! The real binary: killed, told to stop, out of descriptors, with a log that nobody reads.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::task::{JoinSet, spawn_blocking};

use crate::stub::{Act, Client, Stub, accepted, config, message};
use crate::temp::TempDir;

/// Longer than anything should take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running proxy; killed when dropped.
struct Process {
    child: Child,
    api: SocketAddr,
    admin: SocketAddr,
    /// What is left of its log. Nobody has to read it.
    log: BufReader<ChildStderr>,
}

impl Process {
    /// Starts it with `limits` before the command, such as `ulimit -n 64;`.
    fn start(file: &Path, limits: &str) -> Self {
        let script = format!("{limits} exec \"$0\" serve -c \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_prembridge")]).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process = Self { child, api: nowhere, admin: nowhere, log };
        process.api = process.address("on-prem API on http://");
        process.admin = process.address("admin on http://");
        process
    }

    /// The address at the end of the next line with `text`.
    fn address(&mut self, text: &str) -> SocketAddr {
        self.line_with(text).rsplit('/').next().unwrap().trim().parse().unwrap()
    }

    /// Reads its log up to a line with `text`.
    fn line_with(&mut self, text: &str) -> String {
        let mut seen = String::new();
        loop {
            let start = seen.len();
            assert_ne!(self.log.read_line(&mut seen).unwrap(), 0, "it ended: {seen}");
            if seen[start..].contains(text) {
                return seen[start..].to_owned();
            }
        }
    }

    fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end, while the pipe of the log stays open.
    async fn end(mut self) -> ExitStatus {
        let pid = self.child.id();
        let mut waiting = spawn_blocking(move || (self.child.wait().unwrap(), self));
        if let Ok(status) = tokio::time::timeout(PATIENCE, &mut waiting).await {
            return status.unwrap().0;
        }
        signal(pid, "KILL");
        panic!("it does not end");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(pid: u32, name: &str) {
    let script = format!("kill -{name} {pid}");
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
}

/// A configuration file for a proxy before `stub`, with its store beside it.
fn write(dir: &TempDir, stub: &Stub, rest: &str) -> std::path::PathBuf {
    let store = format!("sqlite:{}", dir.join("store.db").display());
    let file = dir.join("prembridge.toml");
    std::fs::write(&file, config(&stub.base_url(), &store, rest)).unwrap();
    file
}

#[tokio::test]
async fn killed_in_the_middle_it_sends_nothing_twice() {
    let dir = TempDir::new();
    let stub = Stub::start([]).await;
    let file = write(&dir, &stub, "");
    let mut answered = HashSet::new();
    for round in 0..5 {
        let process = Process::start(&file, "");
        let before = stub.seen().whole.len();
        let mut clients = JoinSet::new();
        for client in 0..8 {
            let api = process.api;
            clients.spawn(async move {
                let mut connection = Client::to(api).await;
                let mut ids = Vec::new();
                for number in 0.. {
                    let text = format!("message {round}.{client}.{number}");
                    if write_and_read(&mut connection, &text, &mut ids).await.is_err() {
                        break;
                    }
                }
                ids
            });
        }
        stub.until(|seen| seen.whole.len() >= before + 40 + round * 7).await;
        process.signal("KILL");
        assert!(!process.end().await.success());
        for ids in clients.join_all().await {
            answered.extend(ids);
        }
    }
    let seen = stub.seen().whole;
    let whole: HashSet<_> = seen.iter().cloned().collect();
    assert_eq!(whole.len(), seen.len(), "something was sent twice");
    assert!(!answered.is_empty());
    for (text, id) in &answered {
        assert!(whole.contains(text) && id.ends_with(text), "{text:?} was answered with {id}");
    }
    // The store is none the worse for it.
    let process = Process::start(&file, "");
    assert_eq!(Client::to(process.api).await.send("the end").await.status, 201);
    process.signal("TERM");
    assert!(process.end().await.success());
}

async fn write_and_read(
    connection: &mut Client,
    text: &str,
    ids: &mut Vec<(String, String)>,
) -> std::io::Result<()> {
    connection.0.get_mut().write_all(&message(text)).await?;
    let reply = connection.reply().await?;
    ids.extend(reply.id().map(|id| (text.to_owned(), id)));
    Ok(())
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_runs() {
    let dir = TempDir::new();
    let slow = Act::Drip(accepted("wamid.slow"), Duration::from_millis(2));
    let stub = Stub::start(vec![slow; 20]).await;
    let process = Process::start(&write(&dir, &stub, ""), "");
    let mut clients = JoinSet::new();
    for client in 0..20 {
        let api = process.api;
        clients.spawn(async move { Client::to(api).await.send(&format!("message {client}")).await });
    }
    stub.until(|seen| seen.whole.len() == 20).await;
    process.signal("TERM");
    for reply in clients.join_all().await {
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    assert!(process.end().await.success());
    assert_eq!(stub.seen().whole.len(), 20);
}

#[tokio::test]
async fn told_twice_to_stop_it_does_not_wait() {
    let dir = TempDir::new();
    let stub = Stub::start([Act::Silence]).await;
    let file = write(&dir, &stub, "");
    let mut process = Process::start(&file, "");
    let mut client = Client::to(process.api).await;
    client.write(&message("hangs")).await;
    stub.until(|seen| seen.whole.len() == 1).await;
    process.signal("TERM");
    process.line_with("draining");
    process.signal("TERM");
    assert_eq!(process.end().await.code(), Some(1));
    assert!(client.reply().await.is_err(), "there is no answer to give");
    assert_eq!(stub.seen().whole, ["hangs"]);
}

/// More log lines than a pipe holds, and nobody reads them: neither requests nor the end wait.
#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let dir = TempDir::new();
    let stub = Stub::start([Act::Silence]).await;
    let process = Process::start(&write(&dir, &stub, ""), "");
    let mut client = Client::to(process.api).await;
    let id = "x".repeat(128);
    let probe = format!("GET / HTTP/1.1\r\nHost: proxy\r\nX-Request-Id: {id}\r\n\r\n");
    for _ in 0..1000 {
        client.write(probe.as_bytes()).await;
        assert_eq!(client.reply().await.unwrap().status, 200);
    }
    // One that runs into the drain's end, which has something to say about it.
    client.write(&message("hangs")).await;
    stub.until(|seen| seen.whole.len() == 1).await;
    assert_eq!(Client::to(process.api).await.send("goes on").await.status, 201);
    process.signal("TERM");
    assert_eq!(process.end().await.code(), Some(1));
    assert_eq!(stub.seen().whole, ["hangs", "goes on"]);
}

#[tokio::test]
async fn without_descriptors_it_waits_and_recovers() {
    let dir = TempDir::new();
    let stub = Stub::start([]).await;
    let process = Process::start(&write(&dir, &stub, ""), "ulimit -n 64;");
    let mut early = Client::to(process.api).await;
    assert_eq!(early.send("early").await.status, 201);
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(Client::to(process.api).await);
    }
    // Who is in is served, over the connection to Cloud that is there already.
    for number in 0..20 {
        assert_eq!(early.send(&format!("crowded {number}")).await.status, 201);
    }
    let mut late = Client::to(process.api).await;
    late.write(&message("late")).await;
    drop(crowd);
    assert_eq!(late.reply().await.unwrap().status, 201);
    assert_eq!(early.send("the end").await.status, 201);
    assert_eq!(stub.seen().whole.len(), 23);
    process.signal("TERM");
    drop((early, late));
    assert!(process.end().await.success());
}

/// More connections than it has descriptors for, and none of them asks anything: the operator, the clients that are in
/// and their calls to Cloud have theirs, and whoever asks something has not to wait for as long as one may be idle.
#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let dir = TempDir::new();
    let stub = Stub::start([]).await;
    let rest = "[limits]\nheader_timeout = \"10m\"\n";
    let process = Process::start(&write(&dir, &stub, rest), "ulimit -n 128;");
    let mut early = Client::to(process.api).await;
    let mut crowd = Vec::new();
    for number in 0..200 {
        crowd.push(Client::to(process.api).await);
        // Who is in, and asks, stays.
        if number % 20 == 0 {
            assert_eq!(early.send("early").await.status, 201);
        }
    }
    let mut operator = Client::to(process.admin).await;
    operator.write(b"GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n").await;
    assert_eq!(operator.reply().await.unwrap().status, 200);
    // Some in hyper's hands, too.
    for client in crowd.iter_mut().take(20) {
        client.write(b"HEAD / HTTP/1.1\r\nHost: proxy\r\n\r\n").await;
    }
    for client in crowd.iter_mut().skip(20).take(20) {
        client.write(b"GET / HTTP/1.1\r\nHo").await;
    }
    let late = async { Client::to(process.api).await.send("late").await.status };
    assert_eq!(tokio::time::timeout(PATIENCE, late).await.expect("it is served"), 201);
    assert_eq!(stub.seen().whole, [&["early"; 10][..], &["late"]].concat());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_limit_of_open_files_is_raised() {
    let dir = TempDir::new();
    let stub = Stub::start([]).await;
    let process = Process::start(&write(&dir, &stub, ""), "ulimit -Sn 64; ulimit -Hn 512;");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!(words[3..5], ["512", "512"]);
}

#[tokio::test]
async fn too_few_open_files_are_told() {
    let dir = TempDir::new();
    let stub = Stub::start([]).await;
    for (most, is_told) in [("", true), ("[limits]\nmax_connections = 100\n", false)] {
        let file = write(&dir, &stub, most);
        let script = "ulimit -n 256; exec \"$0\" check -c \"$1\"";
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_prembridge")]).arg(&file);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}");
        let says = |words: &str| text.contains(words);
        assert_eq!(says("warning: limits.max_connections: 10000") && says("(256)"), is_told, "{text}");
    }
}
