//! What Graph answers to a message.

use serde::Deserialize;

use crate::wire::Str;

/// A success body, with what we read of it.
#[derive(Debug, Deserialize)]
pub struct Reply<'a> {
    /// Whom the message went to.
    #[serde(borrow, default)]
    pub contacts: Vec<Contact<'a>>,
    /// The message.
    #[serde(borrow, default)]
    pub messages: Vec<SentMessage<'a>>,
    /// Answer to a read receipt.
    #[serde(default)]
    pub success: bool,
}

/// One element of `contacts`.
#[derive(Debug, Deserialize)]
pub struct Contact<'a> {
    /// What we sent.
    #[serde(borrow, default)]
    pub input: Option<Str<'a>>,
    /// May differ from the input, and is left out for business-scoped ids.
    #[serde(borrow, default)]
    pub wa_id: Option<Str<'a>>,
    /// The business-scoped id.
    #[serde(borrow, default)]
    pub user_id: Option<Str<'a>>,
}

/// One element of `messages`.
#[derive(Debug, Deserialize)]
pub struct SentMessage<'a> {
    /// The wamid.
    #[serde(borrow)]
    pub id: Str<'a>,
    /// `accepted`, `held_for_quality_assessment` or `paused`; templates only.
    #[serde(borrow, default)]
    pub message_status: Option<Str<'a>>,
}
