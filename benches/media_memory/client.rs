//! A client of the on-prem API over one connection, which holds no file either.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::provider::write_file;
use crate::{BEGINNING, Gate, Load};

/// The key of every request.
pub const KEY: &str = "bench-key-0123456789";
/// Longer than anything should take; a hang becomes a failure.
const HANG: Duration = Duration::from_secs(600);

pub struct Client(BufReader<TcpStream>);

impl Client {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(HANG)).unwrap();
        stream.set_write_timeout(Some(HANG)).unwrap();
        Self(BufReader::new(stream))
    }

    pub fn send_text(&mut self) {
        self.send("\"type\":\"text\",\"text\":{\"body\":\"hello\"}");
    }

    pub fn send_document(&mut self, what: &str) {
        self.send(&format!("\"type\":\"document\",\"document\":{{{what}}}"));
    }

    fn send(&mut self, content: &str) {
        let body = format!("{{\"to\":\"16315551234\",{content}}}");
        self.head("POST /v1/messages", "application/json", body.len() as u64);
        self.0.get_mut().write_all(body.as_bytes()).unwrap();
        self.answer(201);
    }

    /// Uploads a file, and waits with the others after its beginning.
    pub fn upload(&mut self, load: Load, index: usize, gate: &Gate) -> String {
        self.head("POST /v1/media", "application/pdf", load.size);
        write_file(self.0.get_mut(), load.size, index, false, gate);
        id(&self.answer(201))
    }

    /// Uploads a file to Cloud itself.
    pub fn upload_to_cloud(&mut self, load: Load) -> String {
        let field = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let start = format!(
            "{}{}--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\
             Content-Type: application/pdf\r\n\r\n",
            field("messaging_product", "whatsapp"),
            field("type", "application/pdf")
        );
        let end = "\r\n--b--\r\n";
        let length = start.len() as u64 + load.size + end.len() as u64;
        self.head("POST /v26.0/106540352242922/media", "multipart/form-data; boundary=b", length);
        self.0.get_mut().write_all(start.as_bytes()).unwrap();
        write_file(self.0.get_mut(), load.size, 0, false, &Gate::new(1));
        self.0.get_mut().write_all(end.as_bytes()).unwrap();
        id(&self.answer(200))
    }

    /// Reads a file, waits with the others after its beginning, and says how many bytes it had.
    pub fn download(&mut self, id: &str, gate: &Gate) -> u64 {
        self.head(&format!("GET /v1/media/{id}"), "application/json", 0);
        let length = self.answer_head(200);
        let copy = |from: &mut BufReader<TcpStream>, most| {
            std::io::copy(&mut from.take(most), &mut std::io::sink()).unwrap()
        };
        let beginning = copy(&mut self.0, length.min(BEGINNING));
        gate.wait();
        beginning + copy(&mut self.0, length - beginning)
    }

    fn head(&mut self, start: &str, content_type: &str, length: u64) {
        let head = format!(
            "{start} HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        self.0.get_mut().write_all(head.as_bytes()).unwrap();
    }

    fn answer(&mut self, status: u16) -> String {
        let length = self.answer_head(status);
        let mut body = String::new();
        (&mut self.0).take(length).read_to_string(&mut body).unwrap();
        body
    }

    /// Reads a head and gives back the length of what follows.
    fn answer_head(&mut self, status: u16) -> u64 {
        let mut lines = (&mut self.0).lines().map(Result::unwrap);
        let start = lines.next().unwrap();
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let length = headers.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length = length.parse().unwrap();
        let is_expected = start.starts_with(&format!("HTTP/1.1 {status} "));
        let mut body = String::new();
        if !is_expected {
            (&mut self.0).take(length).read_to_string(&mut body).unwrap();
        }
        assert!(is_expected, "{start}: {body}");
        length
    }
}

/// The first id in an answer.
fn id(answer: &str) -> String {
    answer.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}
