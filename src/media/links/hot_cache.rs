//! The fast path of fresh hits: what was found for a link lately is good as long as nothing about it can have changed.
//!
//! Each worker keeps what it found, with the caches' count of changes at that time. While the count is the same, the caches
//! would answer the same, and only the clock can make a difference. After a change the caches are asked again, which also
//! tells them what is in use; the checked request need not be made again for that.

use std::hash::Hasher;
use std::sync::Arc;

use super::cache::CachedLink;
use super::request::{LinkRef, MediaRequest};
use crate::http_cache::Decision;
use crate::media::found::Found;
use crate::media::key::Key;
use crate::runtime::Recent;

/// Longer links are not kept.
const MAX_LENGTH: usize = 1024;

/// Links that were found fresh lately.
#[derive(Default)]
pub struct HotCache(Recent<Hit>);

/// What was found.
pub struct Hit {
    /// How often the caches had changed; read before they were asked.
    pub changes: u64,
    pub link: Arc<CachedLink>,
    /// The key of its upload.
    pub key: Key,
    /// When Cloud forgets the file.
    pub usable_until: i64,
    pub found: Found,
    pub request: Arc<MediaRequest>,
}

/// What the hot cache knows of a link.
pub enum Hot {
    /// It is still good.
    Found(Found),
    /// It may have changed.
    Known(Arc<MediaRequest>, Arc<CachedLink>, Key),
}

impl HotCache {
    /// What was found for the same link.
    pub fn find(&self, link: &LinkRef<'_>, changes: u64, now: impl Fn() -> i64) -> Option<Hot> {
        let look = |hit: &mut Hit| {
            let is_good = hit.changes == changes && hit.is_good_at(now());
            let hot = if is_good {
                Hot::Found(hit.found.clone())
            } else {
                Hot::Known(Arc::clone(&hit.request), Arc::clone(&hit.link), hit.key)
            };
            (hot, true)
        };
        self.0.find(self.hash(link), |hit| hit.request.is_for(link), look)
    }

    /// Keeps what was found.
    pub fn add(&self, hit: Hit) {
        let request = Arc::clone(&hit.request);
        let link = request.link();
        if link.url.len() + link.filename.map_or(0, str::len) <= MAX_LENGTH {
            self.0.add(self.hash(&link), |other| other.request.is_for(&link), hit);
        }
    }

    fn hash(&self, link: &LinkRef<'_>) -> u64 {
        let mut hasher = self.0.hasher();
        hasher.write(link.account.number.as_bytes());
        hasher.write(link.url.as_bytes());
        hasher.finish()
    }
}

impl Hit {
    fn is_good_at(&self, now: i64) -> bool {
        now < self.usable_until && self.link.policy.decide(now) == Decision::Fresh
    }
}
