//! A request body of HTTP/2 that can be revoked.
//!
//! Graph can only accept a message whose body it has read. So the question whether a message was sent has an exact
//! answer: it was not, if hyper never asked for the body and never will. Over HTTP/1.1, where head and body are written
//! together, the connection itself knows.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::Sent;

/// A body that an attempt may send.
#[derive(Debug)]
pub(super) struct RevocableBody {
    bytes: Bytes,
    is_taken: Arc<AtomicBool>,
}

/// The same body, owned by hyper.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Option<Bytes>,
    is_taken: Arc<AtomicBool>,
}

impl RevocableBody {
    pub(super) fn new(bytes: Bytes) -> Self {
        // hyper never asks for an empty body, so nothing can be told from that.
        let is_taken = Arc::new(AtomicBool::new(bytes.is_empty()));
        Self { bytes, is_taken }
    }

    /// The body for a request. Of several, one at most is ever sent.
    pub(super) fn body(&self) -> Outgoing {
        let bytes = (!self.bytes.is_empty()).then(|| self.bytes.clone());
        Outgoing { bytes, is_taken: Arc::clone(&self.is_taken) }
    }

    /// Revokes the body: unless hyper has taken it, none of it was or will be sent. Whoever sets the flag first, hyper
    /// or this, owns the body: there is no moment at which both could.
    pub(super) fn revoke(&self) -> Sent {
        if self.is_taken.swap(true, Ordering::AcqRel) { Sent::Maybe } else { Sent::No }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = self.get_mut();
        let Some(bytes) = this.bytes.take() else {
            return Poll::Ready(None);
        };
        let is_ours = !this.is_taken.swap(true, Ordering::AcqRel);
        // Not an empty body, which would make a whole request of a head that waited for its turn in HTTP/2.
        Poll::Ready(Some(if is_ours { Ok(Frame::data(bytes)) } else { Err(h2::Reason::CANCEL.into()) }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::BodyExt;

    use super::{RevocableBody, Sent};

    #[tokio::test]
    async fn either_it_goes_out_or_it_comes_back() {
        let revocable = RevocableBody::new(Bytes::from_static(b"{}"));
        let (body, another) = (revocable.body(), revocable.body());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "{}");
        assert!(another.collect().await.is_err(), "never twice");
        assert_eq!(revocable.revoke(), Sent::Maybe);

        let revocable = RevocableBody::new(Bytes::from_static(b"{}"));
        let body = revocable.body();
        assert_eq!(revocable.revoke(), Sent::No);
        assert!(body.collect().await.is_err(), "and nothing in its place");

        let revocable = RevocableBody::new(Bytes::new());
        assert_eq!(revocable.revoke(), Sent::Maybe, "an empty body is never asked for");
    }
}
