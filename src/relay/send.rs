//! Messages and read receipts.

use std::cell::LazyCell;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::call::{RECEIPT, SEND};
use super::{Failure, Relay, Source};
use crate::cloud::GraphError;
use crate::cloud::message::Receipt;
use crate::media::Resolution;
use crate::number::Number;
use crate::onprem::ErrorCode;
use crate::onprem::message::{Body, Message};
use crate::telemetry::RuleLabel;
use crate::translate::rules::Status;
use crate::translate::{
    self, Answered, MediaRef, MessageError, Notes, Resolved, media_refs, message_to_cloud,
    receipt_reply_to_onprem, receipt_to_cloud,
};
use crate::upstream::pacing::Refusal;
use crate::upstream::{Answer, CallError};

/// Seconds after which a message is welcome again that was refused for a full queue.
const FULL_AGAIN: u32 = 5;

impl Relay {
    /// Sends a message, which was read from `body` and borrows from it, and gives the on-prem reply. Where requests are
    /// logged, `media` is told how its files were found.
    pub async fn send(
        &self,
        number: &Number,
        message: &Message<'_>,
        body: &Body<'_>,
        media: &mut Option<String>,
    ) -> Result<Vec<u8>, Failure> {
        match self.post_message(number, message, body, media).await {
            Ok(reply) => Ok(reply),
            Err(failure) => Box::pin(self.deferred(number, message, failure)).await,
        }
    }

    /// Marks the message `id` as read.
    pub async fn mark_read(&self, number: &Number, id: &str) -> Result<(), Failure> {
        let mut notes = Notes::brief();
        self.post_receipt(number, &receipt_to_cloud(id, &mut notes)).await
    }

    /// Posts a receipt that a client wrote in Cloud's form.
    pub async fn post_receipt(&self, number: &Number, receipt: &Receipt<'_>) -> Result<(), Failure> {
        let answer = self.post(number, receipt.to_json().into()).await;
        let answer = answer.map_err(|error| self.unanswered(&RECEIPT, &error))?;
        let body = self.accepted(number, &RECEIPT, answer)?;
        receipt_reply_to_onprem(&body)
            .map_err(|unusable| self.in_doubt(&RECEIPT, false, unusable.to_string()))
    }

    async fn post_message(
        &self,
        number: &Number,
        message: &Message<'_>,
        body: &Body<'_>,
        media: &mut Option<String>,
    ) -> Result<Vec<u8>, Failure> {
        if number.callbacks.is_full() {
            return Err(callbacks_full());
        }
        let references = media_refs(message);
        let end = LazyCell::new(|| self.media.deadline());
        // From now on, but for a message without files, which has no need of the clock.
        if !references.is_empty() {
            LazyCell::force(&end);
        }
        let mut files = match references.as_slice() {
            [] => Resolution::default(),
            references => match self.media.resolve_cached(&number.account, references) {
                Some(files) => files,
                // In a box, since most messages need no room for it in their futures.
                None => Box::pin(self.resolve(number, references, *end)).await?,
            },
        };
        self.say_how(&files, media);
        let mut notes = Notes::brief();
        let mut waited = Duration::ZERO;
        let sent = translate::Sent { input: &message.recipient.input, digits: message.recipient.digits() };
        let flight = number.aliases.sending(sent.digits.unwrap_or(sent.input));
        let answer = match self
            .post_translated(number, message, body, &files.resolved, &mut notes, &mut waited)
            .await?
        {
            // Refused, so nothing was sent: beside throttling, the one case in which a message is sent again. Once.
            answer if !files.found.is_empty() && is_dead_media(&answer) => {
                self.media.forget(&files.found).await;
                files = Box::pin(self.resolve(number, &references, *end)).await?;
                self.say_how(&files, media);
                notes = Notes::brief();
                let again =
                    self.post_translated(number, message, body, &files.resolved, &mut notes, &mut waited);
                let answer = Box::pin(again).await?;
                if is_dead_media(&answer) {
                    self.media.forget(&files.found).await;
                }
                answer
            }
            answer => answer,
        };
        let answer = self.accepted(number, &SEND, answer)?;
        let answered =
            Answered::read(&answer).map_err(|unusable| self.in_doubt(&SEND, false, unusable.to_string()))?;
        let known_as = number.aliases.answered(sent, answered.wa_id()).await;
        drop(flight);
        let compat = &*number.compat;
        let reply =
            answered.to_onprem(Some(sent), Some(&known_as), &compat.options, &compat.api_version, &mut notes);
        if !files.found.is_empty() {
            // Cloud may still find that it cannot use a file, and says so by webhook with the message's id.
            self.media.note_sent(answered.wamid(), files.found);
        }
        self.count_rules(&notes);
        Ok(reply)
    }

