//! Standard output and standard error of commands.
//!
//! Colour goes to terminals only, and not where `NO_COLOR` is set (no-color.org). A reader that goes away (`| head`) is
//! no failure, so write errors are ignored here and nowhere else.

mod json;
pub mod style;

use std::fmt::Display;
use std::io::Write;

pub use json::{filled, one_line, pretty};

/// What a terminal has at least.
pub const WIDTH: usize = 80;

/// Writes one line to standard output.
pub fn line(text: impl Display) {
    let _ = writeln!(anstream::stdout().lock(), "{text}");
}

/// Writes one line to standard error.
pub fn complain(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Says on standard error why a command ends without success, and what to do.
pub fn error(text: impl Display) {
    complain(format_args!("{} {text}", style::error("error:")));
}

/// Says on standard error what may be a mistake.
pub fn warn(text: impl Display) {
    complain(format_args!("{} {text}", style::warning("warning:")));
}

/// Says on a terminal what is being waited for.
pub fn spinner(what: String) -> indicatif::ProgressBar {
    let spinner = indicatif::ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

/// Breaks a text at blanks into lines of at most `width` columns, where its words allow that.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(last) if last.chars().count() + 1 + word.chars().count() <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// `1 number`, `3 numbers`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{counted, wrapped};

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("incomprehensible a b", 4), ["incomprehensible", "a b"]);
        assert_eq!((counted(1, "number"), counted(2, "problem")), ("1 number".into(), "2 problems".into()));
    }
}
