//! Which files of a message have to be found before it can be translated.

use std::borrow::Cow;
use std::sync::Arc;

use crate::onprem::message::{Content, Media, MediaKind, Message, Source};
use crate::wire::Path;

/// The most files that one message may name: a template with ten cards has ten.
pub const MOST_FILES: usize = 32;

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

/// Lists the files of `message`, up to the first one too many: a list of them all could take much more room than the body.
pub fn media_refs<'a>(message: &'a Message<'a>) -> Vec<MediaRef<'a>> {
    let mut found = Vec::new();
    let mut add = |media: &'a Media<'a>, path: Path<'_>| {
        if found.len() <= MOST_FILES {
            found.push(reference(media, path.to_string().into()));
        }
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onprem::message::{Body, Request};

    #[test]
    fn many_files_under_a_long_name_take_little_room() {
        let files = vec![r#"{"image":{"id":"1","provider":"a"}}"#; 15_000].join(",");
        let name = "k".repeat(500_000);
        let text = format!(
            r#"{{"to":"16505551234","type":"interactive","interactive":{{"type":"later","body":{{"text":"b"}},
            "action":{{"{name}":[{files}]}}}}}}"#
        );
        let body = Body::read(text.as_bytes()).unwrap();
        let Ok(Request::Message(message)) = Request::parse(&body) else { panic!("not a message") };
        let found = media_refs(&message);
        assert_eq!(found.len(), MOST_FILES + 1);
        assert!(found.iter().map(|file| file.path.len()).sum::<usize>() < 4096);
    }
}
