//! `prembridge explain`: one error code of either side, or all of them.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use super::output::{line, style};
use super::{failed, values};
use crate::onprem::ErrorCode;
use crate::onprem::error::NO_BEHAVIOUR;
use crate::translate::errors::explain;
use crate::translate::errors::table::{CLOUD_TO_ONPREM, Row, UNLISTED};
use crate::translate::errors::words::{BY_WORDS, WORDED};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  prembridge explain 131047   a code of Cloud: what it becomes, and what to do
  prembridge explain 470      a code of the on-prem API: what it comes from
  prembridge explain          all of them")]
pub struct Args {
    /// A Cloud or on-prem error code; without one, all are listed
    #[arg(value_parser = values::code)]
    code: Option<i64>,
    /// Prints JSON instead
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let Some(code) = args.code else {
        list(args.json);
        return ExitCode::SUCCESS;
    };
    let (cloud, onprem) = explain(code);
    let known = u16::try_from(code).ok().and_then(ErrorCode::from_code);
    if cloud.is_none() && known.is_none() {
        return failed(format_args!(
            "{code} is in neither list; {UNLISTED}. 'prembridge explain' lists all codes"
        ));
    }
    if args.json {
        let cloud = cloud.map(CloudCode::of);
        let onprem = known.map(|known| OnpremCode::of(known, &onprem));
        line(json!({"cloud": cloud, "onprem": onprem}));
        return ExitCode::SUCCESS;
    }
    if let Some(row) = cloud {
        line(style::title(format_args!("Cloud {code}: {}", row.title)));
        becomes(row);
    }
    if let Some(known) = known {
        if cloud.is_some() {
            line("");
        }
        line(style::title(format_args!("On-prem {code}: {}", known.title())));
        line(format_args!("  HTTP {} when it answers a request", known.http()));
        line(format_args!("  what to do: {}", known.advice()));
        line(format_args!("  clients: {}", known.client_behaviour().unwrap_or(NO_BEHAVIOUR)));
        let is_worded = BY_WORDS.iter().any(|(code, _)| *code == known);
        if is_worded {
            let codes: Vec<_> = WORDED.iter().map(ToString::to_string).collect();
            line(format_args!("  from Cloud {}: where its text gives this reason", codes.join(", ")));
        }
        if onprem.is_empty() && !is_worded {
            line("  no Cloud error becomes it; the proxy itself may answer it");
        }
        for row in onprem {
            line(format_args!("  from Cloud {}: {}", row.codes(), row.title));
        }
    }
    ExitCode::SUCCESS
}

fn becomes(row: &Row) {
    line(format_args!("  becomes on-prem {} {} (HTTP {})", row.onprem.code(), row.onprem.title(), row.http));
    line(format_args!("  why: {}", row.basis.sentence()));
    line(format_args!("  what to do: {}", row.class.advice()));
    if let Some(sentence) = row.onprem.client_behaviour() {
        line(format_args!("  clients: {sentence}"));
    }
    for remark in row.remarks() {
        line(format_args!("  {remark}"));
    }
}

fn list(is_json: bool) {
    if is_json {
        let cloud: Vec<_> = CLOUD_TO_ONPREM.iter().map(CloudCode::of).collect();
        let onprem = ErrorCode::ALL.iter().map(|code| {
            let from: Vec<_> = CLOUD_TO_ONPREM.iter().filter(|row| row.onprem == *code).collect();
            OnpremCode::of(*code, &from)
        });
        line(json!({"cloud": cloud, "onprem": onprem.collect::<Vec<_>>()}));
        return;
    }
    line(style::title(format_args!("{:<18}{:<10}{}", "CLOUD", "ON-PREM", "CLOUD'S TITLE")));
    for row in CLOUD_TO_ONPREM {
        line(format_args!("{:<18}{:<10}{}", row.codes(), row.onprem.code(), row.title));
    }
    line(style::title(format_args!("\n{:<10}{}", "ON-PREM", "TITLE")));
    for code in ErrorCode::ALL {
        line(format_args!("{:<10}{}", code.code(), code.title()));
    }
}

/// A code of Cloud, for programs.
#[derive(Serialize)]
struct CloudCode {
    code: String,
    title: &'static str,
    onprem: u16,
    http: u16,
    why: &'static str,
    what_to_do: &'static str,
    remarks: Vec<String>,
}

impl CloudCode {
    fn of(row: &Row) -> Self {
        Self {
            code: row.codes(),
            title: row.title,
            onprem: row.onprem.code(),
            http: row.http,
            why: row.basis.sentence(),
            what_to_do: row.class.advice(),
            remarks: row.remarks(),
        }
    }
}

/// A code of the on-prem API, for programs.
#[derive(Serialize)]
struct OnpremCode {
    code: u16,
    title: &'static str,
    http: u16,
    what_to_do: &'static str,
    clients: &'static str,
    from_cloud: Value,
}

impl OnpremCode {
    fn of(code: ErrorCode, from: &[&Row]) -> Self {
        Self {
            code: code.code(),
            title: code.title(),
            http: code.http(),
            what_to_do: code.advice(),
            clients: code.client_behaviour().unwrap_or(NO_BEHAVIOUR),
            from_cloud: from.iter().map(|row| row.codes()).collect(),
        }
    }
}
