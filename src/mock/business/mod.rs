//! Numbers as such: how far each is verified and registered, its PIN, its profile, and the photos for it.

mod account;
mod profile;
mod uploads;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::errors::GraphError;
use super::media::Item;
use super::schema::{Path, Shape, check_object};

pub(super) use account::{debug_token, number, register, request_code, set_pin as change_pin, verify_code};
pub(super) use profile::{photo, show as show_profile, update as update_profile};
pub(super) use uploads::{open, receive};

/// The app that every token belongs to.
pub const APP_ID: &str = "138483919580948";

/// The code that every number is sent.
pub const CODE: &str = "135790";

/// How far a number has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberStage {
    /// Nobody has proved that it is theirs.
    Unverified,
    /// It is verified and not registered.
    Verified,
    /// It is registered and can send.
    #[default]
    Connected,
}

/// What is known of one number.
#[derive(Clone, Debug, Default)]
struct Business {
    stage: NumberStage,
    /// Whether a code is on its way.
    is_code_sent: bool,
    pin: Option<String>,
    profile: Map<String, Value>,
    photo: Option<Arc<Item>>,
}

/// All numbers, and the uploads under the app.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    numbers: BTreeMap<String, Business>,
    /// Uploads that were begun, by their place.
    sessions: Vec<Session>,
    /// Photos that were uploaded, by their handle.
    handles: BTreeMap<String, Arc<Item>>,
}

/// An upload that was begun.
#[derive(Clone, Debug)]
pub(super) struct Session {
    media_type: String,
    length: u64,
}

/// What an acceptable request changes, unless a fault rule has it refused.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// The profile; with it a photo.
    Profile(Map<String, Value>, Option<Arc<Item>>),
    /// A code is on its way.
    CodeSent,
    /// The code was right.
    Verified,
    /// The number is registered with this PIN.
    Registered(String),
    /// The PIN is another.
    Pin(String),
    /// An upload begins.
    Opened(Session),
    /// An upload is whole.
    Uploaded(Arc<Item>),
}

impl Registry {
    /// Puts a number at this stage.
    pub(super) fn set_stage(&self, number: &str, stage: NumberStage) {
        let mut inner = self.lock();
        let number = inner.numbers.entry(number.to_owned()).or_default();
        (number.stage, number.is_code_sent) = (stage, false);
    }

    /// Gives a number this PIN.
    pub(super) fn set_pin(&self, number: &str, pin: Option<&str>) {
        self.lock().numbers.entry(number.to_owned()).or_default().pin = pin.map(str::to_owned);
    }

    fn get(&self, number: &str) -> Business {
        self.lock().numbers.get(number).cloned().unwrap_or_default()
    }

    /// Makes a change and gives the answer to it.
    pub(super) fn apply(&self, id: &str, change: &Change) -> Value {
        let mut inner = self.lock();
        match change {
            Change::Opened(session) => {
                inner.sessions.push(session.clone());
                return json!({"id": uploads::session_id(inner.sessions.len() - 1)});
            }
            Change::Uploaded(item) => {
                let handle = uploads::handle(inner.handles.len(), item);
                inner.handles.insert(handle.clone(), Arc::clone(item));
                return json!({ "h": handle });
            }
            Change::Profile(..)
            | Change::CodeSent
            | Change::Verified
            | Change::Registered(_)
            | Change::Pin(_) => {}
        }
        let number = inner.numbers.entry(id.to_owned()).or_default();
        number.apply(change);
        if matches!(change, Change::Verified) {
            return json!({"success": true, "id": id});
        }
        json!({"success": true})
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Business {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Profile(fields, photo) => {
                self.profile.extend(fields.clone());
                if let Some(photo) = photo {
                    self.photo = Some(Arc::clone(photo));
                }
            }
            Change::CodeSent => self.is_code_sent = true,
            Change::Verified => (self.stage, self.is_code_sent) = (NumberStage::Verified, false),
            Change::Registered(pin) => {
                (self.stage, self.pin) = (NumberStage::Connected, Some(pin.clone()));
            }
            Change::Pin(pin) => self.pin = Some(pin.clone()),
            Change::Opened(_) | Change::Uploaded(_) => {}
        }
    }
}

/// What an examination comes to: the body for the record, and the change.
pub(super) struct Examined {
    pub(super) json: Option<Value>,
    pub(super) notes: Vec<String>,
    pub(super) verdict: Result<Change, GraphError>,
}

/// Reads a JSON body of this shape and hands its members on.
fn examine(
    body: &[u8],
    shape: &'static Shape,
    judge: impl FnOnce(&Map<String, Value>) -> Result<Change, GraphError>,
) -> Examined {
    let mut notes = Vec::new();
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let verdict = match json.as_ref().and_then(Value::as_object) {
        None => Err(GraphError::detailed(100, "The request body is not a JSON object")),
        Some(members) => check_object(shape, members, &Path::Root, &mut notes).and_then(|()| judge(members)),
    };
    Examined { json, notes, verdict }
}

fn text<'v>(members: &'v Map<String, Value>, key: &str) -> &'v str {
    members.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn is_digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn item(number: &str, media_type: &str, bytes: &[u8]) -> Arc<Item> {
    use sha2::{Digest as _, Sha256};
    Arc::new(Item {
        number: number.to_owned(),
        media_type: media_type.to_owned(),
        sha256: super::content::hex(&Sha256::digest(bytes)),
        content: Bytes::copy_from_slice(bytes).into(),
    })
}
