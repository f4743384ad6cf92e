//! Sockets: accepts connections, serves HTTP/1.1 on them and ends them as fault rules ask.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt};

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::content::{AnswerBody, Content};
use super::state::State;
use super::{control, graph};

const AFTER_A_FAILED_ACCEPT: Duration = Duration::from_millis(10);

/// A way to end a connection that HTTP has no word for.
///
/// A handler returns it as its error; hyper then stops without writing anything, the socket is taken back
/// from it and the rest is done by hand. That is why these faults are exact.
#[derive(Debug)]
pub(super) enum Cut {
    /// Just closes.
    Close,
    /// Closes with a TCP reset.
    Reset,
    /// Writes an answer with the first bytes of its body, all at once or one by one, and closes.
    Write { head: Vec<u8>, content: Content, keep: u64, pace: Duration },
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut on purpose")
    }
}

impl error::Error for Cut {}

/// Serves until told to stop; then every connection is dropped as it is.
pub(super) async fn run(listener: TcpListener, state: Arc<State>, mut stop: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(stream, Arc::clone(&state))); }
                // Out of descriptors or a connection that died in the queue: a pause lets others end.
                Err(_) => tokio::time::sleep(AFTER_A_FAILED_ACCEPT).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
    connections.shutdown().await;
}

async fn connection(stream: TcpStream, state: Arc<State>) {
    // Without this the answer's last segment may wait for an acknowledgement. A failure costs only time.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let state = Arc::clone(&state);
        Box::pin(async move { handle(&state, request).await })
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let end = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner();
    // Errors here mean that the client has gone, which ends the connection all the same.
    let _ = match end.as_ref().err().and_then(cut_of) {
        Some(Cut::Reset) => stream.set_zero_linger(),
        Some(Cut::Write { head, content, keep, pace }) => {
            write_answer(&mut stream, head, content, *keep, *pace).await
        }
        Some(Cut::Close) | None => stream.shutdown().await,
    };
}

async fn handle(state: &State, request: Request<Incoming>) -> Result<Response<AnswerBody>, Cut> {
    let response = if request.uri().path().starts_with(control::PREFIX) {
        Box::pin(control::answer(state, request)).await.map(Content::from)
    } else {
        graph::answer(state, request).await?
    };
    let length = response.body().len();
    let mut response = response.map(Content::into_body);
    // Of a file that is streamed the server would not know it.
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// The reason a handler gave to hyper.
fn cut_of(error: &hyper::Error) -> Option<&Cut> {
    error::Error::source(error)?.downcast_ref()
}

async fn write_answer(
    stream: &mut TcpStream,
    head: &[u8],
    content: &Content,
    keep: u64,
    pace: Duration,
) -> std::io::Result<()> {
    write(stream, head, pace).await?;
    let mut at = 0;
    while at < keep {
        let piece = content.read(at, keep).await?;
        if piece.is_empty() {
            break;
        }
        write(stream, &piece, pace).await?;
        at += piece.len() as u64;
    }
    stream.shutdown().await
}

async fn write(stream: &mut TcpStream, bytes: &[u8], pace: Duration) -> std::io::Result<()> {
    if pace.is_zero() {
        stream.write_all(bytes).await?;
    } else {
        for byte in bytes {
            tokio::time::sleep(pace).await;
            stream.write_all(std::slice::from_ref(byte)).await?;
        }
    }
    Ok(())
}

/// Writes a response's head as HTTP/1.1, with `Content-Length` of the whole body.
pub(super) fn render(response: &Response<Content>) -> Vec<u8> {
    let status = response.status();
    let mut bytes =
        format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    bytes.push_str(&format!("content-length: {}\r\n", response.body().len()));
    let mut bytes = bytes.into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Never answers; the client's leaving or the mock's end drops it.
pub(super) async fn stall() -> Infallible {
    std::future::pending().await
}
