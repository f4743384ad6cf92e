//! The files of a message: all that was found lately at once, or each on its way.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::error::{MediaError, Shared};
use super::hits::Asked;
use super::reason::Event;
use super::{Account, Found, Media, is_cloud_id};
use crate::onprem::message::{Link, Source};
use crate::telemetry::MediaMetrics;
use crate::translate::{MOST_FILES, MediaRef, Resolved};

/// What became of the files of a message, in their order.
#[derive(Clone, Debug, Default)]
pub struct Resolution {
    /// For the translation.
    pub resolved: Vec<Resolved>,
    /// Those that we found; not those that stay as the client wrote them.
    pub found: Vec<Found>,
}

impl Resolution {
    fn push(&mut self, found: Option<Found>) {
        self.resolved.push(match found {
            None => Resolved::AsWritten,
            Some(found) => {
                let id = Arc::clone(&found.media_id);
                self.found.push(found);
                Resolved::Id(id)
            }
        });
    }
}

/// One file of a message that cannot be had.
#[derive(Debug)]
pub struct Missing {
    /// Where it stands in the message.
    pub path: String,
    /// Why.
    pub error: Shared,
}

impl Media {
    /// Finds the files of a message, all at once, until `end`.
    pub async fn resolve(
        &self,
        account: &Arc<Account>,
        references: &[MediaRef<'_>],
        end: Instant,
    ) -> Result<Resolution, Missing> {
        if let Some(first_too_many) = references.get(MOST_FILES) {
            let error = MediaError::Link(format!("a message may name {MOST_FILES} files at most"));
            return Err(Missing { path: first_too_many.path.to_string(), error: Arc::new(error) });
        }
        let all = join_all(references.iter().map(|reference| self.find(account, reference)));
        // A client that has given up sends again: then a message that is still waiting must not go out too.
        let found = timeout_at(end, all).await.map_err(|_| Missing {
            path: references.iter().map(|reference| &*reference.path).collect::<Vec<_>>().join(", "),
            error: Arc::new(MediaError::Late),
        })?;
        let mut resolution = Resolution::default();
        for (outcome, reference) in found.into_iter().zip(references) {
            let outcome = outcome.map_err(|error| Missing { path: reference.path.to_string(), error })?;
            outcome.iter().for_each(|found| count(&self.0.metrics, &found.event));
            resolution.push(outcome);
        }
        Ok(resolution)
    }

    /// What [`Media::resolve`] would find, when all of it was found lately and nothing has changed since.
    pub fn at_hand(&self, account: &Arc<Account>, references: &[MediaRef<'_>]) -> Option<Resolution> {
        if references.len() > MOST_FILES {
            return None;
        }
        let mut resolution = Resolution::default();
        for reference in references {
            resolution.push(match reference.source {
                Source::Id(id) if is_cloud_id(id) => None,
                Source::Id(_) => return None,
                Source::Link(link) if self.passes(link) => None,
                Source::Link(link) => {
                    let provider = self.0.provider(account, link).ok()?;
                    let (kind, provider, filename) = (reference.kind, provider.as_ref(), reference.filename);
                    let asked = Asked { account, kind, provider, url: link.url(), filename };
                    // The count is read before what it counts, and the time after it: an earlier one would look as if
                    // the clock had been set back.
                    Some(self.0.hits.find(&asked, self.0.cache.changes(), || self.0.clock.now())?)
                }
            });
        }
        resolution.found.iter().for_each(|found| count(&self.0.metrics, &found.event));
        Some(resolution)
    }

    /// Whether Cloud fetches the link itself.
    fn passes(&self, link: &Link<'_>) -> bool {
        self.0.settings.passes_links && link.provider.is_none()
    }

    async fn find(&self, account: &Arc<Account>, reference: &MediaRef<'_>) -> Result<Option<Found>, Shared> {
        match reference.source {
            Source::Id(id) if is_cloud_id(id) => Ok(None),
            Source::Id(id) => self
                .0
                .uploaded(account, reference.kind, id, reference.filename)
                .await
                .map(Some)
                .map_err(Arc::new),
            Source::Link(link) if self.passes(link) => Ok(None),
            Source::Link(link) => {
                let errand = self.0.errand(account, reference.kind, link, reference.filename)?;
                self.0.link(errand).await.map(Some)
            }
        }
    }
}

fn count(metrics: &MediaMetrics, event: &Event) {
    let Event { lookup, upload, .. } = event;
    let (source, upload) = ((lookup.result(), lookup.name()), (upload.result(), upload.name()));
    if *event == Event::HIT {
        return metrics.hit(source, upload);
    }
    metrics.event("source", source.0, source.1);
    metrics.event("upload", upload.0, upload.1);
    if let Some(why) = event.forgotten {
        metrics.forgotten(why.name());
    }
}
