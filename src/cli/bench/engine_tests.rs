use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::super::counters::Counters;
use super::super::request::Template;
use super::super::schedule::{Rate, Schedule};
use super::super::target::Target;
use super::*;

/// Longer than anything takes here, but for the one test that waits for it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// What a server does with the request that has this number.
#[derive(Clone, Copy)]
enum Act {
    Answer,
    AnswerAndClose,
    /// Without a word about that in the answer.
    AnswerThenLeave,
    AnswerAnother,
    Hang,
    Close,
}

struct Server {
    site: Arc<Site>,
    requests: Arc<AtomicU64>,
    /// How many connections were accepted.
    connections: watch::Receiver<u64>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(timeout: Duration, act: fn(u64) -> Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = Target::find(&url, None).unwrap();
        let template = Template::new(&target.host, &target.path, Some("token"), &[]);
        let requests = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&requests);
        let (accepted, connections) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut streams = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.send_modify(|count| *count += 1);
                streams.spawn(serve(stream, Arc::clone(&counter), act));
            }
        });
        let site = Arc::new(Site { target, template, timeout });
        Self { site, requests, connections, _tasks: tasks }
    }

    /// Sends so many messages over so many connections.
    async fn sent(&self, count: u32, connections: usize) -> Arc<Run> {
        let engine = Engine::connect(&self.site, connections, 1).await.unwrap();
        let schedule = Schedule::new(Rate::new(count), Duration::ZERO, Duration::from_secs(1));
        // All are overdue, so that none has to be waited for.
        let start = Instant::now().checked_sub(Duration::from_secs(2)).unwrap();
        let run = Run::new(Load::open(start, schedule), Counters::new().unwrap());
        engine.begin(&run).end().await;
        run
    }
}

async fn serve(mut stream: TcpStream, counter: Arc<AtomicU64>, act: fn(u64) -> Act) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((_, body)) = text.split_once("\r\n\r\n").filter(|(_, body)| body.ends_with("}}")) else {
            if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let to = body.split('"').nth(7).unwrap().to_owned();
        bytes.clear();
        let act = act(counter.fetch_add(1, Ordering::Relaxed));
        let (connection, to) = match act {
            Act::Answer | Act::AnswerThenLeave => ("keep-alive", to),
            Act::AnswerAndClose => ("close", to),
            Act::AnswerAnother => ("keep-alive", "12005550100".to_owned() + &to),
            Act::Hang => std::future::pending().await,
            Act::Close => return,
        };
        let body = format!(r#"{{"messages":[{{"id":"w"}}],"contacts":[{{"input":"{to}"}}]}}"#);
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 201 Created\r\nConnection: {connection}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        if matches!(act, Act::AnswerAndClose | Act::AnswerThenLeave) {
            return;
        }
    }
}

