//! The clients of Graph without a proxy around them: what they repeat, how much they read, and how long they wait.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use prembridge::config::HttpVersion;
use prembridge::net::egress::{Guard, Rules, SystemResolver};
use prembridge::net::{self, Connector};
use prembridge::upstream::{Answer as Answered, CallError, Deadlines, MediaUpstream, Sent, Target, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, pause, resume, sleep};

use crate::stub::{Answer, Provider};

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before something is done once more.
const AGAIN: Duration = Duration::from_millis(250);
const MIB: u64 = 1 << 20;
const JSON: Bytes = Bytes::from_static(b"{}");

fn connector() -> Connector {
    let deadlines = net::Deadlines { connect: PATIENCE, tls: PATIENCE };
    Connector::new(net::client_config(None).unwrap(), deadlines)
}

/// Calls may take this long.
fn messages(total: Duration) -> Upstream {
    let deadlines = Deadlines { first_byte: total, total, pool_idle: PATIENCE };
    Upstream::new(&connector(), HttpVersion::Http1, deadlines, 0)
}

fn files() -> MediaUpstream {
    let deadlines = Deadlines { first_byte: PATIENCE, total: PATIENCE, pool_idle: PATIENCE };
    let guard = Guard::new(Rules::default(), Vec::new(), Arc::new(SystemResolver::default()));
    let connect = net::Deadlines { connect: PATIENCE, tls: PATIENCE };
    let tls = net::client_config(None).unwrap();
    MediaUpstream::new(&tls, connect, Arc::new(guard), deadlines, PATIENCE).unwrap()
}

fn target(uri: &str) -> Target {
    Target { uri: uri.parse().unwrap(), authorization: None, health: None }
}

/// After 100 ms and after 400 ms more, but not when the time of the whole call would be over by then.
#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_sent_is_repeated_twice_in_its_time() {
    // It leads nowhere, and that takes no time.
    let nowhere = target("/messages");
    for (total, expected) in [(60_000, 500), (501, 500), (500, 100), (101, 100), (100, 0)] {
        let begun = Instant::now();
        let error = messages(Duration::from_millis(total)).post(&nowhere, JSON).await.unwrap_err();
        assert_eq!((error.sent, error.is_timeout), (Sent::No, false), "{error}");
        assert_eq!(begun.elapsed().as_millis(), expected, "of {total}");
    }
}

#[tokio::test]
async fn what_may_be_done_twice_is_done_once_more_when_it_failed() {
    let (provider, upstream) = (Provider::start().await, messages(PATIENCE));
    let target = target(&provider.url("/a"));
    for (name, answer, tries) in [
        ("a success", Answer::ok("{}"), 1),
        ("a refusal", Answer::new(400), 1),
        ("a fault", Answer::new(500), 2),
        ("half an answer", Answer::zeros(9).truncate_after(1), 2),
    ] {
        provider.serve("/a", answer);
        let (before, begun) = (provider.seen().requests.len(), Instant::now());
        let outcome = upstream.post_again(&target, JSON).await;
        assert_eq!(provider.seen().requests.len() - before, tries, "{name}: {outcome:?}");
        assert!(tries == 1 || begun.elapsed() >= AGAIN, "{name}: at once");
    }
}

/// Whoever has waited for the whole time has waited long enough.
#[tokio::test]
async fn nothing_is_done_once_more_after_a_deadline() {
    let (provider, upstream) = (Provider::start().await, messages(PATIENCE));
    let target = target(&provider.url("/a"));
    provider.hold();
    let begun = Instant::now();
    let (outcome, ()) = tokio::join!(upstream.post_again(&target, JSON), async {
        provider.until(|seen| seen.requests.len() == 1).await;
        pause();
    });
    let (error, waited) = (outcome.unwrap_err(), begun.elapsed());
    assert_eq!((error.sent, error.is_timeout), (Sent::Maybe, true), "{error}");
    assert!(waited < PATIENCE + AGAIN, "{waited:?}");
    assert_eq!(provider.seen().requests.len(), 1);
}

/// More than that is not Graph. Pages of templates are longer than all else.
#[tokio::test]
async fn answers_are_read_up_to_their_largest_size() {
    let (provider, messages, files) = (Provider::start().await, messages(PATIENCE), files());
    let target = target(&provider.url("/a"));
    for (call, most) in [
        ("a message", MIB),
        ("a removal", MIB),
        ("an object", 4 * MIB),
        ("a file", MIB),
        ("a removal of a file", MIB),
        ("an object of a file", MIB),
    ] {
        for (answer, is_read) in [
            (Answer::zeros(most), true),
            (Answer::zeros(most + 1), false),
            (Answer::zeros(most).chunked(), true),
            (Answer::zeros(most + 1).chunked(), false),
        ] {
            provider.serve("/a", answer);
            let outcome: Result<Answered, CallError> = match call {
                "a message" => messages.post(&target, JSON).await,
                "a removal" => messages.delete(&target).await,
                "an object" => messages.get(&target).await,
                "a file" => files.post(&target, HeaderMap::new(), JSON).await,
                "a removal of a file" => files.delete(&target).await,
                _ => files.get(&target).await,
            };
            match outcome {
                Ok(answer) => assert_eq!((is_read, answer.body.len() as u64), (true, most), "{call}"),
                Err(error) => {
                    assert_eq!(
                        (is_read, error.sent, error.is_timeout),
                        (false, Sent::Maybe, false),
                        "{call}"
                    );
                    assert!(error.reason.contains("larger than"), "{call}: {error}");
                }
            }
        }
    }
}

/// Answers a request, and writes a byte of its body after each of so many seconds. Says when that began.
async fn drip(listener: &TcpListener, seconds: &[u64]) -> Instant {
    let mut stream = listener.accept().await.unwrap().0;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    // From here on time goes by itself when nobody has anything to do.
    pause();
    let begun = Instant::now();
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", seconds.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    for seconds in seconds {
        sleep(Duration::from_secs(*seconds)).await;
        // Who has waited too long has left.
        let _ = stream.write_all(b" ").await;
    }
    begun
}

#[tokio::test]
async fn a_body_may_pause_for_ten_seconds_each_time() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = target(&format!("http://{}/a", listener.local_addr().unwrap()));
    for is_file in [false, true] {
        for (seconds, expected) in [(&[9, 9, 9][..], None), (&[9, 11], Some(19)), (&[11], Some(10))] {
            let call = async {
                let outcome =
                    if is_file { files().get(&target).await } else { messages(PATIENCE).get(&target).await };
                (outcome, Instant::now())
            };
            let ((outcome, ended), begun) = tokio::join!(call, drip(&listener, seconds));
            resume();
            let waited = ended - begun;
            match expected {
                None => assert_eq!(outcome.unwrap().body.len(), seconds.len(), "{waited:?}"),
                Some(expected) => {
                    let error = outcome.unwrap_err();
                    assert_eq!((error.sent, error.is_timeout), (Sent::Maybe, true), "{error}");
                    assert_eq!(waited.as_secs(), expected, "{seconds:?}");
                }
            }
        }
    }
}