    /// Finds the files of a message at Cloud.
    async fn resolve(
        &self,
        number: &Number,
        references: &[MediaRef<'_>],
        end: Instant,
    ) -> Result<Resolution, Failure> {
        let files = self.media.resolve(&number.account, references, end).await;
        files.map_err(|missing| self.file_failure(number, &missing.path, &missing.error))
    }

    /// Says how the files were found, if anybody will read it.
    fn say_how(&self, files: &Resolution, media: &mut Option<String>) {
        if self.logs_media && !files.found.is_empty() {
            let events: Vec<String> = files.found.iter().map(|found| found.event.to_string()).collect();
            *media = Some(events.join(", "));
        }
    }

    async fn post_translated(
        &self,
        number: &Number,
        message: &Message<'_>,
        body: &Body<'_>,
        resolved: &[Resolved],
        notes: &mut Notes,
        waited: &mut Duration,
    ) -> Result<Answer, Failure> {
        let outgoing = {
            let translated = message_to_cloud(message, body, resolved, number.namespace.as_deref(), notes);
            // Translation changes a few dozen bytes at most; one allocation holds the result.
            Bytes::from(translated.map_err(message_failure)?.to_json(body.json().len() + 128))
        };
        let outcome = match &number.pacer {
            None => self.post(number, outgoing).await,
            Some(pacer) => {
                let to = message.recipient.digits().unwrap_or(&message.recipient.input);
                let post = || self.post(number, outgoing.clone());
                let paced = pacer.send(to, waited, post).await.map_err(too_fast)?;
                (0..paced.repeats).for_each(|_| self.count(&SEND, "refused"));
                paced.outcome
            }
        };
        outcome.map_err(|error| self.unanswered(&SEND, &error))
    }

    /// Posts to the number's messages edge.
    async fn post(&self, number: &Number, body: Bytes) -> Result<Answer, CallError> {
        let (outcome, elapsed) = self.upstream.post_timed(&number.messages, body).await;
        self.took(elapsed);
        outcome
    }

    /// Counts what was left out of messages: the operator's view of what Cloud has no place for.
    /// Rules that every message meets would only repeat the request counter.
    fn count_rules(&self, notes: &Notes) {
        for info in notes.applied().iter().filter(|info| info.status == Status::Dropped) {
            self.metrics.rules.get_or_create(&RuleLabel { rule: info.id }).inc();
        }
    }
}

/// On-prem took no messages while nobody took its callbacks ("High throughput", queue of callbacks): each message
/// causes up to three more.
fn callbacks_full() -> Failure {
    let details = "the queue of callbacks is full, because the webhooks URL does not answer 200: mend it, then \
                   send again; nothing was sent";
    Failure::overloaded(Source::Client, details, FULL_AGAIN)
}

fn too_fast(refusal: Refusal) -> Failure {
    Failure::client(ErrorCode::TooManyRequests, refusal.to_string()).retry_after(refusal.retry_after())
}

fn is_dead_media(answer: &Answer) -> bool {
    answer.status.is_client_error()
        && GraphError::parse(&answer.body).is_some_and(|error| error.is_dead_media())
}

fn message_failure(error: MessageError) -> Failure {
    match error {
        MessageError::Invalid(invalid) => invalid.into(),
        MessageError::Unresolved { .. } => {
            Failure::new(Source::Internal, ErrorCode::InternalError, error.to_string())
        }
    }
}
