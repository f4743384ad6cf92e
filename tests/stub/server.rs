//! The upstream: does to each request what its script says, and remembers what reached it whole.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// What happens to one request, or to one connection.
#[derive(Clone, Debug)]
pub enum Act {
    /// Accepts the connection and closes it; nothing is read.
    CloseConnection,
    /// Accepts the connection and never reads.
    Ignore,
    /// Reads the head only, then resets.
    ResetAfterHead,
    /// Reads the request whole, then resets.
    ResetAfterRead,
    /// Reads the request whole, then closes.
    CloseAfterRead,
    /// Reads the request whole and never answers.
    Silence,
    /// Reads the request, answers with these bytes and goes on. None at all stand for Graph's answer, with an id of
    /// the message's own; so they do in all acts that answer.
    Answer(Vec<u8>),
    /// The same when so many requests have arrived whole.
    Gather(usize),
    /// Reads the head only, answers with these bytes, and forgets the body.
    AnswerEarly(Vec<u8>),
    /// Answers, and once more behind that.
    AnswerAndMore(Vec<u8>),
    /// The same, then closes.
    AnswerAndClose(Vec<u8>),
    /// The same, then resets.
    AnswerAndReset(Vec<u8>),
    /// The same, one byte at a time, then goes on.
    Drip(Vec<u8>, Duration),
}

/// A running stub; dropping it ends everything it does.
pub struct Stub {
    pub addr: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    script: Mutex<VecDeque<Act>>,
    /// What is written to connections that wait for a request: an answer to none, or their end.
    strays: watch::Sender<Option<Vec<u8>>>,
    seen: watch::Sender<Seen>,
}

/// What reached the stub so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections accepted.
    pub connections: usize,
    /// Connections that have ended.
    pub ended: usize,
    /// The texts of messages that arrived whole: what Cloud may have accepted.
    pub whole: Vec<String>,
    /// The number of the connection that each of them came on.
    pub lanes: Vec<usize>,
    /// How often something was written to a connection that waited for a request.
    pub strays: usize,
}

impl Seen {
    /// The id in Graph's own answer to a message, if that was taken once.
    pub fn id(&self, text: &str) -> Option<String> {
        let mut taken = (1..).zip(&self.whole).filter(|(_, whole)| *whole == text);
        let (number, _) = taken.next()?;
        taken.next().is_none().then(|| own_id(number, text))
    }
}

impl Stub {
    pub async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::serve(listener, None, script)
    }

    /// With TLS.
    pub async fn tls(config: Arc<ServerConfig>, script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::serve(listener, Some(TlsAcceptor::from(config)), script)
    }

    pub fn serve(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        script: impl IntoIterator<Item = Act>,
    ) -> Self {
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::new(script.into_iter().collect()),
            strays: watch::Sender::default(),
            seen: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(run(listener, tls, Arc::clone(&state)));
        Self { addr, state, _tasks: tasks }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.state.script.lock().unwrap().extend(acts);
    }

    /// Writes these bytes to all connections that wait for a request; none at all end them.
    pub fn stray(&self, bytes: &[u8]) {
        self.state.strays.send_replace(Some(bytes.to_vec()));
    }

    /// How much of the script is still to come.
    pub fn script_left(&self) -> usize {
        self.state.script.lock().unwrap().len()
    }

    pub fn seen(&self) -> Seen {
        self.state.seen.borrow().clone()
    }

    /// Waits until `is_so`.
    pub async fn until(&self, is_so: impl Fn(&Seen) -> bool) {
        let mut seen = self.state.seen.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(20), seen.wait_for(|seen| is_so(seen))).await;
        assert!(waited.is_ok(), "it never came to that: {:?}", self.seen());
    }
}

impl State {
    fn next(&self, is_wanted: impl Fn(&Act) -> bool) -> Option<Act> {
        let mut script = self.script.lock().unwrap();
        if script.front().is_some_and(is_wanted) { script.pop_front() } else { None }
    }
}

async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    for lane in 1.. {
        let (stream, _) = listener.accept().await.unwrap();
        state.seen.send_modify(|seen| seen.connections += 1);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        connections.spawn(async move {
            connection(lane, stream, tls, &state).await;
            state.seen.send_modify(|seen| seen.ended += 1);
        });
    }
}

