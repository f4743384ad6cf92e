//! `/v1/messages`

use std::cell::LazyCell;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use memchr::memmem::Finder;

use super::{Call, media};
use crate::cloud::GraphError;
use crate::cloud::message as cloud;
use crate::media::Resolution;
use crate::onprem::ErrorCode;
use crate::onprem::message::{Body, Message, Request, parse_status_update};
use crate::server::dispatch::Trail;
use crate::server::respond::{self, Failure, Reply, Source};
use crate::server::state::{Compat, Number, State};
use crate::telemetry::{ErrorLabels, RuleLabel, UpstreamLabels};
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::translate::rules::Status;
use crate::translate::{
    Answered, Deferred, MediaRef, MessageError, Notes, OnpremError, Resolved, Sent, defer, error_to_onprem,
    media_refs, message_to_cloud, receipt_reply_to_onprem, receipt_to_cloud,
};
use crate::upstream::pacing::Refusal;
use crate::upstream::{Answer, CallError, Sent as SentUpstream};

/// Seconds after which a message is welcome again that was refused for a full queue.
const FULL_AGAIN: u32 = 5;

/// `POST /v1/messages`
pub(super) async fn send(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    match Request::parse(&body)? {
        Request::Message(message) => match post_message(call, &message, &body, trail).await {
            Err(failure) => Box::pin(fail_later(call, &message, failure)).await,
            replied => replied,
        },
        Request::Receipt(receipt) => {
            let receipt = cloud::Receipt::from(&receipt).to_json();
            post_receipt(call, receipt.into(), trail).await
        }
    }
}

/// `PUT /v1/messages/{message-id}` with `{"status":"read"}`
pub(super) async fn mark_read(call: &Call<'_>, id: &str, trail: &mut Trail) -> Result<Reply, Failure> {
    parse_status_update(&Body::read(&call.body)?)?;
    let mut notes = Notes::brief();
    let receipt = receipt_to_cloud(id, &mut notes).to_json();
    post_receipt(call, receipt.into(), trail).await
}

async fn post_message(
    call: &Call<'_>,
    message: &Message<'_>,
    body: &Body<'_>,
    trail: &mut Trail,
) -> Result<Reply, Failure> {
    let state = call.state;
    if call.number.callbacks.is_full() {
        return Err(callbacks_full());
    }
    let references = media_refs(message);
    let end = LazyCell::new(|| state.media.deadline());
    // From now on, but for a message without files, which has no need of the clock.
    if !references.is_empty() {
        LazyCell::force(&end);
    }
    let mut files = match references.as_slice() {
        [] => Resolution::default(),
        references => match state.media.resolve_cached(&call.number.account, references) {
            Some(files) => told(call, files, trail),
            // In a box, since most messages need no room for it in their futures.
            None => Box::pin(resolve(call, references, *end, trail)).await?,
        },
    };
    let mut notes = Notes::brief();
    let mut waited = Duration::ZERO;
    let sent = Sent { input: &message.recipient.input, digits: message.recipient.digits() };
    let flight = call.number.aliases.sending(sent.digits.unwrap_or(sent.input));
    let answer = match post_translated(call, message, body, &files.resolved, &mut notes, &mut waited).await? {
        // Refused, so nothing was sent: beside throttling, the one case in which a message is sent again. Once.
        answer if !files.found.is_empty() && is_dead_media(&answer) => {
            state.media.forget(&files.found).await;
            files = Box::pin(resolve(call, &references, *end, trail)).await?;
            notes = Notes::brief();
            let again = post_translated(call, message, body, &files.resolved, &mut notes, &mut waited);
            let answer = Box::pin(again).await?;
            if is_dead_media(&answer) {
                state.media.forget(&files.found).await;
            }
            answer
        }
        answer => answer,
    };
    let answer = accepted(call, Op::Message, answer, trail)?;
    let answered = Answered::read(&answer.body)
        .map_err(|unusable| in_doubt(state, Op::Message, 500, &unusable.to_string()))?;
    let known_as = call.number.aliases.answered(sent, answered.wa_id()).await;
    drop(flight);
    let Compat { options, version, .. } = &state.compat;
    let reply = answered.to_onprem(Some(sent), Some(&known_as), options, version, &mut notes);
    if !files.found.is_empty() {
        // Cloud may still find that it cannot use a file, and says so by webhook with the message's id.
        state.media.note_sent(answered.wamid(), files.found);
    }
    count_rules(state, &notes);
    Ok(respond::bytes(created(state), reply))
}

