//! Uploads without a socket.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use hyper::body::Frame;

use super::*;

const FRAME: usize = 64 << 10;

/// A body of pieces that are made when they are asked for, which knows how many of them live.
#[derive(Default)]
struct Pieces {
    first: VecDeque<Vec<u8>>,
    zeros: usize,
    last: Option<Vec<u8>>,
    live: Arc<AtomicUsize>,
    most_live: Arc<AtomicUsize>,
}

struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = if let Some(first) = self.first.pop_front() {
            first
        } else if self.zeros > 0 {
            self.zeros -= 1;
            vec![0; FRAME]
        } else {
            match self.last.take() {
                Some(last) => last,
                None => return Poll::Ready(None),
            }
        };
        let live = self.live.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_live.fetch_max(live, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(Counted(piece, Arc::clone(&self.live)))))))
    }
}

fn headers(content_type: &str) -> HeaderMap {
    [(header::CONTENT_TYPE, content_type.parse().unwrap())].into_iter().collect()
}

fn field(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(content_type: &str, content: &str) -> String {
    let typed =
        if content_type.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n{typed}\r\n{content}\r\n"
    )
}

async fn upload(body: String) -> Received {
    let body = Pieces { first: [body.into_bytes()].into(), ..Pieces::default() };
    receive(&headers("multipart/form-data; boundary=b"), body, 1 << 20).await.unwrap()
}

fn whatsapp() -> String {
    field("messaging_product", "whatsapp")
}

#[tokio::test]
async fn an_upload_is_described() {
    let parts =
        [whatsapp(), field("type", "audio/ogg"), field("x", "y"), file("Audio/Ogg; codecs=opus", "abc")];
    let received = upload(parts.concat() + "--b--").await;
    let described = received.file.unwrap();
    assert_eq!((described.media_type.as_str(), described.length), ("Audio/Ogg; codecs=opus", 3));
    assert_eq!(described.filename.as_deref(), Some("f"));
    assert!(described.sha256.starts_with("ba7816bf"));
    assert_eq!((received.fields.len(), received.fields["type"].as_str()), (3, "audio/ogg"));
    assert_eq!(received.notes, ["ignored field \"x\""]);
    assert_eq!(received.verdict.unwrap().read(0, 9).await.unwrap(), "abc");

    // The type that a client names may differ from the file's own, which decides.
    let parts = [file("image/png", "abc"), field("type", "image/jpeg"), whatsapp()];
    let received = upload(parts.concat() + "--b--").await;
    assert_eq!(received.notes, ["type is image/jpeg, the file's own is image/png"]);
    assert!(received.verdict.is_ok());
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_graphs_words() {
    let image = || file("image/png", "abc");
    let of = |parts: &[String]| parts.concat() + "--b--";
    let listed = "(#100) Param file must be a file with one of the following types: audio/aac, audio/mp4, \
        audio/mpeg, audio/amr, audio/ogg, audio/opus, application/vnd.ms-powerpoint, application/msword, \
        application/vnd.openxmlformats-officedocument.wordprocessingml.document, \
        application/vnd.openxmlformats-officedocument.presentationml.presentation, \
        application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, application/pdf, text/plain, \
        application/vnd.ms-excel, image/jpeg, image/png, image/webp, video/mp4, video/3gpp. \
        Received file of type ";
    for (body, message) in [
        (of(&[image()]), "(#100) The parameter messaging_product is required.".to_owned()),
        (
            of(&[field("messaging_product", "sms"), image()]),
            "(#100) Param messaging_product must be one of {WHATSAPP} - got \"sms\".".to_owned(),
        ),
        (of(&[whatsapp()]), "(#100) The parameter file is required.".to_owned()),
        (of(&[whatsapp(), field("file", "abc")]), "(#100) The parameter file is required.".to_owned()),
        (of(&[whatsapp(), file("image/png", "")]), "(#100) The parameter file is required.".to_owned()),
        (of(&[whatsapp(), image(), image()]), "(#100) Param file must be one file.".to_owned()),
        (of(&[whatsapp(), file("image/gif", "abc")]), format!("{listed}'image/gif'.")),
        (of(&[whatsapp(), file("", "abc")]), format!("{listed}'application/octet-stream'.")),
        (of(&[whatsapp(), field("type", "image"), image()]), format!("{listed}'image'.")),
    ] {
        let received = upload(body.clone()).await;
        let error = received.verdict.unwrap_err();
        assert_eq!((error.message, error.code, error.http.as_u16()), (message, 100, 400), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    for (body, why) in [
        (whatsapp(), "it ends before its last boundary"),
        ("--b?".to_owned(), "a boundary's line holds more than the boundary"),
        (field("x", &"y".repeat(5000)) + "--b--", "a field is too long"),
        (field("x", "y").repeat(33) + "--b--", "it has too many parts"),
    ] {
        let error = upload(body).await.verdict.unwrap_err();
        assert_eq!(error.code, 100);
        assert_eq!(error.details.unwrap(), format!("Body is not valid multipart/form-data: {why}"));
    }
    let body = Pieces { first: [b"{}".to_vec()].into(), ..Pieces::default() };
    let error = receive(&headers("application/json"), body, 0).await.unwrap().verdict.unwrap_err();
    assert_eq!(error.message, "(#100) The parameter messaging_product is required.");
}

#[tokio::test]
async fn each_kind_has_its_limit() {
    for (media_type, limit) in [("image/webp", 500 << 10), ("image/jpeg", 5 << 20)] {
        for (over, is_refused) in [(0, false), (1, true)] {
            let content = "x".repeat(limit + over);
            let received = upload(whatsapp() + &file(media_type, &content) + "--b--").await;
            assert_eq!(received.file.unwrap().length, content.len() as u64);
            let Err(error) = received.verdict else {
                assert!(!is_refused, "{media_type}");
                continue;
            };
            assert!(is_refused && error.code == 100, "{media_type}: {error:?}");
            assert!(error.details.unwrap().starts_with("File Too Large"), "{media_type}");
        }
    }
}

#[tokio::test]
async fn a_large_upload_passes_through_and_is_not_collected() {
    let head = whatsapp() + &file("application/pdf", "");
    let head = head.strip_suffix("\r\n").unwrap().as_bytes().to_vec();
    let frames = (20 << 20) / FRAME;
    let most_live = Arc::<AtomicUsize>::default();
    let body = Pieces {
        first: [head].into(),
        zeros: frames,
        last: Some(b"\r\n--b--".to_vec()),
        most_live: Arc::clone(&most_live),
        ..Pieces::default()
    };
    let received = receive(&headers("multipart/form-data; boundary=b"), body, 1 << 20).await.unwrap();
    assert_eq!(received.file.unwrap().length, 20 << 20);
    let content = received.verdict.unwrap();
    assert!(matches!(content, Content::Spooled { length, .. } if length == 20 << 20));
    assert_eq!(most_live.load(Ordering::Relaxed), 1, "frames are dropped before the next is asked for");
}
