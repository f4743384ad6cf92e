//! Request bodies, under limits.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, timeout_at};

use super::state::Limits;
use crate::onprem::ErrorCode;
use crate::relay::Failure;
use crate::runtime::{Collected, within};

/// How much of an unwanted body is read before the reply, so that the connection stays usable.
const DRAIN: usize = 256 * 1024;
/// The timeout of that.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(100);

/// The body of a request.
pub enum RequestBody {
    /// It came with the head.
    Whole(Bytes),
    /// It may still be on its way.
    Arriving {
        /// The stream.
        body: Incoming,
        /// Whether the client waits for permission to send it (RFC 9110 section 10.1.1).
        is_expecting: bool,
    },
}

/// Without a word of it.
impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Arriving { .. } => f.write_str("Arriving"),
        }
    }
}

impl RequestBody {
    /// Its length, if that is known.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Whole(bytes) => Some(bytes.len() as u64),
            Self::Arriving { body, .. } => body.size_hint().exact(),
        }
    }

    /// Its frames.
    pub fn into_frames(self) -> Either<Full<Bytes>, Incoming> {
        match self {
            Self::Whole(bytes) => Either::Left(Full::new(bytes)),
            Self::Arriving { body, .. } => Either::Right(body),
        }
    }
}

/// Reads the whole body.
pub async fn read(body: RequestBody, limits: &Limits) -> Result<Bytes, Failure> {
    match body {
        RequestBody::Whole(bytes) if bytes.len() <= limits.body => Ok(bytes),
        RequestBody::Whole(_) => Err(too_large(limits.body)),
        // Boxed, since most bodies need no room for waiting.
        arriving @ RequestBody::Arriving { .. } => {
            Box::pin(collect(arriving, limits.body, |_| limits.body_timeout, |_| Ok(()))).await
        }
    }
}

/// Reads a whole body of up to `limit` bytes. `timeout` depends on how many bytes have arrived, and `admit` says whether
/// so many more may be held.
pub async fn collect(
    body: RequestBody,
    limit: usize,
    timeout: impl Fn(usize) -> Duration,
    mut admit: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Bytes, Failure> {
    if body.length().is_some_and(|length| length > limit as u64) {
        return Err(refuse(body, too_large(limit)).await);
    }
    let mut frames = body.into_frames();
    let mut began = None;
    let mut whole = Collected::default();
    loop {
        let timeout = timeout(whole.len());
        let end = || *began.get_or_insert_with(Instant::now) + timeout;
        let frame = within(end, frames.frame()).await.map_err(|_| too_slow(timeout))?;
        let Some(frame) = frame else {
            break;
        };
        let Ok(data) = frame.map_err(|error| broken(&*error))?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        admit(data.len())?;
        whole.push(data);
    }
    Ok(whole.finish())
}

/// The failure of a request whose body is unwanted. A short body is discarded, and the connection stays open; a long one
/// ends it.
pub async fn refuse(body: RequestBody, failure: Failure) -> Failure {
    if discard(body).await { failure } else { failure.closing() }
}

/// Discards a short body, and says whether that was all of it.
pub async fn discard(body: RequestBody) -> bool {
    let RequestBody::Arriving { mut body, is_expecting } = body else { return true };
    // A client that waits for permission to send is told no instead.
    body.is_end_stream() || (!is_expecting && is_drained(&mut body).await)
}

/// Reads a short body to its end.
async fn is_drained(body: &mut Incoming) -> bool {
    if body.size_hint().exact().is_some_and(|size| size > DRAIN as u64) {
        return false;
    }
    let end = Instant::now() + DRAIN_TIMEOUT;
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

pub fn broken(error: &(dyn Error + Send + Sync)) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, "the body broke off; nothing was sent")
        .log(error.to_string())
        .closing()
}
