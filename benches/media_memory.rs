//! The memory of the proxy while large files pass through it: `cargo bench --bench media_memory`.
//!
//! Fifty files of 100,000,000 bytes at once, in each of the ways in which files pass. The proxy is a process of its
//! own, and a new one for each way; so is the mock, which keeps the files on disk. Client and provider are threads
//! here. A run takes a few minutes, and 15 GB of disk in the folder for temporary files. Figures are read from
//! `/proc`, so this needs Linux.
//!
//! `FILES=8 SIZE=1000000` measure something else, `ONLY=download` a part of it.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench that cannot run should stop")]

#[path = "media_memory/client.rs"]
mod client;
#[path = "media_memory/process.rs"]
mod process;
#[path = "media_memory/provider.rs"]
mod provider;

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use client::Client;
use process::{Memory, Mock, Proxy};
use provider::Provider;

/// How much of a file passes before its sender waits for the others: so all of them are under way at once.
pub const BEGINNING: u64 = 1 << 20;
/// What fifty files may cost.
const GOAL_KIB: u64 = 64 * 1024;
/// How long one waits for the others.
const PATIENCE: Duration = Duration::from_secs(120);
/// Texts before anything is measured.
const WARM_UP: usize = 200;

/// How many files at once, and how large.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many files.
    pub files: usize,
    /// Bytes of each.
    pub size: u64,
}

/// Where all wait until the last one is there; a barrier that does not wait for ever when one has failed.
pub struct Gate {
    missing: Mutex<usize>,
    moved: Condvar,
}

impl Gate {
    /// For so many.
    pub fn new(count: usize) -> Self {
        Self { missing: Mutex::new(count), moved: Condvar::new() }
    }

    /// Waits for the others.
    pub fn wait(&self) {
        let mut missing = self.missing.lock().unwrap();
        *missing -= 1;
        self.moved.notify_all();
        let (missing, _) = self.moved.wait_timeout_while(missing, PATIENCE, |missing| *missing > 0).unwrap();
        assert_eq!(*missing, 0, "the others did not come");
    }
}

/// The ways in which files pass.
const WAYS: [(&str, Way); 5] = [
    ("link, known length", |scene| links(scene, false)),
    ("link, chunked", |scene| links(scene, true)),
    ("POST /v1/media", upload),
    ("GET /v1/media, kept here", download_kept),
    ("GET /v1/media, from Cloud", download_cloud),
];

type Way = fn(&Scene);

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let load = Load {
        files: number("FILES", if is_test { 4 } else { 50 }),
        size: number("SIZE", if is_test { 4_000_000 } else { 100_000_000 }),
    };
    let only = std::env::var("ONLY").unwrap_or_default().to_lowercase();
    println!("{} files of {} bytes at once; KiB of resident memory", load.files, load.size);
    println!("| way | before | peak | growth | after | time |");
    println!("|---|---|---|---|---|---|");
    let mut is_met = true;
    for (name, way) in WAYS.iter().filter(|(name, _)| name.to_lowercase().contains(&only)) {
        is_met &= measure(name, *way, load);
    }
    println!("goal of {GOAL_KIB} KiB: {}", if is_met { "met" } else { "MISSED" });
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What one measurement takes.
struct Scene {
    load: Load,
    proxy: Proxy,
    mock: Mock,
}

fn measure(name: &str, way: Way, load: Load) -> bool {
    let folder = tempfile::Builder::new().prefix("media-memory-").tempdir().unwrap();
    let mock = Mock::start(folder.path());
    let proxy = Proxy::start(folder.path(), &mock.url);
    let scene = Scene { load, proxy, mock };
    let mut client = scene.client();
    for _ in 0..WARM_UP {
        client.send_text();
    }
    drop(client);
    let before = scene.proxy.memory();
    let started = Instant::now();
    way(&scene);
    let (after, elapsed) = (scene.proxy.memory(), started.elapsed());
    let growth = after.peak.saturating_sub(before.resident);
    let Memory { resident, .. } = after;
    println!("| {name} | {} | {} | {growth} | {resident} | {elapsed:.1?} |", before.resident, after.peak);
    scene.proxy.assert_nothing_left();
    growth < GOAL_KIB
}

impl Scene {
    fn client(&self) -> Client {
        Client::connect(&self.proxy.api)
    }

    /// Does `work` in as many threads as there are files; the gate is where they wait for one another.
    fn all<T: Send>(&self, work: impl Fn(usize, &Gate) -> T + Sync) -> Vec<T> {
        let gate = Gate::new(self.load.files);
        let (gate, work) = (&gate, &work);
        thread::scope(|scope| {
            let threads: Vec<_> =
                (0..self.load.files).map(|index| scope.spawn(move || work(index, gate))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }
}

fn links(scene: &Scene, is_chunked: bool) {
    let provider = Provider::start(scene.load, is_chunked);
    scene.all(|index, _| scene.client().send_document(&format!("\"link\":\"{}\"", provider.url(index))));
    assert_eq!(provider.served(), scene.load.files);
}

fn upload(scene: &Scene) {
    let ids = scene.all(|index, gate| scene.client().upload(scene.load, index, gate));
    // A message waits until Cloud has its file.
    scene.all(|index, _| scene.client().send_document(&format!("\"id\":\"{}\"", ids.get(index).unwrap())));
}

fn download_kept(scene: &Scene) {
    let alone = Gate::new(1);
    let id = scene.client().upload(scene.load, 0, &alone);
    download(scene, &id);
}

fn download_cloud(scene: &Scene) {
    let id = Client::connect(&scene.mock.address()).upload_to_cloud(scene.load);
    download(scene, &id);
}

fn download(scene: &Scene, id: &str) {
    let lengths = scene.all(|_, gate| scene.client().download(id, gate));
    assert!(lengths.iter().all(|length| *length == scene.load.size), "{lengths:?}");
}
