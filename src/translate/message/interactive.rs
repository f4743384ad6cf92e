//! `interactive`

use super::{MessageError, Work, media};
use crate::cloud::message as cloud;
use crate::onprem::message::{Capitalised, Header, Interactive};
use crate::translate::rules::Rule;

/// Unpacks an action that came as a string, and mends the spelling of the header's key.
///
/// Rule   interactive.action-string, interactive.header-case    Status translated
/// Onprem messages reference, "interactive" object and its multi-product example
/// Cloud  messages reference, "interactive" object
/// Golden messages/interactive/action_string, messages/interactive/product_list
pub(super) fn to_cloud<'a>(
    interactive: &'a Interactive<'a>,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Interactive<'a>, MessageError> {
    match interactive.capitalised {
        Some(Capitalised::Taken) => work.notes.add(Rule::HeaderCase, "interactive.Header", "-> header"),
        Some(Capitalised::Idle) => {
            work.notes.add(Rule::HeaderCase, "interactive.Header", "left out: header is given, and wins");
        }
        None => {}
    }
    let header = match &interactive.header {
        Some(Header::Media { media, rest }) => {
            let kind = media.kind.name();
            let media =
                media::to_cloud(media, &format!("interactive.header.{kind}"), media::Place::Header, work)?;
            Some(cloud::Header::Media { kind, media, members: rest })
        }
        Some(Header::Raw(raw)) => Some(cloud::Header::Raw(raw)),
        None => None,
    };
    if let Some(action) = interactive.action.as_ref().filter(|action| action.was_string) {
        work.notes.add(Rule::ActionString, "interactive.action", "unpacked: it was a string with JSON in it");
        super::note_unset(&action.nulls, "interactive.action.", work.notes);
    }
    Ok(cloud::Interactive {
        kind: &interactive.kind,
        header,
        body: interactive.body,
        footer: interactive.footer,
        action: interactive.action.as_ref().map(|action| &*action.object),
        rest: &interactive.rest,
    })
}
