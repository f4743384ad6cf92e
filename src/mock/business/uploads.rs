//! The resumable upload under the app, of which profile photos make use; nothing is resumed here.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::super::errors::GraphError;
use super::super::graph::{decoded, query};
use super::super::media::Item;
use super::super::state::State;
use super::{APP_ID, Change, Examined, Session, item};

/// What can be uploaded ("Resumable Upload API"), with the first bytes of those that a profile takes.
const TYPES: &[(&str, &[u8])] = &[
    ("application/pdf", b""),
    ("image/jpeg", b"\xff\xd8\xff"),
    ("image/jpg", b"\xff\xd8\xff"),
    ("image/png", b"\x89PNG\r\n\x1a\n"),
    ("video/mp4", b""),
];

/// `POST /{app-id}/uploads`
pub(in super::super) fn open(id: &str, asked: Option<&str>) -> Result<Change, GraphError> {
    if id != APP_ID {
        return Err(GraphError::no_such_object("post", id));
    }
    let required = |name: &str| {
        decoded(asked, name)
            .ok_or_else(|| GraphError::parameter(format_args!("The parameter {name} is required.")))
    };
    let length = required("file_length")?.parse().ok().filter(|length| *length > 0_u64);
    let length = length
        .ok_or_else(|| GraphError::parameter(format_args!("Param file_length must be a positive number.")))?;
    let media_type = required("file_type")?;
    if !TYPES.iter().any(|(known, _)| *known == media_type) {
        return Err(GraphError::parameter(format_args!("Param file_type is not supported: '{media_type}'.")));
    }
    Ok(Change::Opened(Session { media_type, length }))
}

/// `POST /upload:…?sig=…` with the bytes.
pub(in super::super) fn receive(state: &State, head: &Parts, id: &str, body: &[u8]) -> Examined {
    let verdict = judge(state, head, id, body).map(Change::Uploaded);
    Examined { json: None, notes: Vec::new(), verdict }
}

fn judge(state: &State, head: &Parts, id: &str, body: &[u8]) -> Result<Arc<Item>, GraphError> {
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    // Meta: "include the access token in the header", with this scheme only.
    if header(AUTHORIZATION.as_str()).is_none_or(|value| !value.starts_with("OAuth ")) {
        return Err(GraphError::worded(190, "Malformed access token"));
    }
    let asked = format!("{id}?sig={}", query(head.uri.query(), "sig").unwrap_or_default());
    let session = {
        let sessions = &state.registry.lock().sessions;
        let at = (0..sessions.len()).find(|at| session_id(*at) == asked);
        at.and_then(|at| sessions.get(at).cloned())
    };
    let session = session.ok_or_else(|| GraphError::no_such_object("post", id))?;
    if header("file_offset") != Some("0") {
        return Err(GraphError::parameter(format_args!("Header file_offset must be 0.")));
    }
    let starts = |(known, magic): &&(&str, &[u8])| *known == session.media_type && body.starts_with(magic);
    if body.len() as u64 != session.length || !TYPES.iter().any(|row| starts(&row)) {
        return Err(GraphError::parameter(format_args!("The file is not the one that was announced.")));
    }
    Ok(item("", &session.media_type, body))
}

/// Meta's are as odd: an id that brings a query of its own.
pub(super) fn session_id(at: usize) -> String {
    let name = STANDARD.encode(format!("attachment:{at}"));
    format!("upload:{name}?sig=ARZ{at}_mock-{}", at * 7919)
}

/// The parts of Meta's sample: a name, a type, a secret.
pub(super) fn handle(at: usize, item: &Item) -> String {
    let secret: String = item.sha256.chars().take(12).collect();
    format!("4:{}:{}:AR{at}{secret}", STANDARD.encode("photo"), STANDARD.encode(&item.media_type))
}