fn failures(run: &Run) -> Vec<(String, u64)> {
    run.counters().failures().iter().map(|(kind, count)| (kind.clone(), *count)).collect()
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[tokio::test]
async fn every_message_is_sent_and_answered_once() {
    for connections in [1, 3] {
        let server = Server::start(TIMEOUT, |_| Act::Answer).await;
        let run = server.sent(200, connections).await;
        let counters = run.counters();
        assert_eq!((counters.sent(), counters.answered(), counters.failed()), (200, 200, 0));
        assert_eq!(server.requests.load(Ordering::Relaxed), 200);
        // They were due one to two seconds ago, and that counts.
        assert!(counters.latency().unwrap().min >= ms(1000));
    }
}

#[tokio::test]
async fn a_lost_connection_fails_its_message_and_is_opened_again() {
    let server = Server::start(TIMEOUT, |n| if n % 5 == 0 { Act::Close } else { Act::Answer }).await;
    let run = server.sent(50, 2).await;
    assert_eq!(failures(&run), [("connection closed before the answer".to_owned(), 10)]);
    // None was sent twice.
    assert_eq!((run.counters().answered(), server.requests.load(Ordering::Relaxed)), (40, 50));
}

#[tokio::test]
async fn a_connection_that_ends_with_its_answer_is_no_failure() {
    let server = Server::start(TIMEOUT, |_| Act::AnswerAndClose).await;
    let run = server.sent(20, 2).await;
    assert_eq!((failures(&run), run.counters().answered()), (vec![], 20));
}

#[tokio::test]
async fn a_connection_that_ends_while_nothing_is_sent_is_opened_before_the_next_message() {
    let mut server = Server::start(TIMEOUT, |_| Act::AnswerThenLeave).await;
    let connection = Connection::open(Arc::clone(&server.site)).await.unwrap();
    let schedule = Schedule::new(Rate::new(3), Duration::ZERO, Duration::from_secs(1));
    let run = Run::new(Load::open(Instant::now(), schedule), Counters::new().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(connection.serve(Arc::clone(&run)));
    let Load::Open(open) = &run.load else { panic!("an open loop") };
    for sent in 1..=3 {
        open.release(1);
        // The one that it was sent on, and the one after it.
        server.connections.wait_for(|count| *count > sent).await.unwrap();
    }
    open.release(1);
    tasks.join_all().await;
    assert_eq!((failures(&run), run.counters().answered()), (vec![], 3));
}

#[tokio::test]
async fn the_answer_to_another_message_is_found() {
    let server = Server::start(TIMEOUT, |n| if n == 7 { Act::AnswerAnother } else { Act::Answer }).await;
    let run = server.sent(20, 2).await;
    assert_eq!(failures(&run), [("wrong recipient".to_owned(), 1)]);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let server = Server::start(ms(50), |n| if n == 1 { Act::Hang } else { Act::Answer }).await;
    let run = server.sent(5, 1).await;
    assert_eq!(failures(&run), [("timed out after 50ms".to_owned(), 1)]);
    assert_eq!(run.counters().answered(), 4);
}

#[tokio::test]
async fn a_run_that_is_stopped_leaves_the_rest() {
    let server = Server::start(ms(50), |_| Act::Hang).await;
    let engine = Engine::connect(&server.site, 1, 1).await.unwrap();
    let schedule = Schedule::new(Rate::new(1000), Duration::ZERO, Duration::from_secs(3600));
    let run = Run::new(Load::open(Instant::now(), schedule), Counters::new().unwrap());
    let mut running = engine.begin(&run);
    run.load.stop();
    running.end().await;
    let left = run.load.left();
    assert!(left >= 3_599_999 && left + run.counters().sent() == 3_600_000, "{left}");
}

#[tokio::test]
async fn a_closed_loop_goes_on_until_it_is_stopped() {
    let server = Server::start(TIMEOUT, |_| Act::Answer).await;
    let engine = Engine::connect(&server.site, 2, 2).await.unwrap();
    let hour = Duration::from_secs(3600);
    let run = Run::new(Load::closed(Instant::now(), Duration::ZERO, hour), Counters::new().unwrap());
    let mut running = engine.begin(&run);
    while server.requests.load(Ordering::Relaxed) < 20 {
        tokio::task::yield_now().await;
    }
    run.load.stop();
    running.end().await;
    let counters = run.counters();
    assert_eq!(counters.answered(), server.requests.load(Ordering::Relaxed));
    assert_eq!((counters.failed(), counters.late(), run.load.left()), (0, None, 0));
}

#[tokio::test]
async fn a_closed_loop_warms_up_counts_and_ends() {
    let now = Instant::now();
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    assert!(!Load::closed(now, hour, hour).next().await.unwrap().counts);
    let earlier = now.checked_sub(second * 2).unwrap();
    let counted = Load::closed(earlier, second, hour).next().await.unwrap();
    assert!(counted.counts && counted.due == counted.taken && counted.taken >= now);
    assert!(Load::closed(earlier, second, second).next().await.is_none());
}

#[tokio::test]
async fn nobody_there_is_told_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let target = Target::find(&url, None).unwrap();
    let template = Template::new(&target.host, &target.path, None, &[]);
    let site = Arc::new(Site { target, template, timeout: TIMEOUT });
    let refused = Engine::connect(&site, 3, 1).await.err();
    assert_eq!(refused.unwrap().to_string(), "connection refused");
}
