//! Reads the body of `POST /{phone-number-id}/media` as it comes and checks it as Cloud would.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use super::content::{Content, Spool, Written};
use super::errors::GraphError;
use super::multipart::{Event, Malformed, Part, Reader};
use super::state::FilePart;

/// Far above any field of a real client.
const LONGEST_FIELD: usize = 4 << 10;
/// Meta documents four.
const MOST_PARTS: usize = 32;

/// Media types in the order of Graph's refusal, with the largest file of each ("Supported Media Types").
///
/// A sticker may be 500 KB when it is animated; whether it is, the mock does not look.
const TYPES: &[(&str, u64)] = &[
    ("audio/aac", 16 << 20),
    ("audio/mp4", 16 << 20),
    ("audio/mpeg", 16 << 20),
    ("audio/amr", 16 << 20),
    ("audio/ogg", 16 << 20),
    ("audio/opus", 16 << 20),
    ("application/vnd.ms-powerpoint", 100 << 20),
    ("application/msword", 100 << 20),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", 100 << 20),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", 100 << 20),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", 100 << 20),
    ("application/pdf", 100 << 20),
    ("text/plain", 100 << 20),
    ("application/vnd.ms-excel", 100 << 20),
    ("image/jpeg", 5 << 20),
    ("image/png", 5 << 20),
    ("image/webp", 500 << 10),
    ("video/mp4", 16 << 20),
    ("video/3gpp", 16 << 20),
];

/// The client has gone in the middle of the body.
#[derive(Debug)]
pub(super) struct Interrupted;

/// What was found out about one upload.
#[derive(Debug)]
pub(super) struct Received {
    /// The parts that are no files.
    pub(super) fields: BTreeMap<String, String>,
    /// The file, described.
    pub(super) file: Option<FilePart>,
    /// What Cloud accepts but a client had better not send.
    pub(super) notes: Vec<String>,
    /// The file's bytes, or what Cloud has against it.
    pub(super) verdict: Result<Content, GraphError>,
}

/// Reads a body to its end whatever is wrong with it, so that the client gets its answer.
pub(super) async fn receive<B>(
    headers: &HeaderMap,
    body: B,
    in_memory: usize,
) -> Result<Received, Interrupted>
where
    B: Body<Data = Bytes> + Unpin,
{
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut reader = content_type.and_then(Reader::of);
    let mut form = Form { in_memory, ..Form::default() };
    let mut body = body;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Interrupted)?.into_data() else { continue };
        let Some(parts) = &mut reader else { continue };
        if let Err(fault) = form.take(parts, &data).await {
            form.fault = Some(fault);
            reader = None;
        }
    }
    if reader.is_some_and(|reader| !reader.is_done()) {
        form.fault = Some(Fault::Malformed("it ends before its last boundary"));
    }
    Ok(form.finish().await)
}

/// Why a body was not read to its end.
#[derive(Debug)]
enum Fault {
    Malformed(Malformed),
    /// Our own disk.
    Disk(io::Error),
}

/// A form in the middle.
#[derive(Debug, Default)]
struct Form {
    in_memory: usize,
    fields: BTreeMap<String, String>,
    files: Vec<(Part, Spool)>,
    /// The part that is being read, unless it is a file.
    field: Option<(String, Vec<u8>)>,
    parts: usize,
    fault: Option<Fault>,
}

