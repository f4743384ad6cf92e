//! Requests that are no proper HTTP/1.1 (RFC 9112): refused in the dialect, never acted upon.

use super::{body, good, send_head};
use crate::support::{KEY, Proxy, Reply};

/// A head by a user with further lines, and a body.
fn with(lines: &str, body: &str) -> Vec<u8> {
    format!("{}{lines}\r\n{body}", send_head()).into_bytes()
}

/// Each request with the status of its refusal.
fn corpus() -> Vec<(&'static str, Vec<u8>, u16)> {
    let text = body();
    let length = format!("Content-Length: {}\r\n", text.len());
    let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    let key = format!("Authorization: Bearer {KEY}\r\n");
    let head = |line: &str, rest: &str| format!("{line}\r\n{rest}{key}{length}\r\n{text}").into_bytes();
    let host = "Host: proxy\r\n";
    let headers = |count: usize| (0..count).map(|n| format!("X-{n}: y\r\n")).collect::<String>();
    vec![
        ("two lengths", with(&format!("{length}Content-Length: 1\r\n"), &text), 400),
        ("a list of lengths", with("Content-Length: 2, 2\r\n", "{}"), 400),
        ("a signed length", with("Content-Length: +2\r\n", "{}"), 400),
        ("a negative length", with("Content-Length: -2\r\n", "{}"), 400),
        ("a huge length", with("Content-Length: 99999999999999999999999\r\n", "{}"), 400),
        ("an unknown coding", with("Transfer-Encoding: xchunked\r\n", &chunk), 400),
        ("chunked is not last", with("Transfer-Encoding: chunked, identity\r\n", &chunk), 400),
        ("gzip under chunked", with("Transfer-Encoding: gzip, chunked\r\n", &chunk), 501),
        ("chunked twice", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", &chunk), 501),
        ("a blank before the colon", with(&format!("X : y\r\n{length}"), &text), 400),
        ("a folded line", with(&format!("X: y\r\n z\r\n{length}"), &text), 400),
        ("a NUL", with(&format!("X: y\0z\r\n{length}"), &text), 400),
        ("a bare CR", with(&format!("X: y\rz\r\n{length}"), &text), 400),
        ("no colon", with(&format!("nonsense\r\n{length}"), &text), 400),
        ("an empty name", with(&format!(": y\r\n{length}"), &text), 400),
        ("two hosts", with(&format!("Host: other\r\n{length}"), &text), 400),
        ("two equal hosts", with(&format!("Host: proxy\r\n{length}"), &text), 400),
        ("an empty host", head("POST /v1/messages HTTP/1.1", "Host:\r\n"), 400),
        ("a list of hosts", head("POST /v1/messages HTTP/1.1", "Host: x, y\r\n"), 400),
        ("hosts without a blank", head("POST /v1/messages HTTP/1.1", "Host: x,y\r\n"), 400),
        ("a user before the host", head("POST /v1/messages HTTP/1.1", "Host: a@b\r\n"), 400),
        ("a URL for a host", head("POST /v1/messages HTTP/1.1", "Host: http://x\r\n"), 400),
        ("a host and a path", head("POST /v1/messages HTTP/1.1", "Host: x/y\r\n"), 400),
        ("a blank in the host", head("POST /v1/messages HTTP/1.1", "Host: x y\r\n"), 400),
        ("a port without a host", head("POST /v1/messages HTTP/1.1", "Host: :80\r\n"), 400),
        ("a port that is a word", head("POST /v1/messages HTTP/1.1", "Host: x:y\r\n"), 400),
        ("half an address", head("POST /v1/messages HTTP/1.1", "Host: [::1\r\n"), 400),
        ("an empty host in HTTP/1.0", head("POST /v1/messages HTTP/1.0", "Host: \r\n"), 400),
        ("no host", head("POST /v1/messages HTTP/1.1", ""), 400),
        ("no version", head("POST /v1/messages", host), 400),
        ("a strange version", head("POST /v1/messages HTTP/1.2", host), 400),
        ("no path", head("POST HTTP/1.1", host), 400),
        ("a blank in the path", head("POST /v1/mess ages HTTP/1.1", host), 400),
        ("a strange verb", head("PO\0ST /v1/messages HTTP/1.1", host), 400),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 400),
        ("65 headers", with(&format!("{}{length}", headers(65)), &text), 431),
        ("120 headers", with(&format!("{}{length}", headers(120)), &text), 431),
        ("a huge header", with(&format!("X: {}\r\n{length}", "x".repeat(500_000)), &text), 431),
        ("a huge URI", head(&format!("POST /v1/messages?{} HTTP/1.1", "x".repeat(70_000)), host), 431),
        ("a chunk without a size", with("Transfer-Encoding: chunked\r\n", "x\r\n{}\r\n0\r\n\r\n"), 400),
        ("a chunk of 2^64 bytes", with("Transfer-Encoding: chunked\r\n", "10000000000000000\r\n{}"), 400),
        ("a chunk longer than its size", with("Transfer-Encoding: chunked\r\n", "1\r\n{}\r\n0\r\n\r\n"), 400),
        ("gzip", with(&format!("Content-Encoding: gzip\r\n{length}"), &text), 415),
        ("br", with(&format!("content-encoding: br\r\n{length}"), &text), 415),
        (
            "aws-chunked and gzip",
            with(&format!("Content-Encoding: aws-chunked,gzip\r\n{length}"), &text),
            415,
        ),
        ("identity and zstd", with(&format!("Content-Encoding: identity, zstd\r\n{length}"), &text), 415),
    ]
}

