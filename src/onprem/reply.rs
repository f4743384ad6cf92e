//! Success bodies of `/v1/messages`.

use serde::Serialize;

use super::error::Meta;

/// The answer to a message. It never has an `errors` key: some clients look at that first.
#[derive(Debug, Serialize)]
pub struct MessageReply<'a> {
    /// One element.
    pub messages: [SentMessage<'a>; 1],
    /// One element; clients that know only `messages` ignore it.
    pub contacts: [SentContact<'a>; 1],
    /// `meta`
    pub meta: Meta<'a>,
}

/// The id that callbacks will carry.
#[derive(Debug, Serialize)]
pub struct SentMessage<'a> {
    /// The id.
    pub id: &'a str,
    /// "This property will only exist if the message is held."
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_status: Option<&'a str>,
}

/// Whom the message went to.
#[derive(Debug, Serialize)]
pub struct SentContact<'a> {
    /// The client's own spelling.
    pub input: &'a str,
    /// The WhatsApp id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wa_id: Option<&'a str>,
}

/// The answer of an operation that has nothing to return.
#[derive(Debug, Serialize)]
pub struct EmptyReply<'a> {
    /// `meta`
    pub meta: Meta<'a>,
}
