//! Callbacks: what the on-prem client posts to its webhook URL.
//!
//! A body is flat, with any of `contacts`, `messages`, `statuses` and `errors` at the top and none of them
//! empty: clients take an empty array for one with something in it. Times are strings of digits.
//!
//! Source: the On-Premises "Webhooks" pages, and the callbacks that clients print in their tests.

mod error;
mod event;

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
