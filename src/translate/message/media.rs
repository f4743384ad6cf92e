//! Media objects, wherever they stand.

use std::borrow::Cow;

use super::{MessageError, Work};
use crate::cloud::message as cloud;
use crate::onprem::message::{Branches, Link, Media, Source, Tree, strip_provider};
use crate::translate::media_refs::Resolved;
use crate::translate::rules::Rule;
use crate::wire::Path;

/// Where a media object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a message of its own.
    Message,
    /// In the header of an interactive message, whose text is its body.
    Header,
    /// In a template: "captions are not supported when used in a media template".
    Template,
}

/// Translates the media object at `path`.
///
/// Rule   media.caption, media.filename, media.empty-field      Status dropped
/// Onprem messages reference, "media" object
/// Cloud  messages reference, "media" object; other fields are refused as unexpected keys
/// Golden messages/audio/caption, messages/image/filename, messages/image/empty_link
pub(super) fn to_cloud<'a>(
    media: &'a Media<'a>,
    path: &str,
    place: Place,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Media<'a>, MessageError> {
    let source = match &media.source {
        Source::Id(id) => id_to_cloud(id, path, work),
        Source::Link(link) => link_to_cloud(link, path, work)?,
    };
    if media.has_idle_provider {
        work.notes.add(
            Rule::MediaProvider,
            format_args!("{path}.provider"),
            "left out: the file is uploaded already",
        );
    }
    for name in &media.empty {
        work.notes.add(Rule::MediaEmptyField, format_args!("{path}.{name}"), "left out: it is empty");
    }
    let kind = media.kind.name();
    let takes_caption = media.kind.takes_caption() && place == Place::Message;
    if media.caption.is_some() && !takes_caption {
        let owner = match place {
            Place::Message => kind,
            Place::Header => "a header",
            Place::Template => "a template",
        };
        work.notes.add(
            Rule::MediaCaption,
            format_args!("{path}.caption"),
            format_args!("left out: {owner} has no caption"),
        );
    }
    if media.filename.is_some() && !media.kind.takes_filename() {
        work.notes.add(
            Rule::MediaFilename,
            format_args!("{path}.filename"),
            format_args!("left out: {kind} has no file name"),
        );
    }
    Ok(cloud::Media {
        source,
        caption: media.caption.as_deref().filter(|_| takes_caption),
        filename: media.filename.as_deref().filter(|_| media.kind.takes_filename()),
        rest: &media.rest,
    })
}

/// Translates every media object in `tree`, in the order in which they are listed.
pub(super) fn tree_to_cloud<'a>(
    tree: &'a Tree<'a>,
    path: Path<'_>,
    place: Place,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Tree<'a>, MessageError> {
    Ok(match tree {
        Tree::Raw(raw) => cloud::Tree::Raw(raw),
        Tree::Object(branches) => cloud::Tree::Object(branches_to_cloud(branches, path, place, work)?),
        Tree::Array(list) => {
            let mut elements = Vec::with_capacity(list.len());
            for (at, tree) in list.iter().enumerate() {
                elements.push(tree_to_cloud(tree, path.index(at), place, work)?);
            }
            cloud::Tree::Array(elements)
        }
        Tree::Media(media) => cloud::Tree::Media(to_cloud(media, &path.to_string(), place, work)?),
    })
}

/// The same for the members of an object.
pub(super) fn branches_to_cloud<'a>(
    branches: &'a Branches<'a>,
    path: Path<'_>,
    place: Place,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Branches<'a>, MessageError> {
    let mut files = Vec::with_capacity(branches.files.len());
    for (key, tree) in &branches.files {
        files.push((&**key, tree_to_cloud(tree, path.key(key), place, work)?));
    }
    Ok(cloud::Branches { rest: &branches.rest, files })
}

/// An id that we handed out becomes Cloud's; any other is Cloud's already.
///
/// Rule   media.uploaded-id         Status translated
/// Onprem media reference, `POST /v1/media`
/// Cloud  messages reference, "id"; media reference, upload
/// Golden messages/image/uploaded_id
fn id_to_cloud<'a>(id: &'a str, path: &str, work: &mut Work<'_, 'a>) -> cloud::Source<'a> {
    match work.resolved.next() {
        Some(Resolved::Id(cloud)) if **cloud != *id => {
            work.notes.add(
                Rule::MediaUploadedId,
                format_args!("{path}.id"),
                format_args!("{id} -> {cloud}: the id under which Cloud has the file"),
            );
            cloud::Source::Id(Cow::Borrowed(cloud))
        }
        Some(Resolved::Id(_) | Resolved::AsWritten) | None => cloud::Source::Id(Cow::Borrowed(id)),
    }
}

/// A link that was resolved becomes the id; one without a provider may go as it is.
///
/// Rule   media.provider, media.provider-prefix, media.resolved
/// Onprem messages reference, "provider"; `the-provider-name/protocol://the-url`
/// Cloud  messages reference, "link" and "id"
/// Golden messages/document/link_provider, messages/video/link_provider_prefix
fn link_to_cloud<'a>(
    link: &'a Link<'a>,
    path: &str,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Source<'a>, MessageError> {
    if let Some(provider) = &link.provider {
        work.notes.add(
            Rule::MediaProvider,
            format_args!("{path}.provider"),
            format_args!("the file is fetched with the credentials of \"{provider}\""),
        );
    }
    if strip_provider(&link.written).0.is_some() {
        work.notes.add(
            Rule::MediaProviderPrefix,
            format_args!("{path}.link"),
            format_args!("{} -> {}", link.written, link.url()),
        );
    }
    match (work.resolved.next(), &link.provider) {
        (Some(Resolved::Id(id)), _) => {
            work.notes.add(
                Rule::MediaResolved,
                format_args!("{path}.link"),
                format_args!("-> {path}.id \"{id}\""),
            );
            Ok(cloud::Source::Id(Cow::Borrowed(id)))
        }
        (Some(Resolved::AsWritten) | None, None) => Ok(cloud::Source::Link(&link.written)),
        (Some(Resolved::AsWritten) | None, Some(_)) => {
            Err(MessageError::Unresolved { path: path.to_owned() })
        }
    }
}
