//! Collects everything that is wrong with a configuration, so that it is all told at once.

use std::fmt;

/// Something that has to be changed before the configuration can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `number[1].access_token`; empty when it is about the file as a whole.
    pub path: String,
    /// A sentence that says what to change.
    pub message: String,
}

/// Something that works but that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The key, such as `number[1].access_token`.
    pub path: String,
    /// A sentence that says what happens, and what would be better.
    pub message: String,
}

/// All problems of one configuration, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, &self.path, &self.message)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, &self.path, &self.message)
    }
}

impl fmt::Display for Problems {
    /// One problem per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, path: &str, message: &str) -> fmt::Result {
    if path.is_empty() { f.write_str(message) } else { write!(f, "{path}: {message}") }
}

/// The problems and warnings found so far.
#[derive(Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
    ill_typed: Vec<String>,
}

impl Report {
    /// Adds a problem, unless it only follows from a value of the wrong type at or above `path`.
    pub(super) fn problem(&mut self, path: &str, message: impl Into<String>) {
        if !self.ill_typed.iter().any(|parent| is_at_or_below(path, parent)) {
            self.problems.push(Problem { path: path.into(), message: message.into() });
        }
    }

    /// Adds a problem about a value that cannot even be read, which silences what follows from it.
    pub(super) fn ill_typed(&mut self, path: &str, message: impl Into<String>) {
        self.problem(path, message);
        self.ill_typed.push(path.into());
    }

    pub(super) fn warn(&mut self, path: &str, message: impl Into<String>) {
        self.warnings.push(Warning { path: path.into(), message: message.into() });
    }

    /// The warnings, if there was no problem.
    pub(super) fn finish(self) -> Result<Vec<Warning>, Problems> {
        if self.problems.is_empty() { Ok(self.warnings) } else { Err(Problems(self.problems)) }
    }
}

fn is_at_or_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
