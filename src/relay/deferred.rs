//! `compat.errors = "deferred"`: what on-prem told by a failed status is told by one.

use super::{Failure, Relay};
use crate::number::Number;
use crate::onprem::message::Message;
use crate::telemetry::ErrorLabels;
use crate::translate::{Deferred, Sent, defer};

impl Relay {
    /// Takes the message all the same and tells the error later, by callback. It is in the queue before the client
    /// has its answer; where it cannot be, or where nobody would get it, the answer tells the error.
    pub(super) async fn deferred(
        &self,
        number: &Number,
        message: &Message<'_>,
        mut failure: Failure,
    ) -> Result<Vec<u8>, Failure> {
        let compat = &*number.compat;
        let is_heard = number.callbacks.settings().callback_target().is_some();
        let Some(error) = failure.deferred.take().filter(|_| compat.defers_errors && is_heard) else {
            return Err(failure);
        };
        let mut random = [0; 9];
        if getrandom::fill(&mut random).is_err() {
            return Err(failure);
        }
        let sent = Sent { input: &message.recipient.input, digits: message.recipient.digits() };
        let now = u64::try_from(self.callbacks.now()).unwrap_or(0);
        let written = sent.digits.unwrap_or(sent.input);
        let mut known_as = number.aliases.known_as([written].into_iter()).await;
        let recipient = known_as.remove(written).unwrap_or_else(|| written.to_owned());
        let (options, version) = (&compat.options, &compat.api_version);
        let Deferred { reply, callback, chat } =
            defer(*error, sent, &recipient, random, now, options, version);
        match self.callbacks.add(&number.callbacks, chat, callback).await {
            Ok(()) => {
                let labels = ErrorLabels { code: failure.code.code(), source: failure.source.name() };
                self.metrics.errors.get_or_create(&labels).inc();
                Ok(reply)
            }
            Err(_) => Err(failure),
        }
    }
}
