//! `prembridge bench`: whether this machine carries a rate of text messages, and what that takes.

mod check;
mod children;
mod connection;
mod counters;
mod engine;
mod failure;
mod html;
mod load;
mod pacer;
mod plan;
mod process;
mod report;
mod request;
mod run;
mod schedule;
mod target;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use super::output::{error, line};
use super::{FINDINGS, Stop, USAGE, failed, values};
use crate::config::{duration, in_words};
use counters::Counters;
use engine::{Engine, Running};
use load::Load;
use plan::{Plan, Profile};
use process::{Process, Sample};
use report::{Report, Usage};
use run::Run;
use schedule::{Rate, Schedule};

/// How long after its schedule a run goes on to send what had to wait.
const OVERTIME: Duration = Duration::from_secs(10);
/// Between the opening of the connections and the first message.
const BREATH: Duration = Duration::from_millis(20);

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Without --url, a proxy and a mock Cloud API are started on this machine, each as a process of its own.

Examples:
  prembridge bench                                 250/s, what Meta quotes for 32 shards
  prembridge bench --profile cloud-max --html bench.html
  prembridge bench --url http://127.0.0.1:9090 --made-up --pid \"$(pidof prembridge)\"

Environment:
  PREMBRIDGE_BENCH_TOKEN   the token or API key for --url

Exit codes: 0 the rate was carried, 1 it was not, 2 usage.")]
pub struct Args {
    /// Messages per second, each due at its time whatever became of those before
    #[arg(long, value_name = "N", conflicts_with = "profile")]
    rate: Option<Rate>,
    /// A rate that the documents quote, or max for as many as possible
    #[arg(long, value_name = "NAME", default_value = "multi-shard")]
    profile: Profile,
    /// How long messages are counted
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    duration: Duration,
    /// How long messages are sent before that
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    warmup: Duration,
    /// How many connections send them
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<1, 65535>)]
    connections: u16,
    /// How many threads these share
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count::<1, 64>)]
    threads: u16,
    /// The base URL of a proxy, or of anything that speaks on-prem, with --to or --made-up; without one, a proxy and a
    /// mock Cloud API are started
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What the Host header says, where it selects the number
    #[arg(long, value_name = "NAME", requires = "url")]
    host: Option<String>,
    /// The environment variable with the token for it [default: PREMBRIDGE_BENCH_TOKEN]
    #[arg(long, value_name = "NAME", requires = "url")]
    token_env: Option<String>,
    /// A recipient; may be repeated. These people get the messages
    #[arg(long = "to", value_name = "DIGITS")]
    recipients: Vec<String>,
    /// Sends to numbers of fiction instead, which belong to nobody; only to a URL on this machine
    #[arg(long, requires = "url", conflicts_with = "recipients")]
    made_up: bool,
    /// A root certificate to trust beside the public ones
    #[arg(long, value_name = "PEM", requires = "url")]
    ca_file: Option<PathBuf>,
    /// A process whose processor time and memory are reported, too; may be repeated
    #[arg(long = "pid", value_name = "PID", value_parser = values::process_id)]
    pids: Vec<u32>,
    /// Leaves the proxy's pacing as it is by default; without this the built-in one sends at once
    #[arg(long, conflicts_with = "url")]
    pacing: bool,
    /// Prints one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Also writes the result as one HTML file, without scripts: latencies, and rates over time
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    // One thread: this process shares the machine with what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(bench(args)),
        Err(error) => Err(Error::Failed(format!("no runtime: {error}"))),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FINDINGS),
        Err(Error::Usage(reason)) => {
            error(reason);
            ExitCode::from(USAGE)
        }
        Err(Error::Failed(reason)) => failed(reason),
    }
}

/// Why there is no result.
enum Error {
    /// The command line asks for something that is not done.
    Usage(String),
    Failed(String),
}

