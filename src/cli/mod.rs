//! The command line, one file per subcommand.
//!
//! Exit codes: 0 fine, 1 findings or a failed expectation, 2 usage, 78 bad configuration.

mod bench;
mod check;
mod demo;
mod explain;
mod mock_cloud;
mod output;
mod serve;
mod translate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Findings, or a failed expectation.
const FINDINGS: u8 = 1;
/// A command line that asks for something that is not done, as clap says it.
const USAGE: u8 = 2;
/// sysexits.h `EX_CONFIG`.
const BAD_CONFIG: u8 = 78;

/// Keep your WhatsApp On-Premises client code and change one URL: prembridge answers the on-prem
/// API and speaks the Cloud API.
#[derive(Debug, Parser)]
#[command(name = "prembridge", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the whole story on this machine: no file, account or network needed
    Demo(demo::Args),
    /// Runs the proxy
    Serve(serve::Args),
    /// Checks a configuration file and reports every problem at once
    Check(check::Args),
    /// Translates a payload, offline
    Translate(translate::Args),
    /// Explains a Cloud or on-prem error code
    Explain(explain::Args),
    /// Runs the built-in Cloud API to test against
    MockCloud(mock_cloud::Args),
    /// Tells whether this machine carries a rate of messages, and what that takes
    Bench(bench::Args),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    crate::app::raise_open_files();
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Translate(args) => translate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::MockCloud(args) => mock_cloud::run(&args),
        Command::Bench(args) => bench::run(&args),
    }
}

/// A runtime for the commands that need one.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// SIGTERM and SIGINT, watched from the moment this exists.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
    starter: Option<oneshot::Receiver<()>>,
}

impl Stop {
    fn watch() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, starter: None })
    }

    /// Also the end of standard input, if so: whoever holds its other end is gone or wants us gone.
    fn with_stdin(mut self, is_watched: bool) -> Self {
        if is_watched {
            let (gone, starter) = oneshot::channel();
            // A read cannot be called off, so no task of the runtime waits for it.
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
                let _ = gone.send(());
            });
            self.starter = Some(starter);
        }
        self
    }

    /// Waits for the next of them.
    async fn wait(&mut self) {
        let starter = async {
            match &mut self.starter {
                Some(starter) => drop(starter.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = starter => self.starter = None,
        }
    }
}
