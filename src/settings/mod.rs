//! The settings that clients change per number: the application's, the authorities of its callbacks, the number of
//! its shards, and its sticker packs.
//!
//! Reading asks memory alone; a change is committed to the store first and shows in memory after, where
//! whoever watches is told of it.

mod stickers;

pub use stickers::Stickers;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Secret;
use crate::net;
use crate::onprem::Invalid;
use crate::onprem::account::shards_of;
use crate::onprem::settings::{Application, Patch};
use crate::store::{self, ChangeLock, DocumentRow, Store};

/// The names of our documents in the store.
const APPLICATION: &str = "application";
const WEBHOOKS_CA: &str = "webhooks-ca";
const SHARDS: &str = "shards";

/// The settings of all numbers. Clones share everything.
#[derive(Clone)]
pub struct Settings(Arc<Inner>);

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings")
    }
}

/// The settings of one number, as they were when somebody asked.
#[derive(Clone, Debug, Default)]
pub struct NumberSettings {
    /// What clients set under `/v1/settings/application`.
    pub application: Application,
    /// The certificates, as PEM, that the receiver of callbacks may be signed by beside the public ones.
    pub webhooks_ca: Option<String>,
    /// How many shards clients set; they mean nothing here.
    pub shards: Option<u8>,
    /// Where the configuration sends callbacks.
    configured_url: Option<Secret>,
}

/// Where callbacks go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallbackTarget<'a> {
    /// As it was written; may carry a token.
    pub url: &'a str,
    /// Whether it is the operator's own, which no guard judges.
    pub is_configured: bool,
}

impl fmt::Debug for CallbackTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackTarget").field("is_configured", &self.is_configured).finish_non_exhaustive()
    }
}

impl NumberSettings {
    /// Where callbacks go: where clients said, or else where the configuration says.
    pub fn callback_target(&self) -> Option<CallbackTarget<'_>> {
        let set = self.application.webhooks_url().map(|url| CallbackTarget { url, is_configured: false });
        let configured = self.configured_url.as_ref();
        set.or_else(|| configured.map(|url| CallbackTarget { url: url.expose(), is_configured: true }))
    }
}

/// Why settings cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    /// What the store holds is not what we put there.
    #[error("{0} in the store is not what was put there: restore the store from a backup")]
    Damaged(String),
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Together with what was set before, the change is too much.
    #[error("the settings are refused: {}", .0.details)]
    Invalid(Invalid),
    /// The certificates cannot be used.
    #[error(transparent)]
    Bundle(#[from] net::BadBundle),
    /// There are no such certificates.
    #[error("there is no certificate to delete")]
    NotFound,
    /// There is no number of that id.
    #[error("there is no such number")]
    NoNumber,
    /// The store failed and nothing has changed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
}

impl Settings {
    /// Reads what the store has of the numbers in `configured`, which come with the URL that the configuration
    /// has for their callbacks. They go by their phone number id, as everywhere.
    pub async fn open(
        store: Arc<dyn Store>,
        configured: impl Iterator<Item = (String, Option<Secret>)>,
    ) -> Result<Self, OpenError> {
        let number = |(number, configured_url)| {
            (number, NumberSettings { configured_url, ..NumberSettings::default() })
        };
        let mut numbers: HashMap<_, _> = configured.map(number).collect();
        for DocumentRow { number, name, content } in store.documents().await? {
            // A number that was taken out of the configuration finds its settings again when it comes back.
            let Some(settings) = numbers.get_mut(&number) else { continue };
            settings
                .restore(&name, content)
                .ok_or_else(|| OpenError::Damaged(format!("the document {name} of number {number}")))?;
        }
        let cells = numbers.into_iter().map(|(number, settings)| (number, Cell::new(settings)));
        Ok(Self(Arc::new(Inner { store, lock: ChangeLock::default(), cells: cells.collect() })))
    }

    /// The settings of a number; the defaults of one that is not configured.
    pub fn of(&self, number: &str) -> Arc<NumberSettings> {
        self.0.cells.get(number).map(Cell::now).unwrap_or_default()
    }

    /// The settings of a number, and each change from now on. A number that is not configured has its defaults
    /// and no sender.
    pub fn watch(&self, number: &str) -> watch::Receiver<Arc<NumberSettings>> {
        match self.0.cells.get(number) {
            Some(cell) => cell.0.subscribe(),
            None => watch::channel(Arc::default()).1,
        }
    }

