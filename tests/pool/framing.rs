//! Answers of HTTP/1.1 in every form: each message is taken once, and no connection is used again that may hold more.

use std::time::Duration;

use super::{Trust, alone};
use crate::stub::{Act, Proxy, Stub, accepted, answer};

/// An answer, and whether the connection is good for another message behind it.
struct Case(&'static str, Act, bool);

/// What is read.
fn read() -> Vec<Case> {
    let plain = String::from_utf8(accepted("wamid.it")).unwrap();
    let (_, body) = plain.split_once("\r\n\r\n").unwrap();
    let (one, two) = body.split_at(30);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n{:x};a=b\r\n{one}\r\n00{:X} \r\n{two}\r\n0;c\r\nD: e\r\n\r\n",
        one.len(),
        two.len()
    );
    let whole = |bytes: String| Act::Answer(bytes.into_bytes());
    let drip = |bytes: &str| Act::Drip(bytes.as_bytes().to_vec(), Duration::from_micros(20));
    vec![
        Case("plain", whole(plain.clone()), true),
        Case("byte by byte", drip(&plain), true),
        Case("chunks", whole(chunked.clone()), true),
        Case("chunks byte by byte", drip(&chunked), true),
        Case("behind 100", whole(format!("HTTP/1.1 100 Continue\r\n\r\n{plain}")), true),
        Case("behind 103 byte by byte", drip(&format!("HTTP/1.1 103 Hint\r\nLink: x\r\n\r\n{plain}")), true),
        Case(
            "said twice",
            whole(plain.replace("\r\n\r\n", &format!("\r\ncontent-length: {}\r\n\r\n", body.len()))),
            true,
        ),
        Case("announced close", Act::Answer(answer("200 OK", "Connection: x, Close\r\n", body)), false),
        Case("HTTP/1.0", whole(plain.replace("HTTP/1.1", "HTTP/1.0")), false),
        Case("and a byte", Act::Answer([plain.as_bytes(), b"\n"].concat()), false),
        Case("and an answer", whole(plain.clone() + &plain), false),
    ]
}

/// What is not, because nobody knows where it ends.
fn refused() -> Vec<Case> {
    let bad = |name, lines| Case(name, Act::Answer(answer("200 OK", lines, "2\r\n{}\r\n0\r\n\r\n")), false);
    let whole = |name, bytes: String| Case(name, Act::Answer(bytes.into_bytes()), false);
    vec![
        bad("two framings", "Transfer-Encoding: chunked\r\n"),
        bad("two lengths", "Content-Length: 2\r\n"),
        bad("another coding", "Transfer-Encoding: gzip, chunked\r\n"),
        whole("no coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{}".to_owned()),
        whole("a sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}".to_owned()),
        whole("a folded line", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA: b\r\n c\r\n\r\n{}".to_owned()),
        whole(
            "a bare chunk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n".to_owned(),
        ),
        whole("no size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n\r\n".to_owned()),
        whole("another protocol", "HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()),
        whole("no answer", "HTTP/1.1 100 Continue\r\n\r\n".repeat(17)),
    ]
}

/// Sends one message into each case, and another one behind it that tells whether the connection was used again.
async fn run(stub: &Stub, proxy: &Proxy) {
    let assert_once = |text: &str| {
        let whole = stub.seen().whole;
        assert_eq!(whole.iter().filter(|whole| *whole == text).count(), 1, "{text}: {whole:?}");
    };
    proxy.send("first").await;
    let mut doubts = 0;
    for (Case(name, act, is_good), is_read) in
        read().into_iter().map(|case| (case, true)).chain(refused().into_iter().map(|case| (case, false)))
    {
        let before = stub.seen().connections;
        stub.script([act]);
        let reply = proxy.send(name).await;
        if is_read {
            assert_eq!(reply.id().as_deref(), Some("wamid.it"), "{name}");
        } else {
            reply.assert_in_doubt(500);
            doubts += 1;
        }
        assert_once(name);
        assert_eq!(stub.seen().connections, before, "{name}");
        let next = format!("after {name}");
        assert_eq!(proxy.send(&next).await.id(), stub.seen().id(&next), "{next}");
        assert_once(&next);
        assert_eq!(stub.seen().connections, before + usize::from(!is_good), "{next}");
    }
    assert_eq!(proxy.in_doubt().await, doubts);
}

/// Something came, or the end, while the connection was idle.
async fn run_idle(stub: &Stub, proxy: &Proxy) {
    proxy.send("before").await;
    for (round, stray) in (0..).zip([&b"x"[..], b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n", b""]) {
        let before = stub.seen();
        stub.stray(stray);
        stub.until(|seen| seen.strays + seen.ended > before.strays + before.ended).await;
        let text = format!("idle {round}");
        let reply = proxy.send(&text).await;
        assert!(reply.id().is_some() && reply.id() == stub.seen().id(&text), "{text}: {reply:?}");
        assert_eq!(stub.seen().connections, before.connections + 1, "{text}");
        // The one that was given up goes, if it has not gone by itself.
        stub.until(|seen| seen.ended == seen.connections - 1).await;
    }
    assert_eq!(proxy.in_doubt().await, 0);
    proxy.assert_sound().await;
}

#[tokio::test]
async fn answers_in_every_form() {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), &alone("")).await;
    run(&stub, &proxy).await;
    proxy.assert_sound().await;
}

#[tokio::test]
async fn what_comes_to_an_idle_connection_ends_it() {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), &alone("")).await;
    run_idle(&stub, &proxy).await;
}

#[tokio::test]
async fn the_same_through_tls() {
    let trust = Trust::new();
    let stub = Stub::tls(trust.speaking(b"http/1.1"), []).await;
    let proxy = trust.proxy(stub.addr.port(), "").await;
    run(&stub, &proxy).await;
    let stub = Stub::tls(trust.speaking(b"http/1.1"), []).await;
    let proxy = trust.proxy(stub.addr.port(), "").await;
    run_idle(&stub, &proxy).await;
}

/// Whoever can cut a connection could cut such an answer short (RFC 8446 section 6.1).
#[tokio::test]
async fn an_answer_until_the_end_needs_an_end_that_tls_knows() {
    let unmeasured = |id: &str| {
        let plain = String::from_utf8(accepted(id)).unwrap();
        let (_, body) = plain.split_once("\r\n\r\n").unwrap();
        Act::AnswerAndClose(format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes())
    };
    let stub = Stub::start([unmeasured("wamid.plain")]).await;
    let proxy = Proxy::start(&stub.base_url(), &alone("")).await;
    assert_eq!(proxy.send("plain").await.id().as_deref(), Some("wamid.plain"));

    let trust = Trust::new();
    // The stub closes without a word.
    let stub = Stub::tls(trust.speaking(b"http/1.1"), [unmeasured("wamid.tls")]).await;
    let proxy = trust.proxy(stub.addr.port(), "").await;
    proxy.send("tls").await.assert_in_doubt(500);
    assert_eq!((proxy.in_doubt().await, stub.seen().whole), (1, vec!["tls".to_owned()]));
}
