//! What became of the files of a message.

use std::sync::Arc;

use super::error::SharedError;
use super::key::Key;
use super::reason::Event;
use crate::translate::Resolved;

/// A file that Cloud has.
#[derive(Clone, Debug)]
pub struct Found {
    /// Cloud's id.
    pub media_id: Arc<str>,
    /// How it was found.
    pub event: Event,
    pub(super) link: Option<Key>,
    pub(super) upload: Option<Key>,
    /// Whether other sends may use it too.
    pub(super) is_shared: bool,
}

/// What became of the files of a message, in their order.
#[derive(Clone, Debug, Default)]
pub struct Resolution {
    /// For the translation.
    pub resolved: Vec<Resolved>,
    /// Those that we found; not those that stay as the client wrote them.
    pub found: Vec<Found>,
}

impl Resolution {
    pub(super) fn push(&mut self, found: Option<Found>) {
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

/// A file of a message that cannot be had.
#[derive(Debug)]
pub struct Missing {
    /// Where it stands in the message.
    pub path: String,
    /// Why it cannot be had.
    pub error: SharedError,
}
