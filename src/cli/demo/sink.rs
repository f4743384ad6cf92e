//! The demo's receiver of callbacks: the webhook of an on-prem client.
//!
//! `POST` gives it a callback; `GET` lists the last ones that it took, one JSON text per line.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::cli::output::one_line;

/// Where callbacks go.
pub const PATH: &str = "/callback";
/// Of more deliveries the oldest are forgotten.
const KEPT: usize = 100;
/// Cloud's webhooks have at most 3 MB, and a callback is a part of one.
const LARGEST: usize = 4 << 20;

/// A running receiver; dropping it ends it.
pub struct Sink {
    addr: SocketAddr,
    desk: Arc<Desk>,
    root: JoinHandle<()>,
}

/// One callback that arrived.
#[derive(Clone)]
pub struct Delivery {
    /// The body, as it came.
    pub body: Bytes,
    /// What it was answered with.
    pub status: StatusCode,
}

impl Delivery {
    /// The body as JSON, or null.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

struct Desk {
    log: watch::Sender<Log>,
    /// Whether callbacks are taken, or have to wait for their answer.
    is_open: watch::Sender<bool>,
}

#[derive(Default)]
struct Log {
    kept: VecDeque<Delivery>,
    forgotten: usize,
    /// How many more are answered with 500.
    refusals: usize,
}

impl Log {
    fn count(&self) -> usize {
        self.forgotten + self.kept.len()
    }

    fn push(&mut self, delivery: Delivery) {
        self.kept.push_back(delivery);
        if self.kept.len() > KEPT {
            self.kept.pop_front();
            self.forgotten += 1;
        }
    }
}

impl Sink {
    /// Listens on this port of loopback.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let addr = listener.local_addr()?;
        let desk = Arc::new(Desk { log: watch::Sender::default(), is_open: watch::Sender::new(true) });
        // The one task without a parent: this handle is its owner, and Drop ends it.
        let root = Handle::current().spawn(serve(listener, Arc::clone(&desk)));
        Ok(Self { addr, desk, root })
    }

    /// What a client would set as its `webhooks.url`.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.addr)
    }

    /// How many callbacks were answered so far.
    pub fn count(&self) -> usize {
        self.desk.log.borrow().count()
    }

    /// Waits until so many more than the first `mark` were answered, and gives what came after those.
    pub async fn since(&self, mark: usize, more: usize) -> Vec<Delivery> {
        let mut log = self.desk.log.subscribe();
        // The sender lives as long as this.
        let Ok(log) = log.wait_for(|log| log.count() >= mark + more).await else { return Vec::new() };
        log.kept.iter().skip(mark.saturating_sub(log.forgotten)).cloned().collect()
    }

    /// Answers the next ones with 500.
    pub fn refuse(&self, next: usize) {
        self.desk.log.send_modify(|log| log.refusals = next);
    }

    /// Keeps whoever brings a callback that would be taken waiting, until this is opened again.
    pub fn open(&self, is_open: bool) {
        self.desk.is_open.send_replace(is_open);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.root.abort();
    }
}

async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let desk = Arc::clone(&desk);
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, Infallible>(answer(&desk, request).await) }
            });
            // A client that goes away ends its connection and nothing else.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(desk: &Desk, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match *request.method() {
        Method::POST => match Limited::new(request.into_body(), LARGEST).collect().await {
            Ok(body) => respond(take(desk, body.to_bytes()).await, String::new()),
            Err(_) => respond(StatusCode::BAD_REQUEST, String::new()),
        },
        Method::GET => {
            let mut response = respond(StatusCode::OK, list(desk));
            let lines = HeaderValue::from_static("application/jsonl");
            response.headers_mut().insert(CONTENT_TYPE, lines);
            response
        }
        _ => respond(StatusCode::METHOD_NOT_ALLOWED, String::new()),
    }
}

async fn take(desk: &Desk, body: Bytes) -> StatusCode {
    let mut status = StatusCode::OK;
    desk.log.send_if_modified(|log| {
        if let Some(left) = log.refusals.checked_sub(1) {
            log.refusals = left;
            status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        false
    });
    if status == StatusCode::OK {
        // The sender lives as long as this.
        let _ = desk.is_open.subscribe().wait_for(|is_open| *is_open).await;
    }
    desk.log.send_modify(|log| log.push(Delivery { body, status }));
    status
}

fn list(desk: &Desk) -> String {
    let log = desk.log.borrow();
    let taken = log.kept.iter().filter(|delivery| delivery.status == StatusCode::OK);
    let text = |delivery: &Delivery| one_line(&String::from_utf8_lossy(&delivery.body));
    taken.map(|delivery| text(delivery) + "\n").collect()
}

fn respond(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::super::client::Client;
    use super::*;

    #[tokio::test]
    async fn what_was_taken_is_listed() {
        let sink = Sink::start(0).await.unwrap();
        let client = Client::new(&format!("http://{}", sink.addr)).unwrap();
        sink.refuse(1);
        let mut statuses = Vec::new();
        for body in [r#"{"b":1,"a":1}"#, r#"{"b":1,"a":1}"#, "{\n\"b\": 2}"] {
            statuses.push(client.send("POST", PATH, body).await.unwrap().status);
        }
        assert_eq!(statuses, [500, 200, 200]);
        assert_eq!(client.send("GET", PATH, "").await.unwrap().text, "{\"b\": 1, \"a\": 1}\n{\"b\": 2}\n");
        assert_eq!(client.send("PUT", PATH, "").await.unwrap().status, 405);
        let since: Vec<_> = sink.since(1, 1).await.iter().map(Delivery::json).collect();
        assert_eq!(since, [serde_json::json!({"b": 1, "a": 1}), serde_json::json!({"b": 2})]);
    }

    #[tokio::test]
    async fn the_oldest_are_forgotten_and_still_count() {
        let sink = Sink::start(0).await.unwrap();
        for number in 0..=KEPT {
            assert_eq!(take(&sink.desk, Bytes::from(number.to_string())).await, StatusCode::OK);
        }
        assert_eq!((sink.count(), list(&sink.desk).lines().count()), (KEPT + 1, KEPT));
        let last = sink.since(KEPT, 1).await;
        assert_eq!(last.iter().map(Delivery::json).collect::<Vec<_>>(), [Value::from(KEPT)]);
    }
}
