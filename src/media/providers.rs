//! Media providers: hosts that are asked with credentials, named by the configuration or over the API.
//!
//! A provider that was set over the API stands in front of a configured one of the same name, which comes
//! back when the other is deleted. Reading asks memory alone; a change is committed to the store first and
//! shows in memory after.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::config::{self, Secret};
use crate::onprem::providers::MOST_PROVIDERS;
use crate::session::MacKey;
use crate::store::{self, ChangeLock, ProviderRow, Store};

pub use crate::config::Credentials;

/// The name in the store of the key under which credentials are hashed.
const MEDIA_KEY: &str = "media-key";

/// The providers of all numbers. Clones share everything.
#[derive(Clone)]
pub struct Providers(Arc<Inner>);

impl std::fmt::Debug for Providers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Providers")
    }
}

/// A host that is asked for files.
#[derive(Debug)]
pub struct Provider {
    /// The name that messages refer to.
    pub name: String,
    /// How it is asked.
    pub credentials: Credentials,
    /// Where the credentials may go, in the form of [`config::host_key`]; empty for wherever a link leads.
    pub allowed_hosts: Vec<String>,
    /// Changes whenever the provider does; part of every cache key, so each change makes older entries
    /// unreachable.
    pub generation: u64,
    /// The value of the `Authorization` header; sensitive.
    pub authorization: Option<HeaderValue>,
    /// Whether the configuration has it, which may keep its secrets to itself.
    pub is_configured: bool,
}

/// A provider as it comes over the API.
#[derive(Clone, Debug)]
pub struct NewProvider {
    /// The name that messages refer to.
    pub name: String,
    /// How it is asked.
    pub credentials: Credentials,
}

/// Why providers cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    /// What the store holds is not what we put there.
    #[error("{0} in the store is not what was put there: restore the store from a backup")]
    Damaged(String),
    /// The system's random numbers failed, or credentials do not fit into a header.
    #[error("{0}")]
    Internal(String),
}

/// Why a provider was not set or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// There is no provider of that name.
    #[error("there is no provider of that name")]
    NotFound,
    /// Only the configuration has it.
    #[error("the provider belongs to the proxy's configuration")]
    Configured,
    /// The number would have more than [`MOST_PROVIDERS`].
    #[error("there are too many providers")]
    TooMany,
    /// The store failed and nothing has changed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    /// The system's random numbers failed, or credentials do not fit into a header.
    #[error("{0}")]
    Internal(String),
}

impl Providers {
    /// Reads what the store has, beside what the configuration has of each number. The numbers go by their
    /// phone number id: a name is a label, and renaming a number must not take its providers away.
    pub async fn open<'c>(
        store: Arc<dyn Store>,
        configured: impl Iterator<Item = (String, &'c [config::Provider])>,
    ) -> Result<Self, OpenError> {
        let candidate: [u8; 32] = random().map_err(OpenError::Internal)?;
        let key = store.secret(MEDIA_KEY, candidate.to_vec()).await?;
        let key: [u8; 32] =
            key.try_into().map_err(|_| OpenError::Damaged(format!("the secret {MEDIA_KEY}")))?;
        let (key, mut from_file) = (MacKey::new(&key), ByNumber::new());
        for (number, providers) in configured {
            let providers = providers.iter().map(|provider| Provider::configured(provider, &key));
            from_file.insert(number, by_name(providers).map_err(OpenError::Internal)?);
        }
        let mut from_store = ByNumber::new();
        for row in store.providers().await? {
            let provider = Provider::stored(&row).ok_or_else(|| {
                OpenError::Damaged(format!("the media provider {} of number {}", row.name, row.number))
            })?;
            from_store.entry(row.number).or_default().insert(row.name, Arc::new(provider));
        }
        Ok(Self(Arc::new(Inner {
            store,
            lock: ChangeLock::default(),
            configured: from_file,
            stored: RwLock::new(Arc::new(from_store)),
        })))
    }

    /// The provider that messages of this number mean by `name`.
    pub fn find(&self, number: &str, name: &str) -> Option<Arc<Provider>> {
        let stored = self.0.stored();
        [&*stored, &self.0.configured].into_iter().find_map(|all| all.get(number)?.get(name)).cloned()
    }

    /// Every provider that [`Providers::find`] finds at this number, by name.
    pub fn list(&self, number: &str) -> Vec<Arc<Provider>> {
        let stored = self.0.stored();
        let both = [&self.0.configured, &*stored].into_iter().filter_map(|all| all.get(number));
        // The later wins.
        let by_name: BTreeMap<_, _> = both.flatten().collect();
        by_name.into_values().cloned().collect()
    }

    /// Adds providers, or replaces those of the same name; all of them or none. Each gets a new generation,
    /// also with the same content: whoever sets a provider again wants its files fetched again.
    pub async fn replace(&self, number: &str, new: Vec<NewProvider>) -> Result<(), ProviderError> {
        let (mut providers, mut rows) = (ByName::new(), Vec::with_capacity(new.len()));
        for NewProvider { name, credentials } in new {
            let bytes: [u8; 8] = random().map_err(ProviderError::Internal)?;
            let generation = generation(bytes);
            rows.push(ProviderRow {
                number: number.to_owned(),
                name: name.clone(),
                config: Saved::of(&credentials).to_json(),
                generation: generation.cast_signed(),
            });
            let provider = Provider::new(name.clone(), credentials, generation);
            providers.insert(name, Arc::new(provider.map_err(ProviderError::Internal)?));
        }
        let (inner, number) = (Arc::clone(&self.0), number.to_owned());
        self.0.lock.run(async move { inner.replace(number, providers, rows).await }).await
    }

