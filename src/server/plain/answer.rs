//! Answers to plain requests, as bytes.

use std::cell::RefCell;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::super::respond::Reply;

/// Writes the head of an answer to `out`.
pub(super) fn head(out: &mut Vec<u8>, reply: &Reply, is_last: bool, now: Instant) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(reply.status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reply.status.canonical_reason().unwrap_or_default().as_bytes());
    for (name, value) in reply.fields() {
        field(out, name, value.as_bytes());
    }
    if is_last {
        field(out, "connection", b"close");
    }
    field(out, "content-length", itoa::Buffer::new().format(reply.body.length()).as_bytes());
    DATE.with_borrow_mut(|date| field(out, "date", date.text(now).as_bytes()));
    out.extend_from_slice(b"\r\n\r\n");
}

/// Writes a field, after the line before it.
fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
}

thread_local! {
    static DATE: RefCell<Date> = const { RefCell::new(Date { text: String::new(), until: None }) };
}

/// The time of day as HTTP writes it, which is the same for a second (RFC 9110 section 6.6.1).
struct Date {
    text: String,
    until: Option<Instant>,
}

impl Date {
    fn text(&mut self, now: Instant) -> &str {
        if self.until.is_none_or(|until| until <= now) {
            let time = SystemTime::now();
            self.text = httpdate::fmt_http_date(time);
            let past = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().subsec_nanos();
            self.until = Some(now + Duration::from_secs(1) - Duration::from_nanos(past.into()));
        }
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use http::{HeaderValue, StatusCode};
    use tokio::time::Instant;

    use super::super::super::respond::Reply;
    use super::{Date, head};

    #[test]
    fn a_head_is_written_with_its_framing() {
        for (status, is_last, expected) in [
            (201, false, "HTTP/1.1 201 Created\r\na: b\r\nc: d\r\ncontent-length: 5\r\ndate: "),
            (299, true, "HTTP/1.1 299 \r\na: b\r\nc: d\r\nconnection: close\r\ncontent-length: 5\r\ndate: "),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let mut reply = Reply::new(status, Bytes::from_static(b"hello"));
            for (name, value) in [("a", "x"), ("c", "d"), ("a", "b")] {
                reply.set(name, HeaderValue::from_static(value));
            }
            let mut out = Vec::new();
            head(&mut out, &reply, is_last, Instant::now());
            let out = String::from_utf8(out).unwrap();
            let date = out.strip_prefix(expected).unwrap().strip_suffix("\r\n\r\n").unwrap();
            httpdate::parse_http_date(date).unwrap();
        }
    }

    #[test]
    fn the_date_is_of_this_second() {
        let (now, mut date) = (Instant::now(), Date { text: String::new(), until: None });
        date.text(now);
        let until = date.until.unwrap();
        assert!(until > now && until <= now + Duration::from_secs(1));
        date.text = "kept".to_owned();
        assert_eq!(date.text(until - Duration::from_nanos(1)), "kept");
        assert_ne!(date.text(until), "kept");
    }
}
