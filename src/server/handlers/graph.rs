//! Calls of Graph about the number itself, and what clients are told when they fail.

use std::time::Instant;

use bytes::Bytes;
use serde::Serialize;

use super::{Call, internal_failure};
use crate::cloud::GraphError;
use crate::cloud::number::is_success;
use crate::onprem::ErrorCode;
use crate::server::dispatch::Trail;
use crate::server::respond::{Failure, Source};
use crate::telemetry::UpstreamLabels;
use crate::translate::error_to_onprem;
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::upstream::{Answer, CallError, Sent};

/// Graph, on behalf of one request.
pub(super) struct Graph<'c> {
    call: &'c Call<'c>,
    endpoint: Endpoint,
    op: &'static str,
}

/// What a call does, which decides whether it may be made again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It reads.
    None,
    /// It says how something is to be.
    Lasting,
    /// Each time something happens.
    Each,
}

impl<'c> Graph<'c> {
    /// For calls about the business profile.
    pub(super) fn profile(call: &'c Call<'c>) -> Self {
        Self { call, endpoint: Endpoint::Other, op: "profile" }
    }

    /// For calls about registration and PIN.
    pub(super) fn account(call: &'c Call<'c>) -> Self {
        Self { call, endpoint: Endpoint::Account, op: "account" }
    }

    /// Reads from the number's node or an edge of it: `""`, `"/edge"`, either with a query.
    pub(super) async fn get(&self, edge: &str, trail: &mut Trail) -> Result<Bytes, Failure> {
        let answer = self.call(edge, Effect::None, Bytes::new()).await?;
        self.accepted(answer, Effect::None, trail)
    }

    /// Posts what may be posted twice, and insists on success.
    pub(super) async fn set(
        &self,
        edge: &str,
        body: &impl Serialize,
        trail: &mut Trail,
    ) -> Result<(), Failure> {
        let answer = self.call(edge, Effect::Lasting, written(body)?).await?;
        self.succeeded(answer, Effect::Lasting, trail)
    }

    /// Posts what must not be posted twice, and gives whatever Graph answered.
    pub(super) async fn act(&self, edge: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        self.call(edge, Effect::Each, written(body)?).await
    }

    /// Whether Graph did what it was asked to by [`Graph::act`].
    pub(super) fn done(&self, answer: Answer, trail: &mut Trail) -> Result<(), Failure> {
        self.succeeded(answer, Effect::Each, trail)
    }

    fn succeeded(&self, answer: Answer, effect: Effect, trail: &mut Trail) -> Result<(), Failure> {
        let body = self.accepted(answer, effect, trail)?;
        if is_success(&body) { Ok(()) } else { Err(self.unusable("cloud did not say that it succeeded")) }
    }

    /// What a client is told when Graph answered with something else than it was asked for.
    pub(super) fn unusable(&self, reason: &str) -> Failure {
        let details = "the Cloud API gave an unusable answer";
        Failure::new(Source::Upstream, ErrorCode::InternalError, details).log(reason)
    }

    async fn call(&self, edge: &str, effect: Effect, body: Bytes) -> Result<Answer, Failure> {
        let (state, number) = (self.call.state, self.call.number);
        let target = number.account.at(&format!("{}{edge}", number.phone_number_id));
        let target = target.ok_or_else(|| internal_failure("a place of Graph is no URL"))?;
        let started = Instant::now();
        let outcome = match effect {
            Effect::None => state.upstream.get(&target).await,
            Effect::Lasting => state.upstream.post_again(&target, body).await,
            Effect::Each => state.upstream.post(&target, body).await,
        };
        state.metrics.requests.call_took(started.elapsed());
        self.count(match &outcome {
            Ok(answer) if is_refusal(answer) => "refused",
            Ok(_) => "ok",
            Err(error) if error.sent == Sent::No => "unsent",
            Err(_) => "in_doubt",
        });
        outcome.map_err(|error| no_answer(effect, &error))
    }

    fn count(&self, outcome: &'static str) {
        self.call.state.metrics.requests.called(UpstreamLabels { op: self.op, outcome });
    }

    fn accepted(&self, answer: Answer, effect: Effect, trail: &mut Trail) -> Result<Bytes, Failure> {
        if !is_refusal(&answer) {
            return Ok(answer.body);
        }
        let status = answer.status.as_u16();
        let line = format!("cloud answered http {status}");
        if answer.status.is_server_error() && GraphError::parse(&answer.body).is_none() {
            if effect == Effect::Each {
                // Whoever stands before Graph says nothing about what Graph did.
                return Err(in_doubt(500).log(line));
            }
            // The translation would speak of a message.
            let details = format!("the Cloud API answered HTTP {status}; try again later");
            return Err(overloaded(details, answer.retry_after.unwrap_or(1)).log(line));
        }
        let state = self.call.state;
        let failure = CloudFailure {
            http: status,
            body: &answer.body,
            retry_after: answer.retry_after,
            endpoint: self.endpoint,
            phone_number_id: &self.call.number.phone_number_id,
        };
        let error = error_to_onprem(&failure, &state.compat.options);
        trail.cloud_code = error.cloud_code;
        trail.cloud_trace.clone_from(&error.trace);
        if error.is_unmapped {
            state.metrics.unmapped_cloud_code.inc();
        }
        let mut failure = Failure::new(Source::Upstream, error.code, error.details).http(error.http);
        failure.retry_after = error.retry_after;
        Err(failure.log(line))
    }
}

/// An error body beats the status.
fn is_refusal(answer: &Answer) -> bool {
    !answer.status.is_success() || GraphError::parse(&answer.body).is_some()
}

fn no_answer(effect: Effect, error: &CallError) -> Failure {
    let failure = match (error.sent, effect) {
        (Sent::No, _) => {
            overloaded("the Cloud API cannot be reached; nothing was changed, try again later", 1)
        }
        (Sent::Maybe, Effect::None) => overloaded("the Cloud API gave no usable answer; try again", 1),
        (Sent::Maybe, Effect::Lasting) => {
            overloaded("the Cloud API gave no usable answer; the change may have been made, make it again", 1)
        }
        (Sent::Maybe, Effect::Each) => in_doubt(if error.is_timeout { 504 } else { 500 }),
    };
    failure.log(&error.reason)
}

fn in_doubt(http: u16) -> Failure {
    let details = "the Cloud API gave no usable answer; what was asked for may have been done: POST /v1/account says \
                   how far the number is";
    Failure::new(Source::Upstream, ErrorCode::InternalError, details).http(http)
}

fn overloaded(details: impl Into<String>, seconds: u32) -> Failure {
    let mut failure = Failure::new(Source::Upstream, ErrorCode::SystemOverloaded, details);
    failure.retry_after = Some(seconds);
    failure
}

fn written(body: &impl Serialize) -> Result<Bytes, Failure> {
    let json = serde_json::to_vec(body).map_err(|error| internal_failure(error.to_string()))?;
    Ok(Bytes::from(json))
}
