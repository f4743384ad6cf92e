//! Files in `multipart/form-data` bodies (RFC 7578), read as they arrive.

use bytes::{Buf, Bytes};
use memchr::memmem::find;

use super::read::{missing, wrong};
use super::{ErrorCode, Invalid};
use crate::wire::Path;

/// No form of a real client has more.
const MOST_PARTS: usize = 32;
/// Far above any part's header of a real client.
const LONGEST_HEAD: usize = 8 * 1024;
/// RFC 2046 section 5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// Whether a body of this `Content-Type` is a form.
pub fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// The content of the field `name`, in any case, which may occur once, in a form that is there whole.
pub fn field(content_type: &str, body: &Bytes, name: &str) -> Result<Bytes, Invalid> {
    let mut reader = Reader::new(content_type)?;
    reader.push(body.clone());
    let (mut found, mut is_open) = (None, false);
    while let Some(event) = reader.next()? {
        match event {
            Event::Part(part) => {
                is_open = part.name.eq_ignore_ascii_case(name);
                if is_open && found.replace(Bytes::new()).is_some() {
                    return Err(wrong(Path::Root.key(name), "is given twice; send one file"));
                }
            }
            Event::Content(content) if is_open => found = Some(content),
            Event::Content(_) => {}
        }
    }
    reader.finish()?;
    found.ok_or_else(|| missing(Path::Root.key(name)))
}

/// The first file of a form, as it arrives.
#[derive(Debug)]
pub struct FirstFile {
    reader: Reader,
    file: Option<Part>,
    is_open: bool,
}

impl FirstFile {
    /// Of a body with this `Content-Type`.
    pub fn new(content_type: &str) -> Result<Self, Invalid> {
        Ok(Self { reader: Reader::new(content_type)?, file: None, is_open: false })
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, data: Bytes) {
        self.reader.push(data);
    }

    /// The next bytes of the file; `None` when more of the body has to come first.
    pub fn take(&mut self) -> Result<Option<Bytes>, Invalid> {
        while let Some(event) = self.reader.next()? {
            match event {
                Event::Part(part) => {
                    self.is_open = self.file.is_none() && part.is_file();
                    if self.is_open {
                        self.file = Some(part);
                    }
                }
                Event::Content(content) if self.is_open => return Ok(Some(content)),
                Event::Content(_) => {}
            }
        }
        Ok(None)
    }

    /// What its part said of it, when the whole body has come.
    pub fn finish(self) -> Result<Part, Invalid> {
        self.reader.finish()?;
        self.file.ok_or_else(|| missing(Path::Root.key("file")))
    }
}

/// What the head of a part says.
#[derive(Debug)]
pub struct Part {
    name: String,
    /// The name of the file.
    pub filename: Option<String>,
    /// Its type.
    pub content_type: Option<String>,
}

impl Part {
    /// RFC 7578 section 4.2: every part has a name.
    fn parse(head: &[u8]) -> Result<Self, Invalid> {
        // File names come in all sorts of character sets, and nobody needs more of one than its ending.
        let head = String::from_utf8_lossy(head);
        let line = |wanted: &str| {
            head.split("\r\n").find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case(wanted).then(|| value.trim())
            })
        };
        if line("content-transfer-encoding").is_some_and(is_coded) {
            return Err(malformed("a part has a Content-Transfer-Encoding (RFC 7578 section 4.7)"));
        }
        let disposition = line("content-disposition").and_then(|value| {
            let (kind, parameters) = value.split_once(';')?;
            kind.trim().eq_ignore_ascii_case("form-data").then_some(parameters)
        });
        let of = |name| disposition.and_then(|parameters| parameter(parameters, name));
        Ok(Self {
            name: of("name").ok_or_else(|| malformed("a part has no name"))?,
            filename: of("filename").or_else(|| of("filename*")).filter(|name| !name.is_empty()),
            content_type: line("content-type").filter(|found| !found.is_empty()).map(str::to_owned),
        })
    }

    /// A file has a file name; what is called a file, as in Cloud's own form, is one without, too.
    fn is_file(&self) -> bool {
        self.filename.is_some() || self.name.eq_ignore_ascii_case("file")
    }
}

