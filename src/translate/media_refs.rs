//! Which files of a message have to be found before it can be translated.

use crate::onprem::message::{
    Component, Content, Header, Link, Media, MediaKind, Message, ParameterValue, Source,
};

/// A link in a message, in the order in which translation meets them.
#[derive(Debug)]
pub struct MediaRef<'a> {
    /// The kind of file that the message wants.
    pub kind: MediaKind,
    /// Where it stands, for error texts.
    pub path: String,
    /// The link and its provider.
    pub link: &'a Link<'a>,
}

/// What became of one [`MediaRef`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Uploaded to Cloud under this id.
    Id(String),
    /// To be fetched by Cloud itself.
    Link,
}

/// Lists the links of `message`.
pub fn media_refs<'a>(message: &'a Message<'a>) -> Vec<MediaRef<'a>> {
    match &message.content {
        Content::Media(media) => reference(media, || media.kind.name().to_owned()).into_iter().collect(),
        Content::Interactive(interactive) => match &interactive.header {
            Some(Header::Media { media, .. }) => {
                reference(media, || format!("interactive.header.{}", media.kind.name())).into_iter().collect()
            }
            Some(Header::Raw(_)) | None => Vec::new(),
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
            ParameterValue::Media(media) => reference(media, || {
                format!("template.components[{at}].parameters[{position}].{}", media.kind.name())
            }),
            ParameterValue::Same | ParameterValue::DateTime { .. } => None,
        },
    )
}

fn reference<'a>(media: &'a Media<'a>, path: impl FnOnce() -> String) -> Option<MediaRef<'a>> {
    match &media.source {
        Source::Link(link) => Some(MediaRef { kind: media.kind, path: path(), link }),
        Source::Id(_) => None,
    }
}
