//! Log lines: one per request, constant messages, variable parts as fields.
//!
//! They never hold bodies, tokens or full phone numbers.

use std::io::stderr;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Lines that may wait to be written. Room for all of them is taken at the start, 32 bytes for each.
const WAITING_LINES: usize = 8 * 1024;

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Sends panics to the log, with their place and without their message, which may quote a client.
/// The default hook writes to standard error itself, and would wait for ever on a reader that stopped.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
}

/// Starts logging to standard error. Keep the guard until the end: dropping it flushes.
///
/// The writer is lossy on purpose: when nobody reads the log, lines are lost and not requests.
pub fn init_log(level: Level, format: LogFormat) -> WorkerGuard {
    let (writer, guard) =
        NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).finish(stderr());
    let layer = match format {
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_target(false).with_writer(writer).boxed()
        }
        LogFormat::Text => fmt::layer().with_target(false).with_ansi(false).with_writer(writer).boxed(),
    };
    // A second call (tests) leaves the first subscriber in place.
    let _ = tracing_subscriber::registry().with(layer.with_filter(LevelFilter::from_level(level))).try_init();
    guard
}
