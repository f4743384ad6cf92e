//! The first promise: no message is sent twice because of us, and what is in doubt is said to be.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::stub::{Act, Proxy, Reply, Stub, accepted, answer, closed_port};

#[path = "never_twice/tls.rs"]
mod tls;

/// Deadlines for upstreams that never come to an end.
const SHORT: &str = "first_byte_timeout = \"300ms\"\ntotal_timeout = \"600ms\"";

/// A stub and the proxy before it, for one fault after the other.
struct Bench {
    stub: Stub,
    proxy: Proxy,
}

impl Bench {
    async fn new(rest: &str) -> Self {
        let stub = Stub::start([]).await;
        let proxy = Proxy::start(&stub.base_url(), rest).await;
        Self { stub, proxy }
    }

    /// Sends one message into `act` and another one after it, which must be none the worse for it.
    /// `arrives` is how often the first reaches the stub whole.
    async fn send(&self, name: &str, act: Act, arrives: usize) -> Reply {
        self.stub.script([act]);
        let reply = self.proxy.send(name).await;
        println!("{name}: {reply:?}");
        let next = format!("after {name}");
        assert_eq!(self.proxy.send(&next).await.status, 201, "{next}");
        let whole = self.stub.seen().whole;
        let count = |text: &str| whole.iter().filter(|whole| *whole == text).count();
        assert_eq!((count(name), count(&next)), (arrives, 1), "{whole:?}");
        reply
    }

    /// Expects doubt.
    async fn in_doubt(&self, name: &str, act: Act, status: u16, outcome: &str, arrives: usize) {
        let before = (self.proxy.in_doubt().await, self.proxy.calls(outcome).await);
        self.send(name, act, arrives).await.assert_in_doubt(status);
        // The message that goes well counts too.
        let calls = if outcome == "ok" { 2 } else { 1 };
        let after = (self.proxy.in_doubt().await, self.proxy.calls(outcome).await);
        assert_eq!(after, (before.0 + 1, before.1 + calls), "{name}");
        self.proxy.assert_sound().await;
    }
}

fn half() -> Vec<u8> {
    let mut bytes = accepted("wamid.half");
    bytes.truncate(bytes.len() - 20);
    bytes
}

#[tokio::test]
async fn connections_that_end_before_the_answer_leave_doubt() {
    let bench = Bench::new("").await;
    bench.in_doubt("reset after the head", Act::ResetAfterHead, 500, "in_doubt", 0).await;
    bench.in_doubt("reset after the request", Act::ResetAfterRead, 500, "in_doubt", 1).await;
    bench.in_doubt("close after the request", Act::CloseAfterRead, 500, "in_doubt", 1).await;
}

#[tokio::test]
async fn broken_answers_leave_doubt() {
    let broken = [
        ("half an answer, then close", Act::AnswerAndClose(half())),
        ("half an answer, then reset", Act::AnswerAndReset(half())),
        ("half a head, then close", Act::AnswerAndClose(b"HTTP/1.1 200 O".to_vec())),
        ("not HTTP", Act::AnswerAndClose(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())),
        ("too many headers", Act::Answer(answer("200 OK", &"A: b\r\n".repeat(200), "{}"))),
        ("too large", Act::Answer(answer("200 OK", "", &" ".repeat((1 << 20) + 1)))),
        (
            "a chunk cut off",
            Act::AnswerAndClose(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"mes".to_vec(),
            ),
        ),
    ];
    let bench = Bench::new("").await;
    for (name, act) in broken {
        bench.in_doubt(name, act, 500, "in_doubt", 1).await;
    }
}

