//! The files of a message: all from the cache at once, or each from wherever it is.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use super::account::Account;
use super::build::Rooms;
use super::error::{MediaError, SharedError};
use super::found::{Found, Missing, Resolution};
use super::reason::Event;
use super::transfer::download::is_cloud_id;
use crate::config::Links;
use crate::onprem::message::Source;
use crate::translate::{MOST_FILES, MediaRef};

impl Rooms {
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
            let found = outcome.map_err(|error| Missing { path: reference.path.to_string(), error })?;
            found.iter().for_each(|found| self.count(&found.event));
            resolution.push(found);
        }
        Ok(resolution)
    }

    /// What [`Rooms::resolve`] would find, when all of it was found lately and nothing has changed since.
    pub fn resolve_cached(&self, account: &Arc<Account>, references: &[MediaRef<'_>]) -> Option<Resolution> {
        if references.len() > MOST_FILES {
            return None;
        }
        let mut resolution = Resolution::default();
        for reference in references {
            resolution.push(match reference.source {
                source if self.is_left_to_cloud(source) => None,
                Source::Id(_) => return None,
                Source::Link(link) => Some(self.links.find_fresh(account, reference, link)?),
            });
        }
        resolution.found.iter().for_each(|found| self.count(&found.event));
        Some(resolution)
    }

    async fn find(
        &self,
        account: &Arc<Account>,
        reference: &MediaRef<'_>,
    ) -> Result<Option<Found>, SharedError> {
        match reference.source {
            source if self.is_left_to_cloud(source) => Ok(None),
            Source::Id(id) => {
                Ok(Some(self.library.find(account, reference.kind, id, reference.filename).await?))
            }
            Source::Link(link) => Ok(Some(self.links.find(account, reference, link).await?)),
        }
    }

    /// Whether Cloud knows the id, or fetches the link itself.
    fn is_left_to_cloud(&self, source: &Source<'_>) -> bool {
        match source {
            Source::Id(id) => is_cloud_id(id),
            Source::Link(link) => self.config.links == Links::Pass && link.provider.is_none(),
        }
    }

    fn count(&self, event: &Event) {
        let Event { lookup, upload, forgotten } = event;
        let (source, upload) = ((lookup.result(), lookup.name()), (upload.result(), upload.name()));
        if *event == Event::HIT {
            return self.metrics.hit(source, upload);
        }
        self.metrics.event("source", source.0, source.1);
        self.metrics.event("upload", upload.0, upload.1);
        if let Some(why) = forgotten {
            self.metrics.forgotten(why.name());
        }
    }
}
