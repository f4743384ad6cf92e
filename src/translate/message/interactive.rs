//! `interactive`

use super::{MessageError, Work, media};
use crate::cloud::message as cloud;
use crate::onprem::message::{Capitalised, Interactive, Tree};
use crate::translate::rules::Rule;
use crate::wire::Path;

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
    let here = Path::Root.key("interactive");
    let mut translate = |tree: Option<&'a Tree<'a>>, path| {
        tree.map(|tree| media::tree_to_cloud(tree, path, media::Place::Header, work)).transpose()
    };
    let header = translate(interactive.header.as_ref(), here.key("header"))?;
    let action = translate(interactive.action.as_ref().map(|action| &action.object), here.key("action"))?;
    let rest = media::branches_to_cloud(&interactive.rest, here, media::Place::Header, work)?;
    if let Some(action) = interactive.action.as_ref().filter(|action| action.was_string) {
        work.notes.add(Rule::ActionString, "interactive.action", "unpacked: it was a string with JSON in it");
        super::note_nulls(&action.nulls, "interactive.action.", work.notes);
    }
    Ok(cloud::Interactive {
        kind: &interactive.kind,
        header,
        body: interactive.body,
        footer: interactive.footer,
        action,
        rest,
    })
}
