//! The upstream over HTTP/2, frame by frame (RFC 9113): a library's server would keep rules that have to be broken here.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Longer than anything should take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reasons (section 7).
pub const NO_ERROR: u32 = 0x0;
const PROTOCOL_ERROR: u32 = 0x1;
pub const INTERNAL_ERROR: u32 = 0x2;
pub const REFUSED_STREAM: u32 = 0x7;
pub const CANCEL: u32 = 0x8;
pub const ENHANCE_YOUR_CALM: u32 = 0xb;

/// The last stream of a `GOAWAY` that announces a later one (section 6.8).
const ANY_STREAM: u32 = (1 << 31) - 1;

/// Types of frames (section 6).
const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;

/// Their flags: of `DATA` and `HEADERS`, of `SETTINGS` and `PING`, of `HEADERS`.
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Heads of answers in HPACK (RFC 7541 appendix A): `:status` 200, 400 and 103.
const OK: &[u8] = &[0x88];
const BAD_REQUEST: &[u8] = &[0x8c];
const EARLY_HINTS: &[u8] = &[0x08, 3, b'1', b'0', b'3'];
const REFUSAL: &[u8] = br#"{"error":{"message":"no","code":100}}"#;

/// What happens to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Takes the message and answers, in several frames.
    Answer,
    /// The same when so many messages were taken.
    Gather(usize),
    /// The same after an answer that is none yet.
    Hint,
    /// Takes the message and never answers.
    Silence,
    /// Refuses the stream once its head is there.
    Refuse,
    /// Refuses it once everything is there.
    RefuseLate,
    /// Answers 400 to the head, and says that the body is not wanted (section 8.1).
    Early,
    /// Takes the message and resets the stream.
    Reset(u32),
    /// Takes it, and resets the stream with this reason in the middle of the answer.
    HalfAndReset(u32),
    /// Takes it, and closes the connection in the middle of the answer.
    HalfAndClose,
    /// Takes it and closes the connection.
    Close,
    /// Announces the end of the connection, takes the message, answers, and names it as the last.
    Leave,
    /// Takes no message from this one on, for this reason; goes on with earlier ones.
    Cut(u32),
    /// The same, and closes the connection.
    CutAndClose(u32),
}

impl Deed {
    /// Whether the server takes the message, to the best of its knowledge.
    pub fn takes(self) -> bool {
        !matches!(self, Self::Refuse | Self::RefuseLate | Self::Early | Self::Cut(_) | Self::CutAndClose(_))
    }
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It is served.
    Serve,
    /// It is closed.
    Close,
    /// Nothing is ever read from it.
    Ignore,
}

/// A running stub; dropping it ends everything it does.
pub struct Http2Stub {
    pub addr: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    deeds: Mutex<VecDeque<Deed>>,
    welcomes: Mutex<VecDeque<Welcome>>,
    /// Calls at once on a connection, as it is announced; what begins above that is refused (section 5.1.2).
    most: u32,
    seen: watch::Sender<Seen>,
}

/// What reached the stub so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections accepted.
    pub connections: usize,
    /// Connections that have ended.
    pub ended: usize,
    /// Calls that were begun.
    pub calls: usize,
    /// Messages that were taken.
    pub taken: Vec<Taken>,
    /// Bodies of calls that are no message.
    pub nonsense: Vec<String>,
    /// Why calls were given up by the proxy.
    pub resets: Vec<u32>,
}

/// A message that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The number of its connection.
    pub connection: usize,
    pub text: String,
    /// What it was given.
    pub id: String,
}

impl Seen {
    /// How often a message was taken.
    pub fn count(&self, text: &str) -> usize {
        self.taken.iter().filter(|taken| taken.text == text).count()
    }

    /// The connections on which messages were taken, in this order.
    pub fn lanes(&self) -> Vec<usize> {
        self.taken.iter().map(|taken| taken.connection).collect()
    }
}

impl Http2Stub {
    /// Without TLS.
    pub async fn start(deeds: impl IntoIterator<Item = Deed>) -> Self {
        Self::serve(None, 1000, deeds).await
    }

    /// With `tls` or without, and with so many calls at once on a connection.
    pub async fn serve(
        tls: Option<Arc<ServerConfig>>,
        most: u32,
        deeds: impl IntoIterator<Item = Deed>,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            deeds: Mutex::new(deeds.into_iter().collect()),
            welcomes: Mutex::default(),
            most,
            seen: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(run(listener, tls.map(TlsAcceptor::from), Arc::clone(&state)));
        Self { addr, state, _tasks: tasks }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What happens to the next calls, in the order of their heads.
    pub fn script(&self, deeds: impl IntoIterator<Item = Deed>) {
        self.state.deeds.lock().unwrap().extend(deeds);
    }

    /// What happens to the next connections.
    pub fn welcome(&self, welcomes: impl IntoIterator<Item = Welcome>) {
        self.state.welcomes.lock().unwrap().extend(welcomes);
    }

    pub fn seen(&self) -> Seen {
        self.state.seen.borrow().clone()
    }

    /// Waits until `is_so`.
    pub async fn until(&self, is_so: impl Fn(&Seen) -> bool) {
        let mut seen = self.state.seen.subscribe();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| is_so(seen))).await;
        assert!(waited.is_ok(), "it never came to that: {:?}", self.seen());
    }
}

