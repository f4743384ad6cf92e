//! Pure translation between the on-prem and the cloud wire formats.
//!
//! No I/O, no clock, no log: what has to be fetched first is listed by [`media_refs`], resolved by
//! the caller, and handed to the same pure function. Conversions are named by destination.

mod deferred;
pub mod errors;
mod media_refs;
mod message;
pub mod message_id;
mod notes;
mod options;
mod profile;
mod reply;
pub mod rules;
mod template;
pub mod webhook;

pub use deferred::{Deferred, defer};
pub use errors::{OnpremError, error_to_onprem};
pub use media_refs::{MOST_FILES, MediaRef, Resolved, media_refs};
pub use message::{MessageError, message_to_cloud, receipt_message_to_cloud, receipt_to_cloud};
pub use message_id::MessageIds;
pub use notes::{Note, Notes};
pub use options::{Options, UndeliverableAs, WaId};
pub use profile::{profile_to_cloud, profile_to_onprem};
pub use reply::{Answered, Sent, UnusableReply, receipt_reply_to_onprem};
pub use template::{created_to_onprem, template_to_onprem};
pub use webhook::{
    Callback, CallbackKind, Converted, Learnt, Lookup, UserFile, WebhookOptions, asks, value_to_onprem,
    webhook_to_onprem,
};