/// `compat.errors = "deferred"`: what on-prem told by a failed status is told by one. It is in the queue before
/// the client has its answer; where it cannot be, or where nobody would get it, the answer tells the error.
async fn fail_later(call: &Call<'_>, message: &Message<'_>, mut failure: Failure) -> Result<Reply, Failure> {
    let state = call.state;
    let is_heard = call.number.callbacks.settings().callback_target().is_some();
    let Some(error) = failure.deferred.take().filter(|_| state.compat.defers_errors && is_heard) else {
        return Err(failure);
    };
    let mut random = [0; 9];
    if getrandom::fill(&mut random).is_err() {
        return Err(failure);
    }
    let sent = Sent { input: &message.recipient.input, digits: message.recipient.digits() };
    let intake = state.callbacks.intake();
    let now = u64::try_from(intake.now()).unwrap_or(0);
    let written = sent.digits.unwrap_or(sent.input);
    let mut known_as = call.number.aliases.known_as([written].into_iter()).await;
    let recipient = known_as.remove(written).unwrap_or_else(|| written.to_owned());
    let Compat { options, version, .. } = &state.compat;
    let Deferred { reply, callback, chat } = defer(error, sent, &recipient, random, now, options, version);
    match intake.add(&call.number.callbacks, chat, callback).await {
        Ok(()) => {
            let labels = ErrorLabels { code: failure.code.code(), source: failure.source.name() };
            state.metrics.errors.get_or_create(&labels).inc();
            Ok(respond::bytes(created(state), reply))
        }
        Err(_) => Err(failure),
    }
}

/// The status of a message that was taken.
fn created(state: &State) -> StatusCode {
    StatusCode::from_u16(state.compat.created_status).unwrap_or(StatusCode::CREATED)
}

/// On-prem took no messages while nobody took its callbacks ("High throughput", queue of callbacks): each message
/// causes up to three more.
fn callbacks_full() -> Failure {
    let details = "the queue of callbacks is full, because the webhooks URL does not answer 200: mend it, then \
                   send again; nothing was sent";
    let mut failure = Failure::client(ErrorCode::SystemOverloaded, details);
    failure.retry_after = Some(FULL_AGAIN);
    failure
}

/// Finds the files of a message at Cloud.
async fn resolve(
    call: &Call<'_>,
    references: &[MediaRef<'_>],
    end: tokio::time::Instant,
    trail: &mut Trail,
) -> Result<Resolution, Failure> {
    let (state, account) = (call.state, &call.number.account);
    let files =
        state.media.resolve(account, references, end).await.map_err(|missing| {
            media::failure(state, &account.number, &missing.path, &missing.error, trail)
        })?;
    Ok(told(call, files, trail))
}

/// Says in the trail how the files were found, if anybody will read it.
fn told(call: &Call<'_>, files: Resolution, trail: &mut Trail) -> Resolution {
    if call.state.log_requests && !files.found.is_empty() {
        let events: Vec<String> = files.found.iter().map(|found| found.event.to_string()).collect();
        trail.media = Some(events.join(", "));
    }
    files
}

async fn post_translated(
    call: &Call<'_>,
    message: &Message<'_>,
    body: &Body<'_>,
    resolved: &[Resolved],
    notes: &mut Notes,
    waited: &mut Duration,
) -> Result<Answer, Failure> {
    let outgoing = {
        let translated = message_to_cloud(message, body, resolved, call.number.namespace.as_deref(), notes);
        // Translation changes a few dozen bytes at most; one allocation holds the result.
        Bytes::from(translated.map_err(message_failure)?.to_json(body.json().len() + 128))
    };
    let outcome = match &call.number.pacer {
        None => ask(call, outgoing).await,
        Some(pacer) => {
            let to = message.recipient.digits().unwrap_or(&message.recipient.input);
            let paced = pacer.send(to, waited, || ask(call, outgoing.clone())).await.map_err(too_fast)?;
            (0..paced.repeats).for_each(|_| count(call.state, Op::Message, "refused"));
            paced.outcome
        }
    };
    outcome.map_err(|error| unanswered(call.state, Op::Message, &error))
}

fn too_fast(refusal: Refusal) -> Failure {
    let mut failure = Failure::client(ErrorCode::TooManyRequests, refusal.to_string());
    failure.retry_after = Some(refusal.retry_after());
    failure
}

fn is_dead_media(answer: &Answer) -> bool {
    answer.status.is_client_error()
        && GraphError::parse(&answer.body).is_some_and(|error| error.is_dead_media())
}

async fn post_receipt(call: &Call<'_>, body: Bytes, trail: &mut Trail) -> Result<Reply, Failure> {
    let answer = ask(call, body).await.map_err(|error| unanswered(call.state, Op::Receipt, &error))?;
    let answer = accepted(call, Op::Receipt, answer, trail)?;
    receipt_reply_to_onprem(&answer.body)
        .map_err(|unusable| in_doubt(call.state, Op::Receipt, 500, &unusable.to_string()))?;
    Ok(respond::empty(&call.state.compat.version))
}

/// What is posted to the messages edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    /// A message, which must not be sent twice.
    Message,
    /// A read receipt, which may be repeated at will.
    Receipt,
}

