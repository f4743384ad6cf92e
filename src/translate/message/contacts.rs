//! `contacts`

use super::Work;
use crate::cloud::message as cloud;
use crate::onprem::message::{Contact, ContactValue};
use crate::translate::rules::Rule;

/// Mends the slip of Meta's own sample and leaves empty lists out.
///
/// Rule   contacts.wa-id (translated), contacts.empty-list, contacts.ims (dropped)
/// Onprem messages reference, "contacts" object and its example
/// Cloud  messages reference, "contacts" object
/// Golden messages/contacts/reference_example, messages/contacts/empty_lists
pub(super) fn to_cloud<'a>(cards: &'a [Contact<'a>], work: &mut Work<'_, '_>) -> cloud::Content<'a> {
    cloud::Content::Contacts(cards.iter().enumerate().map(|(at, card)| to_card(card, at, work)).collect())
}

fn to_card<'a>(card: &'a Contact<'a>, at: usize, work: &mut Work<'_, '_>) -> cloud::Card<'a> {
    let mut members = Vec::with_capacity(card.members.len());
    for (key, value) in &card.members {
        match value {
            ContactValue::Raw(raw) => members.push((&**key, cloud::CardValue::Raw(raw))),
            ContactValue::EmptyList => {
                work.notes.add(
                    Rule::ContactEmptyList,
                    format_args!("contacts[{at}].{key}"),
                    "left out: it is empty",
                );
            }
            ContactValue::Ims => {
                work.notes.add(
                    Rule::ContactIms,
                    format_args!("contacts[{at}].ims"),
                    "left out: Cloud's cards have no instant-messaging addresses",
                );
            }
            ContactValue::Phones(phones) => {
                for (position, _) in phones.iter().enumerate().filter(|(_, phone)| phone.had_slip) {
                    work.notes.add(
                        Rule::ContactWaIdSlip,
                        format_args!("contacts[{at}].phones[{position}].wa-id"),
                        "-> wa_id",
                    );
                }
                members.push((
                    &**key,
                    cloud::CardValue::Phones(phones.iter().map(|phone| &*phone.members).collect()),
                ));
            }
        }
    }
    cloud::Card { members }
}
