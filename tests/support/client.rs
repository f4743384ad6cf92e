//! An HTTP/1.1 client just able enough to misbehave.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::io::{BufReader, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes so long: the timer turns a hang into a failure and otherwise never fires.
const HANG: Duration = Duration::from_secs(30);

/// One connection.
pub struct Client<S = TcpStream> {
    read: BufReader<ReadHalf<S>>,
    write: WriteHalf<S>,
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }
}

impl<S: AsyncRead + AsyncWrite> Client<S> {
    pub fn over(stream: S) -> Self {
        let (read, write) = tokio::io::split(stream);
        Self { read: BufReader::new(read), write }
    }

    /// Sends a request with a `Content-Length` and reads its answer.
    pub async fn call(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.write(request(method, path, headers, body)).await;
        if method == "HEAD" { self.head().await } else { self.reply().await }
    }

    /// Sends bytes as they are. What the peer does not want to read any more is lost.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.write.write_all(bytes.as_ref()).await;
        let _ = self.write.flush().await;
    }

    /// Sends bytes that the peer has to take whole, as most clients insist. They go in pieces, so that an
    /// early answer comes in between.
    pub async fn write_all(&mut self, bytes: impl AsRef<[u8]>) {
        for piece in bytes.as_ref().chunks(16 * 1024) {
            timeout(HANG, self.write.write_all(piece)).await.expect("sent in time").unwrap();
            tokio::task::yield_now().await;
        }
    }

    /// Sends bytes one by one, each in a segment of its own.
    pub async fn write_slowly(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write([*byte]).await;
            tokio::task::yield_now().await;
        }
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        self.write.shutdown().await.unwrap();
    }

    /// Reads an answer.
    pub async fn reply(&mut self) -> Reply {
        let mut reply = self.head().await;
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body.resize(length, 0);
        timeout(HANG, self.read.read_exact(&mut reply.body)).await.expect("a body in time").unwrap();
        reply
    }

    /// The status of the next answer, whose body is read and forgotten; none when the peer is gone.
    pub async fn try_status(&mut self) -> Option<u16> {
        let mut start = String::new();
        if timeout(HANG, self.read.read_line(&mut start)).await.expect("a line in time").ok()? == 0 {
            return None;
        }
        let status = start.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.read.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            match line.trim_end().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.read.read_exact(&mut body).await.ok()?;
        Some(status)
    }

    /// Reads an answer that has no body whatever its length says.
    pub async fn head(&mut self) -> Reply {
        let start = self.line().await;
        let status = start.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
        let mut reply = Reply {
            status: status.unwrap_or_else(|| panic!("no status line: {start:?}")),
            headers: Vec::new(),
            body: Vec::new(),
        };
        loop {
            let line = self.line().await;
            let Some((name, value)) = line.split_once(": ") else { return reply };
            reply.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }

    /// Whether the peer has closed and nothing more comes.
    pub async fn is_closed(&mut self) -> bool {
        matches!(timeout(HANG, self.read.read(&mut [0])).await.expect("an end in time"), Ok(0) | Err(_))
    }

    /// Whether the peer ends the connection without a reset, which can destroy answers on their way.
    pub async fn ends_well(&mut self) -> bool {
        matches!(timeout(HANG, self.read.read(&mut [0])).await.expect("an end in time"), Ok(0))
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        timeout(HANG, self.read.read_line(&mut line)).await.expect("a line in time").unwrap();
        line.trim_end().to_owned()
    }
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// The on-prem code of an error, whose whole form is checked on the way.
    pub fn code(&self) -> u64 {
        self.error().0
    }

    /// Code, title and details of an error, whose whole form is checked on the way.
    pub fn error(&self) -> (u64, String, String) {
        assert!(!(200..300).contains(&self.status), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let json = self.json();
        let keys: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["errors", "meta"], "{self:?}");
        assert_eq!(json["meta"], serde_json::json!({"api_status": "stable", "version": "v2.45.1"}));
        let errors = json["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{self:?}");
        let text = |key: &str| errors[0][key].as_str().filter(|text| !text.is_empty());
        match (errors[0]["code"].as_u64(), text("title"), text("details")) {
            (Some(code), Some(title), Some(details)) => (code, title.to_owned(), details.to_owned()),
            _ => panic!("not an on-prem error: {json}"),
        }
    }
}

/// A request with a `Host` and a `Content-Length`.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("Host: proxy\r\n");
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
