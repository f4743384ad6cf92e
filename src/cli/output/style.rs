//! The few styles that commands use: [`super::line`] leaves them out where they do not belong.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// A heading.
pub fn title(text: impl Display) -> String {
    painted(Style::new().bold(), text)
}

/// What is said of something else.
pub fn label(text: impl Display) -> String {
    painted(AnsiColor::Cyan.on_default(), text)
}

/// An aside.
pub fn note(text: impl Display) -> String {
    painted(Style::new().dimmed(), text)
}

/// Something that went well.
pub fn good(text: impl Display) -> String {
    painted(AnsiColor::Green.on_default().bold(), text)
}

/// The word before an error, as clap has it.
pub fn error(text: impl Display) -> String {
    painted(AnsiColor::Red.on_default().bold(), text)
}

/// The word before a warning.
pub fn warning(text: impl Display) -> String {
    painted(AnsiColor::Yellow.on_default().bold(), text)
}

/// An HTTP status, or several: successes are green, all else is yellow.
pub fn outcome(text: &str) -> String {
    let is_good = text.rsplit(' ').next().is_some_and(|last| last.starts_with('2'));
    painted(if is_good { AnsiColor::Green } else { AnsiColor::Yellow }.on_default(), text)
}

fn painted(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
