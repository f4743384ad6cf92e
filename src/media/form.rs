//! The body of an upload to Cloud: `multipart/form-data` (RFC 7578) around one file, of known length, because
//! nobody documents that Cloud takes chunks.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderValue;
use hyper::body::{Body, Frame, SizeHint};

use super::spool::FileBody;

/// What stands around the file.
#[derive(Clone, Debug)]
pub struct Form {
    /// With the boundary.
    pub content_type: HeaderValue,
    head: Bytes,
    tail: Bytes,
}

impl Form {
    /// For a file of this type. `boundary` must not occur in the file: a random one does not.
    pub fn new(media_type: &str, boundary: &str) -> Option<Self> {
        let content_type = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}")).ok()?;
        // A header line of its own would be the client's if its type could end a line.
        if media_type.chars().any(char::is_control) {
            return None;
        }
        // Cloud's media reference lists `type` as required, and its example has it on the file.
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\n{media_type}\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             Content-Type: {media_type}\r\n\r\n"
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        Some(Self { content_type, head: head.into(), tail: tail.into() })
    }

    /// The body with `file` in it.
    pub fn body(&self, file: FileBody) -> FormBody {
        FormBody { head: Some(self.head.clone()), file, tail: Some(self.tail.clone()) }
    }
}

/// The body of one upload.
#[derive(Debug)]
pub struct FormBody {
    head: Option<Bytes>,
    file: FileBody,
    tail: Option<Bytes>,
}

impl Body for FormBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if let Some(head) = this.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        if !this.file.is_end_stream() {
            return Pin::new(&mut this.file).poll_frame(cx);
        }
        Poll::Ready(this.tail.take().map(|tail| Ok(Frame::data(tail))))
    }

    fn is_end_stream(&self) -> bool {
        self.tail.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = |part: &Option<Bytes>| part.as_ref().map_or(0, |part| part.len() as u64);
        let file = self.file.size_hint().exact().unwrap_or_default();
        SizeHint::with_exact(length(&self.head) + file + length(&self.tail))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use http_body_util::BodyExt;

    use super::*;
    use crate::media::spool::{Place, Spool};

    #[tokio::test]
    async fn is_as_long_as_it_says() {
        let mut spool = Spool::new(Place::Unnamed(Path::new(".").into()), 10);
        spool.push(Bytes::from_static(b"bytes")).await.unwrap();
        let spooled = spool.finish().await.unwrap();
        let form = Form::new("image/png", "b0").unwrap();
        let body = form.body(spooled.reader().unwrap());
        let length = body.size_hint().exact().unwrap();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(bytes.len() as u64, length);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.ends_with("Content-Type: image/png\r\n\r\nbytes\r\n--b0--\r\n"), "{text}");
        assert!(Form::new("image/png\r\nX: y", "b0").is_none());
    }
}
