//! Webhooks: what Cloud posts to us, from its raw bytes to the queues of callbacks.
//!
//! 1. [`Secrets`]: who has signed it, from the raw bytes.
//! 2. [`Intake`]: grouped by number, each value goes through [`value_to_onprem`](crate::translate::value_to_onprem),
//!    which needs what the store knows of its users, and under which ids the client knows them; switched-off statuses
//!    are left out.
//! 3. The callbacks of a webhook are committed in one transaction ([`Callbacks::commit`]), with the keys of their
//!    events, so that repetitions are recognised. Only then is Cloud told.
//!
//! [`Callbacks::commit`]: crate::callback::Callbacks::commit

mod intake;
mod signature;

pub use intake::{Inbox, Intake, Receipt};
pub use signature::{SIGNATURE, Secrets, Signed, Unsigned, is_signature};