    /// Deletes a provider that was set over the API.
    pub async fn delete(&self, number: &str, name: &str) -> Result<(), ProviderError> {
        let (inner, number, name) = (Arc::clone(&self.0), number.to_owned(), name.to_owned());
        self.0.lock.run(async move { inner.delete(&number, &name).await }).await
    }
}

type ByName = BTreeMap<String, Arc<Provider>>;
type ByNumber = HashMap<String, ByName>;

struct Inner {
    store: Arc<dyn Store>,
    lock: ChangeLock,
    configured: ByNumber,
    /// Held to take the snapshot or to put another in its place, never longer.
    stored: RwLock<Arc<ByNumber>>,
}

/// Changes: committed first, then shown in memory.
impl Inner {
    fn stored(&self) -> Arc<ByNumber> {
        Arc::clone(&self.stored.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Only a change that has its turn comes here, so nothing is lost between the copy and its return.
    fn show(&self, change: impl FnOnce(&mut ByNumber)) {
        let mut next = ByNumber::clone(&self.stored());
        change(&mut next);
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    async fn replace(
        &self,
        number: String,
        new: ByName,
        rows: Vec<ProviderRow>,
    ) -> Result<(), ProviderError> {
        let stored = self.stored();
        let is_new = |name: &String| stored.get(&number).is_none_or(|known| !known.contains_key(name));
        let more = new.keys().filter(|name| is_new(name)).count();
        if stored.get(&number).map_or(0, BTreeMap::len) + more > MOST_PROVIDERS {
            return Err(ProviderError::TooMany);
        }
        self.store.put_providers(rows).await?;
        self.show(|all| all.entry(number).or_default().extend(new));
        Ok(())
    }

    async fn delete(&self, number: &str, name: &str) -> Result<(), ProviderError> {
        let was_stored = self.store.delete_provider(number, name).await?;
        self.show(|all| {
            all.get_mut(number).and_then(|known| known.remove(name));
        });
        let is_configured = self.configured.get(number).is_some_and(|known| known.contains_key(name));
        match (was_stored, is_configured) {
            (true, _) => Ok(()),
            (false, true) => Err(ProviderError::Configured),
            (false, false) => Err(ProviderError::NotFound),
        }
    }
}

impl Provider {
    fn new(name: String, credentials: Credentials, generation: u64) -> Result<Self, String> {
        let authorization = authorization(&credentials)?;
        let allowed_hosts = Vec::new();
        Ok(Self { name, credentials, allowed_hosts, generation, authorization, is_configured: false })
    }

    /// The generation follows from the content: a restart with the same file keeps what was cached, and
    /// another credential does not. Only the keyed hash leaves the configuration.
    fn configured(provider: &config::Provider, key: &MacKey) -> Result<Self, String> {
        let config::Provider { name, credentials, allowed_hosts } = provider;
        let mut fields = vec!["provider", name.as_str()];
        match credentials {
            Credentials::None => fields.push("none"),
            Credentials::Bearer(token) => fields.extend(["bearer", token.expose()]),
            Credentials::Basic { username, password } => {
                fields.extend(["basic", username.as_str(), password.expose()]);
            }
        }
        fields.extend(allowed_hosts.iter().map(String::as_str));
        let [a, b, c, d, e, f, g, h, ..] = key.digest(&fields);
        let provider = Self::new(name.clone(), credentials.clone(), generation([a, b, c, d, e, f, g, h]))?;
        Ok(Self { allowed_hosts: allowed_hosts.clone(), is_configured: true, ..provider })
    }

    /// What [`Saved`] wrote; nothing when it is something else.
    fn stored(row: &ProviderRow) -> Option<Self> {
        let credentials = serde_json::from_slice::<Saved>(&row.config).ok()?.credentials()?;
        Self::new(row.name.clone(), credentials, row.generation.cast_unsigned()).ok()
    }
}

/// The store's form of credentials, as on-prem's `config`. Not `Debug`: it is a secret.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    basic: Option<SavedBasic>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedBasic {
    username: String,
    password: String,
}

impl Saved {
    fn of(credentials: &Credentials) -> Self {
        match credentials {
            Credentials::None => Self::default(),
            Credentials::Bearer(token) => Self { bearer: Some(token.expose().to_owned()), basic: None },
            Credentials::Basic { username, password } => {
                let (username, password) = (username.clone(), password.expose().to_owned());
                Self { bearer: None, basic: Some(SavedBasic { username, password }) }
            }
        }
    }

    fn credentials(self) -> Option<Credentials> {
        match (self.bearer, self.basic) {
            (None, None) => Some(Credentials::None),
            (Some(token), None) => Some(Credentials::Bearer(Secret::new(token))),
            (None, Some(SavedBasic { username, password })) => {
                Some(Credentials::Basic { username, password: Secret::new(password) })
            }
            (Some(_), Some(_)) => None,
        }
    }

    fn to_json(&self) -> Vec<u8> {
        // Strings always serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// `Bearer` as in RFC 6750 section 2.1, `Basic` as in RFC 7617 section 2.
fn authorization(credentials: &Credentials) -> Result<Option<HeaderValue>, String> {
    let text = match credentials {
        Credentials::None => return Ok(None),
        Credentials::Bearer(token) => format!("Bearer {}", token.expose()),
        Credentials::Basic { username, password } => {
            format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.expose())))
        }
    };
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| "the credentials of a media provider cannot be sent in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn by_name(providers: impl Iterator<Item = Result<Provider, String>>) -> Result<ByName, String> {
    providers.map(|provider| provider.map(|provider| (provider.name.clone(), Arc::new(provider)))).collect()
}

/// 63 bits, which the store keeps as a signed number without losing any.
fn generation(bytes: [u8; 8]) -> u64 {
    u64::from_be_bytes(bytes) >> 1
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}
