//! `prembridge explain`: one error code, from either side.

use std::process::ExitCode;

use super::FINDINGS;
use super::output::{complain, line};
use crate::onprem::ErrorCode;
use crate::onprem::error::NO_BEHAVIOUR;
use crate::translate::errors::explain;
use crate::translate::errors::table::{Row, UNLISTED};
use crate::translate::errors::words::{BY_WORDS, WORDED};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A Cloud or on-prem error code
    code: i64,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let code = args.code;
    let (cloud, onprem) = explain(code);
    let known = u16::try_from(code).ok().and_then(ErrorCode::from_code);
    if cloud.is_none() && known.is_none() {
        complain(format_args!("{code} is in neither list; {UNLISTED}"));
        return ExitCode::from(FINDINGS);
    }
    if let Some(row) = cloud {
        line(format_args!("Cloud {code}: {}", row.title));
        becomes(row);
    }
    if let Some(known) = known {
        if cloud.is_some() {
            line("");
        }
        line(format_args!("On-prem {code}: {}", known.title()));
        line(format_args!("  HTTP {} when it answers a request", known.http()));
        match known.client_behaviour() {
            Some(sentence) => line(format_args!("  clients: {sentence}")),
            None => line(format_args!("  clients: {NO_BEHAVIOUR}")),
        }
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
