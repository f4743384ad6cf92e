//! What clients are told about files that cannot be had, sent or kept.

use super::{Failure, Relay, Source};
use crate::cloud::GraphError;
use crate::media::MediaError;
use crate::number::Number;
use crate::onprem::ErrorCode;
use crate::onprem::callback::CallbackError;
use crate::translate::errors::Endpoint;
use crate::upstream::Answer;

impl Relay {
    /// What a client is told when the file at `path` cannot be had or sent; nothing was sent in any case.
    ///
    /// 1014 for what a provider did, or gave, is the vendor's own word: "media upload failed due to bad image or media
    /// not found"; trying again may help, once the file is another. What only the message could mend is never a 5xx,
    /// which clients repeat.
    pub fn file_failure(&self, number: &Number, path: &str, error: &MediaError) -> Failure {
        let error = error.innermost();
        let text = || format!("{path}: {error}");
        match error {
            MediaError::Link(_) | MediaError::FileUnfit(_) => {
                Failure::client(ErrorCode::ParameterInvalid, text())
            }
            MediaError::Origin { .. } | MediaError::LinkUnfit { .. } => {
                // On-prem fetched files after it had taken the message. The host and what it did: no part of either is
                // a secret.
                let deferred = CallbackError { code: ErrorCode::InternalError, details: Some(text()) };
                let failure = Failure::new(Source::Provider, ErrorCode::InternalError, text());
                Failure { deferred: Some(Box::new(deferred)), ..failure.log(error.to_string()) }
            }
            MediaError::Unknown | MediaError::Gone => Failure::client(ErrorCode::ResourceNotFound, text()),
            MediaError::Refused(answer) => self.refused_file(number, answer),
            MediaError::Unreachable(error) => {
                let details =
                    format!("{path}: the Cloud API cannot be reached; nothing was sent, try again later");
                Failure::overloaded(Source::Upstream, details, 1).log(&error.reason)
            }
            MediaError::Unusable => {
                Failure::new(Source::Upstream, ErrorCode::InternalError, text()).log(error.to_string())
            }
            MediaError::NoApp => {
                Failure::new(Source::Upstream, ErrorCode::ServiceNotReady, text()).log(error.to_string())
            }
            MediaError::Disk(error) => {
                let details = format!("{path}: the file could not be stored on its way; nothing was sent");
                Failure::new(Source::Internal, ErrorCode::DatabaseError, details).log(error.to_string())
            }
            MediaError::Late => Failure::overloaded(Source::Provider, text(), 5),
            MediaError::Store(error) => {
                let details = format!("{path}: the store does not answer; nothing was sent");
                Failure::new(Source::Internal, ErrorCode::DatabaseError, details).log(error.to_string())
            }
            MediaError::Full
            | MediaError::Foreign(_)
            | MediaError::Secret
            | MediaError::Lost
            | MediaError::Shared(_) => Failure::internal(error.to_string()),
        }
    }

    /// Cloud's own words about a file, in the dialect.
    fn refused_file(&self, number: &Number, answer: &Answer) -> Failure {
        let status = answer.status.as_u16();
        let line = format!("cloud answered http {status} to a call about a file");
        if answer.status.is_server_error() && GraphError::parse(&answer.body).is_none() {
            // The translation would say that a message may have been sent, but there is none yet.
            let details = format!("the Cloud API answered HTTP {status}; nothing was sent, try again later");
            let seconds = answer.retry_after.unwrap_or(1);
            return Failure::overloaded(Source::Upstream, details, seconds).log(line);
        }
        self.refused(number, Endpoint::Media, &number.phone_number_id, answer).log(line)
    }
}

/// Why a file that a client uploaded was not kept.
pub fn not_kept(error: &MediaError) -> Failure {
    let failed = |code, details: &str| Failure::new(Source::Internal, code, details).log(error.to_string());
    match error.innermost() {
        MediaError::FileUnfit(unfit) => {
            Failure::client(ErrorCode::ParameterInvalid, format!("the file cannot be kept: {unfit}"))
        }
        MediaError::Disk(_) => {
            failed(ErrorCode::DatabaseError, "the file could not be stored; nothing was kept")
        }
        MediaError::Store(error) => Failure::store(error),
        MediaError::Full => {
            failed(ErrorCode::SystemOverloaded, "there is no room for another file; delete some first")
                .retry_after(60)
        }
        other @ (MediaError::Link(_)
        | MediaError::Origin { .. }
        | MediaError::LinkUnfit { .. }
        | MediaError::Unknown
        | MediaError::Gone
        | MediaError::Refused(_)
        | MediaError::Unreachable(_)
        | MediaError::Unusable
        | MediaError::NoApp
        | MediaError::Late
        | MediaError::Foreign(_)
        | MediaError::Secret
        | MediaError::Shared(_)
        | MediaError::Lost) => Failure::internal(other.to_string()),
    }
}
