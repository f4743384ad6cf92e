//! The scriptable media provider does what it is told to.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stub::{Answer, Client, End, Payload, Provider};

const DATE: &str = "Wed, 21 Oct 2015 07:28:00 GMT";

/// Sends one request and reads until the provider closes.
async fn whole(provider: &Provider, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(provider.addr).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: p\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn it_answers_and_remembers() {
    let provider = Provider::start().await;
    assert_eq!(provider.url("/a.jpg"), format!("http://{}/a.jpg", provider.addr));
    provider.serve("/a.jpg", Answer::ok("abc").header("X", "1").header("X", "2"));
    let mut client = Client::to(provider.addr).await;
    let (host, accept) = ("Host: p\r\n", "Accept: a\r\naccept: b\r\n");
    client.write(format!("GET /a.jpg?b=c HTTP/1.1\r\n{host}{accept}\r\n").as_bytes()).await;
    let reply = client.reply().await.unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (200, b"abc".as_slice()));
    assert_eq!(reply.header("content-type"), Some("image/jpeg"));
    assert!(reply.head.contains("X: 1\r\nX: 2\r\n"));
    // Unknown paths, bodies and HEAD do no harm to the connection.
    client.write(b"POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").await;
    assert_eq!(client.reply().await.unwrap().status, 404);
    client.write(b"HEAD /a.jpg HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let mut head = String::new();
    client.0.read_to_string(&mut head).await.unwrap();
    assert!(head.contains("Content-Length: 3\r\n") && head.ends_with("\r\n\r\n"), "{head}");

    provider.until(|seen| seen.requests.len() == 3 && seen.requests[2].end == End::Written).await;
    let seen = provider.seen();
    assert_eq!((seen.connections, provider.gets(), provider.conditionals()), (1, 1, 0));
    let request = &seen.requests[0];
    assert_eq!((request.path.as_str(), request.query.as_deref()), ("/a.jpg", Some("b=c")));
    assert_eq!((request.headers["accept"].as_str(), request.headers["host"].as_str()), ("a, b", "p"));
    assert_eq!((request.status, request.bytes_written, request.is_conditional), (Some(200), 3, false));
    assert_eq!((seen.requests[1].method.as_str(), seen.requests[2].bytes_written), ("POST", 0));
}

#[tokio::test]
async fn scripts_come_before_the_standing_answer_and_the_last_one_set_wins() {
    let provider = Provider::start().await;
    provider.serve("/a", Answer::ok("old"));
    provider.serve("/a", Answer::ok("new").content_type("text/plain"));
    provider.script("/a", [Answer::new(500), Answer::ok("once").no_content_type()]);
    provider.script("/a", [Answer::new(204)]);
    let mut answers = Vec::new();
    for _ in 0..5 {
        answers.push(whole(&provider, "/a", "").await);
    }
    assert_eq!(
        answers,
        [
            "HTTP/1.1 500 Scripted\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 Scripted\r\nContent-Length: 4\r\n\r\nonce",
            "HTTP/1.1 204 Scripted\r\n\r\n",
            "HTTP/1.1 200 Scripted\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nnew",
            "HTTP/1.1 200 Scripted\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nnew",
        ]
    );
}

#[tokio::test]
async fn bodies_end_as_they_are_told_to() {
    let provider = Provider::start().await;
    let abc = || Answer::ok("abc").no_content_type();
    for (answer, expected) in [
        (abc().chunked(), "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        (abc().until_close(), "Connection: close\r\n\r\nabc"),
        (abc().declare_length(9), "Content-Length: 9\r\n\r\nabc"),
        (abc().truncate_after(2), "Content-Length: 3\r\n\r\nab"),
        (abc().chunked().truncate_after(2), "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
    ] {
        provider.serve("/a", answer);
        assert_eq!(whole(&provider, "/a", "").await, format!("HTTP/1.1 200 Scripted\r\n{expected}"));
    }
    // The provider closes even when the client would go on.
    provider.serve("/a", abc().truncate_after(0));
    let mut client = Client::to(provider.addr).await;
    client.write(b"GET /a HTTP/1.1\r\n\r\n").await;
    assert!(client.reply().await.is_err());
    assert_eq!(provider.seen().requests.last().unwrap().bytes_written, 0);
}

#[tokio::test]
async fn a_stalled_answer_ends_with_its_client() {
    let provider = Provider::start().await;
    provider.serve("/a", Answer::ok("abc").stall_after(1));
    let mut client = Client::to(provider.addr).await;
    client.write(b"GET /a HTTP/1.1\r\n\r\n").await;
    provider.until(|seen| seen.requests.first().is_some_and(|request| request.bytes_written == 1)).await;
    assert_eq!(provider.seen().requests[0].end, End::Open);
    drop(client);
    provider.until(|seen| seen.requests[0].end == End::Left).await;
    assert_eq!(provider.seen().requests[0].bytes_written, 1);
}

#[tokio::test]
async fn many_zeros_are_counted_until_the_client_goes() {
    let provider = Provider::start().await;
    let length = 120 << 20;
    assert!(matches!(Answer::zeros(length).body, Payload::Zeros(_)));
    provider.serve("/a", Answer::zeros(length).chunked());
    let mut client = Client::to(provider.addr).await;
    client.write(b"GET /a HTTP/1.1\r\n\r\n").await;
    client.0.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
    drop(client);
    provider.until(|seen| seen.requests[0].end == End::Left).await;
    let written = provider.seen().requests[0].bytes_written;
    assert!((1 << 19..length).contains(&written), "{written}");

    provider.serve("/b", Answer::zeros(100_000));
    assert!(whole(&provider, "/b", "").await.ends_with(&"\0".repeat(100_000)));
    assert_eq!(provider.seen().requests[1].bytes_written, 100_000);
}

#[tokio::test]
async fn it_revalidates() {
    let provider = Provider::start().await;
    let answer = Answer::ok("abc").header("ETag", "\"a\"").header("Last-Modified", DATE);
    provider.serve("/a", answer.clone().revalidating([("Cache-Control", "max-age=60")]));
    provider.serve("/ignores", answer);
    let not_modified = "HTTP/1.1 304 Scripted\r\nCache-Control: max-age=60\r\n\r\n";
    let dated = format!("If-Modified-Since: {DATE}\r\n");
    for (headers, is_304) in [
        ("If-None-Match: \"a\"\r\n", true),
        ("If-None-Match: \"b\", W/\"a\"\r\n", true),
        ("If-None-Match: *\r\n", true),
        (&dated, true),
        ("If-None-Match: \"b\"\r\n", false),
        // The tag decides alone.
        (&format!("{dated}If-None-Match: \"b\"\r\n"), false),
        ("If-Modified-Since: Wed, 21 Oct 2015 07:28:01 GMT\r\n", false),
    ] {
        let answer = whole(&provider, "/a", headers).await;
        assert_eq!(answer == not_modified, is_304, "{headers}{answer}");
        assert_eq!(answer.ends_with("\r\n\r\nabc"), !is_304, "{headers}{answer}");
    }
    assert!(whole(&provider, "/a", "").await.ends_with("abc"));
    assert!(whole(&provider, "/ignores", "If-None-Match: \"a\"\r\n").await.ends_with("abc"));
    assert_eq!((provider.gets(), provider.conditionals()), (1, 8));
    assert_eq!(provider.seen().requests[0].status, Some(304));
}

#[tokio::test]
async fn held_requests_are_seen_and_wait() {
    let provider = Arc::new(Provider::start().await);
    provider.serve("/a", Answer::ok("then"));
    provider.hold();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let provider = Arc::clone(&provider);
        clients.spawn(async move { whole(&provider, "/a", "").await });
    }
    provider.until(|seen| seen.requests.len() == 3).await;
    provider.serve("/a", Answer::ok("now"));
    assert!(provider.seen().requests.iter().all(|request| request.status.is_none()));
    provider.release();
    for answer in clients.join_all().await {
        assert!(answer.ends_with("then"), "{answer}");
    }
    assert!(whole(&provider, "/a", "").await.ends_with("now"));
}

#[tokio::test]
async fn it_ends_when_it_is_dropped() {
    let provider = Provider::start().await;
    provider.hold();
    let mut client = Client::to(provider.addr).await;
    client.write(b"GET /a HTTP/1.1\r\n\r\n").await;
    provider.until(|seen| seen.requests.len() == 1).await;
    drop(provider);
    assert!(client.reply().await.is_err());
}
