//! Reads `multipart/form-data` (RFC 7578 over RFC 2046 section 5.1) piece by piece, holding no more of a part
//! than could be the start of its end.

use bytes::{Buf as _, Bytes, BytesMut};

/// Far above any part's header of a real client.
const LONGEST_HEAD: usize = 8 << 10;
/// RFC 2046 section 5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// What came next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A part begins.
    Part(Part),
    /// Some of its content; never empty.
    Data(Bytes),
    /// The part is whole.
    End,
}

/// The header of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// `name` of its `Content-Disposition`.
    pub name: String,
    /// `filename`; without one the part is a field, not a file.
    pub filename: Option<String>,
    /// Its own `Content-Type`.
    pub content_type: Option<String>,
}

/// Why a body is not `multipart/form-data`.
pub type Malformed = &'static str;

/// A reader in the middle of a body.
#[derive(Debug)]
pub struct Reader {
    buffer: BytesMut,
    /// CRLF, two hyphens and the boundary: the line break before a boundary belongs to it.
    delimiter: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    /// Behind a boundary, whose line may end, be padded or say that it was the last.
    Boundary,
    Head,
    Content,
    Epilogue,
}

impl Reader {
    /// A reader for this `Content-Type`; none when it is another type or has no boundary.
    pub fn of(content_type: &str) -> Option<Self> {
        let (essence, parameters) = content_type.split_once(';')?;
        let boundary = parameter(parameters, "boundary")?;
        let is_form = essence.trim().eq_ignore_ascii_case("multipart/form-data");
        (is_form && (1..=LONGEST_BOUNDARY).contains(&boundary.len())).then(|| Self::new(&boundary))
    }

    fn new(boundary: &str) -> Self {
        // A boundary may open the body; the line break put in front makes this the usual case.
        Self {
            buffer: BytesMut::from(b"\r\n".as_slice()),
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            state: State::Preamble,
        }
    }

