//! What Cloud and the client send, prepared before any time is taken, over connections that stay open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use prembridge::http1::{Response, ResponseReader};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::proxy::{KEY, NUMBER, SECRET};

/// How many connections post at once.
const CONNECTIONS: usize = 64;
/// How many users there are: callbacks of one user are delivered one after the other.
const USERS: usize = 1000;
/// What stands before the number of an event in its message's id.
const MARK: &str = "VAgARGBI";
/// Digits of that number.
const DIGITS: usize = 12;
const TEXT: &str = r#"{"recipient_type":"individual","to":"16505551234","type":"text","preview_url":false,"text":{"body":"Hello Jane, your order 0815 has been shipped."}}"#;

/// Requests as they are sent.
pub type Requests = Arc<Vec<Vec<u8>>>;

/// What became of a request of an open loop.
pub struct Answered {
    pub status: u16,
    /// Since it was due.
    pub after: Duration,
}

/// So many times the same text.
pub fn texts(count: usize) -> Requests {
    let request = post("/v1/messages", &format!("Authorization: Bearer {KEY}"), TEXT);
    Arc::new(vec![request; count])
}

/// Webhooks with the events from number `first` on, so many in each.
pub fn webhooks(first: usize, count: usize, events: usize) -> Requests {
    let key = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    let request = |index| {
        let body = webhook(first + index * events, events);
        let signature = key.clone().chain_update(&body).finalize().into_bytes();
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        post("/webhooks/cloud", &format!("X-Hub-Signature-256: sha256={hex}"), &body)
    };
    Arc::new((0..count).map(request).collect())
}

fn webhook(first: usize, events: usize) -> String {
    let statuses: Vec<String> = (first..first + events)
        .map(|event| {
            let user = event % USERS;
            format!(
                r#"{{"id":"wamid.HBgLMTYzMTU1NTAw{MARK}{event:012}RTY3RTcA","status":"delivered","timestamp":"1750030073","recipient_id":"1631555{user:04}","pricing":{{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"102290129340398","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"15550783881","phone_number_id":"{NUMBER}"}},"statuses":[{}]}},"field":"messages"}}]}}]}}"#,
        statuses.join(",")
    )
}

/// The number of the event that a callback is about.
pub fn event(callback: &[u8]) -> usize {
    let mut windows = callback.windows(MARK.len());
    let start = windows.position(|window| window == MARK.as_bytes()).unwrap() + MARK.len();
    let digits = callback.get(start..start + DIGITS).unwrap();
    std::str::from_utf8(digits).unwrap().parse().unwrap()
}

/// A request of the administrator, which has to succeed.
pub async fn set(address: SocketAddr, settings: &str) {
    let head = format!("Authorization: Bearer {KEY}");
    let mut request = post("/v1/settings/application", &head, settings);
    request.splice(..b"POST".len(), *b"PATCH");
    let answer = Connection::open(address).await.call(&request).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
}

fn post(path: &str, header: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: proxy\r\n{header}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection to the proxy, with as little work as it takes: it shares the machine with what is measured.
struct Connection {
    stream: TcpStream,
    incoming: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, incoming: Vec::with_capacity(16 * 1024) }
    }

    async fn call(&mut self, request: &[u8]) -> Response {
        self.stream.write_all(request).await.unwrap();
        let mut reader = ResponseReader::new(1 << 20);
        loop {
            self.incoming.clear();
            assert!(self.stream.read_buf(&mut self.incoming).await.unwrap() > 0, "the proxy hung up");
            if let Some(response) = reader.read(&self.incoming).unwrap() {
                return response;
            }
        }
    }
}

/// Connections to one address.
pub struct Load(Vec<Connection>);

impl Load {
    pub async fn connect(address: SocketAddr) -> Self {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(address).await);
        }
        Self(connections)
    }

    /// Each connection sends its next request when it has the answer to the last one. Each answer has to have
    /// `expected`. Gives the time that it took.
    pub async fn closed(&mut self, requests: &Requests, expected: u16) -> Duration {
        let started = Instant::now();
        let answers = self.all(requests, |_| None).await;
        let elapsed = started.elapsed();
        assert_eq!(answers.len(), requests.len());
        assert!(answers.iter().all(|answer| answer.status == expected), "a run with a wrong answer is void");
        elapsed
    }

    /// One request is due after the other, `pause` later, whatever became of those before; the next connection that
    /// is free sends it.
    pub async fn open(&mut self, requests: &Requests, pause: Duration) -> Vec<Answered> {
        let start = Instant::now();
        let due = move |index| Some(start + pause.mul_f64(index as f64));
        self.all(requests, due).await
    }

    async fn all(
        &mut self,
        requests: &Requests,
        due: impl Fn(usize) -> Option<Instant> + Copy + Send + 'static,
    ) -> Vec<Answered> {
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for connection in self.0.drain(..) {
            tasks.spawn(send(connection, Arc::clone(requests), Arc::clone(&next), due));
        }
        let mut all = Vec::with_capacity(requests.len());
        for (connection, answered) in tasks.join_all().await {
            self.0.push(connection);
            all.extend(answered);
        }
        all
    }
}

async fn send(
    mut connection: Connection,
    requests: Requests,
    next: Arc<AtomicUsize>,
    due: impl Fn(usize) -> Option<Instant>,
) -> (Connection, Vec<Answered>) {
    let mut answered = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests.get(index) else { return (connection, answered) };
        let due = due(index);
        if let Some(due) = due {
            sleep_until(due).await;
        }
        let since = due.unwrap_or_else(Instant::now);
        let status = connection.call(request).await.status.as_u16();
        answered.push(Answered { status, after: since.elapsed() });
    }
}
