//! Secrets that a command is given.

use std::str::FromStr;

use crate::config::in_words;

/// Where a secret comes from. Others on the machine can read a command line, so one written there is warned about.
#[derive(Clone)]
pub struct Given {
    /// The secret.
    pub value: String,
    /// Whether it stood on the command line itself.
    pub is_shown: bool,
}

impl FromStr for Given {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = if let Some(name) = text.strip_prefix("env:") {
            std::env::var(name).map_err(|_| format!("the environment variable {name} is not set"))?
        } else if let Some(path) = text.strip_prefix("file:") {
            let read =
                std::fs::read_to_string(path).map_err(|error| format!("{path}: {}", in_words(&error)))?;
            read.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            return Ok(Self { value: text.to_owned(), is_shown: true });
        };
        if found.is_empty() {
            return Err("it is empty; a secret must not be".to_owned());
        }
        Ok(Self { value: found, is_shown: false })
    }
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given(hidden)")
    }
}
