//! Webhooks: what one costs beside a text message, and a flood of them: `cargo bench --bench webhooks`.
//!
//! The proxy is a process of its own, so that its processor time is its alone; it keeps its store in a file, on the
//! disk of the folder for temporary files. Mock, client and the sink of callbacks share this process. Processor time
//! is read from `/proc`, so this needs Linux. It is the measure because it depends least on what else the machine
//! does: messages per second of processor time are what one core could do.
//!
//! `COUNT`, `ROUNDS`, `RATE`, `SECONDS` and `EVENTS` measure something else, `ONLY=core`, `flood` or `dedupe` a part of it. `CONCURRENCY` is how
//! many callbacks are under way at once, and `PROXY` the path of another build of the proxy.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench that cannot run should stop"
)]

#[path = "webhooks/dedupe.rs"]
mod dedupe;
#[path = "webhooks/load.rs"]
mod load;
#[path = "webhooks/proxy.rs"]
mod proxy;
#[path = "webhooks/sink.rs"]
mod sink;

use std::time::{Duration, Instant};

use load::Load;
use prembridge::mock::{MockCloud, Options};
use proxy::Proxy;
use sink::Sink;
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::time::sleep;

/// What comes before anything is measured.
const WARM_UP: usize = 2000;
/// For the deletions of the last callbacks, which nobody outside sees.
const SETTLE: Duration = Duration::from_millis(100);
/// How much slower webhooks may be.
const GOAL_RATIO: f64 = 0.5;
/// The slowest of a hundred acknowledgements.
const GOAL_P99: Duration = Duration::from_secs(1);

/// How much is measured.
struct Amount {
    /// Messages of each kind in a round.
    count: usize,
    rounds: usize,
    /// Events a second of the flood.
    rate: usize,
    seconds: usize,
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let amount = Amount {
        count: number("COUNT", if is_test { 300 } else { 20_000 }),
        rounds: number("ROUNDS", if is_test { 1 } else { 7 }),
        rate: number("RATE", if is_test { 500 } else { 5000 }),
        seconds: number("SECONDS", if is_test { 1 } else { 10 }),
    };
    let only = std::env::var("ONLY").unwrap_or_default().to_lowercase();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if "per core".contains(&only) {
        runtime.block_on(per_core(&amount));
    }
    if "dedupe".contains(&only) {
        let count = number("EVENTS", if is_test { 1_000_000 } else { 17_280_000 });
        let events = if is_test { 500 } else { 20_000 };
        runtime.block_on(dedupe::measure(count, events, amount.rounds));
    }
    let floods = ["flood, 1 event", "flood, 10 events"].into_iter().zip([1, 10]);
    let floods: Vec<_> = floods.filter(|(name, _)| name.contains(&only)).collect();
    if floods.is_empty() {
        return;
    }
    println!("\n{} events per second for {} seconds, 64 connections", amount.rate, amount.seconds);
    println!("| events in a webhook | acknowledged | p50 | p99 | max | delivered once | all after |");
    println!("|---|---|---|---|---|---|---|");
    let mut is_met = true;
    for (_, events) in floods {
        is_met &= runtime.block_on(flood(&amount, events));
    }
    println!("goal of a p99 of {GOAL_P99:?}, each delivered once: {}", if is_met { "met" } else { "MISSED" });
}

fn number<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What one measurement takes.
struct Scene {
    proxy: Proxy,
    sink: Sink,
    webhooks: Load,
    /// The number of the next event.
    next: usize,
    cloud: MockCloud,
    _folder: TempDir,
}

impl Scene {
    async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("webhooks-").tempdir().unwrap();
        let options = Options { record: false, ..Options::default() };
        let cloud = MockCloud::start(([127, 0, 0, 1], 0).into(), options).await.unwrap();
        let sink = Sink::start().await;
        let proxy = Proxy::start(folder.path(), &cloud.base_url(), sink.address);
        let concurrency: u8 = number("CONCURRENCY", 24);
        let settings = format!(r#"{{"webhooks":{{"max_concurrent_requests":{concurrency}}}}}"#);
        load::set(proxy.api, &settings).await;
        let webhooks = Load::connect(proxy.webhooks).await;
        Self { proxy, sink, webhooks, next: 0, cloud, _folder: folder }
    }

    /// Webhooks that have not been sent yet.
    fn prepare(&mut self, count: usize, events: usize) -> load::Requests {
        let first = self.next;
        self.next += count * events;
        load::webhooks(first, count, events)
    }

    /// Posts webhooks, and says how long that took.
    async fn accept(&mut self, requests: &load::Requests) -> Duration {
        self.webhooks.closed(requests, 200).await
    }

    /// Waits until all callbacks were delivered.
    async fn delivered(&self) {
        self.sink.until(self.next).await;
        sleep(SETTLE).await;
    }

