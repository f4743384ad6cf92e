//! Bodies that nobody has verified: anybody can send them, and announce more than they send.

use std::net::SocketAddr;

use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use tokio::net::TcpSocket;

use super::scene::{PATH, SECRET, Scene, VERIFY_TOKEN, signature, support, text};
use crate::support::{Client, config, request};

const MIB: usize = 1024 * 1024;
/// Whoever waits for a body waits longer than any test.
const PATIENT: &str = "[limits]\nbody_timeout = \"10m\"\nheader_timeout = \"10m\"\n";

/// The head of a webhook with further lines.
fn head(lines: &str) -> String {
    format!("POST {PATH} HTTP/1.1\r\nHost: proxy\r\n{lines}\r\n")
}

/// A signature that is none of ours.
fn made_up() -> String {
    format!("X-Hub-Signature-256: sha256={}\r\n", "0".repeat(64))
}

/// A connection from this address of the loopback network.
async fn from(host: u8, address: SocketAddr) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, host], 0).into()).unwrap();
    Client::over(socket.connect(address).await.unwrap())
}

/// A signed text that is larger than what is waited for with its head.
fn large() -> Vec<u8> {
    let mut body = text("wamid.large", "hello").to_string().into_bytes();
    body.resize(200_000, b' ');
    body
}

#[tokio::test]
async fn what_is_announced_takes_nothing_from_others() {
    let scene = Scene::with(PATIENT).await;
    let mut crowd = Vec::new();
    for length in [&[3 * MIB; 21][..], &[MIB]].concat() {
        let mut client = from(2, scene.webhook).await;
        client.write(head(&format!("{}Content-Length: {length}\r\n", made_up())) + "{").await;
        crowd.push(client);
    }
    // Their heads were read before those of later connections.
    assert_eq!(scene.get("/nothing").await.status, 404);
    scene.tell(&text("wamid.small", "hello")).await;
    assert_eq!(scene.post_signed(SECRET, &large()).await.status, 200);
    // Nor do they stay.
    for mut client in crowd {
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
        assert!(client.ends_well().await);
    }
}

/// What is not signed is not waited for, however it comes.
#[tokio::test]
async fn an_unsigned_head_has_its_answer_before_its_body() {
    let scene = Scene::with(PATIENT).await;
    let good = signature(SECRET, b"{}");
    let twice = format!("X-Hub-Signature-256: {good}\r\n").repeat(2);
    for signed in ["", "X-Hub-Signature-256: sha256=00\r\n", "X-Hub-Signature: sha1=00\r\n", &twice] {
        for framing in [
            "Content-Length: 100\r\n".to_owned(),
            "Content-Length: 100000\r\n".to_owned(),
            format!("Content-Length: {}\r\n", 3 * MIB),
            "Transfer-Encoding: chunked\r\n".to_owned(),
            "Expect: 100-continue\r\nContent-Length: 100\r\n".to_owned(),
        ] {
            let mut client = Client::connect(scene.webhook).await;
            client.write(head(&format!("{signed}{framing}"))).await;
            let reply = client.reply().await;
            assert_eq!((reply.status, reply.header("connection")), (401, Some("close")), "{signed}{framing}");
        }
    }
}

/// HMAC over a large body with many secrets takes long. The only thread for such work is busy here, and what is small
/// does not need it.
#[test]
fn large_bodies_are_verified_off_the_threads_that_serve() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (app, webhook) = apart().await;
        let counter = "prembridge_webhooks_total{outcome=\"wrong_signature\"}";
        let (release, released) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || released.recv());
        let signed = format!("sha256={}", "0".repeat(64));
        let headers = [("X-Hub-Signature-256", signed.as_str())];
        let mut waiting = Client::connect(webhook).await;
        waiting.write(request("POST", PATH, &headers, &large())).await;
        for _ in 0..20 {
            let reply = Client::connect(webhook).await.call("POST", PATH, &headers, b"{}").await;
            assert_eq!(reply.status, 401);
        }
        let metrics =
            Client::connect(app.addresses().admin).await.call("GET", "/metrics", &[], b"").await.text();
        assert!(metrics.contains(&format!("{counter} 20\n")), "{metrics}");
        drop(release);
        assert!(busy.await.unwrap().is_err());
        assert_eq!(waiting.reply().await.status, 401);
    });
}

#[tokio::test]
async fn head_and_doubled_slashes_reach_the_subscription() {
    let (_app, webhook) = apart().await;
    let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={VERIFY_TOKEN}");
    let mut client = Client::connect(webhook).await;
    let get = client.call("GET", &format!("//webhooks//cloud/?{query}"), &[], b"").await;
    assert_eq!((get.status, get.text().as_str()), (200, "1158201444"));
    let head = client.call("HEAD", &format!("{PATH}?{query}"), &[], b"").await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
    assert_eq!(client.call("GET", "//", &[], b"").await.status, 200, "no body is left behind");
    let mut client = Client::connect(webhook).await;
    client.write("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 400);
}

/// An app with a listener for webhooks alone, which is not served by workers.
async fn apart() -> (App, SocketAddr) {
    let text = config("http://127.0.0.1:1", "", &support());
    let text = text.replacen("webhook = \"127.0.0.1:0\"", "webhook = \"[::1]:0\"", 1);
    let config = Config::parse(&text, &Env::default()).unwrap().config;
    let app = App::start(config, Clock::fixed(0)).await.unwrap();
    let webhook = app.addresses().webhook.unwrap();
    (app, webhook)
}
