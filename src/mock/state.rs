//! What one mock remembers.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::request::Parts;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Options;
use super::business::Registry;
use super::faults::{Act, FaultRule, Faults, Subject};
use super::media::Library;
use super::templates::Shelf;
use super::wamid::Ids;
use super::webhooks::Hooks;

/// One Graph request that reached the mock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recorded {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query string without its `?`.
    pub query: Option<String>,
    /// The phone number id in the path, or another object's id, such as that of a file.
    pub phone_number_id: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// All other headers; a repeated one keeps its last value.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Body,
    /// What Cloud would have accepted but a client had better not send.
    pub notes: Vec<String>,
    /// The status that was answered; none when the connection was cut before the body was read.
    pub status: Option<u16>,
    /// The body that was answered.
    pub answer: String,
}

/// A request body.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// There was none.
    Empty,
    /// It was JSON.
    Json(Value),
    /// It was not; of a long one this is the beginning.
    Raw(#[serde(serialize_with = "lossy")] Bytes),
    /// It was an upload.
    Form {
        /// The parts that are no files.
        fields: BTreeMap<String, String>,
        /// The file.
        file: Option<FilePart>,
    },
}

/// The file of an upload, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FilePart {
    /// The `Content-Type` of its part.
    pub media_type: String,
    /// The name it was sent with.
    pub filename: Option<String>,
    /// How many bytes it has.
    pub length: u64,
    /// Their SHA-256 in hex.
    pub sha256: String,
}

impl Body {
    /// The JSON, or null.
    pub fn json(&self) -> &Value {
        match self {
            Body::Json(value) => value,
            Body::Empty | Body::Raw(_) | Body::Form { .. } => &Value::Null,
        }
    }

    /// The file of an upload.
    pub fn file(&self) -> Option<&FilePart> {
        match self {
            Body::Form { file, .. } => file.as_ref(),
            Body::Empty | Body::Json(_) | Body::Raw(_) => None,
        }
    }
}

/// A message that Cloud took: whatever the client learned of it, the user gets it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Accepted {
    /// The message id.
    pub wamid: String,
    /// The sending number.
    pub phone_number_id: String,
    /// The message type.
    pub kind: String,
    /// `to` or `recipient` as sent.
    pub to: String,
    /// The digits the message went to; none for a business-scoped user id or a group.
    pub wa_id: Option<String>,
    /// The whole message.
    pub body: Value,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) options: Options,
    /// Where the mock listens.
    pub(super) addr: SocketAddr,
    pub(super) ids: Ids,
    pub(super) media: Library,
    pub(super) templates: Shelf,
    pub(super) hooks: Hooks,
    pub(super) registry: Registry,
    requests: AtomicU64,
    messages: AtomicU64,
    inbound: AtomicU64,
    accepted: AtomicU64,
    uploads: AtomicU64,
    /// Whether there are rules at all, so that a bench takes no lock.
    armed: AtomicBool,
    faults: Mutex<Faults>,
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    requests: VecDeque<Recorded>,
    accepted: VecDeque<Accepted>,
}

impl State {
    pub(super) fn new(options: Options, addr: SocketAddr) -> Self {
        let ids = Ids::new(options.seed);
        Self {
            addr,
            ids,
            media: Library::new(ids, options.media_limit),
            templates: Shelf::new(ids),
            options,
            hooks: Hooks::default(),
            registry: Registry::default(),
            requests: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            inbound: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            uploads: AtomicU64::new(0),
            armed: AtomicBool::new(false),
            faults: Mutex::default(),
            log: Mutex::default(),
        }
    }

    pub(super) fn next_request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn next_wamid(&self, user: &str) -> String {
        self.ids.wamid(self.messages.fetch_add(1, Ordering::Relaxed), user)
    }

    /// Counted apart, so that what users write does not change the ids of what is sent.
    pub(super) fn next_inbound_wamid(&self, user: &str) -> String {
        self.ids.inbound_wamid(self.inbound.fetch_add(1, Ordering::Relaxed), user)
    }

    /// What time it is, in seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        let machine = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.options.time.unwrap_or_else(machine)
    }

    pub(super) fn seen_count(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn accepted_count(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(super) fn upload_count(&self) -> u64 {
        self.uploads.load(Ordering::Relaxed)
    }

    pub(super) fn count_upload(&self) {
        self.uploads.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn record(&self, recorded: impl FnOnce() -> Recorded) {
        if self.options.record {
            push(&mut lock(&self.log).requests, recorded(), self.options.record_limit);
        }
    }

    pub(super) fn accept(&self, accepted: impl FnOnce() -> Accepted) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        if !(self.options.record || self.hooks.is_on()) {
            return;
        }
        let accepted = accepted();
        let told = self.hooks.is_on().then(|| accepted.clone());
        if self.options.record {
            push(&mut lock(&self.log).accepted, accepted, self.options.record_limit);
        }
        // Afterwards, so that whoever gets a status finds its message.
        if let Some(message) = told {
            self.hooks.accepted(self, &message);
        }
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        lock(&self.log).requests.iter().cloned().collect()
    }

    pub(super) fn accepted(&self) -> Vec<Accepted> {
        lock(&self.log).accepted.iter().cloned().collect()
    }

    pub(super) fn accepted_message(&self, wamid: &str) -> Option<Accepted> {
        lock(&self.log).accepted.iter().rfind(|message| message.wamid == wamid).cloned()
    }

    /// Forgets requests, accepted messages, posted webhooks and all counts; ids go on, so that none comes twice, and files and
    /// what numbers are stay.
    pub(super) fn clear(&self) {
        let mut log = lock(&self.log);
        *log = Log::default();
        self.requests.store(0, Ordering::Relaxed);
        self.accepted.store(0, Ordering::Relaxed);
        self.uploads.store(0, Ordering::Relaxed);
        self.hooks.clear();
    }

    pub(super) fn add_fault(&self, rule: FaultRule) {
        lock(&self.faults).add(rule);
        self.armed.store(true, Ordering::Release);
    }

    pub(super) fn clear_faults(&self) {
        let mut faults = lock(&self.faults);
        faults.clear();
        self.armed.store(!faults.is_empty(), Ordering::Release);
    }

    pub(super) fn faults(&self) -> Vec<(FaultRule, u64)> {
        lock(&self.faults).list().map(|(rule, matched)| (rule.clone(), matched)).collect()
    }

    pub(super) fn fault_at_head(&self, subject: Subject<'_>) -> Option<Act> {
        self.armed.load(Ordering::Acquire).then(|| lock(&self.faults).at_head(subject))?
    }

    pub(super) fn fault(&self, subject: Subject<'_>) -> Option<Act> {
        self.armed.load(Ordering::Acquire).then(|| lock(&self.faults).after_read(subject))?
    }
}

impl Recorded {
    /// A request as its head tells it.
    pub(super) fn of(head: &Parts, id: Option<&str>) -> Self {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers: BTreeMap<_, _> =
            head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        Self {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            phone_number_id: id.map(str::to_owned),
            authorization: headers.remove("authorization"),
            headers,
            body: Body::Empty,
            notes: Vec::new(),
            status: None,
            answer: String::new(),
        }
    }
}

fn push<T>(log: &mut VecDeque<T>, item: T, limit: usize) {
    if log.len() >= limit {
        log.pop_front();
    }
    log.push_back(item);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lossy<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}
