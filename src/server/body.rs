//! Request bodies, under limits.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, timeout_at};

use super::state::Limits;
use crate::net::{Collected, within};
use crate::onprem::ErrorCode;
use crate::relay::Failure;

/// How much of a body that nobody wants is read before the answer, so that the connection stays usable.
const DRAIN: usize = 256 * 1024;
/// And for how long.
const DRAIN_TIME: Duration = Duration::from_millis(100);

/// The body of a request.
pub enum Asking {
    /// It came with the head.
    Whole(Bytes),
    /// It may still be on its way.
    Arriving {
        /// It.
        body: Incoming,
        /// Whether the client waits for permission to send it (RFC 9110 section 10.1.1).
        is_expecting: bool,
    },
}

/// Without a word of it.
impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Arriving { .. } => f.write_str("Arriving"),
        }
    }
}

impl Body for Asking {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Arriving { body, .. } => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Arriving { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Arriving { body, .. } => body.size_hint(),
        }
    }
}

/// Reads the whole body.
pub async fn read(body: Asking, limits: &Limits) -> Result<Bytes, Failure> {
    match body {
        Asking::Whole(bytes) if bytes.len() <= limits.body => Ok(bytes),
        Asking::Whole(_) => Err(too_large(limits.body)),
        // In a box, since most bodies need no room for waiting.
        arriving @ Asking::Arriving { .. } => {
            Box::pin(collect(arriving, limits.body, |_| limits.body_timeout, |_| Ok(()))).await
        }
    }
}

/// Reads the whole of a body of `limit` bytes at most. `patience` says how long it may take, of what has come so far, and
/// `admit` whether so much more may be held.
pub async fn collect(
    mut body: Asking,
    limit: usize,
    patience: impl Fn(usize) -> Duration,
    mut admit: impl FnMut(usize) -> Result<(), Failure>,
) -> Result<Bytes, Failure> {
    let declared = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
    if declared.is_some_and(|size| size > limit) {
        return Err(refuse(body, too_large(limit)).await);
    }
    let mut began = None;
    let mut whole = Collected::default();
    loop {
        let patience = patience(whole.len());
        let end = || *began.get_or_insert_with(Instant::now) + patience;
        let frame = within(end, body.frame()).await.map_err(|_| too_slow(patience))?;
        let Some(frame) = frame else {
            break;
        };
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
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

/// The answer to a request whose body nobody wants. A short one is read and forgotten, and the connection
/// goes on; a long one ends it.
pub async fn refuse(body: Asking, failure: Failure) -> Failure {
    if discard(body).await { failure } else { failure.closing() }
}

/// Reads and forgets a short body, and says whether that was all of it.
pub async fn discard(body: Asking) -> bool {
    let Asking::Arriving { mut body, is_expecting } = body else { return true };
    // A client that waits for permission to send is told no instead.
    body.is_end_stream() || (!is_expecting && is_drained(&mut body).await)
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
