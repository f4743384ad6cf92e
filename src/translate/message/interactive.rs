//! `interactive`

use super::{MessageError, Work, media};
use crate::cloud::message as cloud;
use crate::onprem::message::{Capitalised, Interactive, Tree};
use crate::translate::rules::Rule;
use crate::wire::Path;

/// Unpacks an action that came as a string, mends the spelling of the header's key, and leaves content of other types
/// out of the header.
///
/// Rule   interactive.action-string, interactive.header-case (translated); message.other-content (dropped)
/// Onprem messages reference, "interactive" object and its multi-product example
/// Cloud  messages reference, "interactive" object
/// Golden messages/interactive/action_string, messages/interactive/product_list, messages/interactive/header_other
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
    for name in &interactive.other_header {
        work.notes.add(
            Rule::OtherContent,
            here.key("header").key(name),
            "left out: the header is of another type",
        );
    }
    for (name, unset) in interactive.action.iter().flat_map(|action| &action.unpacked) {
        let path = format!("interactive.{name}");
        work.notes.add(Rule::ActionString, &path, "unpacked: it was a string with JSON in it");
        super::note_unset(unset, &format!("{path}."), work.notes);
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
