//! The fast path answers usual requests, hyper everything else: nobody can tell which.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use super::{body, good, key, send_head};
use crate::support::random::Random;
use crate::support::{Client, Proxy, Reply, request};

/// A connection in hyper's hands.
pub async fn unusual(proxy: &Proxy) -> Client {
    let mut client = proxy.connect().await;
    // Its answer tells the length of a body that it does not have.
    client.write(request("HEAD", "/", &[], b"")).await;
    assert_eq!(client.head().await.status, 200);
    client
}

/// What a client sees, but for what is different each time.
pub fn seen(reply: &Reply) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let mut headers: Vec<_> = reply.headers.clone();
    for (name, value) in &mut headers {
        if name == "date" || name == "x-request-id" {
            value.clear();
        }
    }
    headers.sort();
    (reply.status, headers, reply.body.clone())
}

#[tokio::test]
async fn both_ways_give_the_same_answers() {
    let proxy = Proxy::start().await;
    let key = key();
    let user = [("Authorization", key.as_str())];
    let large = vec![b' '; 40_000];
    let file = proxy.connect().await.call("POST", "/v1/media", &user, &large).await;
    let file = format!("/v1/media/{}", file.json()["media"][0]["id"].as_str().unwrap());
    for (method, path, headers, body) in [
        ("GET", "/", &[][..], &b""[..]),
        ("GET", "/", &user, b"a body that nobody wants"),
        ("GET", "/?a=b#c", &[], b""),
        ("GET", "/nothing", &[], b""),
        ("BREW", "/v1/messages", &[], b""),
        ("PUT", "/v1/messages", &user, b"{}"),
        ("POST", "/v1/messages", &[], b"{}"),
        ("POST", "/v1/messages", &user, b""),
        ("POST", "/v1/messages", &user, b"{\"to\":"),
        ("POST", "/v1/messages", &[("Content-Encoding", "gzip")], b"{}"),
        ("POST", "/v1/users/login", &[("Authorization", "Basic eA==")], &large[..5000]),
        ("GET", "/v1/health", &user, b""),
        ("GET", "/v1/media/nothing", &user, b""),
        ("GET", &file, &user, b""),
    ] {
        let asked = request(method, path, headers, body);
        let (mut plain, mut other) = (proxy.connect().await, unusual(&proxy).await);
        plain.write(&asked).await;
        other.write(&asked).await;
        let (plain_reply, other_reply) = (plain.reply().await, other.reply().await);
        assert_eq!(seen(&plain_reply), seen(&other_reply), "{method} {path}");
        let is_last = plain_reply.header("connection") == Some("close");
        for mut client in [plain, other] {
            if is_last {
                assert!(client.is_closed().await, "{method} {path}");
            } else {
                client.write(good()).await;
                assert_eq!(client.reply().await.status, 201, "{method} {path}");
            }
        }
    }
}

/// However they are cut, and whatever follows.
#[tokio::test]
async fn plain_requests_may_come_in_pieces() {
    let proxy = Proxy::start().await;
    let (whole, mut sent) = (good(), 0);
    let head = whole.len() - body().len();
    let mut client = proxy.connect().await;
    for cut in [1, 3, 17, head - 2, head - 1, head, head + 1, whole.len() - 1] {
        client.write(&whole[..cut]).await;
        // Nothing can be waited for here but that the proxy may have read it.
        tokio::task::yield_now().await;
        client.write(&whole[cut..]).await;
        assert_eq!(client.reply().await.status, 201, "{cut}");
        sent += 1;
    }
    client.write_slowly(&whole).await;
    assert_eq!(client.reply().await.status, 201);
    let several = [&whole[..], &whole, &whole[..head + 2]].concat();
    client.write(&several).await;
    client.write(&whole[head + 2..]).await;
    for _ in 0..3 {
        assert_eq!(client.reply().await.status, 201);
    }
    assert_eq!(proxy.mock.accepted(), sent + 4);
}

