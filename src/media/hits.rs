//! The way of a fresh hit: what was found for a link lately is good as long as nothing about it can have changed.
//!
//! Each worker keeps for itself what it found, with the count of the cache's changes at that time. While the count is
//! the same, the cache would say the same again, and only the clock can make a difference. A change makes the next hit
//! of each link ask the cache anew, which also tells the cache what is in use.

use std::hash::Hasher;
use std::sync::Arc;

use super::cache::Source;
use super::errand::Errand;
use super::providers::Provider;
use super::{Account, Found};
use crate::http_cache::Decision;
use crate::net::Recent;
use crate::onprem::message::MediaKind;

/// Links that were found at hand lately.
#[derive(Debug, Default)]
pub struct Hits(Recent<Hit>);

/// What a message asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The number that sends it.
    pub account: &'a Arc<Account>,
    /// As what kind of file.
    pub kind: MediaKind,
    /// The provider whose credentials open the link.
    pub provider: Option<&'a Arc<Provider>>,
    /// The link as the client wrote it, without the provider's name.
    pub url: &'a str,
    /// The name of a document.
    pub filename: Option<&'a str>,
}

/// What was found.
pub struct Hit {
    /// How often the cache had changed; read before it was asked.
    pub changes: u64,
    /// What the link's last answer said.
    pub source: Arc<Source>,
    /// When Cloud forgets the file.
    pub usable_until: i64,
    /// Cloud's id, and how it came about.
    pub found: Found,
    /// For what.
    pub errand: Arc<Errand>,
}

impl Hits {
    /// What was found for the same, unless the cache has changed since, or the time of it has come.
    pub fn find(&self, asked: &Asked<'_>, changes: u64, now: impl Fn() -> i64) -> Option<Found> {
        let look = |hit: &mut Hit| {
            let is_good = hit.changes == changes && hit.is_good_at(now());
            (is_good.then(|| hit.found.clone()), is_good)
        };
        self.0.find(self.hash(asked), |hit| hit.errand.is_for(asked), look).flatten()
    }

    /// Keeps what was found.
    pub fn add(&self, hit: Hit) {
        let errand = Arc::clone(&hit.errand);
        let asked = errand.asked();
        self.0.add(self.hash(&asked), |other| other.errand.is_for(&asked), hit);
    }

    fn hash(&self, asked: &Asked<'_>) -> u64 {
        let mut hasher = self.0.hasher();
        hasher.write(asked.account.number.as_bytes());
        hasher.write(asked.url.as_bytes());
        hasher.finish()
    }
}

impl Hit {
    fn is_good_at(&self, now: i64) -> bool {
        now < self.usable_until && self.source.policy.decide(now) == Decision::Fresh
    }
}