/// Whether the bytes of a part are others than the file's.
fn is_coded(transfer_encoding: &str) -> bool {
    !["binary", "7bit", "8bit"].iter().any(|plain| plain.eq_ignore_ascii_case(transfer_encoding))
}

/// Cuts a body into its parts, however it is cut on its way. Holds no more of it than a head, or a boundary that may
/// just be beginning.
#[derive(Debug)]
struct Reader {
    /// With the line break before it, which belongs to it.
    delimiter: Vec<u8>,
    held: Bytes,
    state: State,
    parts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary, on its line.
    Line,
    Head,
    Content,
    /// Behind the last boundary.
    End,
}

enum Event {
    /// A part begins.
    Part(Part),
    /// More of its content.
    Content(Bytes),
}

impl Reader {
    fn new(content_type: &str) -> Result<Self, Invalid> {
        let boundary = content_type.split_once(';').and_then(|(_, rest)| parameter(rest, "boundary"));
        let boundary = boundary.filter(|boundary| (1..=LONGEST_BOUNDARY).contains(&boundary.len()));
        let boundary = boundary.ok_or_else(|| malformed("its Content-Type has no usable boundary"))?;
        Ok(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first boundary has no line break before it.
            held: Bytes::from_static(b"\r\n"),
            state: State::Preamble,
            parts: 0,
        })
    }

    fn push(&mut self, data: Bytes) {
        self.held = if self.held.is_empty() { data } else { [&*self.held, &*data].concat().into() };
    }

    /// What comes next; `None` when more of the body has to come first.
    fn next(&mut self) -> Result<Option<Event>, Invalid> {
        loop {
            match self.state {
                State::Preamble => {
                    if self.content().1 {
                        self.state = State::Line;
                    } else {
                        return Ok(None);
                    }
                }
                State::Content => {
                    let (content, is_end) = self.content();
                    if is_end {
                        self.state = State::Line;
                    }
                    if !content.is_empty() {
                        return Ok(Some(Event::Content(content)));
                    }
                    if !is_end {
                        return Ok(None);
                    }
                }
                State::Line if self.held.starts_with(b"--") => self.state = State::End,
                State::Line => {
                    let line = find(&self.held, b"\r\n");
                    let padding = self.held.get(..line.unwrap_or(self.held.len())).unwrap_or_default();
                    // One more byte may be the first of a last boundary's, or of a line break.
                    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
                    let may_go_on = line.is_none() && matches!(padding, [] | [.., b'\r'] | [b'-']);
                    if padding.len() > LONGEST_HEAD || !(padding.iter().all(is_blank) || may_go_on) {
                        return Err(malformed("a boundary's line holds more than the boundary"));
                    }
                    let Some(line) = line else { return Ok(None) };
                    // With the line break, so that a header without lines ends like any other.
                    self.held.advance(line);
                    self.parts += 1;
                    if self.parts > MOST_PARTS {
                        return Err(malformed("it has too many parts"));
                    }
                    self.state = State::Head;
                }
                State::Head => {
                    let end = find(&self.held, b"\r\n\r\n");
                    if end.unwrap_or(self.held.len()) > LONGEST_HEAD {
                        return Err(malformed("a part's header does not end"));
                    }
                    let Some(end) = end else { return Ok(None) };
                    let head = self.held.split_to(end);
                    self.held.advance(4);
                    self.state = State::Content;
                    return Part::parse(&head).map(|part| Some(Event::Part(part)));
                }
                // What follows the last boundary is nothing.
                State::End => {
                    self.held.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// What certainly stands before the next boundary, and whether that has come; then it is taken, too.
    fn content(&mut self) -> (Bytes, bool) {
        if let Some(at) = find(&self.held, &self.delimiter) {
            let content = self.held.split_to(at);
            self.held.advance(self.delimiter.len());
            return (content, true);
        }
        let is_tail = |length: &usize| {
            self.delimiter.get(..*length).is_some_and(|beginning| self.held.ends_with(beginning))
        };
        let tail = (1..self.delimiter.len()).rev().find(is_tail).unwrap_or_default();
        (self.held.split_to(self.held.len() - tail), false)
    }

    fn finish(&self) -> Result<(), Invalid> {
        match self.state {
            State::End => Ok(()),
            State::Preamble => Err(malformed("its boundary does not occur")),
            State::Line | State::Head | State::Content => Err(malformed("it ends before its last boundary")),
        }
    }
}

/// The value of a parameter, quoted or not (RFC 9110 section 5.6.6).
pub fn parameter(parameters: &str, name: &str) -> Option<String> {
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
    (value, chars.as_str().split_once(';').map_or("", |(_, rest)| rest))
}

fn malformed(why: &str) -> Invalid {
    Invalid::new(ErrorCode::InvalidRequest, format!("the body is not valid multipart/form-data: {why}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=b7";

    fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut form = Vec::new();
        for (name, content) in parts {
            let head = format!("--b7\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            form.extend_from_slice(head.as_bytes());
            form.extend_from_slice(content);
            form.extend_from_slice(b"\r\n");
        }
        form.extend_from_slice(b"--b7--\r\n");
        form
    }

    fn of(content_type: &str, body: &[u8]) -> Result<Bytes, Invalid> {
        field(content_type, &Bytes::copy_from_slice(body), "file")
    }

    /// The first file of a form that arrives in pieces of `size`.
    fn first_file(body: &[u8], size: usize) -> Result<(Vec<u8>, Part), Invalid> {
        let (mut file, mut bytes) = (FirstFile::new(TYPE)?, Vec::new());
        for piece in body.chunks(size) {
            file.push(Bytes::copy_from_slice(piece));
            while let Some(content) = file.take()? {
                bytes.extend(content);
            }
            assert!(file.reader.held.len() <= LONGEST_HEAD + size);
        }
        file.finish().map(|part| (bytes, part))
    }

    #[test]
    fn the_first_file_with_what_is_said_of_it() {
        let cloud = b"--b7\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
            --b7\r\nContent-Disposition: form-data; name=\"upload\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\
            \r\n\x89PNG\r\n--b7\r\nContent-Disposition: form-data; name=\"second\"; filename=\"b\"\r\n\r\nx\r\n--b7--";
        for size in [1, 7, 1000] {
            let (bytes, part) = first_file(cloud, size).unwrap();
            assert_eq!(bytes, b"\x89PNG");
            let said = (part.filename.as_deref(), part.content_type.as_deref());
            assert_eq!(said, (Some("a.png"), Some("image/png")));
        }
        let plain = form(&[("type", b"image/png"), ("File", b"y")]);
        assert_eq!(first_file(&plain, 5).unwrap().0, b"y");
        // A browser's form whose user chose nothing, and a form of texts.
        for name in ["upload\"; filename=\"", "text"] {
            assert_eq!(first_file(&form(&[(name, b"")]), 5).unwrap_err().code.code(), 1008, "{name}");
        }
        for cut in 1..cloud.len() - 1 {
            assert_eq!(first_file(&cloud[..cut], 7).unwrap_err().code.code(), 1025, "{cut}");
        }
    }

    #[test]
    fn forms_of_real_clients() {
        let curl =
            b"--b7\r\nContent-Disposition: form-data; name=\"File\"; filename=\"a \\\"b\\\";c.jpg\"\r\n\
            Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n\r\n--b\r\n--b7--\r\n";
        assert_eq!(of(TYPE, curl).unwrap(), &b"\xff\xd8\r\n\r\n--b"[..]);
        let odd =
            b"preamble\r\n--b7  \r\ncontent-disposition:form-data; filename=x; name=FILE\r\n\r\n\r\n--b7--";
        assert_eq!(of("Multipart/Form-Data;Boundary=\"b7\"", odd).unwrap(), &b""[..]);
        let two = form(&[("other", b"x"), ("file", b"y")]);
        assert_eq!(of(TYPE, &two).unwrap(), &b"y"[..]);
        assert!(is_form("multipart/form-data") && is_form("Multipart/Form-Data; boundary=x"));
        assert!(!is_form("image/jpeg") && !is_form("multipart/form-dataset"));
    }

    #[test]
    fn parameters_without_a_value_hide_none() {
        for parameters in
            ["foo; filename=a.pdf", ";; x ;y=\";\"; z; FileName = \"a.pdf\"", "filename=a.pdf;foo"]
        {
            assert_eq!(parameter(parameters, "filename").as_deref(), Some("a.pdf"), "{parameters}");
        }
        assert_eq!(parameter("filename; x=1", "filename"), None);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let whole = form(&[("file", b"y")]);
        let long = format!("--b7\r\nX: {}\r\n\r\n\r\n--b7--", "x".repeat(LONGEST_HEAD));
        let many = form(&[("other", b"x".as_slice()); MOST_PARTS + 1]);
        for (content_type, body, code) in [
            ("multipart/form-data", whole.as_slice(), 1025),
            ("multipart/form-data; boundary=", &whole, 1025),
            ("multipart/form-data; boundary=other", &whole, 1025),
            (TYPE, b"", 1025),
            (TYPE, &whole[..whole.len() - 4], 1025),
            (TYPE, b"--b7", 1025),
            (TYPE, b"--b7x\r\n\r\n\r\n--b7--", 1025),
            (TYPE, b"--b7\r\n\r\n\r\n--b7--", 1025),
            (TYPE, b"--b7\r\nContent-Disposition: attachment; name=file\r\n\r\n\r\n--b7--", 1025),
            (TYPE, b"--b7\r\nContent-Disposition: form-data; name=\xff\r\n\r\n\r\n--b7--", 1008),
            (
                TYPE,
                b"--b7\r\nContent-Disposition: form-data; name=file\r\nContent-Transfer-Encoding: base64\r\n\r\neQ==\r\n--b7--",
                1025,
            ),
            (TYPE, long.as_bytes(), 1025),
            (TYPE, &many, 1025),
            (TYPE, b"--b7--", 1008),
            (TYPE, &form(&[("other", b"y")]), 1008),
            (TYPE, &form(&[("file", b"y"), ("File", b"z")]), 1009),
        ] {
            let refused = of(content_type, body).unwrap_err();
            assert_eq!(refused.code.code(), code, "{content_type} {body:?}: {}", refused.details);
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn any_content_comes_back(
            // Bytes that boundaries are made of come often.
            content in prop::collection::vec(prop::sample::select(b"\r\n-b7x\x00".to_vec()), 0..200),
            before in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            prop_assume!(find(&content, b"\r\n--b7").is_none() && find(&before, b"\r\n--b7").is_none());
            let form = form(&[("other", &before), ("file", &content)]);
            prop_assert_eq!(of(TYPE, &form).unwrap(), content.clone());
            // However the body is cut, and never more of it held than a boundary.
            for size in 1..20 {
                prop_assert_eq!(&first_file(&form, size).unwrap().0, &content, "in pieces of {}", size);
            }
        }

        #[test]
        fn nothing_makes_it_panic(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "--b7", "\r\n", "--", "Content-Disposition: form-data; name=", "\"file", ";", "=", "\\", "x", "é",
            ]), 0..40),
            content_type in "multipart/form-data;? ?boundary=?\"?b7\"?",
        ) {
            let body = pieces.concat();
            let whole = of(&content_type, body.as_bytes()).map_err(|refused| refused.code);
            let _ = whole;
            let _ = first_file(body.as_bytes(), 3);
        }
    }
}
