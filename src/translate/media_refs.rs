//! Which files of a message have to be found before it can be translated.

use std::borrow::Cow;
use std::sync::Arc;

use crate::onprem::message::{Component, Content, Header, Media, MediaKind, Message, ParameterValue, Source};

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
    match &message.content {
        Content::Media(media) => vec![reference(media, media.kind.name().into())],
        Content::Interactive(interactive) => match &interactive.header {
            Some(Header::Media { media, .. }) => {
                vec![reference(media, format!("interactive.header.{}", media.kind.name()).into())]
            }
            Some(Header::Raw(_) | Header::Members(_)) | None => Vec::new(),
        },
        Content::Template(template) => template
            .components
            .iter()
            .flatten()
            .enumerate()
            .flat_map(|(at, component)| of_component(at, component))
            .collect(),
        Content::Text(_)
        | Content::Location(_)
        | Content::Contacts(_)
        | Content::Hsm(_)
        | Content::Reaction(_)
        | Content::Other(_) => Vec::new(),
    }
}

fn of_component<'a>(at: usize, component: &'a Component<'a>) -> impl Iterator<Item = MediaRef<'a>> {
    component.parameters.iter().flatten().enumerate().filter_map(
        move |(position, parameter)| match &parameter.value {
            ParameterValue::Media(media) => Some(reference(
                media,
                format!("template.components[{at}].parameters[{position}].{}", media.kind.name()).into(),
            )),
            ParameterValue::Same | ParameterValue::Currency { .. } | ParameterValue::DateTime { .. } => None,
        },
    )
}

fn reference<'a>(media: &'a Media<'a>, path: Cow<'static, str>) -> MediaRef<'a> {
    MediaRef { kind: media.kind, path, source: &media.source, filename: media.filename.as_deref() }
}
