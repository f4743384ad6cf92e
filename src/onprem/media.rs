//! Success bodies of `/v1/media`.

use serde::Serialize;

use super::error::Meta;

/// The answer to an upload.
#[derive(Debug, Serialize)]
pub struct MediaReply<'a> {
    media: [MediaItem<'a>; 1],
    meta: Meta<'a>,
}

#[derive(Debug, Serialize)]
struct MediaItem<'a> {
    id: &'a str,
}

impl<'a> MediaReply<'a> {
    /// The answer with this id.
    pub fn new(id: &'a str, meta: Meta<'a>) -> Self {
        Self { media: [MediaItem { id }], meta }
    }
}
