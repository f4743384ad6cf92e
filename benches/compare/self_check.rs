//! The upstream, checked from outside: what it takes, what it refuses, and what it holds.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use prembridge::http1::ResponseReader;
use prembridge::net::client_config;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio_rustls::TlsConnector;

use crate::certificates::{self, AUTHORITY};
use crate::judge::{CLIENT, CLOUD_PATH, GRAPH, ONPREM_PATH};
use crate::upstream::Upstream;

const ONPREM: &str = r#"{"to":"16505551234","type":"text","preview_url":true,"text":{"body":"\"Hi\""}}"#;
const CLOUD: &str = r#"{"messaging_product":"whatsapp","to":"+16505551234","type":"text","text":{"body":"Hi","preview_url":true}}"#;

/// Stops at the first thing that is not as it should be.
pub async fn run() {
    plain().await;
    tls().await;
    println!("the upstream of the comparison: fine");
}

async fn plain() {
    let upstream = Upstream::start(None).await;
    let mut stream = TcpStream::connect(upstream.messages).await.unwrap();

    let first = call(&mut stream, &post(ONPREM_PATH, CLIENT, ONPREM)).await;
    assert_eq!((first.status, first.text("/contacts/0/input")), (200, "16505551234"));
    let second = call(&mut stream, &post(CLOUD_PATH, GRAPH, CLOUD)).await;
    assert_eq!((second.status, second.text("/contacts/0/input")), (200, "+16505551234"));
    assert_eq!(second.text("/contacts/0/wa_id"), "16505551234");
    assert_ne!(first.text("/messages/0/id"), second.text("/messages/0/id"));

    let wrong = [
        post(CLOUD_PATH, CLIENT, CLOUD),
        post(CLOUD_PATH, GRAPH, ONPREM),
        post(CLOUD_PATH, GRAPH, &CLOUD.replace("\"type\"", "\"preview_url\":true,\"type\"")),
        post(CLOUD_PATH, GRAPH, &CLOUD.replace("+1650", "me")),
        post(ONPREM_PATH, GRAPH, ONPREM),
        post("/v1/contacts", CLIENT, ONPREM),
        post(ONPREM_PATH, CLIENT, "{"),
    ];
    for request in &wrong {
        assert_eq!(call(&mut stream, request).await.status, 400, "{}", String::from_utf8_lossy(request));
    }
    let stats = order(upstream.control, "/stats").await;
    let count = |name: &str| stats.body.get(name).and_then(Value::as_u64).unwrap();
    assert_eq!((count("requests"), count("rewritten")), (2 + wrong.len() as u64, 1));
    assert_eq!((count("wrong"), stats.text("/first_wrong")), (wrong.len() as u64, "the wrong token"));
    held(&upstream, stream).await;
}

/// An answer that is kept back comes when it is let go.
async fn held(upstream: &Upstream, mut stream: TcpStream) {
    order(upstream.control, "/hold").await;
    stream.write_all(&post(ONPREM_PATH, CLIENT, ONPREM)).await.unwrap();
    while order(upstream.control, "/stats").await.body.get("in_flight") != Some(&Value::from(1)) {
        yield_now().await;
    }
    order(upstream.control, "/release").await;
    assert_eq!(read(&mut stream).await.status, 200);
}

/// A second connection goes on with the session of the first, when the authority is trusted.
async fn tls() {
    let folder = TempDir::new().unwrap();
    certificates::write(folder.path());
    assert!(!fs::read(folder.path().join(AUTHORITY)).unwrap().is_empty());
    let upstream = Upstream::start(Some(folder.path())).await;
    let trusting = client_config(Some(&folder.path().join(AUTHORITY))).unwrap();
    for _ in 0..2 {
        let stream = TcpStream::connect(upstream.messages).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::clone(&trusting)).connect(name, stream).await.unwrap();
        assert_eq!(call(&mut stream, &post(CLOUD_PATH, GRAPH, CLOUD)).await.status, 200);
    }
    let stats = order(upstream.control, "/stats").await;
    let count = |name: &str| stats.body.get(name).and_then(Value::as_u64);
    assert_eq!((count("handshakes"), count("resumed")), (Some(2), Some(1)));
}

struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap()
    }
}

fn post(path: &str, authorization: &[u8], body: &str) -> Vec<u8> {
    let length = body.len();
    let mut request =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\nContent-Length: {length}\r\nauthorization: ");
    request.push_str(std::str::from_utf8(authorization).unwrap());
    (request + "\r\n\r\n" + body).into_bytes()
}

async fn order(control: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(control).await.unwrap();
    call(&mut stream, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).await
}

/// In two pieces, so that the upstream has to wait for the second.
async fn call(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &[u8]) -> Answer {
    let (one, other) = request.split_at(request.len() - 1);
    stream.write_all(one).await.unwrap();
    stream.flush().await.unwrap();
    yield_now().await;
    stream.write_all(other).await.unwrap();
    stream.flush().await.unwrap();
    read(stream).await
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let (mut reader, mut bytes) = (ResponseReader::new(1 << 20), Vec::new());
    loop {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the upstream hung up");
        if let Some(response) = reader.read(&bytes).unwrap() {
            return Answer {
                status: response.status.as_u16(),
                body: serde_json::from_slice(&response.body).unwrap(),
            };
        }
        bytes.clear();
    }
}
