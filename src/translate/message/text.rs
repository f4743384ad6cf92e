//! `text`

use super::Work;
use crate::cloud::message as cloud;
use crate::onprem::message::Text;
use crate::translate::rules::Rule;

/// Moves the top-level `preview_url` into the `text` object; where both are given the top-level
/// one wins, because it is the one that on-prem read.
///
/// Rule   text.preview-url          Status translated
/// Onprem messages reference, "preview_url" (On-Premises only)
/// Cloud  messages reference, "text" object
/// Golden messages/text/preview_url_top_level, …_nested, …_both
pub(super) fn to_cloud<'a>(
    text: &'a Text<'a>,
    top_level: Option<bool>,
    work: &mut Work<'_, '_>,
) -> cloud::Content<'a> {
    if let Some(preview) = top_level {
        work.notes.add(
            Rule::PreviewUrl,
            "preview_url",
            match text.preview_url {
                Some(nested) if nested != preview => "-> text.preview_url, instead of the other value there",
                Some(_) | None => "-> text.preview_url",
            },
        );
    }
    cloud::Content::Text(cloud::Text {
        body: text.body,
        preview_url: top_level.or(text.preview_url),
        rest: &text.rest,
    })
}