fn assert_refused(reply: &Reply, name: &str, status: u16) {
    assert_eq!(reply.status, status, "{name}: {reply:?}");
    assert_eq!(reply.code(), 1025, "{name}");
    assert_eq!(reply.header("connection"), Some("close"), "{name}");
}

#[tokio::test]
async fn improper_requests_are_refused_in_dialect() {
    let proxy = Proxy::start().await;
    for (name, request, status) in corpus() {
        let mut client = proxy.connect().await;
        client.write(&request).await;
        assert_refused(&client.reply().await, name, status);
        assert!(client.is_closed().await, "{name}");
    }
    assert_eq!(proxy.mock.seen(), 0, "none of them reached Cloud");
    assert_eq!(proxy.raw(good()).await.status, 201);
}

/// How the bytes were cut into segments changes nothing.
#[tokio::test]
async fn improper_bytes_one_by_one_get_the_same_verdict() {
    let proxy = Proxy::start().await;
    for (name, request, status) in corpus().into_iter().filter(|(_, request, _)| request.len() < 1000) {
        let mut client = proxy.connect().await;
        client.write_slowly(&request).await;
        assert_refused(&client.reply().await, name, status);
    }
    assert_eq!(proxy.mock.seen(), 0);
}

/// Accepted by RFC 9112 or harmless: hyper reads them in one way, and we write every request anew.
#[tokio::test]
async fn odd_requests_that_have_one_reading_are_taken() {
    let proxy = Proxy::start().await;
    let text = body();
    let length = format!("Content-Length: {}\r\n", text.len());
    let hosted = |host: &str| {
        String::from_utf8(with(&length, &text))
            .unwrap()
            .replace("Host: proxy", &format!("Host: {host}"))
            .into_bytes()
    };
    let line_feeds = String::from_utf8(with(&length, &text)).unwrap().replace("\r\n", "\n").into_bytes();
    let absolute = String::from_utf8(with(&length, &text))
        .unwrap()
        .replace("POST /v1/messages", "POST http://other.example:1/v1/messages")
        .into_bytes();
    for (name, request) in [
        ("bare line feeds", line_feeds),
        ("equal lengths", with(&format!("{length}{length}"), &text)),
        ("an absolute URL", absolute),
        ("blank lines first", [b"\r\n\r\n".to_vec(), good()].concat()),
        ("utf-8", with(&format!("Content-Encoding: UTF-8\r\n{length}"), &text)),
        ("aws-chunked", with(&format!("Content-Encoding: aws-chunked\r\n{length}"), &text)),
        ("identity", with(&format!("Content-Encoding: identity\r\n{length}"), &text)),
        ("no coding", with(&format!("Content-Encoding:\r\n{length}"), &text)),
        ("a host with a port", hosted("proxy.internal.:9090")),
        ("a host with an empty port", hosted("my_proxy:")),
        ("an address", hosted("127.0.0.1:9090")),
        ("an address of IPv6", hosted("[::1]:9090")),
        ("64 headers", with(&format!("{}{length}", "X: y\r\n".repeat(61)), &text)),
    ] {
        assert_eq!(proxy.raw(request).await.status, 201, "{name}");
    }
}

/// RFC 9112 section 6.1: the coding wins, and the connection ends, so that nothing can hide behind it.
#[tokio::test]
async fn a_length_beside_a_coding_cannot_smuggle_a_request() {
    let proxy = Proxy::start().await;
    let text = body();
    let hidden = String::from_utf8(good()).unwrap();
    let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    for (length, lines) in [(4, "before"), (chunk.len() + hidden.len(), "before"), (4, "behind")] {
        let coding = "Transfer-Encoding: chunked\r\n";
        let lines = match lines {
            "before" => format!("Content-Length: {length}\r\n{coding}"),
            _ => format!("{coding}Content-Length: {length}\r\n"),
        };
        proxy.mock.clear();
        let mut client = proxy.connect().await;
        client.write(with(&lines, &format!("{chunk}{hidden}"))).await;
        let reply = client.reply().await;
        assert!(matches!(reply.status, 201 | 400), "{reply:?}");
        assert!(client.is_closed().await, "the hidden request is not answered");
        assert!(proxy.mock.accepted() <= 1);
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let proxy = Proxy::start().await;
    let text = body();
    let head = send_head().replace("HTTP/1.1", "HTTP/1.0").replace("Host: proxy\r\n", "");
    let mut client = proxy.connect().await;
    client.write(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len())).await;
    assert_eq!(client.reply().await.status, 201);
    assert!(client.is_closed().await);
    let mut client = proxy.connect().await;
    client.write(format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")).await;
    assert_refused(&client.reply().await, "a coding in HTTP/1.0", 400);
}

/// HTTP/2 with prior knowledge: on-prem had none, and its preface has no answer in HTTP/1.1.
#[tokio::test]
async fn http_2_is_hung_up_on() {
    let proxy = Proxy::start().await;
    let mut client = proxy.connect().await;
    client.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(client.is_closed().await);
}