#[tokio::test]
async fn whole_answers_without_an_id_leave_doubt() {
    let headers = "Content-Type: application/json\r\n";
    let mut short = String::from_utf8(accepted("wamid.short")).unwrap();
    short = short.replace("Content-Length: 1", "Content-Length: ");
    let unusable = [
        ("empty", answer("200 OK", "", "")),
        ("204", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        ("not JSON", answer("200 OK", headers, "{\"messages\":[{\"id\"")),
        ("other JSON", answer("200 OK", headers, "[1]")),
        ("no messages", answer("200 OK", headers, "{\"messaging_product\":\"whatsapp\"}")),
        ("no message", answer("200 OK", headers, "{\"messages\":[]}")),
        ("no id", answer("200 OK", headers, "{\"messages\":[{\"id\":\"\"}]}")),
        ("length too short", short.into_bytes()),
    ];
    let bench = Bench::new("").await;
    for (name, bytes) in unusable {
        bench.in_doubt(name, Act::Answer(bytes), 500, "ok", 1).await;
    }
    let html = answer("502 Bad Gateway", "Content-Type: text/html\r\n", "<html>");
    bench.in_doubt("502 in HTML", Act::Answer(html), 500, "refused", 1).await;
}

#[tokio::test]
async fn answers_that_take_too_long_leave_doubt() {
    let mut long = String::from_utf8(accepted("wamid.long")).unwrap();
    long = long.replace("Content-Length: 1", "Content-Length: 11");
    let slow = [
        ("nothing", Act::Silence),
        ("byte by byte", Act::Drip(accepted("wamid.slow"), Duration::from_millis(20))),
        ("a slow body", Act::Drip(accepted("wamid.slow"), Duration::from_millis(4))),
        ("length too long", Act::Answer(long.into_bytes())),
    ];
    let bench = Bench::new(SHORT).await;
    for (name, act) in slow {
        bench.in_doubt(name, act, 504, "in_doubt", 1).await;
    }
}

#[tokio::test]
async fn a_call_that_timed_out_lets_its_connection_go() {
    let stub = Stub::start([Act::Silence]).await;
    let proxy = Proxy::start(&stub.base_url(), SHORT).await;
    proxy.send("first").await.assert_in_doubt(504);
    stub.until(|seen| seen.ended == 1).await;
    assert_eq!(stub.seen().whole, ["first"]);
}

/// Every way to frame an answer that HTTP/1.1 has.
#[tokio::test]
async fn unusual_answers_are_read() {
    let plain = String::from_utf8(accepted("wamid.it")).unwrap();
    let (_, body) = plain.split_once("\r\n\r\n").unwrap();
    let (one, two) = body.split_at(30);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
        one.len(),
        two.len()
    );
    let unusual = [
        ("chunked", Act::Answer(chunked.into_bytes())),
        ("announced close", Act::AnswerAndClose(answer("200 OK", "Connection: close\r\n", body))),
        ("continue", Act::Answer(format!("HTTP/1.1 100 Continue\r\n\r\n{plain}").into_bytes())),
        ("hints", Act::Answer(format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{plain}").into_bytes())),
        ("HTTP/1.0", Act::AnswerAndClose(plain.replace("HTTP/1.1", "HTTP/1.0").into_bytes())),
        ("until the end", Act::AnswerAndClose(format!("HTTP/1.0 200 OK\r\n\r\n{body}").into_bytes())),
        ("byte by byte", Act::Drip(accepted("wamid.it"), Duration::from_micros(100))),
    ];
    let bench = Bench::new("").await;
    for (name, act) in unusual {
        assert_eq!(bench.send(name, act, 1).await.id().as_deref(), Some("wamid.it"), "{name}");
    }
    assert_eq!(bench.proxy.in_doubt().await, 0);
}

#[tokio::test]
async fn refusals_are_no_doubt() {
    let json = "Content-Type: application/json\r\n";
    let error = |code: u32| format!("{{\"error\":{{\"message\":\"no\",\"code\":{code}}}}}");
    let refusals = [
        ("an error with 200", answer("200 OK", json, &error(131_026)), (400, 1026)),
        ("429", answer("429 Too Many Requests", "Retry-After: 2\r\n", "slow down"), (429, 1015)),
        ("130429", answer("400 Bad Request", json, &error(130_429)), (429, 1015)),
        ("500 from Graph", answer("500 Internal Server Error", json, &error(131_000)), (500, 1000)),
        ("a dead token", answer("401 Unauthorized", json, &error(190)), (500, 1014)),
    ];
    let bench = Bench::new("").await;
    let count = refusals.len() as u64;
    for (name, bytes, expected) in refusals {
        // Trying again after a refusal is the client's to do.
        let reply = bench.send(name, Act::Answer(bytes), 1).await;
        assert_eq!((reply.status, reply.code()), expected, "{name}");
        assert_eq!(reply.header("retry-after").is_some(), reply.status == 429, "{name}");
    }
    assert_eq!((bench.proxy.calls("refused").await, bench.proxy.in_doubt().await), (count, 0));
}

#[tokio::test]
async fn a_refused_connection_sends_nothing_and_recovers() {
    let (socket, addr) = closed_port();
    let proxy = Proxy::start(&format!("http://{addr}"), "").await;
    proxy.send("first").await.assert_unsent();
    assert_eq!((proxy.calls("unsent").await, proxy.in_doubt().await), (1, 0));
    let stub = Stub::serve(socket.listen(64).unwrap(), None, []);
    assert_eq!(proxy.send("second").await.status, 201);
    assert_eq!(stub.seen().whole, ["second"]);
}

/// A listener that nobody accepts from, with a full queue: the kernel drops what comes in.
#[tokio::test]
async fn a_black_hole_sends_nothing() {
    let (socket, addr) = closed_port();
    let _listener = socket.listen(0).unwrap();
    let mut filling = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), connect(addr)).await {
        filling.push(stream);
    }
    let proxy = Proxy::start(&format!("http://{addr}"), "connect_timeout = \"100ms\"").await;
    proxy.send("first").await.assert_unsent();
    assert_eq!((proxy.calls("unsent").await, proxy.in_doubt().await), (1, 0));
    // The deadline of the whole call ends the connection attempt too, and nothing was sent then either.
    let proxy = Proxy::start(&format!("http://{addr}"), "total_timeout = \"100ms\"").await;
    proxy.send("second").await.assert_unsent();
    assert_eq!((proxy.calls("unsent").await, proxy.in_doubt().await), (1, 0));
}

