//! How long connections are kept, by a clock that the tests turn.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::body::Grip;
use super::super::{CallError, Target};
use super::{Attempt, Limits, Pool, Whole};
use crate::config::HttpVersion;
use crate::net::{Connector, Deadlines, client_config};

const KEEP: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);
/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of either version, which counts its connections.
struct Server {
    addr: SocketAddr,
    /// Connections that came, and that ended.
    seen: watch::Sender<(usize, usize)>,
    /// Whether it answers.
    answers: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(version: HttpVersion) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (seen, answers) = (watch::Sender::new((0, 0)), watch::Sender::new(true));
        let (noted, answering) = (seen.clone(), answers.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                noted.send_modify(|seen| seen.0 += 1);
                let (noted, answers) = (noted.clone(), answering.subscribe());
                connections.spawn(async move {
                    match version {
                        HttpVersion::Http1 => http1(stream, answers).await,
                        HttpVersion::Http2 => http2(stream, answers).await,
                    }
                    noted.send_modify(|seen| seen.1 += 1);
                });
            }
        });
        Self { addr, seen, answers, _tasks: tasks }
    }

    fn connections(&self) -> usize {
        self.seen.borrow().0
    }

    async fn until_ended(&self, count: usize) {
        let mut seen = self.seen.subscribe();
        timeout(PATIENCE, seen.wait_for(|seen| seen.1 == count)).await.expect("an end in time").unwrap();
    }
}

async fn http1(stream: TcpStream, mut answers: watch::Receiver<bool>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        stream.read_exact(&mut [0; 2]).await.unwrap();
        answers.wait_for(|answers| *answers).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    }
}

async fn http2(stream: TcpStream, answers: watch::Receiver<bool>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let mut answering = JoinSet::new();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let mut answers = answers.clone();
        answering.spawn(async move {
            answers.wait_for(|answers| *answers).await.unwrap();
            drop(respond.send_response(Response::new(()), true));
        });
    }
}

fn pool(version: HttpVersion) -> Pool {
    let deadlines = Deadlines { connect: PATIENCE, tls: PATIENCE };
    Pool::new(Connector::new(client_config(None).unwrap(), deadlines), version, KEEP)
}

async fn call(pool: &Pool, server: &Server) -> Result<Whole, CallError> {
    let uri = format!("http://{}/messages", server.addr).parse().unwrap();
    let target = Target { uri, authorization: None, health: None };
    let end = Instant::now() + PATIENCE;
    let attempt = Attempt {
        method: &Method::POST,
        target: &target,
        body: Grip::new(Bytes::from_static(b"{}")),
        limits: Limits { begun: Instant::now(), head: end, end, most: 1024 },
    };
    pool.call(&attempt).await
}

#[tokio::test]
async fn connections_are_kept_as_long_as_it_says() {
    for version in [HttpVersion::Http1, HttpVersion::Http2] {
        let (pool, server) = (pool(version), Server::start(version).await);
        let begun = Instant::now();
        call(&pool, &server).await.unwrap();
        pool.tend(begun + KEEP - MOMENT);
        call(&pool, &server).await.unwrap();
        assert_eq!(server.connections(), 1, "{version:?}");
        pool.tend(Instant::now() + KEEP);
        server.until_ended(1).await;
        call(&pool, &server).await.unwrap();
        assert_eq!(server.connections(), 2, "{version:?}");
    }
}

/// A look does not take connections away from calls that are made meanwhile, nor does it end those in use.
#[tokio::test]
async fn connections_in_use_are_left_alone() {
    for version in [HttpVersion::Http1, HttpVersion::Http2] {
        let (pool, server) = (pool(version), Server::start(version).await);
        server.answers.send_replace(false);
        let look = async {
            server.seen.subscribe().wait_for(|seen| seen.0 == 1).await.unwrap();
            pool.tend(Instant::now() + 2 * KEEP);
            server.answers.send_replace(true);
        };
        let (answered, ()) = tokio::join!(call(&pool, &server), look);
        answered.unwrap();
        call(&pool, &server).await.unwrap();
        assert_eq!(server.connections(), 1, "{version:?}");
    }
}

/// The one that was used last goes first, and the others grow old.
#[tokio::test]
async fn connections_that_are_too_many_grow_old() {
    let (pool, server) = (pool(HttpVersion::Http1), Server::start(HttpVersion::Http1).await);
    server.answers.send_replace(false);
    let three = async {
        server.seen.subscribe().wait_for(|seen| seen.0 == 3).await.unwrap();
        server.answers.send_replace(true);
    };
    let calls = [call(&pool, &server), call(&pool, &server), call(&pool, &server)];
    let (answered, ()) = tokio::join!(futures_util::future::join_all(calls), three);
    assert!(answered.iter().all(Result::is_ok));
    let first = Instant::now();
    while Instant::now() == first {
        tokio::task::yield_now().await;
    }
    call(&pool, &server).await.unwrap();
    pool.tend(first + KEEP);
    server.until_ended(2).await;
    call(&pool, &server).await.unwrap();
    assert_eq!(server.connections(), 3);
}
