//! What a translation changed, and why.

use std::fmt::Display;

use super::rules::{Rule, RuleSet};

/// One changed field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The rule that changed it.
    pub rule: Rule,
    /// Where the field stood.
    pub path: String,
    /// What became of it.
    pub text: String,
}

/// Collects what a translation does.
///
/// The rules that applied are always known (one bit each, for the counters); the texts are only
/// written when somebody will read them.
#[derive(Debug, Default)]
pub struct Notes {
    applied: RuleSet,
    list: Option<Vec<Note>>,
}

impl Notes {
    /// Remembers which rules applied, and no texts: for serving.
    pub fn brief() -> Self {
        Self::default()
    }

    /// Remembers a text for each changed field: for people.
    pub fn full() -> Self {
        Self { applied: RuleSet::default(), list: Some(Vec::new()) }
    }

    /// Notes that `rule` changed the field at `path`.
    pub fn add(&mut self, rule: Rule, path: impl Display, text: impl Display) {
        self.applied.insert(rule);
        if let Some(list) = &mut self.list {
            list.push(Note { rule, path: path.to_string(), text: text.to_string() });
        }
    }

    /// The rules that applied.
    pub fn applied(&self) -> RuleSet {
        self.applied
    }

    /// The notes, in the order of the work.
    pub fn list(&self) -> &[Note] {
        self.list.as_deref().unwrap_or_default()
    }
}
