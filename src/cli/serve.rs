//! `prembridge serve`: the proxy.

use std::process::ExitCode;

use super::file::ConfigFile;
use super::output::{complain, error};
use super::{BAD_CONFIG, FINDINGS, Stop, failed, runtime};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::server::webhook;
use crate::telemetry::{init_log, log_panics};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  prembridge serve prembridge.toml
  PREMBRIDGE__LISTEN__API=0.0.0.0:9090 prembridge serve prembridge.toml

SIGTERM and SIGINT end it in good order: health turns to not ready, requests that run are finished.

Exit codes: 0 drained, 1 it could not start or had to cut requests off, 78 the configuration cannot be used.")]
pub struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Ends when standard input does, too, so as not to outlive whoever started it
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let config = match args.file.load() {
        Ok(config) => config,
        Err(code) => return ExitCode::from(code),
    };
    let _log = init_log(config.log.level, config.log.format);
    log_panics();
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(format_args!("no runtime: {error}")),
    };
    let code = runtime.block_on(serve(config, args.until_stdin_ends));
    // Hashing threads and the like must not hold the exit up.
    runtime.shutdown_background();
    code
}

async fn serve(config: Config, until_stdin_ends: bool) -> ExitCode {
    let mut stop = match Stop::watch() {
        Ok(stop) => stop.with_stdin(until_stdin_ends),
        Err(error) => return failed(format_args!("signals cannot be watched: {error}")),
    };
    let app = match App::start(config, Clock::system()).await {
        Ok(app) => app,
        Err(reason) => {
            error(&reason);
            return ExitCode::from(if reason.is_bad_config() { BAD_CONFIG } else { FINDINGS });
        }
    };
    let addresses = app.addresses();
    complain(format_args!("on-prem API on {}://{}", addresses.scheme, addresses.api));
    match addresses.webhook {
        Some(address) => {
            complain(format_args!("webhooks on {}://{address}{}", addresses.scheme, webhook::PATH));
        }
        None => complain("webhooks are not taken: no number has an app_secret"),
    }
    complain(format_args!("admin on http://{}", addresses.admin));
    stop.wait().await;
    // From here on everything goes to the log's own thread: when nobody reads standard error, a
    // direct write would wait for ever, and the process could not be stopped.
    tracing::info!("draining");
    tokio::select! {
        drained = app.drain() => {
            if drained {
                tracing::info!("drained");
                ExitCode::SUCCESS
            } else {
                tracing::error!("requests were still running when the drain timeout ended; they were cut off");
                ExitCode::from(FINDINGS)
            }
        }
        () = stop.wait() => {
            tracing::error!("a second signal: stopped without finishing the running requests");
            ExitCode::from(FINDINGS)
        }
    }
}
