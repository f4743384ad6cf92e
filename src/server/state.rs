//! What every request may look at. Built once by `app`; nothing in here is behind a lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::request::{Fields, Name};
use super::webhook::Access;
use crate::callback::{Aliases, Callbacks, Queue};
use crate::clock::Clock;
use crate::config::host_key;
use crate::media::providers::Providers;
use crate::media::{Account, Media};
use crate::net::egress::Guard;
use crate::session::Sessions;
use crate::settings::{Settings, Stickers};
use crate::store::Store;
use crate::telemetry::{Ledger, Metrics};
use crate::translate::Options;
use crate::upstream::pacing::Pacer;
use crate::upstream::{Health, Target, Upstream};

/// One business phone number: behaves like one on-prem deployment.
#[derive(Debug)]
pub struct Number {
    /// Its name in the configuration and the log.
    pub name: String,
    /// Its Cloud id.
    pub phone_number_id: String,
    /// One registration at a time: a client that gave up begins another while the first is still under way.
    pub registering: tokio::sync::Mutex<()>,
    /// Its messages edge.
    pub messages: Target,
    /// Holds its messages back where they are too fast; none where pacing is switched off.
    pub pacer: Option<Arc<Pacer>>,
    /// Its files.
    pub account: Arc<Account>,
    /// The namespace that its templates must name, if the operator set one.
    pub namespace: Option<String>,
    /// The account that its templates belong to, if the operator named it.
    pub waba: Option<Waba>,
    /// Its callbacks.
    pub callbacks: Arc<Queue>,
    /// Under which ids its client knows users.
    pub aliases: Arc<Aliases>,
    /// Its node, asked for as little as there is.
    pub node: Target,
    /// Whether its calls reach Cloud.
    pub health: Arc<Health>,
    /// What was asked of it.
    pub ledger: Ledger,
}

/// A WhatsApp Business Account.
#[derive(Debug)]
pub struct Waba {
    /// Its Cloud id.
    pub id: String,
    /// Its node.
    pub node: Target,
    /// What its templates are to be called with, once Cloud has told it: it never changes.
    pub namespace: OnceCell<String>,
}

/// The numbers, by the Host name that selects them.
#[derive(Debug, Default)]
pub struct Numbers {
    only: Option<Arc<Number>>,
    by_host: HashMap<String, Arc<Number>>,
    all: Vec<Arc<Number>>,
}

impl Numbers {
    /// Adds `number`, selected by `hosts` in the form of [`host_key`]. A number that is the only one needs none.
    pub fn insert(&mut self, number: Number, hosts: impl IntoIterator<Item = String>) {
        let number = Arc::new(number);
        self.only = self.all.is_empty().then(|| Arc::clone(&number));
        self.by_host.extend(hosts.into_iter().map(|host| (host, Arc::clone(&number))));
        self.all.push(number);
    }

    /// The number that a head selects.
    pub fn select(&self, fields: &Fields) -> Option<&Arc<Number>> {
        if let Some(only) = &self.only {
            return Some(only);
        }
        let host = fields.text(Name::Host)?;
        self.by_host.get(host).or_else(|| self.by_host.get(&host_key(host)?))
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Number>] {
        &self.all
    }
}

/// Choices that change what clients see.
#[derive(Clone, Debug)]
pub struct Compat {
    /// Status of a sent message: 201 or 200.
    pub created_status: u16,
    /// What `meta.version` says.
    pub version: String,
    /// Whether administrators see the secrets of media providers that were set over the API.
    pub show_provider_secrets: bool,
    /// Whether errors that on-prem told by a failed status are told so.
    pub defers_errors: bool,
    /// Whether health is told in the form of several nodes.
    pub health_by_node: bool,
    /// Choices of the translation.
    pub options: Options,
}

/// Facts about this process and where it runs.
#[derive(Clone, Debug)]
pub struct Installation {
    /// The name of the host.
    pub host: String,
    /// The version of its operating system.
    pub os_version: String,
    /// The engine of the store, as on-prem wrote them.
    pub db_engine: &'static str,
    /// When the process started, in seconds since the Unix epoch.
    pub started_at: i64,
}

/// What one request may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of headers.
    pub headers: usize,
    /// Bytes of a JSON body.
    pub body: usize,
    /// Bytes of an uploaded file.
    pub media: u64,
    /// Time for a body to arrive.
    pub body_timeout: Duration,
}

/// What every request may look at.
pub struct State {
    /// The numbers.
    pub numbers: Numbers,
    /// Logins and tokens.
    pub sessions: Sessions,
    /// The hosts that files are fetched from with credentials.
    pub providers: Providers,
    /// What clients set per number.
    pub settings: Settings,
    /// Their sticker packs.
    pub stickers: Stickers,
    /// The certificate that we made for ourselves, as PEM, if clients see that one.
    pub own_certificate: Option<String>,
    /// Stands before the URLs that clients set for their callbacks.
    pub callback_guard: Arc<Guard>,
    /// Where everything is kept that survives a restart.
    pub store: Arc<dyn Store>,
    /// Files.
    pub media: Media,
    /// Callbacks.
    pub callbacks: Callbacks,
    /// Who may send webhooks.
    pub webhook: Access,
    /// Calls to Cloud.
    pub upstream: Upstream,
    /// What time it is.
    pub clock: Clock,
    /// Facts about this process and where it runs.
    pub installation: Installation,
    /// Counters.
    pub metrics: Metrics,
    /// Choices that change what clients see.
    pub compat: Compat,
    /// What one request may cost.
    pub limits: Limits,
    /// Whether each request is logged.
    pub log_requests: bool,
    /// A random word of this process, for request ids.
    pub process: String,
    /// Whether new work is welcome.
    pub draining: AtomicBool,
}

impl State {
    /// Whether the process is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("numbers", &self.numbers).finish_non_exhaustive()
    }
}
