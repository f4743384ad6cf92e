//! From a configuration to the parts of the proxy, top to bottom.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{HeaderValue, Uri};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::sync::OnceCell;

use super::{callbacks, descriptors, egress, installation, media, pacing};
use crate::callback::Callbacks;
use crate::clock::Clock;
use crate::cloud::number::NumberState;
use crate::config::{self, Config, HttpVersion, Tls, in_words};
use crate::media::providers::{self, Providers};
use crate::media::{Account, Media, MediaError};
use crate::net::{self, Connector, TlsError};
use crate::server::{Compat, Limits, Listener, Number, Numbers, ServeLimits, State, Waba, Workers};
use crate::session::{self, Sessions};
use crate::settings::{self, Settings, Stickers};
use crate::store::{self, Store};
use crate::telemetry::{Ledger, Metrics};
use crate::upstream::{CallError, Deadlines, Health, Target, Upstream};

/// How long a connection of the admin listener, which serves a person and a scraper, stays idle.
const ADMIN_IDLE: Duration = Duration::from_secs(2);

/// Why the proxy cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] store::Error),
    /// The logins cannot be set up.
    #[error("logins cannot be set up: {0}")]
    Sessions(#[from] session::Error),
    /// The media providers cannot be set up.
    #[error("media providers cannot be set up: {0}")]
    Providers(#[from] providers::OpenError),
    /// The settings of numbers cannot be set up.
    #[error("the settings of numbers cannot be set up: {0}")]
    Settings(#[from] settings::OpenError),
    /// The folder of files cannot be used.
    #[error("the folder of files cannot be used: {0}; see media.folder")]
    Media(#[from] MediaError),
    /// The client for files at Graph.
    #[error("the client for files cannot be made: {0}")]
    MediaClient(CallError),
    /// Certificates or keys.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// A listener cannot be bound.
    #[error("{what} cannot listen on {address}: {}", in_words(source))]
    Bind {
        /// The key of the configuration.
        what: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The threads that serve clients cannot be started.
    #[error("{0}; lower server.workers, or raise the limit of threads")]
    Workers(io::Error),
    /// A bound listener has no address.
    #[error("a listener has no address: {0}")]
    Listener(io::Error),
    /// A URL or a token that cannot be sent.
    #[error("number \"{number}\": {reason}")]
    Number {
        /// Its name.
        number: String,
        /// What is wrong.
        reason: String,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

impl StartError {
    /// Whether the configuration, or a file that it names, has to be changed. Validation finds such
    /// things first, unless a file changed after it.
    pub fn is_bad_config(&self) -> bool {
        match self {
            Self::Tls(_) | Self::Number { .. } => true,
            Self::Store(_)
            | Self::Sessions(_)
            | Self::Providers(_)
            | Self::Settings(_)
            | Self::Media(_)
            | Self::MediaClient(_)
            | Self::Bind { .. }
            | Self::Workers(_)
            | Self::Listener(_)
            | Self::Random(_) => false,
        }
    }
}

/// The parts, not yet running.
pub(super) struct Built {
    pub(super) state: State,
    pub(super) api: Listener,
    pub(super) admin: Listener,
    /// None when nobody calls it, or when it is the API's.
    pub(super) webhook: Option<Listener>,
    /// They serve the API.
    pub(super) workers: Workers,
    pub(super) scheme: &'static str,
    pub(super) lame_duck: Duration,
    pub(super) drain_timeout: Duration,
}

/// Opens the store and binds the listeners.
pub(super) async fn build(config: Config, clock: Clock) -> Result<Built, StartError> {
    let store = open_store(&config.store)?;
    let sessions = Sessions::open(Arc::clone(&store), clock.clone(), access(&config)).await?;
    let configured =
        config.numbers.iter().map(|number| (number.phone_number_id.clone(), number.providers.as_slice()));
    let providers = Providers::open(Arc::clone(&store), configured).await?;
    let configured =
        config.numbers.iter().map(|number| (number.phone_number_id.clone(), number.callback_url.clone()));
    let settings = Settings::open(Arc::clone(&store), configured).await?;
    let ids = config.numbers.iter().map(|number| number.phone_number_id.clone());
    let stickers = Stickers::open(Arc::clone(&store), ids).await?;
    let (tls, own_certificate) = server_tls(&config, store.as_ref()).await?;
    let room = descriptors::connections(&config);
    let limits = serve_limits(&config.limits);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let api = bind("listen.api", config.listen.api, tls.clone(), limits.within(room.api)).await?;
    let access_of_cloud = callbacks::access(&config);
    let webhook = if callbacks::takes_webhooks(&config) && !access_of_cloud.is_on_api {
        Some(bind("listen.webhook", config.listen.webhook, tls, limits.within(room.webhook)).await?)
    } else {
        None
    };
    let header_timeout = limits.header_timeout.min(ADMIN_IDLE);
    let admin_limits = ServeLimits { connections: room.admin, header_timeout, ..limits };
    let admin = bind("listen.admin", config.listen.admin, None, admin_limits).await?;
    let workers = Workers::start(config.server.workers).map_err(StartError::Workers)?;
    let mut process = [0; 8];
    getrandom::fill(&mut process).map_err(StartError::Random)?;
    if egress::refuses_private_links(&config) {
        tracing::info!("media links to private addresses will be refused; list media hosts in egress.allow");
    }
    pacing::announce(&config.pacing);
    let metrics = Metrics::default();
    let listeners = [Some(&api), Some(&admin), webhook.as_ref()].into_iter().flatten();
    let own: Vec<_> =
        listeners.map(Listener::address).collect::<Result<_, _>>().map_err(StartError::Listener)?;
    let callback_guard = Arc::new(egress::callback_guard(&config.egress, own.clone()));
    let parts = media::parts(&config, own, providers.clone(), clock.clone(), metrics.media.clone())?;
    let media = Media::open(config.media.clone(), Arc::clone(&store), parts).await?;
    let upstream = upstream(&config)?;
    let tools = callbacks::tools(&config, &store, &settings, &callback_guard, clock.clone(), &metrics);
    let callbacks = callbacks::open(&config, tools).await?;
    let numbers = numbers(&config, &callbacks, &clock, &metrics)?;
    let installation = installation::installation(&config.store, clock.now());
    let accounts = numbers.all().iter();
    let accounts =
        accounts.map(|number| (number.phone_number_id.clone(), Arc::clone(&number.account))).collect();
    let state = State {
        numbers,
        sessions,
        providers,
        settings,
        stickers,
        own_certificate,
        callback_guard,
        store,
        callbacks,
        webhook: access_of_cloud,
        upstream,
        clock,
        installation,
        metrics,
        media,
        compat: compat(&config.compat),
        limits: request_limits(&config.limits),
        log_requests: config.log.requests,
        process: format!("{:016x}", u64::from_ne_bytes(process)),
        draining: AtomicBool::new(false),
    };
    // Last, when nothing can fail any more that would leave it behind.
    state.media.serve_wanted(accounts);
    state.callbacks.start();
    let config::Shutdown { lame_duck, drain_timeout } = config.shutdown;
    Ok(Built { state, api, admin, webhook, workers, scheme, lame_duck, drain_timeout })
}

fn compat(compat: &config::Compat) -> Compat {
    Compat {
        created_status: compat.created_status.as_u16(),
        version: compat.api_version.clone(),
        defers_errors: compat.defers_errors,
        show_provider_secrets: compat.show_provider_secrets,
        health_by_node: compat.health_by_node,
        options: compat.options.clone(),
    }
}

fn request_limits(limits: &config::Limits) -> Limits {
    Limits {
        headers: limits.max_headers,
        body: limits.max_body,
        media: limits.max_media as u64,
        body_timeout: limits.body_timeout,
    }
}

fn open_store(store: &config::Store) -> Result<Arc<dyn Store>, StartError> {
    Ok(match store {
        config::Store::Memory => Arc::new(store::Sqlite::memory()?),
        config::Store::Sqlite(path) => Arc::new(store::Sqlite::open(path)?),
    })
}

/// Who may log in where.
fn access(config: &Config) -> session::Settings {
    session::Settings {
        token_lifetime: config.auth.token_lifetime,
        hash_concurrency: config.auth.hash_concurrency,
        admin_password: config.auth.admin_password.clone().map(Into::into),
        numbers: config.numbers.iter().map(number_access).collect(),
        ..session::Settings::default()
    }
}

fn number_access(number: &config::Number) -> session::NumberAccess {
    session::NumberAccess {
        // The id and not the name, which is a label: renaming a number must not bring its default
        // administrator back.
        name: number.phone_number_id.clone(),
        users: number
            .users
            .iter()
            .map(|user| session::ConfiguredUser {
                name: user.name.clone(),
                password: user.password.clone().into(),
                role: user.role,
            })
            .collect(),
        api_keys: number
            .api_keys
            .iter()
            .map(|key| session::ApiKey { key: key.key.clone().into(), role: key.role })
            .collect(),
    }
}

/// The self-signed certificate is made once and kept in the store, so that clients which pin it
/// meet the same one after a restart, and on every replica. For their sake it also stays as it is
/// when a host is configured later: clients that verify will not accept it under that name. It comes along as
/// PEM, for those that ask for it.
async fn server_tls(
    config: &Config,
    store: &dyn Store,
) -> Result<(Option<Arc<rustls::ServerConfig>>, Option<String>), StartError> {
    Ok(match &config.listen.tls {
        Tls::Off => (None, None),
        Tls::Files { cert, key } => (Some(net::server_config_from_files(cert, key)?), None),
        Tls::SelfSigned => {
            let candidate = net::self_signed(own_names(config))?.into_bytes();
            let pem = store.secret("tls-self-signed", candidate).await?;
            let broken = |error: rustls::pki_types::pem::Error| TlsError::Pem {
                path: "the store".into(),
                reason: error.to_string(),
            };
            let certificate = CertificateDer::from_pem_slice(&pem).map_err(broken)?;
            let key = PrivateKeyDer::from_pem_slice(&pem).map_err(broken)?;
            let shown = net::certificate_pem(&certificate);
            (Some(net::server_config(vec![certificate], key)?), Some(shown))
        }
    })
}

/// Every name under which clients may call us.
fn own_names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let api = config.listen.api.ip();
    let address = (!api.is_unspecified()).then(|| api.to_string());
    // A certificate has IPv6 addresses without the brackets that a Host header has around them.
    let hosts = config.numbers.iter().flat_map(|number| &number.hosts);
    let hosts = hosts.map(|host| host.trim_matches(['[', ']']).to_owned());
    for name in address.into_iter().chain(hosts) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn serve_limits(limits: &config::Limits) -> ServeLimits {
    ServeLimits {
        connections: limits.max_connections,
        header_timeout: limits.header_timeout,
        header_bytes: limits.max_header_bytes,
        tls_handshake: limits.tls_handshake_timeout,
    }
}

async fn bind(
    what: &'static str,
    address: std::net::SocketAddr,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: ServeLimits,
) -> Result<Listener, StartError> {
    Listener::bind(address, tls, limits).await.map_err(|source| StartError::Bind { what, address, source })
}

/// The pooled client.
pub(super) fn upstream(config: &Config) -> Result<Upstream, StartError> {
    let config::Cloud { ca_file, http, .. } = &config.cloud;
    let tls = net::client_config(ca_file.as_deref())?;
    let tls = if *http == HttpVersion::Http2 { net::offering_http2(&tls) } else { tls };
    let connector = Connector::new(tls, connect_deadlines(&config.cloud));
    Ok(Upstream::new(&connector, *http, deadlines(&config.cloud), config.server.workers))
}

pub(super) fn connect_deadlines(cloud: &config::Cloud) -> net::Deadlines {
    net::Deadlines { connect: cloud.connect_timeout, tls: cloud.tls_timeout }
}

pub(super) fn deadlines(cloud: &config::Cloud) -> Deadlines {
    Deadlines {
        first_byte: cloud.first_byte_timeout,
        total: cloud.total_timeout,
        pool_idle: cloud.pool_idle_timeout,
    }
}

fn numbers(
    config: &Config,
    callbacks: &Callbacks,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<Numbers, StartError> {
    let mut numbers = Numbers::default();
    for number in &config.numbers {
        let unqueued =
            || StartError::Number { number: number.name.clone(), reason: "it has no queue".to_owned() };
        let queue = callbacks.queue(&number.phone_number_id).ok_or_else(unqueued)?;
        let aliases = callbacks.aliases(&number.phone_number_id).ok_or_else(unqueued)?;
        let health = Arc::new(Health::new(number.phone_number_id.clone(), clock.clone()));
        let watched = |edge: &str| {
            target(config, number, edge).map(|target| Target { health: Some(Arc::clone(&health)), ..target })
        };
        let built = Number {
            name: number.name.clone(),
            phone_number_id: number.phone_number_id.clone(),
            registering: tokio::sync::Mutex::default(),
            messages: watched("/messages")?,
            pacer: pacing::pacer(config, number, metrics.pacing.clone())?,
            account: Arc::new(Account {
                number: number.phone_number_id.clone(),
                name: number.name.clone(),
                graph: format!("{}/{}", config.cloud.base_url, config.cloud.version),
                edge: watched("/media")?,
                app_id: number.app_id.clone().map(OnceLock::from).unwrap_or_default(),
            }),
            namespace: number.namespace.clone(),
            waba: number.waba_id.as_ref().map(|id| waba(config, number, id)).transpose()?,
            callbacks: Arc::clone(queue),
            aliases: Arc::clone(aliases),
            node: watched(&format!("?fields={}", NumberState::FIELDS))?,
            health: Arc::clone(&health),
            ledger: Ledger::default(),
        };
        numbers.insert(built, number.hosts.iter().cloned());
    }
    Ok(numbers)
}

/// The account that a number belongs to.
fn waba(config: &Config, number: &config::Number, id: &str) -> Result<Waba, StartError> {
    Ok(Waba { id: id.to_owned(), node: node(config, number, id)?, namespace: OnceCell::new() })
}

/// The URL of the number's node followed by `edge`, and its token.
pub(super) fn target(config: &Config, number: &config::Number, edge: &str) -> Result<Target, StartError> {
    node(config, number, &format!("{}{edge}", number.phone_number_id))
}

/// The URL of the API followed by `path`, and the number's token.
fn node(config: &Config, number: &config::Number, path: &str) -> Result<Target, StartError> {
    let error = |reason: String| StartError::Number { number: number.name.clone(), reason };
    let config::Cloud { base_url, version, .. } = &config.cloud;
    let uri: Uri = format!("{base_url}/{version}/{path}")
        .parse()
        .map_err(|invalid: http::uri::InvalidUri| error(invalid.to_string()))?;
    let mut authorization = HeaderValue::try_from(format!("Bearer {}", number.access_token.expose()))
        .map_err(|_| error("the access token cannot be sent in a header".to_owned()))?;
    authorization.set_sensitive(true);
    Ok(Target { uri, authorization: Some(authorization), health: None })
}
