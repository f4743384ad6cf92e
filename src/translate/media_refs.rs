//! Which files of a message have to be found before it can be translated.

use std::borrow::Cow;
use std::sync::Arc;

use crate::onprem::message::{Content, Media, MediaKind, Message, Source};
use crate::wire::Path;

/// A file that a message names, in the order in which translation meets them.
#[derive(Debug)]
pub struct MediaRef<'a> {
    /// The kind of file that the message wants.
    pub kind: MediaKind,
    /// Where its media object stands, for error texts.
    pub path: Cow<'static, str>,
    /// A link, or the id of an uploaded file.
    pub source: &'a Source<'a>,
    /// The name of a document, whose ending may tell its type.
    pub filename: Option<&'a str>,
}

/// What became of one [`MediaRef`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Cloud knows the file under this id.
    Id(Arc<str>),
    /// To be sent as the client wrote it: an id of Cloud's, or a link that Cloud fetches itself.
    AsWritten,
}

/// Lists the files of `message`.
pub fn media_refs<'a>(message: &'a Message<'a>) -> Vec<MediaRef<'a>> {
    let mut found = Vec::new();
    let mut add =
        |media: &'a Media<'a>, path: Path<'_>| found.push(reference(media, path.to_string().into()));
    match &message.content {
        Content::Media(media) => return vec![reference(media, media.kind.name().into())],
        Content::Interactive(interactive) => interactive.each_file(Path::Root.key("interactive"), &mut add),
        Content::Template(template) => template.each_file(Path::Root.key("template"), &mut add),
        Content::Other(tree) => tree.each_file(Path::Root.key(message.type_name()), &mut add),
        Content::Text(_)
        | Content::Location(_)
        | Content::Contacts(_)
        | Content::Hsm(_)
        | Content::Reaction(_) => {}
    }
    found
}

fn reference<'a>(media: &'a Media<'a>, path: Cow<'static, str>) -> MediaRef<'a> {
    MediaRef { kind: media.kind, path, source: &media.source, filename: media.filename.as_deref() }
}
