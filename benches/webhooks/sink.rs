//! The client's end of callbacks: takes everything at once, and counts what it got.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use prembridge::http1::{self, Request, Unready};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::load::event;

/// Room for a callback, and the largest head.
const BUFFER: usize = 16 * 1024;
const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

pub struct Sink {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    /// How often each event came, by its number.
    times: Mutex<Vec<u32>>,
    /// How many different ones came.
    different: watch::Sender<usize>,
    is_held: watch::Sender<bool>,
}

impl Sink {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            times: Mutex::default(),
            different: watch::Sender::new(0),
            is_held: watch::Sender::new(false),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, Arc::clone(&shared)));
        Self { address, shared, _tasks: tasks }
    }

    /// Answers nothing until it is told otherwise.
    pub fn hold(&self, is_held: bool) {
        self.shared.is_held.send_replace(is_held);
    }

    /// Waits until so many different events were taken, ever.
    pub async fn until(&self, count: usize) {
        self.shared.different.subscribe().wait_for(|different| *different >= count).await.unwrap();
    }

    /// How often each event came, by its number.
    pub fn times(&self) -> Vec<u32> {
        self.shared.times.lock().unwrap().clone()
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, Arc::clone(&shared)));
    }
}

async fn connection(mut stream: TcpStream, shared: Arc<Shared>) {
    stream.set_nodelay(true).unwrap();
    let mut is_held = shared.is_held.subscribe();
    let mut incoming = Vec::with_capacity(BUFFER);
    loop {
        let mut room = http1::ROOM;
        let length = match Request::read(&incoming, BUFFER, &mut room) {
            Ok(callback) => {
                is_held.wait_for(|is_held| !is_held).await.unwrap();
                shared.count(event(callback.body));
                callback.length()
            }
            Err(Unready::Head | Unready::Body(_)) => {
                if !matches!(stream.read_buf(&mut incoming).await, Ok(count) if count > 0) {
                    return;
                }
                continue;
            }
            Err(Unready::Unusual) => panic!("a callback that is not as it should be"),
        };
        incoming.drain(..length);
        if stream.write_all(TAKEN).await.is_err() {
            return;
        }
    }
}

impl Shared {
    fn count(&self, event: usize) {
        let mut times = self.times.lock().unwrap();
        if times.len() <= event {
            times.resize(event + 1, 0);
        }
        let count = times.get_mut(event).unwrap();
        *count += 1;
        let is_new = *count == 1;
        drop(times);
        if is_new {
            self.different.send_modify(|different| *different += 1);
        }
    }
}
