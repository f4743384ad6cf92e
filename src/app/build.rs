//! From a configuration to the parts of the proxy, top to bottom.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::StartError;
use super::upstream::upstream;
use super::{callbacks, descriptors, egress, installation, media, pacing};
use crate::callback::Callbacks;
use crate::clock::Clock;
use crate::config::{self, Config, Tls};
use crate::media::Media;
use crate::net::{self, TlsError};
use crate::number;
use crate::relay::Relay;
use crate::runtime::Workers;
use crate::server::{Limits, Listener, ServeLimits, State};
use crate::session::{self, Sessions};
use crate::store::{self, Store};
use crate::telemetry::Metrics;

/// How long a connection of the admin listener, which serves a person and a scraper, stays idle.
const ADMIN_IDLE: Duration = Duration::from_secs(2);

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
    let (tls, own_certificate) = server_tls(&config, store.as_ref()).await?;
    let room = descriptors::connections(&config);
    let limits = serve_limits(&config.limits);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let api = bind("listen.api", config.listen.api, tls.clone(), limits.within(room.api)).await?;
    let webhook = if callbacks::takes_webhooks(&config) && !callbacks::is_on_api(&config) {
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
    let metrics = Arc::new(Metrics::default());
    let listeners = [Some(&api), Some(&admin), webhook.as_ref()].into_iter().flatten();
    let own: Vec<_> =
        listeners.map(Listener::address).collect::<Result<_, _>>().map_err(StartError::Listener)?;
    let callback_guard = Arc::new(egress::callback_guard(&config.egress, own.clone()));
    let parts = media::parts(&config, own, clock.clone(), metrics.media.clone())?;
    let media = Media::open(config.media.clone(), Arc::clone(&store), parts).await?;
    let upstream = upstream(&config)?;
    let tools = callbacks::tools(&config, &store, &callback_guard, clock.clone(), &metrics);
    let callbacks = Arc::new(Callbacks::new(tools));
    let parts =
        number::Parts { store: &store, callbacks: &callbacks, clock: &clock, pacing: &metrics.pacing };
    let numbers = number::build(&config, parts).await?;
    callbacks.restore(|id| numbers.by_id(id).map(|number| &number.callbacks)).await?;
    let state = State {
        relay: Relay {
            upstream,
            media,
            callbacks: Arc::clone(&callbacks),
            metrics: Arc::clone(&metrics),
            logs_media: config.log.requests,
        },
        numbers: ArcSwap::from_pointee(numbers),
        sessions,
        own_certificate,
        callback_guard,
        webhook: callbacks::access(&config, callbacks),
        installation: installation::installation(&config.store, clock.now()),
        store,
        clock,
        metrics,
        limits: request_limits(&config.limits),
        log_requests: config.log.requests,
        process: format!("{:016x}", u64::from_ne_bytes(process)),
        draining: AtomicBool::new(false),
    };
    let numbers = state.numbers.load();
    let accounts =
        numbers.all().iter().map(|number| (number.phone_number_id.clone(), Arc::clone(&number.account)));
    // Last, when nothing can fail any more that would leave it behind.
    state.relay.media.serve_wanted(accounts.collect());
    numbers.all().iter().for_each(|number| state.relay.callbacks.start(&number.callbacks));
    drop(numbers);
    let config::Shutdown { lame_duck, drain_timeout } = config.shutdown;
    Ok(Built { state, api, admin, webhook, workers, scheme, lame_duck, drain_timeout })
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
