//! The command line, one file per subcommand.
//!
//! Exit codes: 0 fine, 1 findings or a failed expectation, 2 usage, 78 bad configuration.

mod bench;
mod check;
mod demo;
mod explain;
mod file;
mod init;
mod mock_cloud;
mod output;
mod secret;
mod serve;
mod shell;
mod translate;
mod values;

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

/// Of this program, with what it was built from and for.
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (", env!("PREMBRIDGE_COMMIT"), ", ", env!("PREMBRIDGE_TARGET"), ")");

/// Keep your WhatsApp On-Premises client code and change one URL: prembridge answers the on-prem
/// API and speaks the Cloud API.
#[derive(Debug, Parser)]
#[command(name = "prembridge", version = VERSION, propagate_version = true, max_term_width = 100)]
#[command(after_help = "See 'prembridge COMMAND --help' for examples.")]
#[command(after_long_help = "\
Begin with:
  prembridge demo                 a story on this machine, without an account
  prembridge init                 writes a configuration
  prembridge check prembridge.toml
  prembridge serve prembridge.toml

Exit codes:
  0   fine
  1   findings, or an expectation that was not met
  2   a command line that is not understood
  78  a configuration that cannot be used

Environment:
  PREMBRIDGE_CONFIG          the configuration file of check and serve
  PREMBRIDGE__CLOUD__BASE_URL=…  and the like override a key of it
  PREMBRIDGE_BENCH_TOKEN     the token of bench --url
  NO_COLOR                   no colour, also on a terminal")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays a story on this machine: no file, account or network needed
    Demo(demo::Args),
    /// Writes a configuration file, from flags or from answers
    Init(init::Args),
    /// Checks a configuration file and reports every problem at once
    Check(check::Args),
    /// Runs the proxy
    Serve(serve::Args),
    /// Translates a payload, offline
    Translate(translate::Args),
    /// Explains a Cloud or on-prem error code, or lists them
    Explain(explain::Args),
    /// Runs the built-in Cloud API to test against
    MockCloud(mock_cloud::Args),
    /// Measures whether this machine carries a rate of messages, and at what cost
    Bench(bench::Args),
    /// Prints the completions of a shell
    Completions(shell::CompletionsArgs),
    /// Writes the manual pages
    Man(shell::ManArgs),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    crate::app::raise_open_files();
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Translate(args) => translate::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::MockCloud(args) => mock_cloud::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    }
}

/// Says why a command has failed, and with what it ends.
fn failed(reason: impl std::fmt::Display) -> ExitCode {
    output::error(reason);
    ExitCode::from(FINDINGS)
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
