//! A mock of the Cloud API: strict where Cloud is strict, deterministic, and able to fail on purpose.
//!
//! It answers
//!
//! - `POST /{version}/{phone-number-id}/messages`: sends a message or a read receipt,
//! - `GET /{version}/{phone-number-id}`: what a number is,
//! - `POST /{version}/{phone-number-id}/media`: uploads a file,
//! - `GET /{version}/{media-id}` and `GET` of the `url` in the answer: gives it back,
//! - `DELETE /{version}/{media-id}`: forgets it,
//! - `POST /{version}/{phone-number-id}/request_code`, `verify_code`, `register`, and the node itself for the PIN: verifies
//!   and registers a number; each is connected until [`MockCloud::set_stage`] says otherwise, and its code is [`CODE`],
//! - `GET` and `POST /{version}/{phone-number-id}/whatsapp_business_profile`: its profile,
//! - `POST /{version}/{app-id}/uploads` and the session in the answer: uploads the photo of a profile, whose
//!   `profile_picture_url` gives it back; `GET /debug_token` tells [`APP_ID`],
//! - `GET`, `POST`, `DELETE /{version}/{waba-id}/message_templates` and `GET /{version}/{waba-id}`: the templates of
//!   one account, and what it is,
//!
//! refuses everything else in Graph's words, and remembers what it got. With a [`Subscription`] it posts signed
//! webhooks: the statuses of each message that it accepts, and what tests let users write. [`faults`] tells how to
//! make it fail and [`control`] how to drive it with a shell.
//!
//! It is a side module: it uses nothing else of this crate, so that the proxy is never tested against itself.

mod attachments;
mod business;
mod content;
pub mod control;
mod errors;
pub mod faults;
mod files;
mod graph;
mod media;
mod messages;
pub mod multipart;
mod recipient;
mod route;
mod schema;
mod server;
mod state;
mod templates;
mod upload;
mod wamid;
mod webhooks;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use business::{APP_ID, CODE, NumberStage};
pub use errors::{GraphError, codes, lookup};
pub use faults::{Act, ErrorAct, FaultRule, HttpAct, Matcher, Op, Times};
pub use state::{Accepted, Body, FilePart, Recorded};
pub use wamid::encode as encode_wamid;
pub use webhooks::{InboundMessage, Retry, SentWebhook, StatusWord, Subscription, Try};

use content::{Content, hex};
use media::Item;
use state::State;

/// How a mock behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether requests and accepted messages are kept; counts are in any case.
    pub record: bool,
    /// How many of each are kept; the oldest go first.
    pub record_limit: usize,
    /// The tokens that are valid; none: every token that is not empty.
    pub access_tokens: Option<Vec<String>>,
    /// Whether a version that does not exist yet is refused.
    pub check_version: bool,
    /// Where ids begin; equal seeds give equal ids in equal order.
    pub seed: u64,
    /// The country code that Cloud prepends to a `to` without `+`; empty: such a number is taken as it is.
    pub default_country: String,
    /// `display_phone_number` of every number.
    pub display_phone_number: String,
    /// `verified_name` of every number.
    pub verified_name: String,
    /// The `level` in `throughput` of every number.
    pub throughput: String,
    /// The id of the one account, which templates belong to.
    pub waba_id: String,
    /// Whether a message may name only files that this mock has under the same number. Without it, ids that
    /// this mock never gave are taken as they are.
    pub check_media_ids: bool,
    /// How large a file may be to stay in memory; larger ones go to temporary files.
    pub media_in_memory: usize,
    /// How many files are kept; the oldest go first, as if their time were over.
    pub media_limit: usize,
    /// The rules to begin with.
    pub faults: Vec<FaultRule>,
    /// Who gets webhooks from the beginning.
    pub webhook: Option<Subscription>,
    /// What time it is in webhooks, in seconds since 1970; none: the machine's time.
    pub time: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            record: true,
            record_limit: 10_000,
            access_tokens: None,
            check_version: true,
            seed: 0,
            default_country: String::new(),
            display_phone_number: "+1 555-012-3456".to_owned(),
            verified_name: "Lucky Shrub".to_owned(),
            throughput: "STANDARD".to_owned(),
            // The account of Meta's samples.
            waba_id: "102290129340398".to_owned(),
            check_media_ids: false,
            media_in_memory: 1 << 20,
            media_limit: 10_000,
            faults: Vec::new(),
            webhook: None,
            time: None,
        }
    }
}

