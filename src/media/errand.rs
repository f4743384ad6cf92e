//! What a link is asked for, and by whom.

use std::sync::{Arc, Mutex};

use url::Url;

use super::Account;
use super::cache::Source;
use super::hits::Asked;
use super::key::Key;
use super::providers::Provider;
use crate::onprem::message::MediaKind;

/// The longest name under which an errand is remembered; longer ones are made anew each time.
pub const LONGEST_NAME: usize = 1024;

/// One link of one message, with everything that decides about it.
#[derive(Debug)]
pub struct Errand {
    /// The number that sends it.
    pub account: Arc<Account>,
    /// As what kind of file.
    pub kind: MediaKind,
    /// As the client wrote it.
    pub written: Box<str>,
    /// In its one form.
    pub url: Url,
    /// Whose credentials open it.
    pub provider: Option<Arc<Provider>>,
    /// The name of a document.
    pub filename: Option<String>,
    /// Its key in the cache.
    pub key: Key,
    /// The key of the upload of what was last remembered, worked out once.
    pub upload: Mutex<Option<(Arc<Source>, Key)>>,
}

impl Errand {
    /// What it was made for.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            account: &self.account,
            kind: self.kind,
            provider: self.provider.as_ref(),
            url: &self.written,
            filename: self.filename.as_deref(),
        }
    }

    /// Whether it would be made again for this. A number is always the same account, and a provider that was set anew
    /// is another one.
    pub fn is_for(&self, asked: &Asked<'_>) -> bool {
        let is_same_provider = match (&self.provider, asked.provider) {
            (None, None) => true,
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (Some(_), None) | (None, Some(_)) => false,
        };
        is_same_provider
            && Arc::ptr_eq(&self.account, asked.account)
            && self.kind == asked.kind
            && *self.written == *asked.url
            && self.filename.as_deref() == asked.filename
    }
}

/// What tells one errand from another, before the link is even parsed. A line each: only the file name, which is
/// the last, may hold line breaks.
pub fn name_of(
    account: &Account,
    kind: MediaKind,
    provider: Option<&Provider>,
    link: &str,
    filename: Option<&str>,
) -> String {
    let (provider, generation) = provider.map_or(("", 0), |found| (found.name.as_str(), found.generation));
    let (kind, filename) = (kind.name(), filename.unwrap_or_default());
    format!("{}\n{kind}\n{provider}\n{generation}\n{link}\n{filename}", account.number)
}
