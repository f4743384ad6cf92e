//! A client of the proxy on one connection, just able enough to see how it ends.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::proxy::KEY;

/// Longer than anything should take here.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client(pub BufReader<TcpStream>);

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Client {
    pub async fn to(addr: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(addr).await.unwrap()))
    }

    /// Sends one text message and reads the answer.
    pub async fn send(&mut self, text: &str) -> Reply {
        self.write(&message(text)).await;
        self.reply().await.unwrap()
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// The next answer; an error tells how the connection ended instead.
    pub async fn reply(&mut self) -> std::io::Result<Reply> {
        tokio::time::timeout(PATIENCE, self.read_reply()).await.expect("an answer in time")
    }

    async fn read_reply(&mut self) -> std::io::Result<Reply> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut reply = Reply { status, head, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body.resize(length, 0);
        self.0.read_exact(&mut reply.body).await?;
        Ok(reply)
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The id of a message that was sent.
    pub fn id(&self) -> Option<String> {
        let id = self.json()["messages"][0]["id"].as_str().map(str::to_owned);
        assert_eq!(id.is_some(), self.status == 201, "201 and an id go together: {self:?}");
        id
    }

    pub fn code(&self) -> i64 {
        let body = self.json();
        assert_eq!(body["meta"]["api_status"], "stable", "{self:?}");
        assert!(body["errors"][0]["title"].is_string(), "{self:?}");
        body["errors"][0]["code"].as_i64().unwrap_or_else(|| panic!("no code: {self:?}"))
    }

    pub fn details(&self) -> String {
        self.json()["errors"][0]["details"].as_str().unwrap_or_default().to_owned()
    }

    /// Nothing was sent: the client may try again, and is told when.
    #[track_caller]
    pub fn assert_unsent(&self) {
        assert_eq!((self.status, self.code()), (503, 1016), "{self:?}");
        assert!(self.details().contains("was not sent"), "{self:?}");
        assert!(self.header("retry-after").is_some(), "{self:?}");
    }

    /// Nobody knows: the client is told not to try again blindly.
    #[track_caller]
    pub fn assert_in_doubt(&self, status: u16) {
        assert_eq!((self.status, self.code()), (status, 1014), "{self:?}");
        assert!(self.details().contains("may have been sent"), "{self:?}");
        assert!(self.header("retry-after").is_none(), "{self:?}");
    }
}

/// A request that sends `text`.
pub fn message(text: &str) -> Vec<u8> {
    let body = json!({"to": "15551234567", "type": "text", "text": {"body": text}}).to_string();
    format!(
        "POST /v1/messages HTTP/1.1\r\nHost: proxy\r\nAuthorization: Apikey {KEY}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
