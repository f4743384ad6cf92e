//! A media provider: a thread per connection, a different file under each path.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::{BEGINNING, Gate, Load};

/// What is written at a time.
const PIECE: usize = 64 << 10;

pub struct Provider {
    address: SocketAddr,
    served: Arc<AtomicUsize>,
}

impl Provider {
    pub fn start(load: Load, is_chunked: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::new(AtomicUsize::new(0));
        let (count, gate) = (Arc::clone(&served), Arc::new(Gate::new(load.files)));
        // It waits for connections until the process ends.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (count, gate) = (Arc::clone(&count), Arc::clone(&gate));
                thread::spawn(move || {
                    serve(stream, load, is_chunked, &gate);
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Self { address, served }
    }

    pub fn url(&self, index: usize) -> String {
        format!("http://{}/{index}", self.address)
    }

    /// How many files were written to their end.
    pub fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

fn serve(mut stream: TcpStream, load: Load, is_chunked: bool, gate: &Gate) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let start = lines.next().unwrap();
    lines.find(String::is_empty).unwrap();
    let index = start.split([' ', '/']).nth(2).unwrap().parse().unwrap();
    let framing = if is_chunked {
        "Transfer-Encoding: chunked".to_owned()
    } else {
        format!("Content-Length: {}", load.size)
    };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\nCache-Control: max-age=60\r\nConnection: close\r\n{framing}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    write_file(&mut stream, load.size, index, is_chunked, gate);
    if is_chunked {
        stream.write_all(b"0\r\n\r\n").unwrap();
    }
}

/// A file that differs from that of every other index.
pub fn write_file(stream: &mut TcpStream, size: u64, index: usize, is_chunked: bool, gate: &Gate) {
    let mut piece = vec![b' '; PIECE];
    piece.splice(..24, format!("%PDF-1.7 file {index:>9}\n").into_bytes());
    let mut left = size;
    while left > 0 {
        let length = PIECE.min(usize::try_from(left).unwrap());
        let data = piece.get(..length).unwrap();
        if is_chunked {
            stream.write_all(format!("{length:x}\r\n").as_bytes()).unwrap();
            stream.write_all(data).unwrap();
            stream.write_all(b"\r\n").unwrap();
        } else {
            stream.write_all(data).unwrap();
        }
        let was_beginning = size - left < BEGINNING;
        left -= length as u64;
        if was_beginning && (size - left >= BEGINNING || left == 0) {
            gate.wait();
        }
    }
}
