//! The number on whose behalf files are fetched and uploaded.

use std::sync::OnceLock;

use super::error::MediaError;
use super::providers::Providers;
use crate::upstream::Target;

/// The number on whose behalf something is fetched or uploaded.
#[derive(Debug)]
pub struct Account {
    /// Its phone number id.
    pub number: String,
    /// Its name, for the log.
    pub name: String,
    /// The Graph API with its version.
    pub graph: String,
    /// Where it uploads, and with which token.
    pub edge: Target,
    /// The id of its app, once that is known.
    pub app_id: OnceLock<String>,
    /// The hosts that its files are fetched from with credentials.
    pub providers: Providers,
}

impl Account {
    /// A path of the Graph API, below its version.
    pub fn at(&self, path: &str) -> Option<Target> {
        format!("{}/{path}", self.graph).parse().ok().map(|uri| self.edge.at(uri))
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.edge.authorization.as_ref()?.to_str().ok()?.strip_prefix("Bearer ")
    }

    /// The object of a file. `phone_number_id` makes Cloud check that the file belongs to this number.
    pub(super) fn node(&self, id: &str) -> Result<Target, MediaError> {
        self.at(&format!("{id}?phone_number_id={}", self.number)).ok_or(MediaError::Unknown)
    }
}
