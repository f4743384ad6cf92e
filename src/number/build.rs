//! From the configuration to numbers.

use std::sync::{Arc, OnceLock};

use http::{HeaderValue, Uri};
use thiserror::Error;
use tokio::sync::{Mutex, OnceCell};

use super::{Number, Registry, Waba};
use crate::callback::Callbacks;
use crate::clock::Clock;
use crate::cloud::number::{NumberState, Throughput};
use crate::config::{self, Compat, Config, MessageRate};
use crate::media::Account;
use crate::media::providers::{self, Providers};
use crate::settings::{self, Documents, Settings, Stickers};
use crate::store::{self, Store};
use crate::telemetry::{Ledger, PacingMetrics};
use crate::upstream::pacing::{self, Ceiling, Pacer};
use crate::upstream::{Health, Target};

/// Why a number cannot be built.
#[derive(Debug, Error)]
pub enum Error {
    /// A URL or a token that cannot be sent.
    #[error("number \"{number}\": {reason}")]
    Invalid {
        /// Its name.
        number: String,
        /// What is wrong.
        reason: String,
    },
    /// Its media providers cannot be set up.
    #[error("media providers cannot be set up: {0}")]
    Providers(#[from] providers::OpenError),
    /// What clients set cannot be read.
    #[error("the settings of numbers cannot be set up: {0}")]
    Settings(#[from] settings::OpenError),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
}

/// What numbers are built with, and share.
pub struct Parts<'p> {
    /// Where their settings, providers and users' ids are kept.
    pub store: &'p Arc<dyn Store>,
    /// Opens their queues.
    pub callbacks: &'p Callbacks,
    /// What time it is.
    pub clock: &'p Clock,
    /// Counters of their pacers.
    pub pacing: &'p PacingMetrics,
}

/// The numbers of a configuration, with what the store has of each.
pub async fn build(config: &Config, parts: Parts<'_>) -> Result<Registry, Error> {
    let compat = Arc::new(config.compat.clone());
    let documents = Documents::read(&**parts.store).await?;
    let providers = providers::Stored::read(&**parts.store).await?;
    let mut registry = Registry::new(Arc::clone(&compat));
    for number in &config.numbers {
        let providers =
            Providers::new(Arc::clone(parts.store), &number.phone_number_id, &number.providers, &providers)?;
        let built = one(config, number, &compat, providers, &documents, &parts).await?;
        registry.insert(built, number.hosts.iter().cloned());
    }
    Ok(registry)
}

async fn one(
    config: &Config,
    number: &config::Number,
    compat: &Arc<Compat>,
    providers: Providers,
    documents: &Documents,
    parts: &Parts<'_>,
) -> Result<Number, Error> {
    let config::Number { name, phone_number_id, .. } = number;
    let store = || Arc::clone(parts.store);
    let settings = Settings::new(store(), phone_number_id, number.callback_url.clone(), documents)?;
    let (callbacks, aliases) = parts.callbacks.open(phone_number_id, name, settings.watch()).await?;
    let health = Arc::new(Health::new(phone_number_id.clone(), parts.clock.clone()));
    let watched = |edge: &str| {
        target(config, number, edge).map(|target| Target { health: Some(Arc::clone(&health)), ..target })
    };
    Ok(Number {
        name: name.clone(),
        phone_number_id: phone_number_id.clone(),
        compat: Arc::clone(compat),
        registering: Mutex::default(),
        messages: watched("/messages")?,
        pacer: pacer(config, number, parts.pacing.clone())?,
        account: Arc::new(Account {
            number: phone_number_id.clone(),
            name: name.clone(),
            graph: format!("{}/{}", config.cloud.base_url, config.cloud.version),
            edge: watched("/media")?,
            app_id: number.app_id.clone().map(OnceLock::from).unwrap_or_default(),
            providers,
        }),
        namespace: number.namespace.clone(),
        waba: number.waba_id.as_ref().map(|id| waba(config, number, id)).transpose()?,
        callbacks,
        stickers: Stickers::new(store(), phone_number_id, documents)?,
        settings,
        aliases,
        node: watched(&format!("?fields={}", NumberState::FIELDS))?,
        health: Arc::clone(&health),
        ledger: Ledger::default(),
    })
}

/// What paces a number, if anything does.
fn pacer(
    config: &Config,
    number: &config::Number,
    metrics: PacingMetrics,
) -> Result<Option<Arc<Pacer>>, Error> {
    if !config.pacing.enabled {
        return Ok(None);
    }
    let ceiling = match number.messages_per_second.unwrap_or(config.pacing.messages_per_second) {
        MessageRate::Fixed(ceiling) => Ceiling::Fixed(ceiling),
        MessageRate::Auto => {
            Ceiling::Asked(target(config, number, &format!("?fields={}", Throughput::FIELD))?)
        }
    };
    let settings = pacing::Settings { name: number.name.clone(), max_wait: config.pacing.max_wait, ceiling };
    Ok(Some(Arc::new(Pacer::new(settings, metrics))))
}

/// The account that a number belongs to.
fn waba(config: &Config, number: &config::Number, id: &str) -> Result<Waba, Error> {
    Ok(Waba { id: id.to_owned(), node: node(config, number, id)?, namespace: OnceCell::new() })
}

/// The URL of the number's node followed by `edge`, and its token.
pub fn target(config: &Config, number: &config::Number, edge: &str) -> Result<Target, Error> {
    node(config, number, &format!("{}{edge}", number.phone_number_id))
}

/// The URL of the API followed by `path`, and the number's token.
fn node(config: &Config, number: &config::Number, path: &str) -> Result<Target, Error> {
    let error = |reason: String| Error::Invalid { number: number.name.clone(), reason };
    let config::Cloud { base_url, version, .. } = &config.cloud;
    let uri: Uri = format!("{base_url}/{version}/{path}")
        .parse()
        .map_err(|invalid: http::uri::InvalidUri| error(invalid.to_string()))?;
    let mut authorization = HeaderValue::try_from(format!("Bearer {}", number.access_token.expose()))
        .map_err(|_| error("the access token cannot be sent in a header".to_owned()))?;
    authorization.set_sensitive(true);
    Ok(Target { uri, authorization: Some(authorization), health: None })
}