async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    for number in 1.. {
        let (stream, _) = listener.accept().await.unwrap();
        let welcome = state.welcomes.lock().unwrap().pop_front().unwrap_or(Welcome::Serve);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        state.seen.send_modify(|seen| seen.connections += 1);
        connections.spawn(async move {
            connection(number, stream, tls, welcome, &state).await;
            state.seen.send_modify(|seen| seen.ended += 1);
        });
    }
}

async fn connection(
    number: usize,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    welcome: Welcome,
    state: &Arc<State>,
) {
    let _ = stream.set_nodelay(true);
    if welcome == Welcome::Close {
        return;
    }
    let stream: Box<dyn Duplex> = match tls {
        None => Box::new(stream),
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Box::new(stream),
            Err(_) => return,
        },
    };
    if welcome == Welcome::Ignore {
        std::future::pending::<()>().await;
    }
    let (read, write) = tokio::io::split(stream);
    let writer = Writer(Arc::new(tokio::sync::Mutex::new(write)));
    let mut served = Connection {
        number,
        read,
        writer,
        state: Arc::clone(state),
        calls: HashMap::new(),
        last: ANY_STREAM,
        looked_at: 0,
        answers: JoinSet::new(),
    };
    let _ = served.serve().await;
    let _ = served.writer.0.lock().await.shutdown().await;
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

struct Connection {
    number: usize,
    read: ReadHalf<Box<dyn Duplex>>,
    writer: Writer,
    state: Arc<State>,
    /// What is to happen to each call, and how much of its body is there.
    calls: HashMap<u32, (Deed, Vec<u8>)>,
    /// Calls above this one are not looked at.
    last: u32,
    /// The last call that was.
    looked_at: u32,
    answers: JoinSet<()>,
}

/// The connection was closed, by whomever.
struct Ended;

impl From<std::io::Error> for Ended {
    fn from(_: std::io::Error) -> Self {
        Self
    }
}

impl Connection {
    async fn serve(&mut self) -> Result<(), Ended> {
        let mut preface = [0; 24];
        self.read.read_exact(&mut preface).await?;
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // SETTINGS_MAX_CONCURRENT_STREAMS (section 6.5.2).
        let mut settings = vec![0, 3];
        settings.extend(self.state.most.to_be_bytes());
        self.writer.frame(SETTINGS, 0, 0, &settings).await?;
        loop {
            let mut head = [0; 9];
            self.read.read_exact(&mut head).await?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.read.read_exact(&mut payload).await?;
            let stream = u32::from_be_bytes(stream);
            match kind {
                SETTINGS if flags & ACK == 0 => self.writer.frame(SETTINGS, ACK, 0, &[]).await?,
                PING if flags & ACK == 0 => self.writer.frame(PING, ACK, 0, &payload).await?,
                HEADERS => {
                    assert_eq!(flags & END_HEADERS, END_HEADERS, "a head in one frame");
                    self.head(stream).await?;
                }
                DATA => self.data(stream, &payload, flags & END_STREAM != 0).await?,
                RST_STREAM => {
                    self.calls.remove(&stream);
                    let reason = u32::from_be_bytes(payload.try_into().unwrap());
                    self.state.seen.send_modify(|seen| seen.resets.push(reason));
                }
                _ => {}
            }
        }
    }

    async fn head(&mut self, stream: u32) -> Result<(), Ended> {
        if stream > self.last {
            return Ok(());
        }
        let deed = self.state.deeds.lock().unwrap().pop_front().unwrap_or(Deed::Answer);
        self.state.seen.send_modify(|seen| seen.calls += 1);
        if deed == Deed::Refuse || self.calls.len() >= self.state.most as usize {
            self.writer.reset(stream, REFUSED_STREAM).await?;
        } else if deed == Deed::Early {
            self.looked_at = self.looked_at.max(stream);
            self.writer.frame(HEADERS, END_HEADERS, stream, BAD_REQUEST).await?;
            self.writer.frame(DATA, END_STREAM, stream, REFUSAL).await?;
            self.writer.reset(stream, NO_ERROR).await?;
        } else {
            self.calls.insert(stream, (deed, Vec::new()));
        }
        Ok(())
    }