impl Form {
    async fn take(&mut self, reader: &mut Reader, data: &[u8]) -> Result<(), Fault> {
        reader.push(data);
        while let Some(event) = reader.event().map_err(Fault::Malformed)? {
            match event {
                Event::Part(part) => self.begin(part)?,
                Event::Data(data) => self.write(&data).await?,
                Event::End => {
                    if let Some((name, value)) = self.field.take() {
                        self.fields.insert(name, String::from_utf8_lossy(&value).into_owned());
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, part: Part) -> Result<(), Fault> {
        self.parts += 1;
        if self.parts > MOST_PARTS {
            return Err(Fault::Malformed("it has too many parts"));
        }
        if part.filename.is_none() {
            self.field = Some((part.name, Vec::new()));
            return Ok(());
        }
        let mut spool = Spool::new(self.in_memory);
        // Only one file is ever kept, so no other needs to be.
        if part.name != "file" || self.files.iter().any(|(other, _)| other.name == "file") {
            spool.drop_content();
        }
        self.files.push((part, spool));
        Ok(())
    }

    async fn write(&mut self, data: &[u8]) -> Result<(), Fault> {
        if let Some((_, value)) = &mut self.field {
            value.extend_from_slice(data);
            let fits = value.len() <= LONGEST_FIELD;
            return if fits { Ok(()) } else { Err(Fault::Malformed("a field is too long")) };
        }
        let Some((part, spool)) = self.files.last_mut() else { return Ok(()) };
        // What is refused in any case does not need the disk.
        let limit = limit_of(&media_type(part)).unwrap_or(0);
        if spool.len().saturating_add(data.len() as u64) > limit {
            spool.drop_content();
        }
        spool.write(data).await.map_err(Fault::Disk)
    }

    async fn finish(self) -> Received {
        let Self { mut fields, files, fault, .. } = self;
        let mut received = Received {
            fields: BTreeMap::new(),
            file: None,
            notes: Vec::new(),
            verdict: Err(required("file")),
        };
        let mut content = None;
        let mut count = 0;
        let mut broken = None;
        for (part, spool) in files {
            let media_type = media_type(&part);
            let Part { name, filename, .. } = part;
            if name != "file" {
                received.notes.push(format!("ignored file \"{name}\""));
                continue;
            }
            count += 1;
            match spool.finish().await {
                Ok(Written { content: bytes, sha256, length }) if count == 1 => {
                    content = bytes;
                    received.file = Some(FilePart { media_type, filename, length, sha256 });
                }
                Ok(_) => {}
                Err(error) => broken = Some(Fault::Disk(error)),
            }
        }
        for name in fields.keys().filter(|name| !KNOWN.contains(&name.as_str())) {
            received.notes.push(format!("ignored field \"{name}\""));
        }
        received.verdict = match fault.or(broken) {
            Some(Fault::Malformed(why)) => {
                Err(GraphError::detailed(100, format!("Body is not valid multipart/form-data: {why}")))
            }
            Some(Fault::Disk(error)) => Err(GraphError::detailed(131000, error.to_string())),
            None if count > 1 => Err(GraphError::parameter(format_args!("Param file must be one file."))),
            None => judge(&fields, received.file.as_ref(), content, &mut received.notes),
        };
        received.fields.append(&mut fields);
        received
    }
}

/// The fields Meta documents; the last is for numbers without storage.
const KNOWN: &[&str] = &["messaging_product", "type", "ttl_minutes"];

fn judge(
    fields: &BTreeMap<String, String>,
    file: Option<&FilePart>,
    content: Option<Content>,
    notes: &mut Vec<String>,
) -> Result<Content, GraphError> {
    match fields.get("messaging_product").map(String::as_str) {
        Some("whatsapp") => {}
        Some(other) => {
            return Err(GraphError::parameter(format_args!(
                "Param messaging_product must be one of {{WHATSAPP}} - got {other:?}."
            )));
        }
        None => return Err(required("messaging_product")),
    }
    let Some(file) = file.filter(|file| file.length > 0) else { return Err(required("file")) };
    let limit = limit_of(&file.media_type).ok_or_else(|| wrong_type(&file.media_type))?;
    if let Some(named) = fields.get("type") {
        limit_of(named).ok_or_else(|| wrong_type(named))?;
        if essence(named) != essence(&file.media_type) {
            notes.push(format!("type is {named}, the file's own is {}", file.media_type));
        }
    }
    content.filter(|content| content.len() <= limit).ok_or_else(|| {
        // The wording of a field report; Meta documents none.
        let details = format!("File Too Large: {} bytes, {} may have {limit}", file.length, file.media_type);
        GraphError::detailed(100, details)
    })
}

/// A file part without a type of its own is what RFC 7578 calls unknown.
fn media_type(part: &Part) -> String {
    part.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned())
}

/// The media type without parameters, such as the codec of `audio/ogg`.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn limit_of(media_type: &str) -> Option<u64> {
    let essence = essence(media_type);
    TYPES.iter().find(|(known, _)| *known == essence).map(|(_, limit)| *limit)
}

fn required(name: &str) -> GraphError {
    GraphError::parameter(format_args!("The parameter {name} is required."))
}

fn wrong_type(got: &str) -> GraphError {
    let known = TYPES.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
    GraphError::parameter(format_args!(
        "Param file must be a file with one of the following types: {known}. Received file of type '{got}'."
    ))
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
