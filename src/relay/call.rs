//! One call of Graph on behalf of a client: made, counted, classified, and its error translated.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Serialize;

use super::{CloudError, Failure, Relay, Source};
use crate::cloud::GraphError;
use crate::cloud::number::is_success;
use crate::number::Number;
use crate::onprem::ErrorCode;
use crate::telemetry::UpstreamLabels;
use crate::translate::error_to_onprem;
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::upstream::{Answer, CallError, Sent, Target};

/// A kind of call, and what a client is told when it fails without an error of Graph.
#[derive(Debug)]
pub(super) struct Operation {
    /// In metrics.
    pub(super) name: &'static str,
    pub(super) method: Method,
    pub(super) endpoint: Endpoint,
    /// What was not done, when nothing was sent.
    pub(super) unsent: &'static str,
    /// What may have been done, when there is no usable answer.
    pub(super) in_doubt: &'static str,
    /// Whether the client may simply try again when in doubt.
    pub(super) is_repeatable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    /// Must not be posted twice.
    Post,
    /// Says how something is to be, so that it may be posted twice.
    PostAgain,
    Delete,
}

const UNCHANGED: &str = "nothing was changed, try again later";

pub(super) const READ_PROFILE: Operation = Operation {
    name: "profile",
    method: Method::Get,
    endpoint: Endpoint::Other,
    unsent: UNCHANGED,
    in_doubt: "try again",
    is_repeatable: true,
};
pub(super) const SET_PROFILE: Operation = Operation {
    method: Method::PostAgain,
    in_doubt: "the change may have been made, make it again",
    ..READ_PROFILE
};
pub(super) const READ_ACCOUNT: Operation =
    Operation { name: "account", endpoint: Endpoint::Account, ..READ_PROFILE };
pub(super) const SET_ACCOUNT: Operation =
    Operation { name: "account", endpoint: Endpoint::Account, ..SET_PROFILE };
/// Registration and its codes: each call makes something happen.
pub(super) const REGISTER: Operation = Operation {
    method: Method::Post,
    in_doubt: "what was asked for may have been done: POST /v1/account says how far the number is",
    is_repeatable: false,
    ..READ_ACCOUNT
};
pub(super) const LIST_TEMPLATES: Operation = Operation {
    name: "templates",
    method: Method::Get,
    endpoint: Endpoint::Other,
    unsent: UNCHANGED,
    in_doubt: "try again later",
    is_repeatable: false,
};
pub(super) const CREATE_TEMPLATE: Operation = Operation {
    method: Method::Post,
    in_doubt: "the template may have been made: list the templates before trying again",
    ..LIST_TEMPLATES
};
pub(super) const DELETE_TEMPLATE: Operation = Operation {
    method: Method::Delete,
    in_doubt: "the template may have been deleted: list the templates before trying again",
    ..LIST_TEMPLATES
};
/// A message, which must not be sent twice.
pub(super) const SEND: Operation = Operation {
    name: "messages",
    method: Method::Post,
    endpoint: Endpoint::Messages,
    unsent: "the message was not sent, send it again later",
    in_doubt: "the message may have been sent: check its status before sending it again",
    is_repeatable: false,
};
/// A read receipt.
pub(super) const RECEIPT: Operation =
    Operation { name: "read", in_doubt: "the receipt may be sent again", ..SEND };

impl Operation {
    fn is_message(&self) -> bool {
        self.name == SEND.name
    }

    /// The id of what it is made on, which the operator configured.
    fn object_id<'n>(&self, number: &'n Number) -> &'n str {
        match &number.waba {
            Some(waba) if self.name == LIST_TEMPLATES.name => &waba.id,
            Some(_) | None => &number.phone_number_id,
        }
    }
}

impl Relay {
    /// Makes a call on the number's own node or an edge of it (`""`, `"/edge"`, either with a query).
    pub(super) async fn call(
        &self,
        number: &Number,
        operation: &Operation,
        edge: &str,
        body: &impl Serialize,
    ) -> Result<Bytes, Failure> {
        let answer = self.call_raw(number, operation, edge, body).await?;
        self.accepted(number, operation, answer)
    }

    /// The same, and gives back whatever Graph answered.
    pub(super) async fn call_raw(
        &self,
        number: &Number,
        operation: &Operation,
        edge: &str,
        body: &impl Serialize,
    ) -> Result<Answer, Failure> {
        let target = number.account.at(&format!("{}{edge}", number.phone_number_id));
        let target = target.ok_or_else(|| Failure::internal("a place of Graph is no URL"))?;
        let body = match operation.method {
            Method::Get | Method::Delete => Bytes::new(),
            Method::Post | Method::PostAgain => written(body)?,
        };
        self.ask(operation, &target, body).await
    }

    /// The same, and insists that Graph says that it succeeded.
    pub(super) async fn set(
        &self,
        number: &Number,
        operation: &Operation,
        edge: &str,
        body: &impl Serialize,
    ) -> Result<(), Failure> {
        let answer = self.call_raw(number, operation, edge, body).await?;
        self.succeeded(number, operation, answer)
    }

    pub(super) fn succeeded(
        &self,
        number: &Number,
        operation: &Operation,
        answer: Answer,
    ) -> Result<(), Failure> {
        let body = self.accepted(number, operation, answer)?;
        if is_success(&body) { Ok(()) } else { Err(unusable("cloud did not say that it succeeded")) }
    }

