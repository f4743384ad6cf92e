//! Requests, prepared so far that only the recipient is filled in.

/// The text that the other benches send, too.
const BODY: [&str; 2] = [
    r#"{"recipient_type":"individual","to":""#,
    r#"","type":"text","preview_url":false,"text":{"body":"Hello Jane, your order 0815 has been shipped."}}"#,
];
/// How many digits a made-up number has.
const DIGITS: usize = 11;
/// Where the made-up part of a number is among them, and what is there.
const EXCHANGE: &[u8; DIGITS] = b"10005550100";
/// Area codes have no 0 or 1 in front (NANPA, "Area codes").
const AREAS: std::ops::Range<u16> = 200..1000;
/// Those of toll-free and premium numbers, whose 555-01xx are not kept free (NANPA, "555 line numbers").
const NOT_PLACES: [u16; 8] = [800, 833, 844, 855, 866, 877, 888, 900];
/// From 555-0100 to 555-0199.
const LINES: u64 = 100;

/// What is sent, and to whom.
#[derive(Debug)]
pub struct Template {
    requests: Vec<Request>,
    /// The area codes of the made-up numbers that take the place of the only request's digits; none when recipients
    /// were named.
    areas: Vec<[u8; 3]>,
}

#[derive(Debug)]
struct Request {
    bytes: Vec<u8>,
    /// Where the recipient's digits are.
    at: usize,
    digits: Vec<u8>,
}

/// One message, in buffers that are used again.
#[derive(Debug, Default)]
pub struct Message {
    /// The request as it is sent.
    pub bytes: Vec<u8>,
    pub to: Vec<u8>,
}

impl Template {
    /// Posts to `path` at `host`, to each of these recipients in turn. Without any, to numbers that belong to nobody: of
    /// each area code of a place those from 555-0100 to 555-0199, which are kept free for films (NANPA, "555 line
    /// numbers").
    pub fn new(host: &str, path: &str, token: Option<&str>, recipients: &[String]) -> Self {
        let areas = if recipients.is_empty() { areas() } else { Vec::new() };
        let placeholder = [String::from_utf8_lossy(EXCHANGE).into_owned()];
        let recipients = if recipients.is_empty() { &placeholder } else { recipients };
        let requests = recipients.iter().map(|to| Request::new(host, path, token, to)).collect();
        Self { requests, areas }
    }

    /// Writes the message with this number.
    pub fn fill(&self, index: u64, message: &mut Message) {
        message.bytes.clear();
        message.to.clear();
        let count = self.requests.len().max(1) as u64;
        let Some(request) = self.requests.get((index % count) as usize) else { return };
        message.bytes.extend_from_slice(&request.bytes);
        let areas = self.areas.len().max(1) as u64;
        let Some(area) = self.areas.get((index % areas) as usize) else {
            message.to.extend_from_slice(&request.digits);
            return;
        };
        let digits = made_up(*area, index / areas % LINES);
        message.to.extend_from_slice(&digits);
        if let Some(place) = message.bytes.get_mut(request.at..request.at + DIGITS) {
            place.copy_from_slice(&digits);
        }
    }
}

impl Request {
    fn new(host: &str, path: &str, token: Option<&str>, to: &str) -> Self {
        let [before, after] = BODY;
        let authorization =
            token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = before.len() + to.len() + after.len();
        let mut text = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{before}"
        );
        let at = text.len();
        text.push_str(to);
        text.push_str(after);
        Self { bytes: text.into_bytes(), at, digits: to.into() }
    }
}

/// The area codes of places: neither those of services, such as 411 and 911, nor those of [`NOT_PLACES`].
fn areas() -> Vec<[u8; 3]> {
    let is_place = |area: &u16| area % 100 != 11 && !NOT_PLACES.contains(area);
    AREAS.filter(is_place).map(|area| [100, 10, 1].map(|unit| digit(area.into(), unit))).collect()
}

/// A number that nobody has.
fn made_up([x, y, z]: [u8; 3], line: u64) -> [u8; DIGITS] {
    let [country, _, _, _, a, b, c, d, e, _, _] = *EXCHANGE;
    [country, x, y, z, a, b, c, d, e, digit(line, 10), digit(line, 1)]
}

fn digit(number: u64, unit: u64) -> u8 {
    b'0' + (number / unit % 10) as u8
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn split(message: &Message) -> (String, serde_json::Value) {
        let text = String::from_utf8(message.bytes.clone()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("\r\nContent-Length: {}", body.len())), "{head}");
        (head.to_owned(), serde_json::from_str(body).unwrap())
    }

    #[test]
    fn recipients_take_turns() {
        let template =
            Template::new("h:1", "/a/v1/messages", Some("t"), &["1".to_owned(), "123456".to_owned()]);
        let mut message = Message::default();
        for (index, to) in [(0, "1"), (1, "123456"), (2, "1"), (7, "123456")] {
            template.fill(index, &mut message);
            let (head, body) = split(&message);
            assert_eq!((body["to"].as_str().unwrap(), message.to.as_slice()), (to, to.as_bytes()));
            assert!(
                head.starts_with("POST /a/v1/messages HTTP/1.1\r\nHost: h:1\r\nAuthorization: Bearer t\r\n")
            );
        }
    }

    #[test]
    fn made_up_numbers_differ_and_belong_to_nobody() {
        let template = Template::new("h", "/v1/messages", None, &[]);
        let mut message = Message::default();
        let mut seen = HashSet::new();
        // 800 codes without eight of services and the eight of no place.
        const COUNT: u64 = 784 * 100;
        let taken = ["800", "833", "844", "855", "866", "877", "888", "900"];
        for index in 0..COUNT {
            template.fill(index, &mut message);
            let to = String::from_utf8(message.to.clone()).unwrap();
            let (area, rest) = (&to[1..4], &to[4..]);
            assert!(to.starts_with('1') && area >= "200" && !area.ends_with("11"), "{to}");
            assert!(!taken.contains(&area), "{to}");
            assert!(rest.len() == 7 && ("5550100"..="5550199").contains(&rest), "{to}");
            assert!(seen.insert(to), "{index}");
        }
        let (head, body) = split(&message);
        assert_eq!(body["to"].as_str().unwrap().as_bytes(), message.to);
        assert!(!head.contains("Authorization"));
        template.fill(COUNT, &mut message);
        assert_eq!(message.to, b"12005550100");
    }
}