    async fn data(&mut self, stream: u32, bytes: &[u8], is_end: bool) -> Result<(), Ended> {
        if !bytes.is_empty() {
            // Or the connection's window would be used up at last (section 6.9).
            let length = u32::try_from(bytes.len()).unwrap();
            self.writer.frame(WINDOW_UPDATE, 0, 0, &length.to_be_bytes()).await?;
        }
        let Some((_, body)) = self.calls.get_mut(&stream) else { return Ok(()) };
        body.extend_from_slice(bytes);
        if is_end {
            let (deed, body) = self.calls.remove(&stream).unwrap();
            self.call(stream, deed, &body).await?;
        }
        Ok(())
    }

    /// Everything of a call is there.
    async fn call(&mut self, stream: u32, deed: Deed, body: &[u8]) -> Result<(), Ended> {
        if stream > self.last {
            return Ok(());
        }
        let message: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(text) = message["text"]["body"].as_str().map(str::to_owned) else {
            let body = String::from_utf8_lossy(body).into_owned();
            self.state.seen.send_modify(|seen| seen.nonsense.push(body));
            return self.writer.reset(stream, PROTOCOL_ERROR).await;
        };
        let id = format!("wamid.{}.{stream}.{text}", self.number);
        if deed.takes() {
            self.looked_at = self.looked_at.max(stream);
            let taken = Taken { connection: self.number, text, id: id.clone() };
            self.state.seen.send_modify(|seen| seen.taken.push(taken));
        }
        match deed {
            Deed::Answer => self.writer.answer(stream, &id).await?,
            Deed::Gather(count) => {
                let (writer, mut seen) = (self.writer.clone(), self.state.seen.subscribe());
                self.answers.spawn(async move {
                    let _ = seen.wait_for(|seen| seen.taken.len() >= count).await;
                    let _ = writer.answer(stream, &id).await;
                });
            }
            Deed::Hint => {
                self.writer.frame(HEADERS, END_HEADERS, stream, EARLY_HINTS).await?;
                self.writer.answer(stream, &id).await?;
            }
            Deed::Silence => {}
            Deed::Refuse | Deed::RefuseLate => self.writer.reset(stream, REFUSED_STREAM).await?,
            Deed::Early => unreachable!("answered at its head"),
            Deed::Reset(reason) => self.writer.reset(stream, reason).await?,
            Deed::HalfAndReset(reason) => {
                self.writer.half(stream, &id).await?;
                self.writer.reset(stream, reason).await?;
            }
            Deed::HalfAndClose => {
                self.writer.half(stream, &id).await?;
                return Err(Ended);
            }
            Deed::Close => return Err(Ended),
            Deed::Leave => {
                self.writer.go_away(ANY_STREAM, NO_ERROR).await?;
                self.writer.answer(stream, &id).await?;
                self.cut(self.looked_at, NO_ERROR).await?;
            }
            Deed::Cut(reason) => self.cut_before(stream, reason).await?,
            Deed::CutAndClose(reason) => {
                self.cut_before(stream, reason).await?;
                return Err(Ended);
            }
        }
        Ok(())
    }

    /// Looks at no call from this one on; where a later one was looked at already, this one is refused alone.
    async fn cut_before(&mut self, stream: u32, reason: u32) -> Result<(), Ended> {
        if self.looked_at > stream {
            return self.writer.reset(stream, REFUSED_STREAM).await;
        }
        self.cut(stream.saturating_sub(2), reason).await
    }

    /// Looks at no call above `last` any more, and says so.
    async fn cut(&mut self, last: u32, reason: u32) -> Result<(), Ended> {
        if last < self.last {
            self.last = last;
            self.writer.go_away(last, reason).await?;
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Writer(Arc<tokio::sync::Mutex<WriteHalf<Box<dyn Duplex>>>>);

impl Writer {
    async fn frame(&self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<(), Ended> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        let mut write = self.0.lock().await;
        write.write_all(&frame).await?;
        Ok(write.flush().await?)
    }

    async fn reset(&self, stream: u32, reason: u32) -> Result<(), Ended> {
        self.frame(RST_STREAM, 0, stream, &reason.to_be_bytes()).await
    }

    async fn go_away(&self, last: u32, reason: u32) -> Result<(), Ended> {
        let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
        self.frame(GOAWAY, 0, 0, &payload).await
    }

    /// Other answers get between the frames of this one.
    async fn answer(&self, stream: u32, id: &str) -> Result<(), Ended> {
        let body = answer(id);
        self.half(stream, id).await?;
        tokio::task::yield_now().await;
        self.frame(DATA, END_STREAM, stream, &body[body.len() / 2..]).await
    }

    async fn half(&self, stream: u32, id: &str) -> Result<(), Ended> {
        let body = answer(id);
        self.frame(HEADERS, END_HEADERS, stream, OK).await?;
        tokio::task::yield_now().await;
        self.frame(DATA, 0, stream, &body[..body.len() / 2]).await
    }
}

fn answer(id: &str) -> Vec<u8> {
    let contact = serde_json::json!({"input": "15551234567", "wa_id": "15551234567"});
    let body = serde_json::json!({
        "messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": id}]
    });
    body.to_string().into_bytes()
}
