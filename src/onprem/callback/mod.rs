//! Callbacks: what the on-prem client posts to its webhook URL.
//!
//! A body is flat, with any of `contacts`, `messages`, `statuses` and `errors` at the top and none of them
//! empty: clients take an empty array for one with something in it. Times are strings of digits.
//!
//! Source: the On-Premises "Webhooks" pages, and the callbacks that clients print in their tests.

mod error;
mod event;

use crate::wire::Object;
pub use error::{CallbackError, HREF};

pub use event::{Contact, Context, Field, Fields, Message, MessageContent, Status};

/// The words of statuses. Clients take any other for an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatusWord {
    /// WhatsApp has the message.
    Sent,
    /// The user's phone has it.
    Delivered,
    /// The user has seen it; it may come without `delivered`.
    Read,
    /// It will not arrive.
    Failed,
    /// The user deleted a message of theirs, whose id this is.
    Deleted,
    /// An item of the catalogue is missing.
    Warning,
}

impl StatusWord {
    /// Every word.
    pub const ALL: [Self; 6] =
        [Self::Sent, Self::Delivered, Self::Read, Self::Failed, Self::Deleted, Self::Warning];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
            Self::Warning => "warning",
        }
    }

    /// The word with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }
}

/// What a callback is about, by the names that on-prem's counters have for it where it had any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackTopic {
    /// A message of a user.
    Message,
    /// A status of a message.
    Status,
    /// An error that is about no message.
    Error,
    /// The end of a service.
    Service,
    /// Results of a check of contacts.
    Contacts,
    /// Anything else.
    Other,
}

impl CallbackTopic {
    /// Of a whole body. Contacts come with messages, too, and are about nothing of their own then.
    pub fn of(body: &[u8]) -> Self {
        let body = std::str::from_utf8(body).ok().and_then(|text| Object::parse(text).ok());
        let keys = [
            ("messages", Self::Message),
            ("statuses", Self::Status),
            ("errors", Self::Error),
            ("services", Self::Service),
            ("contacts", Self::Contacts),
        ];
        let found = body.and_then(|body| keys.into_iter().find(|(key, _)| body.get(key).is_some()));
        found.map_or(Self::Other, |(_, topic)| topic)
    }

    /// As on-prem's counters have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "inbound_message",
            Self::Status => "status_change",
            Self::Error => "error",
            Self::Service => "service",
            Self::Contacts => "contacts",
            Self::Other => "other",
        }
    }
}

/// Types of messages that on-prem clients know, but for `system` and `unknown`.
pub const MESSAGE_TYPES: [&str; 13] = [
    "text",
    "image",
    "audio",
    "voice",
    "video",
    "document",
    "sticker",
    "location",
    "contacts",
    "button",
    "interactive",
    "order",
    "reaction",
];

#[cfg(test)]
mod tests {
    use super::CallbackTopic;

    #[test]
    fn each_callback_has_one_topic() {
        for (body, name) in [
            (r#"{"contacts":[{"wa_id":"1"}],"messages":[{"id":"x"}]}"#, "inbound_message"),
            (r#"{"statuses":[{"id":"x"}]}"#, "status_change"),
            (r#"{"errors":[{"code":1}]}"#, "error"),
            (r#"{"services":[{}]}"#, "service"),
            (r#"{"contacts":[{"input":"1"}]}"#, "contacts"),
            ("{}", "other"),
            ("[]", "other"),
            ("\u{0}", "other"),
        ] {
            assert_eq!(CallbackTopic::of(body.as_bytes()).name(), name, "{body}");
        }
    }
}
