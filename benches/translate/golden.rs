//! The golden cases as input, read at run time: one of each folder, so that what is added there is measured too.

use std::fs;
use std::path::{Path, PathBuf};

use prembridge::translate::Resolved;

/// A case under `tests/golden/`; the head of `tests/golden.rs` says what is in it.
pub struct Case {
    /// `messages/text/context`
    pub name: String,
    folder: PathBuf,
    facts: toml::Table,
}

impl Case {
    /// By its name.
    pub fn named(name: &str) -> Self {
        let folder = root().join(name);
        let text = fs::read_to_string(folder.join("case.toml"));
        let facts = text.unwrap_or_else(|error| panic!("{name}: {error}")).parse().unwrap();
        Self { name: name.to_owned(), folder, facts }
    }

    /// All cases of a folder such as `replies/sent`, by name.
    pub fn all(folder: &str) -> Vec<Self> {
        names(&root().join(folder)).iter().map(|name| Self::named(&format!("{folder}/{name}"))).collect()
    }

    /// Of each type of a resource the first case by name that has this file.
    pub fn one_of_each(resource: &str, file: &str) -> Vec<Self> {
        let types = names(&root().join(resource));
        let first = |kind: &String| {
            Self::all(&format!("{resource}/{kind}")).into_iter().find(|case| case.folder.join(file).exists())
        };
        let found: Vec<_> = types.iter().filter_map(first).collect();
        assert!(!found.is_empty(), "no golden cases of {resource}");
        found
    }

    /// The bytes of a file without the blanks that make it readable, as they would come over the wire.
    pub fn json(&self, file: &str) -> Vec<u8> {
        let bytes = fs::read(self.folder.join(file)).unwrap();
        let value: Result<Box<serde_json::value::RawValue>, _> = serde_json::from_slice(&bytes);
        value.map_or(bytes, |value| without_blanks(value.get()))
    }

    /// The bytes of the first of these files that is there, as they are.
    pub fn first(&self, files: &[&str]) -> Vec<u8> {
        files.iter().find_map(|file| fs::read(self.folder.join(file)).ok()).unwrap()
    }

    /// A text of `case.toml`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.facts.get(key).and_then(toml::Value::as_str)
    }

    /// A number of `case.toml`.
    pub fn number(&self, key: &str) -> Option<u16> {
        self.facts.get(key).and_then(toml::Value::as_integer).and_then(|number| number.try_into().ok())
    }

    /// What the files of the message were resolved to.
    pub fn resolved(&self) -> Vec<Resolved> {
        let ids = self.facts.get("resolved").and_then(toml::Value::as_array).into_iter().flatten();
        ids.filter_map(toml::Value::as_str)
            .map(|id| if id == "link" { Resolved::AsWritten } else { Resolved::Id(id.into()) })
            .collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The folders in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Drops the blanks outside of strings and nothing else: names that stand twice and odd numbers stay.
fn without_blanks(json: &str) -> Vec<u8> {
    let (mut is_string, mut is_escaped) = (false, false);
    let keep = |byte: &u8| {
        let keeps = is_string || !byte.is_ascii_whitespace();
        if *byte == b'"' && !is_escaped {
            is_string = !is_string;
        }
        is_escaped = is_string && *byte == b'\\' && !is_escaped;
        keeps
    };
    json.bytes().filter(keep).collect()
}
