//! How long connections are kept, by a clock that the tests turn.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::{Answer, CallError, Sent, Target};
use super::{Attempt, Limits, Pool};
use crate::config::HttpVersion;
use crate::net::{Connector, Deadlines, client_config};

const KEEP: Duration = Duration::from_secs(30);
const MOMENT: Duration = Duration::from_millis(1);
/// Longer than anything takes here.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A server of either version, which counts its connections.
struct Server {
    addr: SocketAddr,
    /// Connections that came, and that ended.
    seen: watch::Sender<(usize, usize)>,
    /// Whether it answers.
    answers: watch::Sender<bool>,
    /// Whether it closes all connections.
    closing: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(version: HttpVersion) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (seen, answers) = (watch::Sender::new((0, 0)), watch::Sender::new(true));
        let closing = watch::Sender::new(false);
        let (noted, answering, ending) = (seen.clone(), answers.clone(), closing.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                noted.send_modify(|seen| seen.0 += 1);
                let (noted, answers) = (noted.clone(), answering.subscribe());
                let mut end = ending.subscribe();
                connections.spawn(async move {
                    let serve = async {
                        match version {
                            HttpVersion::Http1 => http1(stream, answers).await,
                            HttpVersion::Http2 => http2(stream, answers).await,
                        }
                    };
                    tokio::select! {
                        () = serve => {}
                        _ = end.wait_for(|end| *end) => {}
                    }
                    noted.send_modify(|seen| seen.1 += 1);
                });
            }
        });
        Self { addr, seen, answers, closing, _tasks: tasks }
    }

    fn connections(&self) -> usize {
        self.seen.borrow().0
    }

    async fn until_ended(&self, count: usize) {
        let mut seen = self.seen.subscribe();
        timeout(TIMEOUT, seen.wait_for(|seen| seen.1 == count)).await.expect("an end in time").unwrap();
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
    let deadlines = Deadlines { connect: TIMEOUT, tls: TIMEOUT };
    Pool::new(Connector::new(client_config(None).unwrap(), deadlines), version, KEEP)
}

async fn call(pool: &Pool, server: &Server) -> Result<Answer, CallError> {
    call_within(pool, &format!("http://{}/messages", server.addr), TIMEOUT).await
}

/// The answer's head has to come in this time.
async fn call_within(pool: &Pool, uri: &str, head: Duration) -> Result<Answer, CallError> {
    let target = Target { uri: uri.parse().unwrap(), authorization: None, health: None };
    let begun = Instant::now();
    let attempt = Attempt {
        method: &Method::POST,
        target: &target,
        body: Bytes::from_static(b"{}"),
        limits: Limits { begun, head: begun + head, end: begun + TIMEOUT, max_body: 1024 },
    };
    pool.call(&attempt).await.map(|(answer, _)| answer)
}

/// A server that takes connections and never says a word.
async fn mute() -> (SocketAddr, watch::Sender<usize>, JoinSet<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let seen = watch::Sender::new(0);
    let (noted, mut tasks) = (seen.clone(), JoinSet::new());
    tasks.spawn(async move {
        let mut connections = Vec::new();
        loop {
            connections.push(listener.accept().await.unwrap());
            noted.send_modify(|seen| *seen += 1);
        }
    });
    (addr, seen, tasks)
}

/// Those who wait for an opening fail with it, and open nothing themselves; those who come later try again.
#[tokio::test]
async fn calls_share_the_failure_of_the_opening_they_waited_for() {
    let (addr, seen, _tasks) = mute().await;
    let deadlines = Deadlines { connect: TIMEOUT, tls: Duration::from_millis(100) };
    let pool = Pool::new(Connector::new(client_config(None).unwrap(), deadlines), HttpVersion::Http2, KEEP);
    let uri = format!("https://{addr}/messages");
    for round in 1..=2 {
        let calls = std::iter::repeat_with(|| call_within(&pool, &uri, TIMEOUT)).take(20);
        for failed in futures_util::future::join_all(calls).await {
            let error = failed.unwrap_err();
            let found = (error.sent, error.is_timeout, error.reason.as_str());
            assert_eq!(found, (Sent::No, false, "no answer within 100ms"));
        }
        seen.subscribe().wait_for(|seen| *seen >= round).await.unwrap();
        assert_eq!(*seen.borrow(), round, "connections");
    }
}

/// The deadline of an answer's head is none for its body.
#[tokio::test]
async fn a_body_may_come_when_the_time_for_the_head_is_over() {
    const HEAD: Duration = Duration::from_secs(1);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let uri = format!("http://{}/messages", listener.local_addr().unwrap());
    let pool = pool(HttpVersion::Http1);
    // Reckoned from when the connection came, which is after the call has begun.
    let server = async {
        let mut stream = BufReader::new(listener.accept().await.unwrap().0);
        let over = Instant::now() + HEAD + 10 * MOMENT;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n").await.unwrap();
        // Nothing happens that could be waited for: this is about the time itself.
        sleep_until(over).await;
        stream.write_all(b"late").await.unwrap();
        stream
    };
    let (answered, _stream) = tokio::join!(call_within(&pool, &uri, HEAD), server);
    assert_eq!(answered.unwrap().body, "late");
}

/// However many: a task may read from 128 connections before tokio has it wait.
#[tokio::test]
async fn one_look_finds_all_dead_connections() {
    const MANY: usize = 300;
    let (pool, server) = (pool(HttpVersion::Http1), Server::start(HttpVersion::Http1).await);
    server.answers.send_replace(false);
    let all = async {
        server.seen.subscribe().wait_for(|seen| seen.0 == MANY).await.unwrap();
        server.answers.send_replace(true);
    };
    let calls = std::iter::repeat_with(|| call(&pool, &server)).take(MANY);
    let (answered, ()) = tokio::join!(futures_util::future::join_all(calls), all);
    assert!(answered.iter().all(Result::is_ok));
    server.closing.send_replace(true);
    server.until_ended(MANY).await;
    // The ends are here, and the runtime hears of them when it asks the system the next time.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    pool.tend(Instant::now() + KEEP / 2);
    let mut left = 0;
    while pool.idle.take(Instant::now()).is_some() {
        left += 1;
    }
    assert_eq!(left, 0);
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
