//! Bodies that are too large, too slow, or end too early.

use super::{body, good, key, send_head};
use crate::support::{Proxy, TO, request};

const MIB: usize = 1024 * 1024;

/// A valid message of exactly this many bytes.
fn message_of(size: usize) -> Vec<u8> {
    let mut message = format!("{{\"to\":\"{TO}\",\"text\":{{\"body\":\"hi\"}}}}").into_bytes();
    message.resize(size, b' ');
    message
}

#[tokio::test]
async fn one_byte_too_many_is_told_and_not_sent() {
    let proxy = Proxy::start().await;
    let key = key();
    let headers = [("Authorization", key.as_str())];
    let reply = proxy.connect().await.call("POST", "/v1/messages", &headers, &message_of(MIB)).await;
    assert_eq!(reply.status, 201);
    let mut client = proxy.connect().await;
    client.write_all(request("POST", "/v1/messages", &headers, &message_of(MIB + 1))).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code()), (413, 1025));
    assert!(client.ends_well().await);

    let mut chunked = format!("{}Transfer-Encoding: chunked\r\n\r\n", send_head()).into_bytes();
    chunked.extend(format!("{:x}\r\n", MIB + 1).as_bytes());
    chunked.extend(message_of(MIB + 1));
    chunked.extend(b"\r\n0\r\n\r\n");
    let mut client = proxy.connect().await;
    client.write_all(chunked).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code()), (413, 1025));
    assert!(client.ends_well().await);
    assert_eq!(proxy.mock.accepted(), 1);
}

/// A client writes its whole request before it reads: answers that come earlier must survive that.
#[tokio::test]
async fn early_refusals_of_large_requests_can_be_read() {
    let proxy = Proxy::start().await;
    let key = key();
    // More than any socket buffers hold, as an upload without a login is.
    let body = message_of(24 * MIB);
    let many: Vec<_> = (0..70).map(|n| (format!("X-{n}"), "y")).collect();
    let mut many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    many.push(("Authorization", &key));
    for (name, path, headers, status) in [
        ("coding", "/v1/messages", &[("Authorization", key.as_str()), ("Content-Encoding", "gzip")][..], 415),
        ("headers", "/v1/messages", &many[..], 431),
        ("path", "/v1/nothing", &[][..], 404),
        ("credentials", "/v1/messages", &[][..], 401),
    ] {
        for _ in 0..3 {
            let mut client = proxy.connect().await;
            client.write_all(request("POST", path, headers, &body)).await;
            let reply = client.reply().await;
            assert_eq!(reply.status, status, "{name}");
            reply.code();
            let closes = reply.header("connection") == Some("close");
            assert!(!closes || client.ends_well().await, "{name}");
        }
    }
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn whoever_waits_for_permission_gets_it_or_a_refusal() {
    let proxy = Proxy::start().await;
    let expect =
        |length: usize| format!("{}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n", send_head());
    let text = body();
    let mut client = proxy.connect().await;
    client.write(expect(text.len())).await;
    assert_eq!(client.head().await.status, 100);
    client.write(&text).await;
    assert_eq!(client.reply().await.status, 201);
    client.write(expect(MIB + 1)).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code(), reply.header("connection")), (413, 1025, Some("close")));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let proxy = Proxy::with("[limits]\nbody_timeout = \"100ms\"\n").await;
    for start in ["", "{\"to\":"] {
        let mut client = proxy.connect().await;
        client.write(format!("{}Content-Length: 50\r\n\r\n{start}", send_head())).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.code(), reply.header("connection")), (408, 1025, Some("close")));
        assert!(client.is_closed().await);
    }
    let mut client = proxy.connect().await;
    client.write(format!("{}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"to\"", send_head())).await;
    assert_eq!(client.reply().await.status, 408);
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn heads_that_do_not_come_and_idle_connections_end() {
    let proxy = Proxy::with("[limits]\nheader_timeout = \"100ms\"\n").await;
    for start in ["", "POST", "POST /v1/messages HTTP/1.1\r\nHost: x\r\nX"] {
        let mut client = proxy.connect().await;
        client.write(start).await;
        assert!(client.is_closed().await, "{start:?}");
    }
    let mut client = proxy.connect().await;
    assert_eq!(client.call("GET", "/", &[], b"").await.status, 200);
    assert!(client.is_closed().await);
}

/// A request whose body breaks off is never acted upon.
#[tokio::test]
async fn half_a_body_is_no_message() {
    let proxy = Proxy::start().await;
    let text = body();
    let mut client = proxy.connect().await;
    client.write(format!("{}Content-Length: {}\r\n\r\n{text}", send_head(), text.len() + 1)).await;
    client.finish().await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code(), reply.header("connection")), (400, 1025, Some("close")));
    let mut client = proxy.connect().await;
    let chunk = format!("{:x}\r\n{text}\r\n", text.len());
    client.write(format!("{}Transfer-Encoding: chunked\r\n\r\n{chunk}", send_head())).await;
    client.finish().await;
    assert_eq!(client.reply().await.status, 400);
    assert_eq!(proxy.mock.seen(), 0);
}

/// More than the server's share of connections wait for their turn and are then served.
#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let proxy = Proxy::with("[limits]\nmax_connections = 1\n").await;
    let mut first = proxy.connect().await;
    assert_eq!(first.call("GET", "/", &[], b"").await.status, 200);
    let mut second = proxy.connect().await;
    second.write(request("GET", "/", &[], b"")).await;
    first.write(good()).await;
    assert_eq!(first.reply().await.status, 201);
    drop(first);
    assert_eq!(second.reply().await.status, 200);
}
