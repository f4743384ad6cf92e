//! Logins and tokens of all numbers.
//!
//! A request is checked against memory alone: the token's signature, its expiry, and a snapshot of user
//! epochs and revoked tokens. Every change is committed to the store first and shows in the snapshot after.
//! A signature that was found good is not computed again (`remembered`). Its expiry is looked at each time, and the
//! snapshot whenever anything in it may have changed since.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::Duration;

use crate::clock::Clock;
use crate::store::{self, ChangeLock, Identities, Jti, Store};
use accounts::{Deployment, Stored};
use password::Hasher;
use remembered::{Kind, Presented, Remembered, Standing, Verified};
use throttle::Throttle;
use token::{Key, Keys, MAX_CREDENTIAL};

mod accounts;
mod login;
mod mac;
mod memory;
mod password;
mod remembered;
mod settings;
mod throttle;
mod token;
mod users;

pub use login::{Login, LoginError};
pub use mac::MacKey;
pub use settings::{ApiKey, ConfiguredUser, HashCost, NumberAccess, Role, Settings};
pub use token::{Denied, TokenId};
pub use users::{UserError, UserInfo};

/// The names of our secrets in the store.
const TOKEN_KEY: &str = "token-key";
const DIGEST_KEY: &str = "digest-key";

/// When to come back after the queue for hashes was full: it empties within a second.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// All logins and tokens. Clones share everything.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

