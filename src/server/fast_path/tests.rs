use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use hyper::body::{Body, Frame};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::super::connection::ClientStream;
use super::super::respond::Reply;
use super::{pass, write_head};

#[test]
fn a_head_is_written_with_its_framing() {
    for (status, is_last, expected) in [
        (201, false, "HTTP/1.1 201 Created\r\na: b\r\nc: d\r\ncontent-length: 5\r\ndate: "),
        (299, true, "HTTP/1.1 299 \r\na: b\r\nc: d\r\nconnection: close\r\ncontent-length: 5\r\ndate: "),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let mut reply = Reply::new(status, Bytes::from_static(b"hello"));
        for (name, value) in [("a", "x"), ("c", "d"), ("a", "b")] {
            reply.set(name, HeaderValue::from_static(value));
        }
        let mut out = Vec::new();
        write_head(&mut out, &reply, is_last, Instant::now());
        let out = String::from_utf8(out).unwrap();
        let date = out.strip_prefix(expected).unwrap().strip_suffix("\r\n\r\n").unwrap();
        httpdate::parse_http_date(date).unwrap();
    }
}

/// Gives these, and then says nothing more.
struct Stalling(Vec<Bytes>);

impl Body for Stalling {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.pop().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

async fn pair() -> (ClientStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (ClientStream::tcp(listener.accept().await.unwrap().0, Arc::from("v")), client)
}

#[tokio::test]
async fn a_file_is_over_with_its_last_byte() {
    let (mut stream, mut client) = pair().await;
    let body = Stalling(vec![Bytes::from_static(b"llo"), Bytes::from_static(b"he")]);
    pass(&mut stream, Box::pin(body), 5).await.unwrap();
    let mut read = [0; 5];
    client.read_exact(&mut read).await.unwrap();
    assert_eq!(&read, b"hello");
}

#[tokio::test]
async fn a_file_that_is_not_as_long_as_it_said_ends_the_connection() {
    let (mut stream, _client) = pair().await;
    let body = Stalling(vec![Bytes::from_static(b"too long")]);
    let error = pass(&mut stream, Box::pin(body), 5).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let body = http_body_util::Full::new(Bytes::from_static(b"short"));
    let body = http_body_util::BodyExt::map_err(body, |never| match never {});
    let error = pass(&mut stream, Box::pin(body), 6).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
