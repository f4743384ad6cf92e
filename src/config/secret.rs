//! Secrets: where they come from, and a type that never prints them.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::env::Env;
use super::raw;
use super::words::in_words;

/// A value that must not reach logs, metrics, error texts or `Debug`; wiped when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(SecretString::from(value.into()))
    }

    /// The value itself, for the one place that has to send or compare it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Reads a secret from where the file says it is; the error is a sentence without the secret.
pub(super) fn resolve(from: raw::Secret, env: &Env) -> Result<Secret, String> {
    let (value, origin) = match from {
        raw::Secret::Literal(value) => (value, "this string".to_owned()),
        raw::Secret::Reference(raw::Reference { env: Some(name), file: None }) => from_env(&name, env)?,
        raw::Secret::Reference(raw::Reference { env: None, file: Some(path) }) => from_file(&path)?,
        raw::Secret::Reference(_) => {
            return Err("give either { env = \"NAME\" } or { file = \"PATH\" }".to_owned());
        }
    };
    // An empty key would let everybody in, or nobody; neither is what was meant.
    if value.is_empty() {
        return Err(format!("{origin} is empty; a secret must not be"));
    }
    Ok(Secret::new(value))
}

fn from_env(name: &str, env: &Env) -> Result<(String, String), String> {
    // A secret pasted in place of a name must not be repeated in the message.
    let plausible = name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plausible || name.is_empty() {
        return Err("`env` must be the name of an environment variable: letters, digits and _".to_owned());
    }
    let origin = format!("environment variable {name}");
    match env.get(name) {
        Some(value) => Ok((value.to_owned(), origin)),
        None => Err(format!("{origin} is not set; export it or name another one in `env`")),
    }
}

fn from_file(path: &str) -> Result<(String, String), String> {
    let mut text =
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {}", in_words(&error)))?;
    // Editors and `echo` end a file with one newline, which is no part of the secret.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok((text, format!("the file {path}")))
}

impl From<Secret> for SecretString {
    fn from(secret: Secret) -> Self {
        secret.0
    }
}
