//! The settings that clients change per number: the application's, the authorities of its callbacks, the number of
//! its shards, and its sticker packs.
//!
//! All of them are [`Snapshot`]s: memory shows what the store keeps.

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
use crate::store::{self, DocumentRow, Snapshot, Store};

/// The names of our documents in the store.
const APPLICATION: &str = "application";
const WEBHOOKS_CA: &str = "webhooks-ca";
const SHARDS: &str = "shards";

/// The settings of one number. Clones share everything.
#[derive(Clone)]
pub struct Settings {
    store: Arc<dyn Store>,
    /// Its phone number id.
    number: String,
    snapshot: Snapshot<NumberSettings>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settings")
    }
}

/// The documents of all numbers, as the store has them.
#[derive(Debug, Default)]
pub struct Documents(HashMap<String, Vec<DocumentRow>>);

impl Documents {
    /// Reads them.
    pub async fn read(store: &dyn Store) -> Result<Self, store::Error> {
        let mut all: HashMap<_, Vec<_>> = HashMap::new();
        for row in store.documents().await? {
            all.entry(row.number.clone()).or_default().push(row);
        }
        Ok(Self(all))
    }

    /// Those of one number.
    fn of(&self, number: &str) -> &[DocumentRow] {
        self.0.get(number).map_or(&[], Vec::as_slice)
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

impl OpenError {
    fn damaged(name: &str, number: &str) -> Self {
        Self::Damaged(format!("the document {name} of number {number}"))
    }
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
    /// The store failed and nothing has changed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
}

impl Settings {
    /// The settings of a number whose callbacks go to `configured_url` unless clients say otherwise.
    pub fn new(
        store: Arc<dyn Store>,
        number: &str,
        configured_url: Option<Secret>,
        documents: &Documents,
    ) -> Result<Self, OpenError> {
        let mut settings = NumberSettings { configured_url, ..NumberSettings::default() };
        for DocumentRow { name, content, .. } in documents.of(number) {
            settings.restore(name, content).ok_or_else(|| OpenError::damaged(name, number))?;
        }
        Ok(Self { store, number: number.to_owned(), snapshot: Snapshot::new(settings) })
    }

    /// The settings.
    pub fn now(&self) -> Arc<NumberSettings> {
        self.snapshot.now()
    }

    /// The settings, and each change from now on.
    pub fn watch(&self) -> watch::Receiver<Arc<NumberSettings>> {
        self.snapshot.watch()
    }

    /// Changes the application's settings.
    pub async fn patch(&self, patch: Patch) -> Result<(), SettingsError> {
        self.change(APPLICATION, move |now| {
            let application = now.application.patched(&patch).map_err(SettingsError::Invalid)?;
            let content = application.to_stored();
            Ok((Some(content), NumberSettings { application, ..now }))
        })
        .await
    }

    /// Brings the application's settings back to their defaults.
    pub async fn reset(&self) -> Result<(), SettingsError> {
        self.change(APPLICATION, |now| {
            Ok((None, NumberSettings { application: Application::default(), ..now }))
        })
        .await
    }

    /// Sets the certificates of callbacks, in place of those that were there.
    pub async fn set_webhooks_ca(&self, pem: String) -> Result<(), SettingsError> {
        net::ca_bundle(&pem)?;
        self.change(WEBHOOKS_CA, move |now| {
            let content = pem.clone().into_bytes();
            Ok((Some(content), NumberSettings { webhooks_ca: Some(pem), ..now }))
        })
        .await
    }

    /// Deletes the certificates of callbacks.
    pub async fn delete_webhooks_ca(&self) -> Result<(), SettingsError> {
        self.change(WEBHOOKS_CA, |now| match now.webhooks_ca {
            Some(_) => Ok((None, NumberSettings { webhooks_ca: None, ..now })),
            None => Err(SettingsError::NotFound),
        })
        .await
    }

    /// Sets the number of shards.
    pub async fn set_shards(&self, shards: u8) -> Result<(), SettingsError> {
        self.change(SHARDS, move |now| {
            let content = shards.to_string().into_bytes();
            Ok((Some(content), NumberSettings { shards: Some(shards), ..now }))
        })
        .await
    }

    /// Changes the settings. `make` turns the settings of then into the next ones, with what the document `name` is to
    /// hold; a document without content goes.
    async fn change(
        &self,
        name: &'static str,
        make: impl FnOnce(NumberSettings) -> Result<(Option<Vec<u8>>, NumberSettings), SettingsError>
        + Send
        + 'static,
    ) -> Result<(), SettingsError> {
        let (store, number) = (Arc::clone(&self.store), self.number.clone());
        let change = async move |now: Arc<NumberSettings>| {
            let (content, next) = make(NumberSettings::clone(&now))?;
            match content {
                Some(content) => {
                    store.put_document(DocumentRow { number, name: name.to_owned(), content }).await?;
                }
                None => drop(store.delete_document(&number, name).await?),
            }
            Ok((next, ()))
        };
        self.snapshot.change(change).await
    }
}

impl NumberSettings {
    /// Takes a document of the store; nothing when it is not one that we put there.
    fn restore(&mut self, name: &str, content: &[u8]) -> Option<()> {
        match name {
            APPLICATION => self.application = Application::from_json(content)?,
            WEBHOOKS_CA => {
                let pem = String::from_utf8(content.to_vec()).ok()?;
                net::ca_bundle(&pem).ok()?;
                self.webhooks_ca = Some(pem);
            }
            SHARDS => self.shards = Some(shards_of(std::str::from_utf8(content).ok()?)?),
            // Of a part of this program that is none of ours.
            _ => {}
        }
        Some(())
    }
}
