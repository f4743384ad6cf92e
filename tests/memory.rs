//! What large files cost the real process: a bounded part of its memory, and no file that stays behind.
//!
//! `cargo bench --bench media_memory` does the same in full size.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use prembridge::mock::{MockCloud, Options};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::stub::{Answer, Provider};
use crate::support::process::Server;
use crate::support::{Client, KEY, PHONE_NUMBER_ID, TO, basic, config, number, request, text};
use crate::temp::TempDir;

/// The largest document that the on-prem documents name, 100 MB.
const LARGE: u64 = 100_000_000;
/// How many pass at once.
const FILES: u64 = 2;
/// What they may add to the memory of the process, in KiB: less than half of one of them.
const MOST: u64 = 48 * 1024;

struct Setup {
    folder: TempDir,
    mock: MockCloud,
}

impl Setup {
    async fn new() -> Self {
        let mock = MockCloud::start(([127, 0, 0, 1], 0).into(), Options::default()).await.unwrap();
        Self { folder: TempDir::new(), mock }
    }

    fn start(&self) -> Server {
        self.start_with("")
    }

    fn start_with(&self, more: &str) -> Server {
        let path = self.folder.join("prembridge.toml");
        let sections = format!(
            "[egress]\nallow = [\"127.0.0.1\"]\n[media]\nfolder = {:?}\nfetch_timeout = \"10m\"\n{more}",
            self.files()
        );
        let text = config(&self.mock.base_url(), &sections, &number("support", PHONE_NUMBER_ID, ""));
        let store = format!("sqlite:{}", self.folder.join("prembridge.db").display());
        fs::write(&path, text.replace("memory:", &store)).unwrap();
        Server::start(&path)
    }

    fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    /// The names of files that are still arriving.
    fn partial(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.files()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_string_lossy().contains("/.prembridge-partial-")).collect()
    }
}

