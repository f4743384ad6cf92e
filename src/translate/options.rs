//! What an operator may choose about the translation (`[compat]` in the configuration).

use super::message_id::MessageIds;
use crate::cloud::Hidden;

/// Which spelling of a recipient clients see in `contacts[].wa_id`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WaId {
    /// The digits that the client itself sent: an address never changes under a client.
    #[default]
    AsSent,
    /// What Cloud answered, which may differ (Brazil's ninth digit, Mexico's 1).
    AsCloud,
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
    /// `compat.wa_id`
    pub wa_id: WaId,
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
            wa_id: WaId::default(),
            message_ids: MessageIds::default(),
            undeliverable_as: UndeliverableAs::default(),
            expose_cloud_code: true,
            hidden: Hidden::default(),
        }
    }
}