#[tokio::test]
async fn a_client_that_wants_nothing_more_is_let_go() {
    let proxy = Proxy::start().await;
    let text = body();
    let last = format!("{}Connection: Close\r\nContent-Length: {}\r\n\r\n{text}", send_head(), text.len());
    let mut client = proxy.connect().await;
    // What it sends all the same is not read.
    client.write([last.as_bytes(), &good()].concat()).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (201, Some("close")));
    assert!(client.is_closed().await);
    assert_eq!(proxy.mock.accepted(), 1);
}

/// A request that follows a plain one and is none itself is answered after it, and once.
#[tokio::test]
async fn a_connection_changes_hands_between_requests() {
    let proxy = Proxy::start().await;
    let text = body();
    let chunked =
        format!("{}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n0\r\n\r\n", send_head(), text.len());
    let large = format!("{text}{}", " ".repeat(60_000));
    let large = request("POST", "/v1/messages", &[("Authorization", &key())], large.as_bytes());
    for odd in [chunked.as_bytes(), &large] {
        let before = proxy.mock.accepted();
        let mut client = proxy.connect().await;
        client.write([&good(), odd, &good()].concat()).await;
        for _ in 0..3 {
            assert_eq!(client.reply().await.status, 201);
        }
        assert_eq!(proxy.mock.accepted(), before + 3);
    }
}

/// An answer that takes long does not shorten the time that a connection may be idle after it.
#[tokio::test]
async fn a_connection_is_idle_from_the_end_of_its_answer() {
    const IDLE: Duration = Duration::from_secs(1);
    let proxy = Proxy::with("[limits]\nheader_timeout = \"1s\"\n").await;
    let key = key();
    let user = [("Authorization", key.as_str())];
    // More than sockets hold.
    let file = vec![b'x'; 24 * 1024 * 1024];
    let mut client = proxy.connect().await;
    client.write_all(request("POST", "/v1/media", &user, &file)).await;
    let path = format!("/v1/media/{}", client.reply().await.json()["media"][0]["id"].as_str().unwrap());
    let mut client = proxy.connect().await;
    client.write(request("GET", &path, &user, b"")).await;
    // Nothing happens that could be waited for: this is about the time itself.
    sleep_until(Instant::now() + IDLE + IDLE / 10).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.body.len()), (200, file.len()));
    client.write(good()).await;
    assert_eq!(client.reply().await.status, 201);
}

/// Whether a head is too long does not depend on how it comes.
#[tokio::test]
async fn a_head_that_is_too_long_is_refused_whole_and_in_pieces() {
    let proxy = Proxy::with("[limits]\nmax_header_bytes = \"8KiB\"\n").await;
    let text = body();
    let long = |bytes| {
        let filler = "x".repeat(bytes);
        format!("{}X: {filler}\r\nContent-Length: {}\r\n\r\n{text}", send_head(), text.len())
    };
    assert_eq!(proxy.raw(long(7000)).await.status, 201);
    let long = long(9000);
    for cut in [0, 5000, 8500, long.len() - 10] {
        let mut client = proxy.connect().await;
        client.write(&long[..cut]).await;
        tokio::task::yield_now().await;
        client.write(&long[cut..]).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.code()), (431, 1025), "{cut}");
    }
    assert_eq!(proxy.mock.accepted(), 1);
}

