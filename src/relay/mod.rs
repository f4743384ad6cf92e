//! What a client asks for, done at Cloud: the one place that calls Graph for clients, counts the calls, and turns
//! what goes wrong into the on-prem error.
//!
//! It knows numbers and messages and no HTTP server: whoever has a [`Number`] and a parsed message may call it.
//!
//! - [`Relay::send`] sends a message: its files are found, it is translated, paced and posted, and the answer comes
//!   back in the on-prem form. `deferred` tells an error later, by a failed status, where the operator wants that.
//! - [`Relay::mark_read`] posts a receipt.
//! - `account`, `profile` and `templates` are the other things that only Graph can do.
//! - `call` makes one call and says what its outcome means; its constants are all kinds of call that there are.
//! - `files` says what a client is told when a file cannot be had.

mod account;
mod call;
mod deferred;
mod failure;
mod files;
mod profile;
mod send;
mod templates;

pub use account::{Registered, Verified};
pub use failure::{CloudError, Failure, Source};
pub use files::not_kept;

use std::sync::Arc;

use crate::callback::Callbacks;
use crate::media::Media;
use crate::number::Number;
use crate::telemetry::Metrics;
use crate::upstream::Upstream;

/// Does at Cloud what clients ask for.
#[derive(Debug)]
pub struct Relay {
    /// Calls to Cloud.
    pub upstream: Upstream,
    /// Files.
    pub media: Media,
    /// Callbacks.
    pub callbacks: Arc<Callbacks>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Whether anybody reads how the files of messages were found.
    pub logs_media: bool,
}

impl Relay {
    /// Queues callbacks that tell what the answer tells, for a client that has said where it wants callbacks. When
    /// one cannot be queued, the answer has to do for it and the rest.
    pub async fn call_back(&self, number: &Number, request_id: &str, bodies: impl Iterator<Item = Vec<u8>>) {
        let queue = &number.callbacks;
        if queue.settings().callback_target().is_none() {
            return;
        }
        // A chat of its own: such callbacks have no order among each other, and must not hold each other up.
        let chat = format!("request:{request_id}");
        for body in bodies {
            if let Err(refused) = self.callbacks.add(queue, chat.clone(), body).await {
                tracing::warn!(request_id, number = number.name, %refused, "a callback could not be queued");
                return;
            }
        }
    }
}
