//! Success bodies of `/v1/messages`.

use serde::Serialize;

use super::error::Meta;
use crate::wire::write_string;

/// The answer to a message. It never has an `errors` key: some clients look at that first.
#[derive(Debug)]
pub struct MessageReply<'a> {
    /// `messages[0].id`, which callbacks will carry.
    pub id: &'a str,
    /// `messages[0].message_status`: "This property will only exist if the message is held."
    pub message_status: Option<&'a str>,
    /// `contacts[0]`, if it is known whom the message went to.
    pub contact: Option<Contact<'a>>,
    /// `meta`
    pub meta: Meta<'a>,
}

/// Whom a message went to.
#[derive(Debug)]
pub struct Contact<'a> {
    /// The client's own spelling.
    pub input: &'a str,
    /// `wa_id`
    pub wa_id: Option<&'a str>,
}

impl MessageReply<'_> {
    /// The body of the answer.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(320);
        out.extend_from_slice(br#"{"messages":[{"id":"#);
        write_string(&mut out, self.id);
        if let Some(status) = self.message_status {
            out.extend_from_slice(br#","message_status":"#);
            write_string(&mut out, status);
        }
        if let Some(Contact { input, wa_id }) = self.contact {
            out.extend_from_slice(br#"}],"contacts":[{"input":"#);
            write_string(&mut out, input);
            if let Some(wa_id) = wa_id {
                out.extend_from_slice(br#","wa_id":"#);
                write_string(&mut out, wa_id);
            }
        }
        out.extend_from_slice(br#"}],"meta":{"api_status":"#);
        write_string(&mut out, self.meta.api_status);
        out.extend_from_slice(br#","version":"#);
        write_string(&mut out, self.meta.version);
        out.extend_from_slice(b"}}");
        out
    }
}

/// The answer of an operation that has nothing to return.
#[derive(Debug, Serialize)]
pub struct EmptyReply<'a> {
    /// `meta`
    pub meta: Meta<'a>,
}
