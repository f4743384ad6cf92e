//! `prembridge check`: the configuration file, and with `--live` the tokens in it.

use std::path::PathBuf;
use std::process::ExitCode;

use super::output::{complain, line};
use super::{BAD_CONFIG, FINDINGS, runtime};
use crate::app;
use crate::config::{Config, Env, Loaded};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Also asks Graph with each number's token
    #[arg(long)]
    live: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let Some(config) = load(&args.config) else {
        return ExitCode::from(BAD_CONFIG);
    };
    line(format_args!("{}: {} number(s), no problems", args.config.display(), config.numbers.len()));
    if !args.live {
        return ExitCode::SUCCESS;
    }
    match runtime() {
        Ok(runtime) => runtime.block_on(live(&config)),
        Err(error) => {
            complain(format_args!("no runtime: {error}"));
            ExitCode::from(FINDINGS)
        }
    }
}

/// Loads `path`, printing each warning and each problem.
pub fn load(path: &std::path::Path) -> Option<Config> {
    match Config::load(path, &Env::process()) {
        Ok(Loaded { config, warnings }) => {
            for warning in warnings {
                complain(format_args!("warning: {warning}"));
            }
            if let Some(warning) = app::too_few_open_files(&config) {
                complain(format_args!("warning: {warning}"));
            }
            Some(config)
        }
        Err(problems) => {
            for problem in &problems.0 {
                complain(problem);
            }
            complain(format_args!("{}: {} problem(s)", path.display(), problems.0.len()));
            None
        }
    }
}

async fn live(config: &Config) -> ExitCode {
    let mut findings = 0;
    for probe in app::probe_numbers(config).await {
        match probe.outcome {
            Ok(shown) => line(format_args!("number \"{}\": {shown}", probe.name)),
            Err(reason) => {
                findings += 1;
                complain(format_args!("number \"{}\": {reason}", probe.name));
            }
        }
    }
    if findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) }
}