async fn connection(lane: usize, stream: TcpStream, tls: Option<TlsAcceptor>, state: &State) {
    match state.next(|act| matches!(act, Act::CloseConnection | Act::Ignore)) {
        Some(Act::CloseConnection) => return,
        Some(_) => std::future::pending().await,
        None => {}
    }
    let _ = stream.set_nodelay(true);
    match tls {
        None => {
            let mut stream = stream;
            if requests(lane, &mut stream, state).await {
                let _ = stream.set_zero_linger();
            }
        }
        Some(tls) => {
            if let Ok(mut stream) = tls.accept(stream).await {
                requests(lane, &mut stream, state).await;
            }
        }
    }
}

/// Serves until the end, and says whether that shall be a reset.
async fn requests(lane: usize, stream: &mut (impl AsyncRead + AsyncWrite + Unpin), state: &State) -> bool {
    let mut strays = state.strays.subscribe();
    loop {
        let first = tokio::select! {
            biased;
            first = stream.read_u8() => first,
            Ok(()) = strays.changed() => {
                let bytes = strays.borrow_and_update().clone().unwrap_or_default();
                if bytes.is_empty() || write(stream, &bytes, None).await.is_err() {
                    return false;
                }
                state.seen.send_modify(|seen| seen.strays += 1);
                continue;
            }
        };
        let Ok(first) = first else { return false };
        let Some(head) = head(first, stream).await else { return false };
        let act = state.next(|_| true).unwrap_or_else(|| Act::Answer(Vec::new()));
        if matches!(act, Act::ResetAfterHead) {
            return true;
        }
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.trim().parse().ok())
            .unwrap_or(0);
        let mut body = vec![0; length];
        if let Act::AnswerEarly(bytes) = act {
            if write(stream, &bytes, None).await.is_err() || stream.read_exact(&mut body).await.is_err() {
                return false;
            }
            continue;
        }
        if stream.read_exact(&mut body).await.is_err() {
            return false;
        }
        let own = taken(lane, &body, state);
        let or_own = |bytes: Vec<u8>| if bytes.is_empty() { own.clone() } else { bytes };
        let (bytes, pace, end) = match act {
            Act::Answer(bytes) => (or_own(bytes), None, None),
            Act::Gather(count) => {
                let _ = state.seen.subscribe().wait_for(|seen| seen.whole.len() >= count).await;
                (own, None, None)
            }
            Act::AnswerAndMore(more) => ([own, more].concat(), None, None),
            Act::AnswerAndClose(bytes) => (or_own(bytes), None, Some(false)),
            Act::AnswerAndReset(bytes) => (or_own(bytes), None, Some(true)),
            Act::Drip(bytes, pace) => (or_own(bytes), Some(pace), None),
            Act::ResetAfterRead => return true,
            Act::CloseConnection | Act::CloseAfterRead | Act::ResetAfterHead | Act::AnswerEarly(_) => {
                return false;
            }
            Act::Silence | Act::Ignore => {
                // Until the proxy goes.
                let _ = stream.read(&mut [0]).await;
                return false;
            }
        };
        if write(stream, &bytes, pace).await.is_err() {
            return false;
        }
        if let Some(is_reset) = end {
            return is_reset;
        }
    }
}

/// Remembers a message, and gives Graph's answer to it.
fn taken(lane: usize, body: &[u8], state: &State) -> Vec<u8> {
    let message: Value = serde_json::from_slice(body).unwrap();
    let text = message["text"]["body"].as_str().unwrap_or("not a text");
    let mut number = 0;
    state.seen.send_modify(|seen| {
        seen.whole.push(text.to_owned());
        seen.lanes.push(lane);
        number = seen.whole.len();
    });
    accepted(&own_id(number, text))
}

fn own_id(number: usize, text: &str) -> String {
    format!("wamid.{number}.{text}")
}

async fn head(first: u8, stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    pace: Option<Duration>,
) -> std::io::Result<()> {
    let Some(pace) = pace else {
        stream.write_all(bytes).await?;
        return stream.flush().await;
    };
    // The pace of the bytes is the fault itself.
    let mut pace = tokio::time::interval(pace);
    for byte in bytes {
        pace.tick().await;
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// An answer with `Content-Length`.
pub fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Graph's answer to a message that it took.
pub fn accepted(id: &str) -> Vec<u8> {
    let body = format!(
        r#"{{"messaging_product":"whatsapp","contacts":[{{"input":"15551234567","wa_id":"15551234567"}}],"messages":[{{"id":"{id}"}}]}}"#
    );
    answer("200 OK", "Content-Type: application/json\r\n", &body)
}

/// A port that refuses connections as long as the socket lives; it may listen later.
pub fn closed_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}