/// A running mock; dropping it stops it.
#[derive(Debug)]
pub struct MockCloud {
    addr: SocketAddr,
    state: Arc<State>,
    stop: watch::Sender<()>,
    root: JoinHandle<((), ())>,
}

impl MockCloud {
    /// Listens on `addr` (port 0 picks a free one) and serves in the background.
    pub async fn start(addr: SocketAddr, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let mut options = options;
        let faults = std::mem::take(&mut options.faults);
        let webhook = options.webhook.take();
        let state = Arc::new(State::new(options, addr));
        faults.into_iter().for_each(|rule| state.add_fault(rule));
        if let Some(subscription) = webhook {
            state.hooks.subscribe(subscription);
        }
        let (stop, stopped) = watch::channel(());
        let serving = server::run(listener, Arc::clone(&state), stopped.clone());
        let posting = webhooks::run(Arc::clone(&state), stopped);
        // The one task without a parent: this handle is its owner, and Drop ends it.
        let root = Handle::current().spawn(async { tokio::join!(serving, posting) });
        Ok(Self { addr, state, stop, root })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://` and the address, to put where `https://graph.facebook.com` would stand.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many Graph requests arrived, downloads of files included, since the last [`MockCloud::clear`].
    pub fn seen(&self) -> u64 {
        self.state.seen_count()
    }

    /// How many messages Cloud took, whether or not the sender got an answer.
    pub fn accepted(&self) -> u64 {
        self.state.accepted_count()
    }

    /// How many uploads Cloud took since the last [`MockCloud::clear`], whether or not the sender got an answer.
    pub fn uploads(&self) -> u64 {
        self.state.upload_count()
    }

    /// Keeps a file as if a user had sent it to this number, and gives its id; no upload is counted.
    pub fn add_media(&self, phone_number_id: &str, media_type: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        self.state.media.add(Arc::new(Item {
            number: phone_number_id.to_owned(),
            media_type: media_type.to_owned(),
            sha256: hex(&Sha256::digest(&bytes)),
            content: Content::from(bytes),
        }))
    }

    /// Keeps a template as if it had been there before, and gives its id.
    pub fn add_template(&self, template: serde_json::Map<String, serde_json::Value>) -> String {
        self.state.templates.add(template)
    }

    /// Forgets a file as Cloud does when its time is over; false when there is no such file.
    pub fn expire_media(&self, id: &str) -> bool {
        self.state.media.remove(id)
    }

    /// Puts a number at this stage of verification and registration; it is connected before.
    pub fn set_stage(&self, phone_number_id: &str, stage: NumberStage) {
        self.state.registry.set_stage(phone_number_id, stage);
    }

    /// Gives a number this two-step PIN, or none.
    pub fn set_pin(&self, phone_number_id: &str, pin: Option<&str>) {
        self.state.registry.set_pin(phone_number_id, pin);
    }

    /// The requests that arrived, oldest first; empty without [`Options::record`].
    pub fn recorded(&self) -> Vec<Recorded> {
        self.state.requests()
    }

    /// The messages Cloud took, oldest first; empty without [`Options::record`].
    pub fn accepted_messages(&self) -> Vec<Accepted> {
        self.state.accepted()
    }

    /// Forgets requests, accepted messages, counts and posted webhooks, not the rules, the files and what is still to
    /// be posted.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// Adds a rule behind the others.
    pub fn fault(&self, rule: FaultRule) {
        self.state.add_fault(rule);
    }

    /// Drops all rules.
    pub fn clear_faults(&self) {
        self.state.clear_faults();
    }

    /// Stops listening and drops every connection; returns when all tasks have ended.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(());
        // An error would be a panic of the accept loop, which has ended then too.
        let _ = (&mut self.root).await;
    }
}

impl Drop for MockCloud {
    fn drop(&mut self) {
        // Aborting the root drops its set of connections, and that aborts them.
        self.root.abort();
    }
}