    /// Takes the next piece of the body; [`Reader::event`] has to have said that it needs one.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// What comes next, or none when a further piece is needed.
    pub fn event(&mut self) -> Result<Option<Event>, Malformed> {
        loop {
            match self.state {
                State::Preamble => match find(&self.buffer, &self.delimiter) {
                    Some(at) => self.go(at + self.delimiter.len(), State::Boundary),
                    None => {
                        self.buffer.advance(self.buffer.len().saturating_sub(self.tail()));
                        return Ok(None);
                    }
                },
                State::Boundary => {
                    if !self.is_behind_boundary()? {
                        return Ok(None);
                    }
                }
                State::Head => return self.head(),
                State::Content => return Ok(self.content()),
                State::Epilogue => {
                    self.buffer.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// Whether the last boundary was seen; what follows it does not count.
    pub fn is_done(&self) -> bool {
        self.state == State::Epilogue
    }

    /// How much is held back.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The longest start of a delimiter that is not one yet.
    fn tail(&self) -> usize {
        self.delimiter.len() - 1
    }

    fn go(&mut self, taken: usize, state: State) {
        self.buffer.advance(taken);
        self.state = state;
    }

    /// Reads the rest of a boundary's line: `--`, or blanks and a line break, which stays for the head.
    fn is_behind_boundary(&mut self) -> Result<bool, Malformed> {
        if self.buffer.starts_with(b"--") {
            self.go(2, State::Epilogue);
            return Ok(true);
        }
        let blanks = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if blanks > LONGEST_HEAD {
            return Err("a boundary's line is too long");
        }
        let rest = self.buffer.get(blanks..).unwrap_or_default();
        if rest.starts_with(b"\r\n") {
            self.go(blanks, State::Head);
            return Ok(true);
        }
        let may_become = rest.is_empty() || rest == b"\r" || (blanks == 0 && rest == b"-");
        if may_become { Ok(false) } else { Err("a boundary's line holds more than the boundary") }
    }

    fn head(&mut self) -> Result<Option<Event>, Malformed> {
        // The line break before the first line is there, so that a head without lines ends like any other.
        match find(&self.buffer, b"\r\n\r\n") {
            Some(at) if at <= LONGEST_HEAD => {
                let part = part(self.buffer.get(..at).unwrap_or_default())?;
                self.go(at + 4, State::Content);
                Ok(Some(Event::Part(part)))
            }
            None if self.buffer.len() <= LONGEST_HEAD => Ok(None),
            Some(_) | None => Err("a part's header is too long"),
        }
    }

    fn content(&mut self) -> Option<Event> {
        let (length, is_end) = match find(&self.buffer, &self.delimiter) {
            Some(at) => (at, true),
            None => (self.buffer.len().saturating_sub(self.tail()), false),
        };
        if length > 0 {
            return Some(Event::Data(self.buffer.split_to(length).freeze()));
        }
        is_end.then(|| {
            self.go(self.delimiter.len(), State::Boundary);
            Event::End
        })
    }
}

fn part(head: &[u8]) -> Result<Part, Malformed> {
    let head = std::str::from_utf8(head).map_err(|_| "a part's header is not UTF-8")?;
    let mut part = Part::default();
    let mut is_named = false;
    for line in head.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or("a line of a part's header has no colon")?;
        if name.eq_ignore_ascii_case("content-type") {
            part.content_type = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        } else if name.eq_ignore_ascii_case("content-disposition") {
            let (kind, parameters) = value.split_once(';').ok_or("a part has no name")?;
            // RFC 7578 section 4.2.
            if !kind.trim().eq_ignore_ascii_case("form-data") {
                return Err("a part's disposition is not form-data");
            }
            part.name = parameter(parameters, "name").ok_or("a part has no name")?;
            part.filename = parameter(parameters, "filename");
            is_named = true;
        }
    }
    if is_named { Ok(part) } else { Err("a part has no Content-Disposition") }
}

/// The value of a parameter, quoted or not (RFC 9110 section 5.6.6).
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        // One without a value ends before the next.
        if let Some((_, next)) = rest.split_once(';').filter(|(flag, _)| !flag.contains('=')) {
            rest = next;
            continue;
        }
        let (key, after) = rest.split_once('=')?;
        let (value, next) = value(after.trim_start());
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
}

/// A value, and what follows its semicolon.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    let rest = chars.as_str();
    (value, rest.split_once(';').map_or("", |(_, rest)| rest))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORM: &[u8] =
        b"preamble\r\n--b7\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\n\
        whatsapp\r\n--b7  \r\ncontent-disposition: form-data; filename=\"a \\\"b\\\";c.jpg\"; name=file\r\n\
        CONTENT-TYPE:image/jpeg\r\n\r\n\x00\r\n--b\r\n\r\n-\xff\r\n--b7\r\n\
        Content-Disposition: form-data; name=empty\r\n\r\n\r\n--b7--\r\nepilogue\r\n--b7\r\n";

    /// A part's header and its content.
    type Parts = Vec<(Part, Vec<u8>)>;

    /// Reads pieces as they come and looks at what is held back in between.
    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Parts, bool), Malformed> {
        let mut reader = Reader::of("multipart/form-data; boundary=b7").unwrap();
        let mut parts = Parts::new();
        let mut is_open = false;
        for piece in pieces {
            reader.push(piece);
            while let Some(event) = reader.event()? {
                match event {
                    Event::Part(part) => {
                        assert!(!std::mem::replace(&mut is_open, true));
                        parts.push((part, Vec::new()));
                    }
                    Event::Data(data) => {
                        assert!(is_open && !data.is_empty());
                        parts.last_mut().unwrap().1.extend_from_slice(&data);
                    }
                    Event::End => assert!(std::mem::replace(&mut is_open, false)),
                }
            }
            assert!(!is_open || reader.held() < "\r\n--b7".len(), "{} held", reader.held());
        }
        Ok((parts, reader.is_done()))
    }