/// Whether the rate was carried.
async fn bench(args: &Args) -> Result<bool, Error> {
    // Before anything is started that has to be ended.
    let mut stop =
        Stop::watch().map_err(|error| Error::Failed(format!("signals cannot be watched: {error}")))?;
    let plan = Plan::new(args)?;
    let connections = usize::from(args.connections);
    let connecting = Engine::connect(&plan.site, connections, usize::from(args.threads));
    let engine = tokio::select! {
        engine = connecting => {
            engine.map_err(|failure| Error::Failed(format!("{}: {failure}", plan.site.target.url)))?
        }
        () = stop.wait() => return Err(stopped()),
    };
    let start = Instant::now() + BREATH;
    let load = match plan.rate {
        Some(rate) => Load::open(start, Schedule::new(rate, args.warmup, args.duration)),
        None => Load::closed(start, args.warmup, args.duration),
    };
    let counters = Counters::new().map_err(|error| Error::Failed(error.to_string()))?;
    let run = Run::new(load, counters);
    let running = engine.begin(&run);
    let watched = watch(&run, running, &plan.processes, args.duration, &mut stop).await?;
    let mut counters = run.counters();
    counters.add_failures(&failure::Failure::NotSent, run.load.left());
    counters.close_window();
    let report = Report {
        profile: plan.profile,
        url: &plan.site.target.url,
        rate: plan.rate,
        duration: args.duration,
        connections,
        counters: &counters,
        processes: watched,
    };
    line(if args.json { report.json() } else { report.text() }.trim_end());
    if let Some(path) = &args.html {
        let written = std::fs::write(path, html::page(&report));
        written.map_err(|error| Error::Failed(format!("{}: {}", path.display(), in_words(&error))))?;
    }
    Ok(report.is_carried())
}

/// Waits for the end, tells how it goes, and gives what each process took.
async fn watch(
    run: &Arc<Run>,
    mut running: Running,
    processes: &[Process],
    duration: Duration,
    stop: &mut Stop,
) -> Result<Vec<Usage>, Error> {
    let mut progress = Progress::new(duration);
    let mut before = Vec::new();
    let counted = sleep_until(run.load.counted_from().into());
    let overtime = sleep_until((run.load.end() + OVERTIME).into());
    tokio::pin!(counted, overtime);
    let (mut is_counting, mut is_over) = (false, false);
    loop {
        tokio::select! {
            () = running.end() => break,
            () = stop.wait() => {
                progress.clear();
                run.load.stop();
                return Err(stopped());
            }
            () = &mut counted, if !is_counting => {
                is_counting = true;
                before = processes.iter().map(Process::sample).collect();
            }
            () = &mut overtime, if !is_over => {
                is_over = true;
                run.load.stop();
            }
            _ = progress.tick.tick() => progress.show(run),
        }
    }
    progress.clear();
    // While `running` holds the threads.
    let before = before.into_iter().chain(std::iter::repeat(None));
    Ok(processes.iter().zip(before).map(|(process, before)| usage(process, before)).collect())
}

fn stopped() -> Error {
    Error::Failed("stopped before the end, so there is no result".to_owned())
}

fn usage(process: &Process, before: Option<Sample>) -> Usage {
    let taken = before.zip(process.sample()).map(|(before, after)| (after.cpu_since(&before), after));
    Usage { process: process.clone(), taken }
}

/// Says on a terminal how it goes.
struct Progress {
    tick: tokio::time::Interval,
    bar: ProgressBar,
}

impl Progress {
    fn new(duration: Duration) -> Self {
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let bar = ProgressBar::new(duration.as_secs().max(1)).with_message("warming up");
        let style = ProgressStyle::with_template("{bar:20} {pos} of {len} s  {msg}");
        Self { tick, bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())) }
    }

    fn show(&self, run: &Run) {
        let Some(passed) = Instant::now().checked_duration_since(run.load.counted_from()) else {
            return self.bar.tick();
        };
        let counters = run.counters();
        let p99 = counters.windows().last().map(|window| format!(", p99 {}", text::time(window.p99)));
        let (answered, failed) = (text::grouped(counters.answered()), text::grouped(counters.failed()));
        self.bar.set_message(format!("{answered} answered, {failed} failed{}", p99.unwrap_or_default()));
        self.bar.set_position(passed.as_secs_f64().round() as u64);
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