/// One limit to the byte, however a head is cut and whoever reads it: hyper's buffer alone takes up to half as much more.
#[tokio::test]
async fn a_head_has_one_limit() {
    const LIMIT: usize = 32 * 1024;
    let proxy = Proxy::start().await;
    let text = body();
    let length = format!("Content-Length: {}\r\n", text.len());
    let chunked = "Transfer-Encoding: chunked\r\n".to_owned();
    let chunk = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    for (framing, body) in [(length, text), (chunked, chunk)] {
        let of = |bytes: usize| {
            let head = format!("{}{framing}X: ", send_head());
            format!("{head}{}\r\n\r\n{body}", "x".repeat(bytes - head.len() - 4))
        };
        for (bytes, status) in [
            (LIMIT, 201),
            (LIMIT + 1, 431),
            (LIMIT + 1000, 431),
            (36 * 1024, 431),
            (40 * 1024, 431),
            (47 * 1024, 431),
            (49 * 1024, 431),
        ] {
            let whole = of(bytes);
            for cuts in
                [&[][..], &[100], &[16_000], &[LIMIT - 1], &[LIMIT], &[LIMIT + 1], &[9_000, 18_000, 32_000]]
            {
                let mut client = proxy.connect().await;
                let mut sent = 0;
                for cut in cuts.iter().copied().filter(|cut| *cut < bytes) {
                    client.write(&whole[sent..cut]).await;
                    sent = cut;
                    tokio::task::yield_now().await;
                }
                client.write(&whole[sent..]).await;
                let reply = client.reply().await;
                assert_eq!(reply.status, status, "{bytes} cut at {cuts:?}: {reply:?}");
                assert!(status == 201 || reply.code() == 1025, "{reply:?}");
            }
        }
    }
}

/// However many come at once.
#[tokio::test]
async fn a_long_pipeline_is_answered_in_order() {
    let proxy = Proxy::start().await;
    let mut client = proxy.connect().await;
    let one = |number: usize| request("GET", "/", &[("X-Request-Id", &format!("n-{number}"))], b"");
    client.write((0..300).flat_map(one).collect::<Vec<u8>>()).await;
    for number in 0..300 {
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.header("x-request-id")), (200, Some(&*format!("n-{number}"))));
    }
}

/// The statuses of all answers that `bytes` get, sent whole, on a connection where `before` was asked first.
async fn verdicts(proxy: &Proxy, before: &[u8], bytes: &[u8]) -> Vec<String> {
    let mut stream = TcpStream::connect(proxy.api).await.unwrap();
    stream.write_all(before).await.unwrap();
    // The rest may be refused before it was taken.
    drop(stream.write_all(bytes).await);
    drop(stream.shutdown().await);
    let mut answers = Vec::new();
    drop(stream.read_to_end(&mut answers).await);
    let answers = String::from_utf8_lossy(&answers).into_owned();
    answers.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
}

/// Damaged in whatever way, a request gets the same answers, and as many messages are sent.
#[tokio::test]
async fn both_ways_judge_damaged_requests_alike() {
    const PIECES: [&[u8]; 22] = [
        b"\r",
        b"\n",
        b"\r\n",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"\x80",
        b"\"",
        b"#",
        b"?",
        b"/",
        b"0",
        b"9",
        b"A",
        b",",
        b"+",
        b"\r\nContent-Length: 5",
        b"\r\nTransfer-Encoding: chunked",
        b"\r\nConnection: close",
        b"\r\nHost: x",
        b"\r\nExpect: 100-continue",
    ];
    let proxy = Proxy::start().await;
    let whole = good();
    let before = request("GET", "/", &[], b"");
    // Its answer tells the length of a body that it does not have, and the connection is hyper's from then on.
    let unusual = request("HEAD", "/", &[], b"");
    let mut random = Random(1);
    for _ in 0..400 {
        let mut bytes = [&whole[..], &whole].concat();
        for _ in 0..1 + random.below(2) {
            let at = random.below(whole.len());
            let piece = PIECES[random.below(PIECES.len())];
            let end = at + random.below(3);
            bytes.splice(at..end, piece.iter().copied());
        }
        let start = proxy.mock.accepted();
        let plain = verdicts(&proxy, &before, &bytes).await;
        let by_plain = proxy.mock.accepted() - start;
        let other = verdicts(&proxy, &unusual, &bytes).await;
        let by_other = proxy.mock.accepted() - start - by_plain;
        let shown = String::from_utf8_lossy(&bytes);
        assert_eq!((plain, by_plain), (other, by_other), "{shown}");
    }
}