    /// Ends it and checks that each event was delivered; gives how many were delivered once.
    async fn end(self) -> usize {
        let Self { proxy, sink, webhooks, next, cloud, _folder } = self;
        drop(webhooks);
        proxy.stop();
        cloud.shutdown().await;
        let times = sink.times();
        assert!(times.len() == next && !times.contains(&0), "an event was lost, or made up");
        times.iter().filter(|times| **times == 1).count()
    }
}

/// One turn: messages per second, and processor time for each.
struct Turn {
    rate: f64,
    cpu: Duration,
}

impl Turn {
    fn new(count: usize, elapsed: Duration, cpu: Duration) -> Self {
        let count = count as f64;
        Self { rate: count / elapsed.as_secs_f64(), cpu: cpu.div_f64(count) }
    }
}

/// The ways in which messages come, each in its turn.
const WAYS: [&str; 3] = ["text messages", "webhooks, accepted alone", "webhooks, accepted and delivered"];

async fn per_core(amount: &Amount) {
    let count = amount.count;
    let mut scene = Scene::start().await;
    let mut api = Load::connect(scene.proxy.api).await;
    let texts = load::texts(count);
    api.closed(&load::texts(WARM_UP.min(count)), 201).await;
    let requests = scene.prepare(WARM_UP.min(count), 1);
    scene.accept(&requests).await;
    scene.delivered().await;
    let mut turns = WAYS.map(|_| Vec::new());
    for _ in 0..amount.rounds {
        let alone = scene.prepare(count, 1);
        let (cpu, elapsed) = (scene.proxy.cpu(), api.closed(&texts, 201).await);
        let text = Turn::new(count, elapsed, scene.proxy.cpu() - cpu);

        scene.sink.hold(true);
        let (cpu, elapsed) = (scene.proxy.cpu(), scene.accept(&alone).await);
        let alone = Turn::new(count, elapsed, scene.proxy.cpu() - cpu);
        scene.sink.hold(false);
        scene.delivered().await;

        let requests = scene.prepare(count, 1);
        let (cpu, elapsed) = (scene.proxy.cpu(), scene.accept(&requests).await);
        scene.delivered().await;
        let delivered = Turn::new(count, elapsed, scene.proxy.cpu() - cpu);
        for (turns, turn) in turns.iter_mut().zip([text, alone, delivered]) {
            turns.push(turn);
        }
    }
    drop(api);
    scene.end().await;
    report(amount, &turns);
}

fn report(amount: &Amount, turns: &[Vec<Turn>; 3]) {
    println!(
        "{} rounds of {} messages, 64 connections; medians (least to most)",
        amount.rounds, amount.count
    );
    println!("| what | messages/s | processor time for each, µs | rate per core, of that of texts |");
    println!("|---|---|---|---|");
    let [texts, ..] = turns;
    for (name, turns) in WAYS.iter().zip(turns) {
        let rate = spread(turns.iter().map(|turn| turn.rate), 0);
        let cpu = spread(turns.iter().map(|turn| turn.cpu.as_secs_f64() * 1e6), 1);
        let ratios = texts.iter().zip(turns).map(|(text, turn)| text.cpu.div_duration_f64(turn.cpu));
        println!("| {name} | {rate} | {cpu} | {} |", spread(ratios, 2));
    }
    println!("goal: a ratio of {GOAL_RATIO}");
}

/// The median, and the range.
fn spread(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let [least, median, most] = [0, values.len() / 2, values.len() - 1].map(|at| *values.get(at).unwrap());
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// Says whether the goal is met.
async fn flood(amount: &Amount, events: usize) -> bool {
    let mut scene = Scene::start().await;
    let requests = scene.prepare(WARM_UP.min(amount.rate).div_ceil(events), events);
    scene.accept(&requests).await;
    scene.delivered().await;
    let count = amount.rate * amount.seconds / events;
    let requests = scene.prepare(count, events);
    let pause = Duration::from_secs_f64(events as f64 / amount.rate as f64);
    let started = Instant::now();
    let mut answers = scene.webhooks.open(&requests, pause).await;
    let refused = answers.iter().filter(|answer| answer.status != 200).count();
    assert_eq!((answers.len(), refused), (count, 0), "webhooks that were refused");
    scene.delivered().await;
    let elapsed = started.elapsed();
    let all = scene.next;
    let once = scene.end().await;
    answers.sort_unstable_by_key(|answer| answer.after);
    let at = |percent: usize| answers.get((count - 1) * percent / 100).unwrap().after;
    let [p50, p99, most] = [50, 99, 100].map(|percent| ms(at(percent)));
    let acknowledged = count * events;
    println!("| {events} | {acknowledged} | {p50} | {p99} | {most} | {once} of {all} | {elapsed:.1?} |");
    at(99) < GOAL_P99 && once == all
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