    /// Changes the application's settings.
    pub async fn patch(&self, number: &str, patch: Patch) -> Result<(), SettingsError> {
        self.change(number, APPLICATION, move |now| {
            let application = now.application.patched(&patch).map_err(SettingsError::Invalid)?;
            let content = application.to_stored();
            Ok((Some(content), NumberSettings { application, ..now }))
        })
        .await
    }

    /// Brings the application's settings back to their defaults.
    pub async fn reset(&self, number: &str) -> Result<(), SettingsError> {
        self.change(number, APPLICATION, |now| {
            Ok((None, NumberSettings { application: Application::default(), ..now }))
        })
        .await
    }

    /// Sets the certificates of callbacks, in place of those that were there.
    pub async fn set_webhooks_ca(&self, number: &str, pem: String) -> Result<(), SettingsError> {
        net::ca_bundle(&pem)?;
        self.change(number, WEBHOOKS_CA, move |now| {
            let content = pem.clone().into_bytes();
            Ok((Some(content), NumberSettings { webhooks_ca: Some(pem), ..now }))
        })
        .await
    }

    /// The certificates of callbacks.
    pub fn webhooks_ca(&self, number: &str) -> Option<String> {
        self.of(number).webhooks_ca.clone()
    }

    /// Deletes the certificates of callbacks.
    pub async fn delete_webhooks_ca(&self, number: &str) -> Result<(), SettingsError> {
        self.change(number, WEBHOOKS_CA, |now| match now.webhooks_ca {
            Some(_) => Ok((None, NumberSettings { webhooks_ca: None, ..now })),
            None => Err(SettingsError::NotFound),
        })
        .await
    }

    /// Sets the number of shards.
    pub async fn set_shards(&self, number: &str, shards: u8) -> Result<(), SettingsError> {
        self.change(number, SHARDS, move |now| {
            let content = shards.to_string().into_bytes();
            Ok((Some(content), NumberSettings { shards: Some(shards), ..now }))
        })
        .await
    }

    /// Gives a change its turn. `make` turns the settings of then into the next ones, with what the document
    /// `name` is to hold; a document without content goes.
    async fn change(
        &self,
        number: &str,
        name: &'static str,
        make: impl FnOnce(NumberSettings) -> Result<(Option<Vec<u8>>, NumberSettings), SettingsError>
        + Send
        + 'static,
    ) -> Result<(), SettingsError> {
        let (inner, number) = (Arc::clone(&self.0), number.to_owned());
        let change = async move {
            let cell = inner.cells.get(&number).ok_or(SettingsError::NoNumber)?;
            let (content, next) = make(NumberSettings::clone(&cell.now()))?;
            match content {
                Some(content) => {
                    let row = DocumentRow { number: number.clone(), name: name.to_owned(), content };
                    inner.store.put_document(row).await?;
                }
                None => drop(inner.store.delete_document(&number, name).await?),
            }
            cell.put(next);
            Ok(())
        };
        self.0.lock.run(change).await
    }
}

impl NumberSettings {
    /// Takes a document of the store; nothing when it is not one that we put there.
    fn restore(&mut self, name: &str, content: Vec<u8>) -> Option<()> {
        match name {
            APPLICATION => self.application = Application::from_json(&content)?,
            WEBHOOKS_CA => {
                let pem = String::from_utf8(content).ok()?;
                net::ca_bundle(&pem).ok()?;
                self.webhooks_ca = Some(pem);
            }
            SHARDS => self.shards = Some(shards_of(std::str::from_utf8(&content).ok()?)?),
            // Of a part of this program that is none of ours.
            _ => {}
        }
        Some(())
    }
}

struct Inner {
    store: Arc<dyn Store>,
    lock: ChangeLock,
    cells: HashMap<String, Cell<NumberSettings>>,
}

/// What one number has, which can be watched.
struct Cell<T>(watch::Sender<Arc<T>>);

impl<T> Cell<T> {
    fn new(content: T) -> Self {
        Self(watch::Sender::new(Arc::new(content)))
    }

    fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.borrow())
    }

    fn put(&self, content: T) {
        self.0.send_replace(Arc::new(content));
    }
}
