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
use crate::net::Collected;
use crate::onprem::ErrorCode;

/// How much of a body that is too large is read before the answer: a client that is still sending
/// when the connection closes would never see why.
const DRAIN: usize = 4 * 1024 * 1024;
/// And for how long.
const DRAIN_TIME: Duration = Duration::from_millis(500);

/// Reads the whole body.
pub async fn read(headers: &HeaderMap, mut body: Incoming, limits: &Limits) -> Result<Bytes, Failure> {
    let declared = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
    if declared.is_some_and(|size| size > limits.body) {
        // A client that waits for permission to send needs no draining.
        if !headers.contains_key(EXPECT) {
            drain(&mut body).await;
        }
        return Err(too_large(limits.body));
    }
    let end = Instant::now() + limits.body_timeout;
    let mut whole = Collected::default();
    loop {
        let frame = timeout_at(end, body.frame()).await.map_err(|_| too_slow(limits.body_timeout))?;
        let Some(frame) = frame else {
            break;
        };
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limits.body {
            drain(&mut body).await;
            return Err(too_large(limits.body));
        }
        whole.push(data);
    }
    Ok(whole.finish())
}

/// Reads and forgets a body that nobody wants, so that the connection stays usable.
pub async fn discard(headers: &HeaderMap, mut body: Incoming) {
    // A client that waits for permission to send is told no instead.
    if !body.is_end_stream() && !headers.contains_key(EXPECT) {
        drain(&mut body).await;
    }
}

async fn drain(body: &mut Incoming) {
    let end = Instant::now() + DRAIN_TIME;
    let mut left = DRAIN;
    while let Ok(Some(Ok(frame))) = timeout_at(end, body.frame()).await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(size) else {
            return;
        };
        left = rest;
    }
}

fn too_large(limit: usize) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, format!("the body is larger than {limit} bytes"))
        .http(413)
        .closing()
}

fn too_slow(limit: Duration) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, format!("the body did not arrive within {limit:?}"))
        .http(408)
        .closing()
}

fn broken(error: &hyper::Error) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, "the body broke off; nothing was sent")
        .log(error.to_string())
        .closing()
}
