//! The edge `whatsapp_business_profile`, and the place of the photo.

use std::sync::Arc;

use http::request::Parts;
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::super::content::hex;
use super::super::errors::GraphError;
use super::super::graph::query;
use super::super::media::Item;
use super::super::route::PHOTOS;
use super::super::schema::PROFILE;
use super::super::state::State;
use super::{Change, Examined, examine, text};

/// What can be asked for.
const FIELDS: &[&str] = &[
    "messaging_product",
    "about",
    "address",
    "description",
    "email",
    "profile_picture_url",
    "websites",
    "vertical",
];

/// The longest website.
const WEBSITE: usize = 256;

/// `GET /{phone-number-id}/whatsapp_business_profile`: of the asked fields those that are set.
pub(in super::super) fn show(state: &State, head: &Parts, id: &str) -> Result<Value, GraphError> {
    let business = state.registry.get(id);
    let asked = query(head.uri.query(), "fields").unwrap_or_default().replace("%2C", ",");
    let mut profile = Map::new();
    for field in asked.split(',').map(str::trim).filter(|field| !field.is_empty()) {
        if !FIELDS.contains(&field) {
            return Err(GraphError::parameter(format_args!(
                "Tried accessing nonexisting field ({field}) on node type (WhatsAppBusinessProfile)"
            )));
        }
        let value = match (&business.photo, field) {
            (Some(photo), "profile_picture_url") => Some(Value::from(link(state, head, id, photo))),
            (_, field) => business.profile.get(field).cloned(),
        };
        profile.extend(value.map(|value| (field.to_owned(), value)));
    }
    profile.insert("messaging_product".to_owned(), "whatsapp".into());
    Ok(json!({"data": [profile]}))
}

/// `POST /{phone-number-id}/whatsapp_business_profile`
pub(in super::super) fn update(state: &State, _: &str, body: &[u8]) -> Examined {
    examine(body, &PROFILE, |members| {
        let sites = members.get("websites").and_then(Value::as_array).into_iter().flatten();
        if sites.filter_map(Value::as_str).any(|site| site.chars().count() > WEBSITE) {
            return Err(GraphError::parameter(format_args!(
                "Param websites[0] must be at most {WEBSITE} characters long."
            )));
        }
        let photo = match text(members, "profile_picture_handle") {
            "" => None,
            handle => {
                let photo = state.registry.lock().handles.get(handle).cloned();
                // The wording is ours: Meta documents none.
                Some(photo.ok_or_else(|| {
                    GraphError::parameter(format_args!("Param profile_picture_handle is not a valid handle."))
                })?)
            }
        };
        let is_kept = |key: &str| FIELDS.contains(&key) && key != "profile_picture_url";
        let fields = members.iter().filter(|(key, _)| is_kept(key));
        let fields = fields.map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Change::Profile(fields, photo))
    })
}

/// `GET` of `profile_picture_url`, which is a public place: another host, no token, hard to guess.
pub(in super::super) fn photo(state: &State, id: &str, asked: Option<&str>) -> Result<Arc<Item>, GraphError> {
    let photo = state.registry.get(id).photo;
    let photo = photo.filter(|photo| query(asked, "oh") == Some(&*signature(state, id, photo)));
    photo.ok_or_else(|| GraphError { http: StatusCode::NOT_FOUND, ..GraphError::no_such_object("get", id) })
}

fn link(state: &State, head: &Parts, id: &str, photo: &Item) -> String {
    // On all addresses at once, only the client knows which of them it can reach.
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.filter(|_| state.addr.ip().is_unspecified());
    let host = host.map_or_else(|| state.addr.to_string(), str::to_owned);
    format!("http://{host}{PHOTOS}{id}?oh={}", signature(state, id, photo))
}

/// Another photo has another address.
fn signature(state: &State, id: &str, photo: &Item) -> String {
    let secret = state.ids.secret(&format!("{id}{}", photo.sha256));
    hex(secret.get(..12).unwrap_or_default())
}
