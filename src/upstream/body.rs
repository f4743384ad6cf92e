//! A request body that can be taken back.
//!
//! Graph can only take a message whose body it has read. So the question whether a message was sent
//! has an exact answer: it was not, if hyper never asked for the body and never will.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The body of one attempt.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Option<Bytes>,
    is_taken: Arc<AtomicBool>,
}

/// The sender's grip on an [`Outgoing`].
#[derive(Debug)]
pub(super) struct Grip(Arc<AtomicBool>);

impl Outgoing {
    pub(super) fn new(bytes: Bytes) -> (Self, Grip) {
        // hyper never asks for an empty body, so nothing can be told from that.
        let is_taken = Arc::new(AtomicBool::new(bytes.is_empty()));
        let bytes = (!bytes.is_empty()).then_some(bytes);
        (Self { bytes, is_taken: Arc::clone(&is_taken) }, Grip(is_taken))
    }
}

impl Grip {
    /// Takes the body back; `true` means that none of it has left or will leave. Whoever sets the
    /// flag first, hyper or this, has the body: there is no moment at which both could.
    pub(super) fn take_back(self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(bytes) = this.bytes.take() else {
            return Poll::Ready(None);
        };
        // A body that ends before its announced length makes hyper give the connection up.
        let is_ours = !this.is_taken.swap(true, Ordering::AcqRel);
        Poll::Ready(is_ours.then(|| Ok(Frame::data(bytes))))
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

    use super::Outgoing;

    #[tokio::test]
    async fn either_it_goes_out_or_it_comes_back() {
        let (body, grip) = Outgoing::new(Bytes::from_static(b"{}"));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "{}");
        assert!(!grip.take_back());

        let (body, grip) = Outgoing::new(Bytes::from_static(b"{}"));
        assert!(grip.take_back());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "");

        let (_, grip) = Outgoing::new(Bytes::new());
        assert!(!grip.take_back(), "an empty body is never asked for");
    }
}
