//! The calls about files that are there: described, downloaded, named by a message.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::content::{Content, hex};
use super::errors::GraphError;
use super::graph::query;
use super::media::Item;
use super::route::DOWNLOADS;
use super::state::State;

/// The file of an id, for the number that the query names or for any.
pub(super) fn find(state: &State, head: &Parts, id: &str) -> Result<Arc<Item>, GraphError> {
    let number = query(head.uri.query(), "phone_number_id");
    state.media.get(id, number).ok_or_else(|| GraphError::no_such_object(head.method.as_str(), id))
}

/// Ids of this mock are always checked, others when it is asked to.
pub(super) fn is_attachment(state: &State, id: &str, number: &str) -> bool {
    let is_ours = state.media.was_given(id);
    state.media.get(id, Some(number)).is_some() || !(is_ours || state.options.check_media_ids)
}

/// The answer to `GET /{media-id}`; the size is a number, whatever Meta's sample shows.
pub(super) fn describe(state: &State, head: &Parts, id: &str, item: &Item) -> Value {
    // On all addresses at once, only the client knows which of them it can reach.
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|_| state.addr.ip().is_unspecified());
    let host = host.map_or_else(|| state.addr.to_string(), str::to_owned);
    json!({
        "messaging_product": "whatsapp",
        "url": link(state, &host, id),
        "mime_type": item.media_type,
        "sha256": item.sha256,
        "file_size": item.content.len(),
        "id": id,
    })
}

/// Where a file can be downloaded, for who reaches the mock as `host`.
pub(super) fn link(state: &State, host: &str, id: &str) -> String {
    format!("http://{host}{DOWNLOADS}{id}?hash={}", signature(state, id))
}

/// What makes a download's address hard to guess.
fn signature(state: &State, id: &str) -> String {
    hex(state.ids.secret(id).get(..12).unwrap_or_default())
}

/// An address that is not, or not any more, in force is a plain 404 (Media reference, "Download Media").
pub(super) fn download(state: &State, id: &str, asked: Option<&str>) -> Result<Arc<Item>, GraphError> {
    let is_signed = query(asked, "hash").is_some_and(|hash| hash == signature(state, id));
    let item = state.media.get(id, None).filter(|_| is_signed);
    item.ok_or_else(|| GraphError { http: StatusCode::NOT_FOUND, ..GraphError::no_such_object("get", id) })
}

/// The bytes of a file.
pub(super) fn give(item: &Item) -> Response<Content> {
    let mut response = Response::new(item.content.clone());
    // A type that cannot be written as a header is left out.
    if let Ok(value) = HeaderValue::try_from(item.media_type.as_str()) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}
