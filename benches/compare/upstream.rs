//! Sockets: takes messages at one address, with TLS or without, and orders at another.
//!
//! `GET /stats` tells what came; `POST /hold` keeps answers back until `POST /release`, so that a number of
//! messages is in flight for as long as it takes to look at a proxy's memory.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use prembridge::http1::{self, Request, Unready};
use prembridge::net::server_config_from_files;
use rustls::HandshakeKind;
use rustls::crypto::aws_lc_rs::Ticketer;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;

use crate::certificates::{CERTIFICATE, KEY};
use crate::judge::{accept, judge, refuse, write_json};

/// Room for some requests of a connection, as they come.
const BUFFER: usize = 4096;

/// It runs in tasks of the thread that started it.
pub struct Upstream {
    pub messages: SocketAddr,
    pub control: SocketAddr,
}

/// What came, and what is held. One thread has all of it.
#[derive(Default)]
struct State {
    requests: Cell<u64>,
    rewritten: Cell<u64>,
    wrong: Cell<u64>,
    first_wrong: RefCell<Option<&'static str>>,
    in_flight: Cell<u64>,
    connections: Cell<u64>,
    /// TLS handshakes, and those that went on with an earlier session.
    handshakes: Cell<u64>,
    resumed: Cell<u64>,
    is_held: Cell<bool>,
    released: Notify,
}

/// What a listener is for.
#[derive(Clone, Copy)]
enum Purpose {
    Messages,
    Control,
}

impl Upstream {
    /// Listens at free ports of loopback; with TLS if there is a folder with certificates.
    pub async fn start(folder: Option<&Path>) -> Self {
        let tls = folder.map(|folder| {
            let config = server_config_from_files(&folder.join(CERTIFICATE), &folder.join(KEY)).unwrap();
            let mut config = Arc::unwrap_or_clone(config);
            config.ticketer = Ticketer::new().unwrap();
            TlsAcceptor::from(Arc::new(config))
        });
        let state = Rc::new(State::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let messages = listener.local_addr().unwrap();
        spawn_local(listen(listener, tls, Purpose::Messages, Rc::clone(&state)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let control = listener.local_addr().unwrap();
        spawn_local(listen(listener, None, Purpose::Control, state));
        Self { messages, control }
    }
}

async fn listen(listener: TcpListener, tls: Option<TlsAcceptor>, purpose: Purpose, state: Rc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        spawn_local(connection(stream, tls.clone(), purpose, Rc::clone(&state)));
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, purpose: Purpose, state: Rc<State>) {
    add(&state.connections, 1);
    match tls {
        None => serve(stream, purpose, &state).await,
        Some(tls) => {
            // One that does not trust us has gone.
            if let Ok(stream) = tls.accept(stream).await {
                add(&state.handshakes, 1);
                if stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
                    add(&state.resumed, 1);
                }
                serve(stream, purpose, &state).await;
            }
        }
    }
    state.connections.set(state.connections.get() - 1);
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, purpose: Purpose, state: &State) {
    let (mut buffer, mut answer) = (Vec::with_capacity(BUFFER), Vec::with_capacity(BUFFER));
    loop {
        let mut room = http1::ROOM;
        let length = match Request::read(&buffer, BUFFER, &mut room) {
            Ok(request) => {
                answer.clear();
                match purpose {
                    Purpose::Messages => message(state, &request, &mut answer).await,
                    Purpose::Control => control(state, &request, &mut answer),
                }
                request.length()
            }
            Err(Unready::Head | Unready::Body(_)) => {
                if !matches!(stream.read_buf(&mut buffer).await, Ok(count) if count > 0) {
                    return;
                }
                continue;
            }
            Err(Unready::Unusual) => {
                state.wrong("an unusual request, or something that is not HTTP");
                return;
            }
        };
        buffer.drain(..length);
        let is_written = stream.write_all(&answer).await.is_ok() && stream.flush().await.is_ok();
        if !is_written {
            return;
        }
    }
}

async fn message(state: &State, request: &Request<'_, '_>, answer: &mut Vec<u8>) {
    if request.method == "GET" {
        // What a proxy asks about its number in the background: there is nothing to know.
        return write_json(answer, 200, "OK", "{}");
    }
    let id = add(&state.requests, 1);
    add(&state.in_flight, 1);
    while state.is_held.get() {
        state.released.notified().await;
    }
    state.in_flight.set(state.in_flight.get() - 1);
    match judge(request) {
        Ok(fine) => {
            add(&state.rewritten, u64::from(fine.is_rewritten));
            accept(answer, fine.to, id);
        }
        Err(reason) => {
            state.wrong(reason);
            refuse(answer, reason);
        }
    }
}

fn control(state: &State, request: &Request<'_, '_>, answer: &mut Vec<u8>) {
    match request.target {
        "/stats" => {}
        "/hold" => state.is_held.set(true),
        "/release" => {
            state.is_held.set(false);
            state.released.notify_waiters();
        }
        _ => return write_json(answer, 404, "Not Found", "{}"),
    }
    let stats = json!({
        "requests": state.requests.get(),
        "rewritten": state.rewritten.get(),
        "wrong": state.wrong.get(),
        "first_wrong": *state.first_wrong.borrow(),
        "in_flight": state.in_flight.get(),
        "connections": state.connections.get(),
        "handshakes": state.handshakes.get(),
        "resumed": state.resumed.get(),
    });
    write_json(answer, 200, "OK", &stats.to_string());
}

impl State {
    fn wrong(&self, reason: &'static str) {
        add(&self.wrong, 1);
        self.first_wrong.borrow_mut().get_or_insert(reason);
    }
}

/// Gives the new count.
fn add(counter: &Cell<u64>, count: u64) -> u64 {
    counter.set(counter.get() + count);
    counter.get()
}
