//! Request bodies, under limits.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use super::respond::Failure;
use super::state::Limits;
use crate::net::{Collected, within};
use crate::onprem::ErrorCode;

/// How much of a body that nobody wants is read before the answer, so that the connection stays usable.
const DRAIN: usize = 256 * 1024;
/// And for how long.
const DRAIN_TIME: Duration = Duration::from_millis(100);

/// Reads the whole body.
pub async fn read(headers: &HeaderMap, mut body: Incoming, limits: &Limits) -> Result<Bytes, Failure> {
    let declared = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
    if declared.is_some_and(|size| size > limits.body) {
        return Err(refuse(headers, body, too_large(limits.body)).await);
    }
    let mut end = None;
    let mut end = || *end.get_or_insert_with(|| Instant::now() + limits.body_timeout);
    let mut whole = Collected::default();
    loop {
        let frame = within(&mut end, body.frame()).await.map_err(|_| too_slow(limits.body_timeout))?;
        let Some(frame) = frame else {
            break;
        };
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limits.body {
            return Err(too_large(limits.body));
        }
        whole.push(data);
    }
    Ok(whole.finish())
}

/// The answer to a request whose body nobody wants. A short one is read and forgotten, and the connection
/// goes on; a long one ends it.
pub async fn refuse(headers: &HeaderMap, body: Incoming, failure: Failure) -> Failure {
    if discard(headers, body).await { failure } else { failure.closing() }
}

/// Reads and forgets a short body, and says whether that was all of it.
pub async fn discard(headers: &HeaderMap, mut body: Incoming) -> bool {
    // A client that waits for permission to send is told no instead.
    body.is_end_stream() || (!headers.contains_key(EXPECT) && is_drained(&mut body).await)
}

/// Reads a short body to its end.
async fn is_drained(body: &mut Incoming) -> bool {
    if body.size_hint().exact().is_some_and(|size| size > DRAIN as u64) {
        return false;
    }
    let end = Instant::now() + DRAIN_TIME;
    let mut left = DRAIN;
    loop {
        match timeout_at(end, body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => {
                let size = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(size) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
            Ok(Some(Err(_))) | Err(_) => return false,
        }
    }
}

fn too_large(limit: usize) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, format!("the body is larger than {limit} bytes"))
        .http(413)
        .closing()
}

pub fn too_slow(limit: Duration) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, format!("the body did not arrive within {limit:?}"))
        .http(408)
        .closing()
}

pub fn broken(error: &hyper::Error) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, "the body broke off; nothing was sent")
        .log(error.to_string())
        .closing()
}
