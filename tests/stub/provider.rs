//! A media provider over raw sockets: answers each path as it is told to, and remembers who asked for what.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::{Answer, Ending, Framing};

/// Longer than anything should take here.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bodies go out in pieces of this size.
const PIECE: usize = 16 << 10;

/// A running provider; dropping it ends everything it does.
pub struct Provider {
    pub addr: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

/// What reached the provider so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections accepted.
    pub connections: usize,
    /// In the order of their arrival.
    pub requests: Vec<Request>,
}

/// One request, and how far its answer came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    /// Names in lower case; a repeated header's values are joined with commas.
    pub headers: BTreeMap<String, String>,
    /// Whether it asks only for what has changed.
    pub is_conditional: bool,
    /// The status it was answered with; none as long as it waits.
    pub status: Option<u16>,
    /// Body bytes handed to the system, framing aside. The client may have read fewer, by as much as fits into
    /// the socket's buffers; that no byte was read shows an answer that stalls after none.
    pub bytes_written: u64,
    pub end: End,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It has not.
    Open,
    /// Everything was written that should be.
    Written,
    /// The client went away before.
    Left,
}

#[derive(Default)]
struct State {
    answers: Mutex<Answers>,
    is_held: watch::Sender<bool>,
    seen: watch::Sender<Seen>,
}

#[derive(Default)]
struct Answers {
    standing: HashMap<String, Answer>,
    scripts: HashMap<String, VecDeque<Answer>>,
}

impl Provider {
    /// On a port of the system's choice.
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Connections inherit it. Little in flight means that what was written is not far from what was read.
        socket.set_send_buffer_size(64 << 10).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1024).unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::<State>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(listener, Arc::clone(&state)));
        Self { addr, state, _tasks: tasks }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The answer of `path`, whatever the query, from now on. A path without one is a 404.
    pub fn serve(&self, path: &str, answer: Answer) {
        self.state.answers.lock().unwrap().standing.insert(path.to_owned(), answer);
    }

    /// Answers given once each, in this order, before the standing one.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state.answers.lock().unwrap().scripts.entry(path.to_owned()).or_default().extend(answers);
    }

    pub fn seen(&self) -> Seen {
        self.state.seen.borrow().clone()
    }

    /// GETs without a condition.
    pub fn gets(&self) -> usize {
        self.state.seen.borrow().count(false)
    }

    /// GETs with one.
    pub fn conditionals(&self) -> usize {
        self.state.seen.borrow().count(true)
    }

    /// Waits until `is_so`.
    pub async fn until(&self, is_so: impl Fn(&Seen) -> bool) {
        let mut seen = self.state.seen.subscribe();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| is_so(seen))).await;
        assert!(waited.is_ok(), "it never came to that: {:?}", self.seen());
    }

    /// From now on requests are seen and wait. Their answers are those of the time they arrived.
    pub fn hold(&self) {
        self.state.is_held.send_replace(true);
    }

    /// Lets those that wait, and all further ones, have their answers.
    pub fn release(&self) {
        self.state.is_held.send_replace(false);
    }
}

impl Seen {
    fn count(&self, is_conditional: bool) -> usize {
        let wanted = |request: &&Request| request.method == "GET" && request.is_conditional == is_conditional;
        self.requests.iter().filter(wanted).count()
    }
}

impl State {
    fn answer(&self, path: &str) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        let scripted = answers.scripts.get_mut(path).and_then(VecDeque::pop_front);
        let standing = || answers.standing.get(path).cloned();
        scripted.or_else(standing).unwrap_or_else(|| Answer::new(404))
    }

    /// Changes what is known about one request.
    fn note(&self, index: usize, change: impl FnOnce(&mut Request)) {
        self.seen.send_modify(|seen| change(&mut seen.requests[index]));
    }
}

async fn run(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.seen.send_modify(|seen| seen.connections += 1);
        let state = Arc::clone(&state);
        connections.spawn(async move { connection(stream, &state).await });
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, state: &State) {
    let _ = stream.set_nodelay(true);
    let (mut read, mut write) = stream.into_split();
    while let Some(request) = request(&mut read).await {
        let answer = state.answer(&request.path).for_request(&request.headers);
        let has_body = request.method != "HEAD" && !matches!(answer.status, 204 | 304);
        let goes_on = request.headers.get("connection").is_none_or(|value| value != "close");
        let mut index = 0;
        state.seen.send_modify(|seen| {
            index = seen.requests.len();
            seen.requests.push(request);
        });
        let mut is_held = state.is_held.subscribe();
        is_held.wait_for(|is_held| !is_held).await.unwrap();
        state.note(index, |request| request.status = Some(answer.status));

        let mut writing = Writing { write: &mut write, state, index };
        let wrote = writing.answer(&answer, has_body).await;
        if wrote.is_ok() && answer.stalls() && has_body {
            // Until the client goes.
            while read.read(&mut [0; 512]).await.is_ok_and(|length| length > 0) {}
            state.note(index, |request| request.end = End::Left);
            return;
        }
        let end = if wrote.is_ok() { End::Written } else { End::Left };
        state.note(index, |request| request.end = end);
        if end == End::Left || !goes_on || (has_body && !answer.keeps_connection()) {
            return;
        }
    }
}

/// The next request; its body, if there is one, is read and dropped.
async fn request(read: &mut OwnedReadHalf) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut start = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (start.next()?, start.next()?);
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        let known = headers.entry(name.to_ascii_lowercase());
        known.and_modify(|known| *known = format!("{known}, {value}")).or_insert_with(|| value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    read.read_exact(&mut vec![0; length]).await.ok()?;
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    };
    let is_conditional = headers.keys().any(|name| name.starts_with("if-"));
    let (status, bytes_written, end) = (None, 0, End::Open);
    Some(Request { method, path, query, headers, is_conditional, status, bytes_written, end })
}

/// An answer on its way.
struct Writing<'a> {
    write: &'a mut OwnedWriteHalf,
    state: &'a State,
    index: usize,
}

impl Writing<'_> {
    async fn answer(&mut self, answer: &Answer, has_body: bool) -> std::io::Result<()> {
        self.write.write_all(&answer.head()).await?;
        if !has_body {
            return Ok(());
        }
        let length = answer.body.len();
        let keep = match answer.ending {
            Ending::Whole => length,
            Ending::Truncate(keep) | Ending::Stall(keep) => keep.min(length),
        };
        let mut at = 0;
        while at < keep {
            let piece = answer.body.piece(at, keep, PIECE);
            if answer.framing == Framing::Chunked {
                self.write.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                self.body(&piece).await?;
                self.write.write_all(b"\r\n").await?;
            } else {
                self.body(&piece).await?;
            }
            at += piece.len() as u64;
        }
        if answer.framing == Framing::Chunked && answer.ending == Ending::Whole {
            self.write.write_all(b"0\r\n\r\n").await?;
        }
        Ok(())
    }

    async fn body(&mut self, piece: &[u8]) -> std::io::Result<()> {
        let mut rest = piece;
        while !rest.is_empty() {
            let written = self.write.write(rest).await?;
            rest = &rest[written..];
            self.state.note(self.index, |request| request.bytes_written += written as u64);
        }
        Ok(())
    }
}
