//! The whole app between a mock Cloud API and a provider, in this process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use prembridge::mock::{MockCloud, Options};
use prembridge::net::{Connector, Deadlines, client_config};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const KEY: &str = "bench-key-0123456789";

pub struct Scene {
    mock: MockCloud,
    _app: App,
    _provider: JoinSet<()>,
    provider: SocketAddr,
    fetches: Arc<AtomicUsize>,
    http: Client<Connector, Full<Bytes>>,
    url: String,
}

impl Scene {
    pub async fn start() -> Self {
        let options = Options { record: false, ..Options::default() };
        let mock = MockCloud::start(([127, 0, 0, 1], 0).into(), options).await.unwrap();
        let text = format!(
            r#"
            [listen]
            api = "127.0.0.1:0"
            admin = "127.0.0.1:0"
            [cloud]
            base_url = "{}"
            [store]
            url = "memory:"
            [log]
            requests = false
            [pacing]
            enabled = false
            [egress]
            allow = ["127.0.0.1"]
            [[number]]
            phone_number_id = "106540352242922"
            access_token = {{ env = "TOKEN" }}
            [[number.api_key]]
            key = {{ env = "KEY" }}
            "#,
            mock.base_url()
        );
        let env = Env::from([("TOKEN", "EAAB"), ("KEY", KEY)]);
        let app = App::start(Config::parse(&text, &env).unwrap().config, Clock::system()).await.unwrap();
        let second = Duration::from_secs(1);
        let connector =
            Connector::new(client_config(None).unwrap(), Deadlines { connect: second, tls: second });
        let http = Client::builder(TokioExecutor::new()).build(connector);
        let url = format!("http://{}/v1/messages", app.addresses().api);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (provider, fetches) = (listener.local_addr().unwrap(), Arc::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(provide(listener, Arc::clone(&fetches)));
        Self { mock, _app: app, _provider: tasks, provider, fetches, http, url }
    }

    /// An image with a link to the provider.
    pub fn image(&self, path: &str) -> Bytes {
        format!(
            r#"{{"recipient_type":"individual","to":"16505551234","type":"image","image":{{"link":"http://{}{path}","caption":"Your order 0815"}}}}"#,
            self.provider
        )
        .into()
    }

    /// Sends `body` so many times at once.
    pub async fn send(&self, times: usize, body: &Bytes) {
        join_all((0..times).map(|_| async {
            let request = Request::post(&self.url)
                .header("authorization", format!("Bearer {KEY}"))
                .header("content-type", "application/json")
                .body(Full::new(body.clone()))
                .unwrap();
            let response = self.http.request(request).await.unwrap();
            assert_eq!(response.status(), 201);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(body.windows(6).any(|window| window == b"wamid."), "an answer without an id");
        }))
        .await;
    }

    /// How many files the provider gave.
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    /// How many calls Cloud got.
    pub fn calls(&self) -> u64 {
        self.mock.seen()
    }
}

/// The text beside which a link is measured.
pub fn text() -> Bytes {
    Bytes::from_static(
        br#"{"recipient_type":"individual","to":"16505551234","type":"text","preview_url":false,"text":{"body":"Hello Jane, your order 0815 has been shipped."}}"#,
    )
}

/// Answers every request with a small picture that no other path has.
async fn provide(listener: TcpListener, fetches: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&fetches)));
    }
}

async fn connection(stream: TcpStream, fetches: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(stream.read_line(&mut head).await, Ok(length) if length > 0) {
                return;
            }
        }
        fetches.fetch_add(1, Ordering::Relaxed);
        let path = head.split(' ').nth(1).unwrap_or_default();
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncache-control: max-age=86400\r\n\
             content-length: {}\r\n\r\n",
            8 + path.len()
        )
        .into_bytes();
        answer.extend_from_slice(b"\x89PNG\r\n\x1a\n");
        answer.extend_from_slice(path.as_bytes());
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