async fn connect(addr: SocketAddr) -> std::io::Result<tokio::net::TcpStream> {
    tokio::net::TcpStream::connect(addr).await
}

/// Whether the peer's end of the connection is seen before or after the request is written is a
/// race; what matters is that the answer tells which it was.
#[tokio::test]
async fn connections_that_are_closed_at_once_never_carry_a_message_twice() {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), "").await;
    for round in 0..50 {
        stub.script([Act::CloseConnection, Act::CloseConnection, Act::CloseConnection]);
        let text = format!("message {round}");
        let reply = proxy.send(&text).await;
        match reply.status {
            201 | 503 => {}
            _ => reply.assert_in_doubt(500),
        }
        // What is left of the script.
        while stub.script_left() > 0 {
            let _ = connect(stub.addr).await;
            stub.until(|seen| seen.ended + 1 >= seen.connections).await;
        }
    }
    let whole = stub.seen().whole;
    assert_eq!(whole.len(), whole.iter().collect::<HashSet<_>>().len(), "{whole:?}");
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_is_replaced() {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), "").await;
    for round in 1..=50 {
        stub.script([Act::AnswerAndClose(accepted(&format!("wamid.{round}")))]);
        assert_eq!(proxy.send(&format!("message {round}")).await.id(), Some(format!("wamid.{round}")));
        stub.until(|seen| seen.ended == round).await;
    }
    assert_eq!(stub.seen().whole.len(), 50);
    assert_eq!(stub.seen().connections, 50);
    assert_eq!(proxy.in_doubt().await, 0);
}

/// The same without waiting for the end to be seen, on all threads.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_closed_under_the_request_is_replaced_or_reported() {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), "").await;
    let mut sent = HashSet::new();
    let mut doubts = 0;
    for round in 0..300 {
        stub.script([Act::AnswerAndClose(accepted(&format!("wamid.{round}")))]);
        let reply = proxy.send(&format!("message {round}")).await;
        match reply.status {
            201 => assert!(sent.insert(reply.id().unwrap())),
            503 => reply.assert_unsent(),
            _ => {
                reply.assert_in_doubt(500);
                doubts += 1;
            }
        }
    }
    let whole = stub.seen().whole;
    assert_eq!(whole.len(), whole.iter().collect::<HashSet<_>>().len(), "{whole:?}");
    assert!(sent.len() <= whole.len());
    assert_eq!(proxy.in_doubt().await, doubts);
    proxy.assert_sound().await;
}

/// Bytes behind an answer are not the answer to the next message.
#[tokio::test]
async fn an_answer_never_belongs_to_another_message() {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), "").await;
    for round in 0..50 {
        let mut two = accepted(&format!("wamid.right.{round}"));
        two.extend_from_slice(&accepted("wamid.smuggled"));
        stub.script([Act::Answer(two)]);
        let reply = proxy.send(&format!("first {round}")).await;
        assert_eq!(reply.id(), Some(format!("wamid.right.{round}")));
        let reply = proxy.send(&format!("second {round}")).await;
        let id = reply.id().unwrap();
        assert!(id.ends_with(&format!("second {round}")), "{id}");
    }
    assert_eq!(stub.seen().whole.len(), 100);
}
