//! `prembridge check`: the configuration file, and with `--live` the tokens in it.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use super::file::{ConfigFile, read};
use super::output::{complain, counted, error, line, spinner};
use super::{BAD_CONFIG, FINDINGS, failed, runtime};
use crate::app::{self, Probe};
use crate::config::{Config, Loaded};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  prembridge check prembridge.toml          every problem, with its key
  prembridge check prembridge.toml --live   also whether Graph takes each number's token
  prembridge check --json prembridge.toml   the same for programs

Exit codes: 0 no problem, 1 --live found something, 78 the configuration cannot be used.")]
pub struct Args {
    #[command(flatten)]
    file: ConfigFile,
    /// Also asks Graph with each number's token
    #[arg(long)]
    live: bool,
    /// Prints one JSON object instead
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    if args.json {
        return for_programs(args);
    }
    let config = match args.file.load() {
        Ok(config) => config,
        Err(code) => return ExitCode::from(code),
    };
    let count = counted(config.numbers.len(), "number");
    if let Ok(path) = args.file.path() {
        line(format_args!("{}: {count}, no problems", path.display()));
    }
    if !args.live {
        return ExitCode::SUCCESS;
    }
    let probes = match probe(&config) {
        Ok(probes) => probes,
        Err(reason) => return failed(reason),
    };
    for Probe { name, outcome } in &probes {
        match outcome {
            Ok(shown) => line(format_args!("number \"{name}\": {shown}")),
            Err(reason) => error(format_args!("number \"{name}\": {reason}")),
        }
    }
    match probes.iter().filter(|probe| probe.outcome.is_err()).count() {
        0 => ExitCode::SUCCESS,
        findings => {
            complain(format_args!("{findings} of {count} cannot be used as they are"));
            ExitCode::from(FINDINGS)
        }
    }
}

fn probe(config: &Config) -> Result<Vec<Probe>, String> {
    let runtime = runtime().map_err(|error| format!("no runtime: {error}"))?;
    let spinner = spinner(format!("asking {}", config.cloud.base_url));
    let probes = runtime.block_on(app::probe_numbers(config));
    spinner.finish_and_clear();
    Ok(probes)
}

/// A problem or a warning.
#[derive(Serialize)]
struct Finding<'a> {
    key: &'a str,
    message: &'a str,
}

fn for_programs(args: &Args) -> ExitCode {
    let path = match args.file.path() {
        Ok(path) => path,
        Err(code) => return ExitCode::from(code),
    };
    let file = path.display().to_string();
    let Loaded { config, warnings } = match read(&path) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let problems = problems.0.iter();
            let problems: Vec<_> =
                problems.map(|found| Finding { key: &found.path, message: &found.message }).collect();
            line(json!({"file": file, "problems": problems}));
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let warnings: Vec<_> =
        warnings.iter().map(|found| Finding { key: &found.path, message: &found.message }).collect();
    let mut told = json!({
        "file": file, "numbers": config.numbers.len(), "problems": [], "warnings": warnings,
    });
    let mut is_fine = true;
    if args.live {
        let probes = match probe(&config) {
            Ok(probes) => probes,
            Err(reason) => return failed(reason),
        };
        is_fine = probes.iter().all(|probe| probe.outcome.is_ok());
        let live = probes.iter().map(|Probe { name, outcome }| {
            let (Ok(text) | Err(text)) = outcome;
            json!({"number": name, "ok": outcome.is_ok(), "message": text})
        });
        if let Some(object) = told.as_object_mut() {
            object.insert("live".to_owned(), live.collect());
        }
    }
    line(told);
    if is_fine { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) }
}