/// What came in the `Authorization` or `D360-API-KEY` header. Not `Debug`: it is a secret.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// After `Bearer`: a token, or an API key.
    Bearer(&'a str),
    /// After `Apikey`, or the value of `D360-API-KEY`.
    ApiKey(&'a str),
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user's name; `api-key:1` for the first API key of a number, and so on.
    pub user: Arc<str>,
    /// What the user may do.
    pub role: Role,
    /// The token that was presented; none for an API key.
    pub token: Option<TokenId>,
}

/// Why sessions cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    /// A secret in the store is not what we put there.
    #[error("the secret {0} in the store has the wrong length: restore the store from a backup")]
    Secret(&'static str),
    /// The settings contradict themselves.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Hashing or the system's random numbers failed.
    #[error("{0}")]
    Internal(String),
}

/// What is wrong with the settings, as a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

impl Sessions {
    /// Reads the snapshot, and makes the keys on the first start.
    pub async fn open(store: Arc<dyn Store>, clock: Clock, settings: Settings) -> Result<Self, Error> {
        let keys = Keys { current: Key::new(&secret(&*store, TOKEN_KEY).await?), previous: None };
        let digests = MacKey::new(&secret(&*store, DIGEST_KEY).await?);
        let mut numbers = HashMap::new();
        for access in &settings.numbers {
            let accounts = Deployment::new(access, settings.admin_password.as_ref(), &digests)?;
            if numbers.insert(access.name.as_str().into(), Arc::new(accounts)).is_some() {
                return Err(SettingsError(format!("number {} is there twice", access.name)).into());
            }
        }
        let sessions = Self(Arc::new(Inner {
            store,
            clock,
            keys,
            digests,
            numbers,
            remembered: Remembered::default(),
            changes: AtomicU64::new(1),
            revoked: RwLock::default(),
            lock: ChangeLock::default(),
            hasher: Hasher::new(settings.hash_cost, settings.hash_concurrency)?,
            throttle: Throttle::default(),
            token_lifetime: i64::try_from(settings.token_lifetime.as_secs()).unwrap_or(i64::MAX),
        }));
        sessions.refresh().await?;
        Ok(sessions)
    }

    /// Says who sent a request, from memory alone.
    pub fn authenticate(&self, number: &str, credential: Credential<'_>) -> Result<Principal, Denied> {
        let (Credential::Bearer(text) | Credential::ApiKey(text)) = credential;
        if text.is_empty() {
            return Err(Denied::Missing);
        }
        if text.len() > MAX_CREDENTIAL {
            return Err(Denied::Malformed);
        }
        let as_token = matches!(credential, Credential::Bearer(_)) && token::is_token(text);
        let presented = Presented { number, text, as_token };
        if let Some(verdict) = self.0.remembered.judge(presented, |verified| self.0.admit(verified)) {
            return verdict;
        }
        let mut verified = match credential {
            Credential::Bearer(token) if as_token => self.0.by_token(number, token)?,
            Credential::Bearer(key) => self.0.by_api_key(number, key).ok_or(Denied::Malformed)?,
            Credential::ApiKey(key) => self.0.by_api_key(number, key).ok_or(Denied::UnknownKey)?,
        };
        let principal = self.0.admit(&mut verified)?;
        self.0.remembered.remember(presented, verified);
        Ok(principal)
    }

    /// Ends the token that the request came with, and no other. An API key cannot be logged out.
    pub async fn logout(&self, principal: &Principal) -> Result<(), store::Error> {
        let Some(token) = principal.token else { return Ok(()) };
        let revoke = |inner: Arc<Inner>| async move {
            inner.store.revoke(token.jti, token.expires_at).await?;
            inner.revoked().insert(token.jti, token.expires_at);
            Ok(())
        };
        self.0.change(revoke).await
    }

    /// Takes the snapshot anew from the store, for changes that another replica made.
    pub async fn refresh(&self) -> Result<(), store::Error> {
        let _lock = self.0.lock.lock().await;
        let identities = self.0.store.identities().await?;
        let _shown = Shown(&self.0.changes);
        self.0.load(identities);
        Ok(())
    }

    /// Forgets revocations of tokens that have expired, and tokens that are good no more. To be called now and then.
    pub async fn purge(&self) -> Result<usize, store::Error> {
        self.0.remembered.retain(|verified| self.0.admit(verified).is_ok());
        let now = self.0.clock.now();
        let purged = self.0.store.purge_revocations(now).await?;
        self.0.revoked().retain(|_, expires_at| *expires_at > now);
        Ok(purged)
    }
}

struct Inner {
    store: Arc<dyn Store>,
    clock: Clock,
    keys: Keys,
    /// For configured passwords and API keys.
    digests: MacKey,
    numbers: HashMap<Arc<str>, Arc<Deployment>>,
    remembered: Remembered,
    /// Counts the changes of stored users and revocations: what was looked up under the present count is still so, and
    /// a request need take none of their locks.
    changes: AtomicU64,
    /// Held for a lookup or an update, never longer.
    revoked: RwLock<HashMap<Jti, i64>>,
    /// Whoever changes store and snapshot holds this, so that both see the changes in one order.
    lock: ChangeLock,
    hasher: Hasher,
    throttle: Throttle,
    token_lifetime: i64,
}

impl Inner {
    /// Runs a change to its end even if the caller goes away, which would otherwise leave a deleted user's
    /// tokens good until the next start.
    async fn change<T: Send + 'static, F: Future<Output = Result<T, store::Error>> + Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(Arc<Self>) -> F,
    ) -> Result<T, store::Error> {
        let (inner, change) = (Arc::clone(self), change(Arc::clone(self)));
        let shown = async move {
            let _shown = Shown(&inner.changes);
            change.await
        };
        self.lock.run(shown).await
    }

    /// What a token says, if we have signed it for the number.
    fn by_token(&self, number: &str, token: &str) -> Result<Verified, Denied> {
        let mut buffer = [0; MAX_CREDENTIAL];
        let claims = self.keys.read(token, &mut buffer)?;
        if claims.num != number {
            return Err(Denied::OtherNumber);
        }
        let id = claims.id()?;
        let accounts = Arc::clone(self.numbers.get(number).ok_or(Denied::OtherNumber)?);
        let kind = Kind::Token { id, epoch: claims.epoch, standing: None };
        Ok(Verified { accounts, user: claims.sub.into(), kind })
    }

    fn by_api_key(&self, number: &str, key: &str) -> Option<Verified> {
        let accounts = self.numbers.get(number)?;
        let (user, role) = accounts.api_key(key, &self.digests)?;
        Some(Verified { accounts: Arc::clone(accounts), user: (*user).into(), kind: Kind::ApiKey(role) })
    }

    /// Whether a verified credential still counts: all that can change between two requests. Keys of the configuration
    /// cannot.
    fn admit(&self, verified: &mut Verified) -> Result<Principal, Denied> {
        let Verified { accounts, user, kind } = verified;
        let (role, token) = match kind {
            Kind::ApiKey(role) => (*role, None),
            Kind::Token { id, epoch, standing } => {
                if id.expires_at <= self.clock.now() {
                    return Err(Denied::Expired);
                }
                // Read before what it counts: a change in between makes the next request look again.
                let changes = self.changes.load(Ordering::Acquire);
                let role = match standing.filter(|standing| standing.changes == changes) {
                    Some(standing) => standing.role,
                    None => self.role(accounts, user, id, *epoch)?,
                };
                *standing = Some(Standing { role, changes });
                (role, Some(*id))
            }
        };
        Ok(Principal { user: Arc::clone(user), role, token })
    }

    /// The role of a token's user, unless the token was logged out or its user deleted or given another password.
    fn role(&self, accounts: &Deployment, user: &str, id: &TokenId, epoch: i64) -> Result<Role, Denied> {
        if self.revoked.read().unwrap_or_else(PoisonError::into_inner).contains_key(&id.jti) {
            return Err(Denied::Revoked);
        }
        accounts.live(user, epoch).ok_or(Denied::Revoked)
    }

    /// Users of numbers that are not configured (any more) stay in the store and out of the snapshot.
    fn load(&self, identities: Identities) {
        let mut users: HashMap<String, HashMap<Arc<str>, Stored>> = HashMap::new();
        for user in identities.users {
            let stored = Stored { hash: user.password_hash.into(), epoch: user.epoch };
            users.entry(user.number).or_default().insert(user.name.into(), stored);
        }
        for (number, accounts) in &self.numbers {
            accounts.replace(users.remove(&**number).unwrap_or_default());
        }
        let revocations = identities.revocations.into_iter();
        *self.revoked() = revocations.map(|revocation| (revocation.jti, revocation.expires_at)).collect();
    }

    fn revoked(&self) -> RwLockWriteGuard<'_, HashMap<Jti, i64>> {
        self.revoked.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a change when it is over, however it ended.
struct Shown<'a>(&'a AtomicU64);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// What can go wrong without the store.
#[derive(Debug)]
enum Trouble {
    /// Too many passwords wait for their hash.
    Busy,
    /// Something that does not happen on a sound machine.
    Failed(String),
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Busy => Self::Internal("too many passwords wait for their hash".to_owned()),
            Trouble::Failed(what) => Self::Internal(what),
        }
    }
}

async fn secret(store: &dyn Store, name: &'static str) -> Result<[u8; 32], Error> {
    let candidate: [u8; 32] = random()?;
    let secret = store.secret(name, candidate.to_vec()).await?;
    secret.try_into().map_err(|_| Error::Secret(name))
}

fn random<const N: usize>() -> Result<[u8; N], Trouble> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Trouble::Failed(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}
