//! Counters about files.

use std::sync::{Arc, OnceLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::{Registry, Unit};

use super::OutcomeLabel;

/// What happened to a file on one level of the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    /// `source` (what a link gave) or `upload` (what Cloud has).
    level: &'static str,
    /// `hit`, `revalidated` or `miss`.
    result: &'static str,
    /// Why, from a closed set.
    reason: &'static str,
}

/// Which way bytes went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DirectionLabel {
    direction: &'static str,
}

/// Counters about files; clones count together.
#[derive(Clone, Debug, Default)]
pub struct MediaMetrics {
    cache: Family<CacheLabels, Counter>,
    /// The counters of the commonest event, once there was one: looking them up costs more than the rest of it.
    hits: Arc<OnceLock<[Counter; 2]>>,
    forgotten: Family<ForgottenLabel, Counter>,
    bytes: Family<DirectionLabel, Counter>,
    prefetches: Family<OutcomeLabel, Counter>,
    /// Uploads to Cloud that were begun, repeated ones too.
    uploads: Counter,
    /// Links that led to where they may not lead.
    pub egress_denied: Counter,
}

/// Why an answer was not remembered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ForgottenLabel {
    reason: &'static str,
}

impl MediaMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "media_cache_events",
            "Files of messages, by what the cache knew of them and why",
            self.cache.clone(),
        );
        registry.register(
            "media_not_remembered",
            "Answers to links that were used once, by the reason",
            self.forgotten.clone(),
        );
        registry.register_with_unit("media", "Bytes of files that passed", Unit::Bytes, self.bytes.clone());
        registry.register(
            "media_prefetches",
            "Tries to fetch a file that a user sent, by outcome",
            self.prefetches.clone(),
        );
        registry.register("media_uploads", "Uploads to the Cloud API, tries included", self.uploads.clone());
        registry.register(
            "egress_denied",
            "Links that led to an address which clients may not name",
            self.egress_denied.clone(),
        );
    }

    /// Counts what was remembered and fresh, whose bytes Cloud has: one event of either level, which are named as in
    /// [`MediaMetrics::event`].
    pub fn hit(&self, source: (&'static str, &'static str), upload: (&'static str, &'static str)) {
        let counters = self.hits.get_or_init(|| {
            [("source", source), ("upload", upload)].map(|(level, (result, reason))| {
                self.cache.get_or_create_owned(&CacheLabels { level, result, reason })
            })
        });
        counters.iter().for_each(|counter| {
            counter.inc();
        });
    }

    /// Counts one event of `level`; the words come from closed sets.
    pub fn event(&self, level: &'static str, result: &'static str, reason: &'static str) {
        self.cache.get_or_create(&CacheLabels { level, result, reason }).inc();
    }

    /// Counts an answer that is not remembered.
    pub fn forgotten(&self, reason: &'static str) {
        self.forgotten.get_or_create(&ForgottenLabel { reason }).inc();
    }

    /// Counts bytes that came from a link.
    pub fn fetched(&self, bytes: usize) {
        self.bytes("fetched", bytes);
    }

    /// Counts bytes that a client uploaded.
    pub fn received(&self, bytes: usize) {
        self.bytes("received", bytes);
    }

    /// Counts bytes of files that users sent, fetched before a client asked for them.
    pub fn prefetched(&self, bytes: usize) {
        self.bytes("prefetched", bytes);
    }

    /// Counts a try to fetch such a file; the words come from a closed set.
    pub fn prefetch(&self, outcome: &'static str) {
        self.prefetches.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Counts an upload to Cloud.
    pub fn uploading(&self) {
        self.uploads.inc();
    }

    fn bytes(&self, direction: &'static str, bytes: usize) {
        self.bytes.get_or_create(&DirectionLabel { direction }).inc_by(bytes as u64);
    }
}
