//! What an operator may choose about the translation (`[compat]` in the configuration).

use super::message_id::MessageIds;
use crate::cloud::Hidden;

/// `compat.wa_id`: which of a user's ids clients see, in answers and callbacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaId {
    /// The one that Cloud gives, as on-prem did: it may differ from what the client wrote (Brazil's ninth digit,
    /// Mexico's 1).
    #[default]
    AsCloud,
    /// The first spelling in which the client wrote to the user.
    AsSent,
}

impl WaId {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsCloud => "as-cloud",
            Self::AsSent => "as-sent",
        }
    }
}

/// What Cloud's 131026 "Message undeliverable" becomes (Cloud "Error Codes", 131026).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UndeliverableAs {
    /// On-prem 1026, the published pair.
    #[default]
    ReceiverIncapable,
    /// On-prem 1013, for clients that read it as "no WhatsApp account".
    UserNotValid,
}

/// Choices that change what clients see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `compat.message_ids`
    pub message_ids: MessageIds,
    /// `compat.undeliverable_as`
    pub undeliverable_as: UndeliverableAs,
    /// `compat.expose_cloud_code`: whether `details` ends with the Cloud code and trace id.
    pub expose_cloud_code: bool,
    /// What of Cloud's words they do not see.
    pub hidden: Hidden,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            message_ids: MessageIds::default(),
            undeliverable_as: UndeliverableAs::default(),
            expose_cloud_code: true,
            hidden: Hidden::default(),
        }
    }
}
