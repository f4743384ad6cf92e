//! What a test does with webhooks.

use bytes::Bytes;

use super::super::{GraphError, MockCloud};
use super::deliver::verify;
use super::{InboundMessage, SentWebhook, StatusWord, Subscription};

impl MockCloud {
    /// Posts webhooks there from now on, those included that were not taken yet.
    pub fn subscribe(&self, subscription: Subscription) {
        self.state.hooks.subscribe(subscription);
    }

    /// Posts no more webhooks; those that were not taken yet are forgotten.
    pub fn unsubscribe(&self) {
        self.state.hooks.unsubscribe();
    }

    /// Sends the subscribed endpoint a challenge with the verify token, and expects it back.
    pub async fn verify_webhook(&self) -> Result<(), String> {
        verify(&self.state).await
    }

    /// Lets a user write to a number; gives the id of the message.
    pub fn inbound(&self, phone_number_id: &str, message: InboundMessage) -> String {
        self.state.hooks.inbound(&self.state, phone_number_id, message)
    }

    /// Tells what became of a message, behind what was told of it before.
    ///
    /// Fails for a message that the mock did not take or does not remember, and when nobody is subscribed.
    pub fn status(&self, wamid: &str, word: StatusWord, errors: &[GraphError]) -> Result<(), String> {
        let message = self.state.accepted_message(wamid).ok_or("no such message is remembered")?;
        let is_queued = self.state.hooks.status(&self.state, &message, word, errors);
        if is_queued { Ok(()) } else { Err("nobody is subscribed".to_owned()) }
    }

    /// Posts a body as it is, signed; does nothing when nobody is subscribed.
    pub fn post_webhook(&self, body: impl Into<Bytes>) {
        self.state.hooks.queue(body.into(), None, None);
    }

    /// Posts a body as it is, signed with another secret than the subscription's.
    pub fn post_webhook_signed_with(&self, app_secret: &str, body: impl Into<Bytes>) {
        self.state.hooks.queue(body.into(), Some(app_secret.to_owned()), None);
    }

    /// The webhooks that were posted at least once, in the order in which they were queued; empty without
    /// [`Options::record`](super::super::Options::record).
    pub fn webhooks(&self) -> Vec<SentWebhook> {
        self.state.hooks.sent()
    }

    /// Waits until every webhook was taken.
    pub async fn webhooks_idle(&self) {
        let mut waiting = self.state.hooks.waiting.subscribe();
        // The sender lives as long as the mock.
        let _ = waiting.wait_for(|waiting| *waiting == 0).await;
    }
}
