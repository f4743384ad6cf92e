//! `prembridge explain`: one error code, from either side.

use std::process::ExitCode;

use super::FINDINGS;
use super::output::{complain, line};
use crate::onprem::ErrorCode;
use crate::translate::errors::explain;
use crate::translate::errors::table::Row;

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
        complain(format_args!(
            "{code} is in neither list; an unlisted Cloud code becomes 1000 (HTTP 400) or 1014 (HTTP 500)"
        ));
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
        match client_behaviour(known) {
            Some(sentence) => line(format_args!("  clients: {sentence}")),
            None => line("  clients: show or store it; none is known to act on it"),
        }
        if onprem.is_empty() {
            line("  no Cloud error becomes it; the proxy itself may answer it");
        }
        for row in onprem {
            line(format_args!("  from Cloud {}: {}", codes(row), row.title));
        }
    }
    ExitCode::SUCCESS
}

fn becomes(row: &Row) {
    line(format_args!("  becomes on-prem {} {} (HTTP {})", row.onprem.code(), row.onprem.title(), row.http));
    line(format_args!("  why: {}", row.basis.sentence()));
    line(format_args!("  what to do: {}", row.class.advice()));
    if let Some(sentence) = client_behaviour(row.onprem) {
        line(format_args!("  clients: {sentence}"));
    }
    if row.was_async {
        line("  on-prem told it by a failed status; here it answers the request");
    }
    if let Some(seconds) = row.wait {
        line(format_args!("  Retry-After: {seconds} s, unless Cloud says otherwise"));
    }
    if !row.note.is_empty() {
        line(format_args!("  note: {}", row.note));
    }
}

fn codes(row: &Row) -> String {
    let (first, last) = (row.cloud.start(), row.cloud.end());
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// What real clients do on a code.
fn client_behaviour(code: ErrorCode) -> Option<&'static str> {
    match code.code() {
        471 => Some("courier (RapidPro) stops bulk sending for 24 hours"),
        1005 => Some("with HTTP 401 they log in once more and repeat; with 403 they give up"),
        1006 => Some(
            "courier checks the contact and resends only when the details are exactly \"unknown contact\"",
        ),
        1013 => Some("authgear stores that the user is not on WhatsApp"),
        1015 => Some("courier pauses the channel for two seconds and queues the message again (HTTP 429)"),
        1011 | 1016 => {
            Some("courier pauses the channel for two seconds and queues the message again (HTTP 503)")
        }
        1024 => Some("log in once with new_password"),
        _ => None,
    }
}
