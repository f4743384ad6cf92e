//! What is told of the story: numbered scenes, each a list of events.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::cli::output::{line, pretty, style};
use crate::translate::Notes;

/// One part of the story.
#[derive(Serialize)]
pub struct Scene {
    /// Its place, from 1.
    pub number: usize,
    /// What it is about.
    pub title: &'static str,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The same in a line or a few.
    #[serde(skip)]
    pub rows: Vec<Row>,
}

/// Something that one side sent, answered or received.
#[derive(Serialize)]
pub struct Event {
    /// Which side, and what it did: `app sent`.
    pub who: &'static str,
    /// What it was: verb and path, or the status.
    pub what: String,
    /// The JSON that went along.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "json")]
    pub body: Option<String>,
    /// What the translation changed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Remark>,
}

/// A note of the translation, or of what was done with a file.
#[derive(Serialize)]
pub struct Remark {
    /// Where the field stood.
    pub path: String,
    /// What became of it.
    pub text: String,
    /// The rule behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
}

/// A line of the digest.
pub struct Row {
    /// What the app or Cloud did.
    pub what: &'static str,
    /// What Cloud got or said.
    pub cloud: String,
    /// What the app got or said.
    pub app: String,
}

impl Scene {
    /// Nothing has happened yet.
    pub fn new(number: usize, title: &'static str) -> Self {
        Self { number, title, events: Vec::new(), rows: Vec::new() }
    }

    /// Adds an event.
    pub fn tell(&mut self, who: &'static str, what: impl Into<String>) -> &mut Self {
        self.events.push(Event { who, what: what.into(), body: None, notes: Vec::new() });
        self
    }

    /// Gives the last event its JSON.
    pub fn body(&mut self, json: impl Into<String>) -> &mut Self {
        if let Some(event) = self.events.last_mut() {
            event.body = Some(json.into());
        }
        self
    }

    /// Gives the last event the notes of its translation.
    pub fn notes(&mut self, notes: &Notes) {
        let remarks = notes.list().iter().map(|note| Remark {
            path: note.path.clone(),
            text: note.text.clone(),
            rule: Some(note.rule.id()),
        });
        if let Some(event) = self.events.last_mut() {
            event.notes.extend(remarks);
        }
    }

    /// Gives the last event a note that no rule stands behind.
    pub fn remark(&mut self, path: &str, text: &str) {
        if let Some(event) = self.events.last_mut() {
            event.notes.push(Remark { path: path.to_owned(), text: text.to_owned(), rule: None });
        }
    }

    /// Adds a line of the digest.
    pub fn row(&mut self, what: &'static str, cloud: impl Into<String>, app: impl Into<String>) {
        self.rows.push(Row { what, cloud: cloud.into(), app: app.into() });
    }

    /// Prints all of it.
    pub fn print(&self) {
        line(format_args!("{}\n", style::title(format_args!("{}. {}", self.number, self.title))));
        for (at, event) in self.events.iter().enumerate() {
            // Another exchange of the same scene.
            if at > 0 && matches!(event.who, "app sent" | "Cloud posted") {
                line("");
            }
            line(format_args!("   {} {}", style::label(format_args!("{:<14}", event.who)), event.what));
            for row in event.body.as_deref().map(pretty).unwrap_or_default().lines() {
                line(format_args!("     {row}"));
            }
            for note in &event.notes {
                let rule = note.rule.map(|rule| format!("  [{rule}]")).unwrap_or_default();
                let text = format!("* {}: {}{rule}", note.path, note.text);
                line(format_args!("     {}", style::note(text)));
            }
        }
        line("");
    }
}

/// As it is, where it is JSON.
fn json<S: Serializer>(body: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = body.as_deref().unwrap_or_default();
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => raw.serialize(serializer),
        Err(_) => text.serialize(serializer),
    }
}
