//! The configuration: a TOML file, overridden by environment variables, validated as a whole.
//!
//! [`Config::load`] goes through four steps, and none of them stops at the first problem:
//! `tree` makes a tree of known keys of the TOML, `env` applies the overrides, `raw` gives the tree
//! its serde shape, and `listen`, `compat`, `number`, `pacing` and `sections` say what the values mean.
//!
//! A key is added in `raw`, given a meaning in one of the last five, and documented in
//! `config.example.toml`; the tests insist on the last.

use std::path::Path;

use serde::Deserialize;
use toml::Value;

use crate::cloud::Hidden;

mod check;
mod compat;
mod env;
mod listen;
mod number;
mod pacing;
mod pem;
mod raw;
mod report;
mod secret;
mod sections;
mod tree;
mod values;
mod words;

pub use compat::Compat;
pub use env::Env;
pub use listen::{Listen, Tls};
pub use number::{ApiKey, Credentials, Number, Provider, Role, User};
pub use pacing::{MessageRate, Pacing};
pub use report::{Problem, Problems, Warning};
pub use secret::Secret;
pub use sections::{
    Auth, Cloud, Egress, HttpVersion, Limits, Links, Log, MAX_BODY, Media, Server, Shutdown, Store,
};
pub use values::{Allowed, duration, host_key, is_host};
pub use words::in_words;

use check::Check;
use raw::{Keys, Shape};
use report::Report;

/// A validated configuration. Its `Debug` form shows no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[listen]`
    pub listen: Listen,
    /// `[server]`
    pub server: Server,
    /// `[limits]`
    pub limits: Limits,
    /// `[cloud]`
    pub cloud: Cloud,
    /// `[pacing]`
    pub pacing: Pacing,
    /// `[store]`
    pub store: Store,
    /// `[auth]`
    pub auth: Auth,
    /// `[egress]`
    pub egress: Egress,
    /// `[media]`
    pub media: Media,
    /// `[compat]`
    pub compat: Compat,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[log]`
    pub log: Log,
    /// `[[number]]`, at least one.
    pub numbers: Vec<Number>,
}

/// A configuration that can be used, and what its operator should know.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What to run with.
    pub config: Config,
    /// What to tell at start.
    pub warnings: Vec<Warning>,
}

impl Config {
    /// Reads the file at `path`. Files that it names are found relative to the working directory.
    pub fn load(path: &Path, env: &Env) -> Result<Loaded, Problems> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot read the configuration {}: {}", path.display(), in_words(&error));
            Problems(vec![Problem { path: String::new(), message }])
        })?;
        Self::parse(&text, env)
    }

    /// Reads the text of a configuration file.
    pub fn parse(text: &str, env: &Env) -> Result<Loaded, Problems> {
        let mut report = Report::default();
        let config = Self::read(text, env, &mut report);
        let warnings = report.finish()?;
        // Without a problem there is a configuration, so the error is never seen.
        let config = config.ok_or_else(|| Problems(Vec::new()))?;
        Ok(Loaded { config, warnings })
    }

    fn read(text: &str, env: &Env, report: &mut Report) -> Option<Self> {
        let mut tree = tree::read(text, report)?;
        env::apply_overrides(env, &mut tree, report);
        let tree = Value::Table(tree);
        match raw::File::deserialize(tree) {
            Ok(raw) => Some(Self::build(raw, &mut Check { env, report })),
            Err(_) => {
                // `tree` lets only well-typed values through, so this is our mistake. What serde
                // says is kept back, because it quotes values and a value may be a secret.
                report.problem("", "this file was read but not understood; please report this as a bug");
                None
            }
        }
    }

    fn build(raw: raw::File, check: &mut Check<'_>) -> Self {
        // In the order of the file, since that of the problems is the same.
        let listen = listen::listen(raw.listen.unwrap_or_default(), check);
        let server = sections::server(&raw.server.unwrap_or_default(), check);
        let limits = sections::limits(raw.limits.unwrap_or_default(), check);
        let cloud = sections::cloud(raw.cloud.unwrap_or_default(), check);
        let pacing = pacing::pacing(raw.pacing.unwrap_or_default(), cloud.total_timeout, check);
        let mut config = Self {
            listen,
            server,
            limits,
            cloud,
            pacing,
            store: sections::store(raw.store.unwrap_or_default(), check),
            auth: sections::auth(raw.auth.unwrap_or_default(), check),
            egress: sections::egress(raw.egress.unwrap_or_default(), check),
            media: sections::media(raw.media.unwrap_or_default(), check),
            compat: compat::compat(raw.compat.unwrap_or_default(), check),
            shutdown: sections::shutdown(raw.shutdown.unwrap_or_default(), check),
            log: sections::log(raw.log.unwrap_or_default(), check),
            numbers: number::numbers(raw.number.unwrap_or_default(), check),
        };
        config.compat.options.hidden = Hidden::new(config.numbers.iter().flat_map(Number::secrets));
        if config.cloud.sends_tokens_in_clear() {
            check.report.warn("cloud.base_url", "begins with http://, so access tokens travel unencrypted");
        }
        config
    }
}

/// Every key there is, such as `listen.api` and `number[].user[].name`, in the order of the file.
pub fn known_keys() -> Vec<String> {
    let mut found = Vec::new();
    collect_keys(raw::File::KEYS, "", &mut found);
    found
}

fn collect_keys(keys: Keys, path: &str, found: &mut Vec<String>) {
    for (key, shape) in keys {
        let path = tree::join(path, key);
        match shape {
            Shape::Table(keys) => collect_keys(keys, &path, found),
            Shape::List(Shape::Table(keys)) => collect_keys(keys, &format!("{path}[]"), found),
            Shape::Bool
            | Shape::Integer
            | Shape::Text
            | Shape::Size
            | Shape::Rate
            | Shape::TextOr(_)
            | Shape::Secret(_)
            | Shape::List(_) => found.push(path),
        }
    }
}