impl Op {
    /// Its name in metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Message => "messages",
            Self::Receipt => "read",
        }
    }
}

/// Posts, and gives back what Cloud answered, whatever that is.
async fn ask(call: &Call<'_>, body: Bytes) -> Result<Answer, CallError> {
    let (state, number) = (call.state, call.number);
    let (outcome, took) = state.upstream.post_timed(&number.messages, body).await;
    state.metrics.requests.call_took(took);
    outcome
}

fn unanswered(state: &State, op: Op, error: &CallError) -> Failure {
    count(state, op, if error.sent == SentUpstream::No { "unsent" } else { "in_doubt" });
    no_answer(state, op, error)
}

fn count(state: &State, op: Op, outcome: &'static str) {
    state.metrics.requests.called(UpstreamLabels { op: op.name(), outcome });
}

/// Whether Cloud took it.
fn accepted(call: &Call<'_>, op: Op, answer: Answer, trail: &mut Trail) -> Result<Answer, Failure> {
    let state = call.state;
    if is_graph_error(&answer) || answer.status.as_u16() >= 400 {
        count(state, op, "refused");
        return Err(refused(state, call.number, &answer, trail));
    }
    if !answer.status.is_success() {
        // A redirect or the like says nothing about the message; 303 even means that it was taken.
        count(state, op, "in_doubt");
        return Err(in_doubt(state, op, 500, &format!("cloud answered http {}", answer.status.as_u16())));
    }
    count(state, op, "ok");
    Ok(answer)
}

/// An error body beats the status.
fn is_graph_error(answer: &Answer) -> bool {
    /// Made once, since most answers are shorter than that takes.
    static WORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\""));
    // Cheap look first: a success never holds the word.
    WORD.find(&answer.body).is_some() && crate::cloud::GraphError::parse(&answer.body).is_some()
}

fn refused(state: &State, number: &Number, answer: &Answer, trail: &mut Trail) -> Failure {
    let failure = CloudFailure {
        http: answer.status.as_u16(),
        body: &answer.body,
        retry_after: answer.retry_after,
        endpoint: Endpoint::Messages,
        phone_number_id: &number.phone_number_id,
    };
    let error: OnpremError = error_to_onprem(&failure, &state.compat.options);
    trail.cloud_code = error.cloud_code;
    trail.cloud_trace.clone_from(&error.trace);
    if error.is_unmapped {
        state.metrics.unmapped_cloud_code.inc();
    }
    if error.code == ErrorCode::ParameterNotRequired {
        state.metrics.unexpected_key_leaked.inc();
    }
    if error.cloud_code.is_none() && failure.http >= 500 {
        state.metrics.in_doubt.inc();
    }
    let mut failure = Failure::new(Source::Upstream, error.code, error.details).http(error.http);
    failure.retry_after = error.retry_after;
    failure.deferred = error.deferred;
    failure.log(format!("cloud answered http {}", answer.status.as_u16()))
}

fn no_answer(state: &State, op: Op, error: &CallError) -> Failure {
    match error.sent {
        SentUpstream::No => {
            let mut failure = Failure::new(
                Source::Upstream,
                ErrorCode::SystemOverloaded,
                "the Cloud API cannot be reached; the message was not sent, send it again later",
            )
            .log(&error.reason);
            failure.retry_after = Some(1);
            failure
        }
        SentUpstream::Maybe => in_doubt(state, op, if error.is_timeout { 504 } else { 500 }, &error.reason),
    }
}

/// Bytes went out and no usable answer came back.
fn in_doubt(state: &State, op: Op, http: u16, reason: &str) -> Failure {
    let details = match op {
        Op::Message => {
            state.metrics.in_doubt.inc();
            "the Cloud API gave no usable answer; the message may have been sent: \
             check its status before sending it again"
        }
        Op::Receipt => "the Cloud API gave no usable answer; the receipt may be sent again",
    };
    Failure::new(Source::Upstream, ErrorCode::InternalError, details).http(http).log(reason)
}

fn message_failure(error: MessageError) -> Failure {
    match error {
        MessageError::Invalid(invalid) => invalid.into(),
        MessageError::Unresolved { .. } => {
            Failure::new(Source::Internal, ErrorCode::InternalError, error.to_string())
        }
    }
}

/// Counts what was left out of messages: the operator's view of what Cloud has no place for.
/// Rules that every message meets would only repeat the request counter.
fn count_rules(state: &State, notes: &Notes) {
    for info in notes.applied().iter().filter(|info| info.status == Status::Dropped) {
        state.metrics.rules.get_or_create(&RuleLabel { rule: info.id }).inc();
    }
}
