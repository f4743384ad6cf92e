//! What calls to Graph about files have in common.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::time::sleep;

use crate::cloud::GraphError;
use crate::media::error::MediaError;
use crate::upstream::{Answer, is_success};

/// The pause before an upload that failed is retried.
const PAUSE: Duration = Duration::from_millis(250);

/// Makes a call that may be made twice, and retries it once after a failure of Cloud or of the network.
pub async fn with_retry<T, F>(call: impl Fn() -> F) -> Result<T, MediaError>
where
    F: Future<Output = Result<T, MediaError>>,
{
    let first = call().await;
    let may_pass = match &first {
        Err(MediaError::Refused(answer)) => answer.status.is_server_error(),
        other => matches!(other, Err(MediaError::Unreachable(_))),
    };
    if !may_pass {
        return first;
    }
    sleep(PAUSE).await;
    call().await
}

/// The body of an answer that is a success.
pub fn accepted(answer: Answer) -> Result<Bytes, MediaError> {
    if is_success(&answer) { Ok(answer.body) } else { Err(MediaError::Refused(answer)) }
}

/// Whether Cloud does not know the object. "Object with ID … does not exist" is code 100, subcode 33.
pub fn is_absent(answer: &Answer) -> bool {
    let error = GraphError::parse(&answer.body);
    answer.status == StatusCode::NOT_FOUND
        || error.is_some_and(|error| error.code == Some(100) && error.subcode == Some(33))
}

/// An id, which is a string in Meta's documentation and a number here and there.
pub fn id_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_number().map(ToString::to_string))
}