    fn form() -> Parts {
        let part = |name: &str| Part { name: name.to_owned(), ..Part::default() };
        let file = Part {
            filename: Some("a \"b\";c.jpg".to_owned()),
            content_type: Some("image/jpeg".to_owned()),
            ..part("file")
        };
        vec![
            (part("messaging_product"), b"whatsapp".to_vec()),
            (file, b"\x00\r\n--b\r\n\r\n-\xff".to_vec()),
            (part("empty"), Vec::new()),
        ]
    }

    #[test]
    fn a_form_reads_the_same_wherever_it_is_split() {
        assert_eq!(read([FORM]), Ok((form(), true)));
        assert_eq!(read(FORM.chunks(1)), Ok((form(), true)));
        for at in 0..=FORM.len() {
            let (first, second) = FORM.split_at(at);
            assert_eq!(read([first, second]), Ok((form(), true)), "split at {at}");
        }
    }

    #[test]
    fn a_form_that_ends_early_is_not_done() {
        let end = FORM.windows(4).rposition(|window| window == b"b7--").unwrap() + 4;
        for at in 0..end {
            assert!(!read([&FORM[..at]]).unwrap().1, "cut at {at}");
        }
        assert!(read([&FORM[..end]]).unwrap().1);
    }

    #[test]
    fn what_is_no_form_is_told() {
        let long = format!("--b7\r\nX: {}\r\n\r\n", "x".repeat(LONGEST_HEAD));
        for (body, why) in [
            ("--b7x\r\n", "more than the boundary"),
            ("--b7-x", "more than the boundary"),
            ("--b7 -", "more than the boundary"),
            ("--b7\r\n\r\nbody\r\n--b7--", "no Content-Disposition"),
            ("--b7\r\nContent-Disposition form-data\r\n\r\n", "no colon"),
            ("--b7\r\nContent-Disposition: form-data\r\n\r\n", "no name"),
            ("--b7\r\nContent-Disposition: form-data; filename=a\r\n\r\n", "no name"),
            ("--b7\r\nContent-Disposition: attachment; name=a\r\n\r\n", "not form-data"),
            (&long, "too long"),
            (&long[..long.len() - 4], "too long"),
        ] {
            for pieces in [body.len(), 1] {
                let error = read(body.as_bytes().chunks(pieces)).unwrap_err();
                assert!(error.contains(why), "{body:?}: {error}");
            }
        }
    }

    #[test]
    fn boundaries_are_read_off_the_content_type() {
        for (content_type, delimiter) in [
            ("multipart/form-data; boundary=abc", Some("\r\n--abc")),
            ("Multipart/Form-Data;charset=utf-8;Boundary=\"a b\"", Some("\r\n--a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/mixed; boundary=abc", None),
            ("application/json", None),
        ] {
            let found = Reader::of(content_type).map(|reader| reader.delimiter);
            assert_eq!(found, delimiter.map(|text| text.as_bytes().to_vec()), "{content_type}");
        }
        assert!(Reader::of(&format!("multipart/form-data; boundary={}", "b".repeat(71))).is_none());
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn any_content_comes_back_through_any_pieces(
            // Bytes that boundaries are made of come often.
            content in prop::collection::vec(prop::sample::select(b"\r\n-b7x\x00".to_vec()), 0..200),
            lengths in prop::collection::vec(1_usize..40, 1..20),
        ) {
            prop_assume!(find(&content, b"\r\n--b7").is_none());
            let mut form = b"--b7\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\n".to_vec();
            form.extend_from_slice(&content);
            form.extend_from_slice(b"\r\n--b7--\r\n");
            let mut pieces = Vec::new();
            let mut rest = form.as_slice();
            for length in lengths.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, next) = rest.split_at((*length).min(rest.len()));
                pieces.push(piece);
                rest = next;
            }
            let part = Part { name: "f".to_owned(), ..Part::default() };
            prop_assert_eq!(read(pieces), Ok((vec![(part, content)], true)));
        }

        #[test]
        fn nothing_makes_it_panic(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20)) {
            let _ = read(std::iter::once(b"--b7\r\n".as_slice()).chain(pieces.iter().map(Vec::as_slice)));
        }
    }
}