/// A line of `/proc/PID/status`, in KiB.
fn memory(server: &Server, name: &str) -> u64 {
    let status = fs::read_to_string(server.proc("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// Files without a name that the process has open.
fn unnamed(server: &Server) -> usize {
    let open = fs::read_dir(server.proc("fd")).unwrap();
    let targets = open.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    targets.filter(|target| target.to_string_lossy().ends_with(" (deleted)")).count()
}

/// Sends a message on a connection of its own, however long that takes.
async fn send(server: &Server, message: &serde_json::Value) -> String {
    let body = message.to_string();
    let mut stream = begin(server, "POST /v1/messages", body.len() as u64).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    finish(stream).await
}

/// Memory before anything large, when connections and tables are there.
async fn warmed_up(server: &Server) -> u64 {
    for _ in 0..20 {
        send(server, &text(TO)).await;
    }
    memory(server, "VmRSS")
}

fn assert_small(server: &Server, before: u64) {
    let grown = memory(server, "VmHWM").saturating_sub(before);
    assert!(grown < MOST, "{grown} KiB more than the {before} KiB before");
    assert_eq!(unnamed(server), 0, "temporary files are still open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_links_do_not_fill_the_memory() {
    let setup = Setup::new().await;
    let server = setup.start();
    let provider = Provider::start().await;
    let before = warmed_up(&server).await;
    provider.hold();
    let links = (0..FILES).map(|index| {
        // Another length makes other bytes.
        let answer = Answer::zeros(LARGE - index);
        let path = format!("/{index}.pdf");
        provider.serve(&path, if index % 2 == 0 { answer } else { answer.chunked() });
        let message = json!({"to": TO, "type": "document", "document": {"link": provider.url(&path)}});
        let server = &server;
        async move { send(server, &message).await }
    });
    let all_asked = async {
        provider.until(|seen| seen.requests.len() as u64 == FILES).await;
        provider.release();
    };
    tokio::join!(join_all(links), all_asked);
    let uploads = setup.mock.recorded().iter().filter(|seen| seen.path.ends_with("/media")).count();
    assert_eq!(uploads as u64, FILES);
    assert_small(&server, before);
    assert_eq!(fs::read_dir(setup.files()).unwrap().count(), 1, "the mark of the folder");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_uploads_and_downloads_do_not_fill_the_memory() {
    let setup = Setup::new().await;
    let server = setup.start();
    let before = warmed_up(&server).await;
    let ids = join_all((0..FILES).map(|index| upload(&server, LARGE - index))).await;
    // A message waits until Cloud has its file.
    for id in &ids {
        let message = json!({"to": TO, "type": "document", "document": {"id": id}});
        send(&server, &message).await;
    }
    let at_cloud = setup.mock.recorded().last().unwrap().body.json()["document"]["id"].clone();
    assert_small(&server, before);
    let ids = [ids[0].as_str(), at_cloud.as_str().unwrap()];
    let lengths = join_all(ids.map(|id| download(&server, id))).await;
    assert_eq!(lengths, [LARGE, LARGE - FILES + 1]);
    assert_small(&server, before);
    assert!(setup.partial().is_empty());
}

#[tokio::test]
async fn a_killed_process_leaves_no_files() {
    let setup = Setup::new().await;
    let server = setup.start();
    let provider = Provider::start().await;
    provider.serve("/a.pdf", Answer::zeros(LARGE).stall_after(LARGE / 10));
    let message = json!({"to": TO, "type": "document", "document": {"link": provider.url("/a.pdf")}});
    let mut fetching = Client::connect(server.api).await;
    let key = format!("Apikey {KEY}");
    let headers = [("Authorization", key.as_str())];
    let post = |path, body: &[u8]| request("POST", path, &headers, body);
    fetching.write(post("/v1/messages", message.to_string().as_bytes())).await;
    let mut uploading = Client::connect(server.api).await;
    let whole = post("/v1/media", &vec![0; 1 << 20]);
    uploading.write(&whole[..whole.len() - 1]).await;
    while unnamed(&server) == 0 || setup.partial().is_empty() {
        tokio::task::yield_now().await;
    }
    server.signal("KILL");
    assert_eq!(tokio::task::spawn_blocking(move || server.wait()).await.unwrap().0, None);
    let left = setup.partial();
    assert_eq!(
        fs::read_dir(setup.files()).unwrap().count(),
        left.len() + 1,
        "what was fetched never had a name"
    );
    // What is young may be another process's, which is still writing it.
    drop(setup.start());
    assert_eq!(setup.partial(), left);
    for path in &left {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3601)).unwrap();
    }
    drop(setup.start());
    assert!(setup.partial().is_empty());
}

/// Whoever guesses makes the proxy hash: what that takes is taken once, and not for every thread that has hashed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_logins_do_not_fill_the_memory() {
    const AT_ONCE: u8 = 8;
    for concurrency in [1, 2] {
        let setup = Setup::new().await;
        let server = setup.start_with(&format!("[auth]\nhash_concurrency = {concurrency}\n"));
        let idle = memory(&server, "VmRSS");
        // Sixteen of each of 25 addresses: twenty would make one go slowly.
        for round in 0..400 / u64::from(AT_ONCE) {
            let logins = (0..AT_ONCE).map(|one| {
                let from = 1 + (u8::try_from(round % 25).unwrap() + one) % 25;
                wrong_login(&server, from, format!("user{round}-{one}"))
            });
            assert_eq!(join_all(logins).await, [401; AT_ONCE as usize], "{round}");
        }
        let grown = memory(&server, "VmHWM").saturating_sub(idle);
        assert!(grown <= (19 * concurrency + 16) * 1024, "{grown} KiB more than the {idle} KiB before");
    }
}

async fn wrong_login(server: &Server, from: u8, user: String) -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, from], 0).into()).unwrap();
    let mut client = Client::over(socket.connect(server.api).await.unwrap());
    let login = basic(&user, "wrong");
    client.write(request("POST", "/v1/users/login", &[("Authorization", &login)], b"")).await;
    client.reply().await.status
}

async fn begin(server: &Server, start: &str, length: u64) -> TcpStream {
    let mut stream = TcpStream::connect(server.api).await.unwrap();
    let head = format!(
        "{start} HTTP/1.1\r\nHost: proxy\r\nConnection: close\r\nAuthorization: Apikey {KEY}\r\n\
         Content-Type: application/pdf\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The whole answer, which is a success.
async fn finish(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    answer
}

/// Uploads so many zeros.
async fn upload(server: &Server, length: u64) -> String {
    let mut stream = begin(server, "POST /v1/media", length).await;
    tokio::io::copy(&mut tokio::io::repeat(0).take(length), &mut stream).await.unwrap();
    let answer = finish(stream).await;
    answer.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// How many bytes a file has that is downloaded.
async fn download(server: &Server, id: &str) -> u64 {
    let mut stream = begin(server, &format!("GET /v1/media/{id}"), 0).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&head));
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.unwrap()
}
