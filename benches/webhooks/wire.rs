//! HTTP/1.1 messages whole, with as little work as it takes: these share the machine with what is measured.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LENGTH: &[u8] = b"content-length: ";
const END: &[u8] = b"\r\n\r\n";

/// A connection, from either side.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// Sends a request and gives its answer.
    pub async fn call(&mut self, request: &[u8]) -> Vec<u8> {
        self.write(request).await.unwrap();
        self.read().await.expect("the proxy hung up")
    }

    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next message, head and body; none when the other side has closed.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = length(&self.buffer).filter(|length| *length <= self.buffer.len()) {
                let rest = self.buffer.split_off(length);
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            if !matches!(self.stream.read_buf(&mut self.buffer).await, Ok(count) if count > 0) {
                return None;
            }
        }
    }
}

/// The status of an answer.
pub fn status(answer: &[u8]) -> u16 {
    answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap().parse().unwrap()
}

/// Where `what` ends in `bytes`.
pub fn after(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what).map(|start| start + what.len())
}

/// The length of a message whose head is there. All that is measured here declares it.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = after(bytes, END)?;
    let value = bytes.get(after(bytes, LENGTH)?..head)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit());
    Some(head + digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0')))
}
