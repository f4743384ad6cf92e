//! Errors as on-prem told them: the message is taken, and a status says later that it failed.

use super::message_id;
use super::options::Options;
use super::reply::Sent;
use crate::onprem::callback::{CallbackError, Status, StatusWord};
use crate::onprem::error::Meta;
use crate::onprem::reply::{Contact, MessageReply};

/// What a client is told of a message that Cloud refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// The answer, with an id that we made up.
    pub reply: Vec<u8>,
    /// The callback about that id.
    pub callback: Vec<u8>,
    /// Whose chat it belongs to.
    pub chat: String,
}

/// Takes a message that Cloud refused, and lets it fail.
///
/// On-prem took messages before WhatsApp saw them, so what WhatsApp refused came by webhook ("Errors": 4xx codes
/// below 1000 and 1026 in `statuses[].errors`). `recipient` is the id under which the client knows the user, `random`
/// makes the message's id, `now` is in seconds since 1970.
pub fn defer(
    error: CallbackError,
    sent: Sent<'_>,
    recipient: &str,
    random: [u8; 9],
    now: u64,
    options: &Options,
    version: &str,
) -> Deferred {
    let wamid = message_id::made_up(sent.digits, random);
    let id = options.message_ids.for_client(&wamid);
    let reply = MessageReply {
        id: &id,
        message_status: None,
        contact: Some(Contact { input: sent.input, wa_id: Some(recipient) }),
        meta: Meta::stable(version),
    };
    let callback = Status {
        id: &id,
        recipient_id: Some(recipient),
        word: StatusWord::Failed,
        timestamp: &now.to_string(),
        pricing: None,
        errors: vec![error],
        rest: &[],
    };
    Deferred { reply: reply.to_json(), callback: callback.to_json(320), chat: recipient.to_owned() }
}