    /// Makes a call at `target`. An answer is counted when it is judged.
    pub(super) async fn ask(
        &self,
        operation: &Operation,
        target: &Target,
        body: Bytes,
    ) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let outcome = match operation.method {
            Method::Get => self.upstream.get(target).await,
            Method::Post => self.upstream.post(target, body).await,
            Method::PostAgain => self.upstream.post_again(target, body).await,
            Method::Delete => self.upstream.delete(target).await,
        };
        self.took(begun.elapsed());
        outcome.map_err(|error| self.unanswered(operation, &error))
    }

    pub(super) fn took(&self, elapsed: Duration) {
        self.metrics.requests.call_took(elapsed);
    }

    /// Counts how a call ended.
    pub(super) fn count(&self, operation: &Operation, outcome: &'static str) {
        self.metrics.requests.called(UpstreamLabels { op: operation.name, outcome });
    }

    /// Counts an answer and gives back its body, or what the client is told when Cloud did not do it.
    pub(super) fn accepted(
        &self,
        number: &Number,
        operation: &Operation,
        answer: Answer,
    ) -> Result<Bytes, Failure> {
        let status = answer.status.as_u16();
        let is_error = is_graph_error(&answer);
        if answer.status.is_success() && !is_error {
            self.count(operation, "ok");
            return Ok(answer.body);
        }
        let line = format!("cloud answered http {status}");
        // A redirect or the like says nothing about a message; 303 even means that it was taken.
        if status < 400 && !is_error && operation.endpoint == Endpoint::Messages {
            self.count(operation, "in_doubt");
            return Err(self.in_doubt(operation, false, line));
        }
        self.count(operation, "refused");
        // Whoever stands before Graph says nothing about what Graph did.
        if status >= 500 && !is_error && operation.endpoint != Endpoint::Messages {
            if !operation.is_repeatable {
                return Err(self.in_doubt(operation, false, line));
            }
            let details = format!("the Cloud API answered HTTP {status}; try again later");
            let seconds = answer.retry_after.unwrap_or(1);
            return Err(Failure::overloaded(Source::Upstream, details, seconds).log(line));
        }
        let failure = self.refused(number, operation.endpoint, operation.object_id(number), &answer);
        let code = failure.cloud.as_ref().and_then(|error| error.code);
        if operation.is_message() && status >= 500 && code.is_none() {
            self.metrics.in_doubt.inc();
        }
        Err(failure.log(line))
    }

    /// Translates what Graph refused. That `object_id` does not exist is a fault of the configuration.
    pub(super) fn refused(
        &self,
        number: &Number,
        endpoint: Endpoint,
        object_id: &str,
        answer: &Answer,
    ) -> Failure {
        let failure = CloudFailure {
            http: answer.status.as_u16(),
            body: &answer.body,
            retry_after: answer.retry_after,
            endpoint,
            phone_number_id: object_id,
        };
        let error = error_to_onprem(&failure, &number.compat.options);
        if error.is_unmapped {
            self.metrics.unmapped_cloud_code.inc();
        }
        if error.code == ErrorCode::ParameterNotRequired {
            self.metrics.unexpected_key_leaked.inc();
        }
        Failure {
            retry_after: error.retry_after,
            deferred: error.deferred.map(Box::new),
            cloud: Some(Box::new(CloudError { code: error.cloud_code, trace: error.trace })),
            ..Failure::new(Source::Upstream, error.code, error.details).http(error.http)
        }
    }

    /// What the client is told when there is no whole answer.
    pub(super) fn unanswered(&self, operation: &Operation, error: &CallError) -> Failure {
        match error.sent {
            Sent::No => {
                self.count(operation, "unsent");
                let details = format!("the Cloud API cannot be reached; {}", operation.unsent);
                Failure::overloaded(Source::Upstream, details, 1).log(&error.reason)
            }
            Sent::Maybe => {
                self.count(operation, "in_doubt");
                self.in_doubt(operation, error.is_timeout, &error.reason)
            }
        }
    }

    /// What the client is told when bytes went out and no usable answer came back.
    pub(super) fn in_doubt(
        &self,
        operation: &Operation,
        is_timeout: bool,
        reason: impl Into<String>,
    ) -> Failure {
        if operation.is_message() {
            self.metrics.in_doubt.inc();
        }
        let details = format!("the Cloud API gave no usable answer; {}", operation.in_doubt);
        let failure = if operation.is_repeatable {
            Failure::overloaded(Source::Upstream, details, 1)
        } else {
            let http = if is_timeout { 504 } else { 500 };
            Failure::new(Source::Upstream, ErrorCode::InternalError, details).http(http)
        };
        failure.log(reason)
    }
}

/// What the client is told when Graph answered with something else than it was asked for.
pub(super) fn unusable(reason: &str) -> Failure {
    let details = "the Cloud API gave an unusable answer";
    Failure::new(Source::Upstream, ErrorCode::InternalError, details).log(reason)
}

/// An error body beats the status.
fn is_graph_error(answer: &Answer) -> bool {
    /// Made once, since most answers are shorter than that takes.
    static WORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"error\""));
    // Cheap look first: a success never holds the word.
    WORD.find(&answer.body).is_some() && GraphError::parse(&answer.body).is_some()
}

fn written(body: &impl Serialize) -> Result<Bytes, Failure> {
    let json = serde_json::to_vec(body).map_err(|error| Failure::internal(error.to_string()))?;
    Ok(Bytes::from(json))
}
