//! Who exists at a number: the configuration's users and keys, which never change, and the stored users as
//! the store last said.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::{ExposeSecret, SecretString};

use super::mac::MacKey;
use super::{ConfiguredUser, NumberAccess, Role, SettingsError};
use crate::store;

/// The account that every deployment has and nobody can delete (on-prem "Login and Authentication").
pub(super) const ADMIN: &str = "admin";

/// Its password until the first login (same page).
pub(super) const DEFAULT_PASSWORD: &str = "secret";

/// Names longer than this would not leave a token its room.
const LONGEST_NAME: usize = 128;

/// The accounts of one number.
pub(super) struct Deployment {
    number: String,
    configured: HashMap<Arc<str>, Configured>,
    api_keys: ApiKeys,
    /// Held for a lookup or an update, never longer.
    stored: RwLock<HashMap<Arc<str>, Stored>>,
}

/// The keys by digest, each with its name for the log and its role.
type ApiKeys = HashMap<[u8; 32], (Arc<str>, Role)>;

/// What a login is checked against.
pub(super) enum Account {
    Unknown,
    /// `admin` as it was delivered.
    Default,
    Configured(Configured),
    Stored(Stored),
}

/// A user of the configuration. Only a digest of the password is kept.
#[derive(Clone, Copy)]
pub(super) struct Configured {
    pub(super) password: [u8; 32],
    /// Follows from the password: changing it in the file ends the tokens, a mere restart does not.
    pub(super) epoch: i64,
    role: Role,
}

/// A user of the store.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) hash: Arc<str>,
    pub(super) epoch: i64,
}

impl Deployment {
    /// Takes the configuration's part; the stored users come with [`Deployment::replace`].
    pub(super) fn new(
        access: &NumberAccess,
        admin_password: Option<&SecretString>,
        digests: &MacKey,
    ) -> Result<Self, SettingsError> {
        let number = access.name.as_str();
        if number.len() > LONGEST_NAME {
            return Err(SettingsError(format!(
                "the name of number {number} is longer than {LONGEST_NAME} bytes"
            )));
        }
        let admin = admin_password.map(|password| ConfiguredUser {
            name: ADMIN.to_owned(),
            password: password.clone(),
            role: Role::Admin,
        });
        let mut configured = HashMap::new();
        for user in &access.users {
            let taken = configured.insert(user.name.as_str().into(), configured_user(number, user, digests)?);
            if taken.is_some() {
                return Err(SettingsError(format!("number {number} has user {} twice", user.name)));
            }
        }
        if let Some(admin) = admin {
            let entry = configured_user(number, &admin, digests)?;
            // A user `admin` of this very number is the closer word.
            configured.entry(ADMIN.into()).or_insert(entry);
        }
        Ok(Self {
            number: access.name.clone(),
            configured,
            api_keys: api_keys(access, digests)?,
            stored: RwLock::default(),
        })
    }

    /// The number's name.
    pub(super) fn number(&self) -> &str {
        &self.number
    }

    pub(super) fn account(&self, name: &str) -> Account {
        if let Some(configured) = self.configured.get(name) {
            return Account::Configured(*configured);
        }
        match self.stored(name) {
            Some(stored) => Account::Stored(stored),
            None if name == ADMIN => Account::Default,
            None => Account::Unknown,
        }
    }

    pub(super) fn is_configured(&self, name: &str) -> bool {
        self.configured.contains_key(name)
    }

    pub(super) fn role(&self, name: &str) -> Option<Role> {
        match self.account(name) {
            Account::Unknown => None,
            Account::Default => Some(Role::Admin),
            Account::Configured(configured) => Some(configured.role),
            Account::Stored(_) => Some(stored_role(name)),
        }
    }

    /// The role of a token's user, if the user is still there and in that epoch.
    pub(super) fn live(&self, name: &str, epoch: i64) -> Option<Role> {
        if let Some(configured) = self.configured.get(name) {
            return (configured.epoch == epoch).then_some(configured.role);
        }
        let stored = self.stored.read().unwrap_or_else(PoisonError::into_inner);
        (stored.get(name)?.epoch == epoch).then(|| stored_role(name))
    }

    pub(super) fn api_key(&self, key: &str, digests: &MacKey) -> Option<(Arc<str>, Role)> {
        if self.api_keys.is_empty() {
            return None;
        }
        self.api_keys.get(&digests.digest(&[API_KEY, key])).cloned()
    }

    pub(super) fn stored(&self, name: &str) -> Option<Stored> {
        self.stored.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn put(&self, user: store::User) {
        let entry = Stored { hash: user.password_hash.into(), epoch: user.epoch };
        self.stored.write().unwrap_or_else(PoisonError::into_inner).insert(user.name.into(), entry);
    }

    pub(super) fn remove(&self, name: &str) {
        self.stored.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Replaces all stored users at once: no reader sees half of them.
    pub(super) fn replace(&self, users: HashMap<Arc<str>, Stored>) {
        *self.stored.write().unwrap_or_else(PoisonError::into_inner) = users;
    }
}

/// The digest under which a configured password is kept and compared.
pub(super) fn password_digest(digests: &MacKey, password: &str) -> [u8; 32] {
    digests.digest(&["password", password])
}

const API_KEY: &str = "api-key";

/// `POST /v1/users` makes ordinary users only.
fn stored_role(name: &str) -> Role {
    if name == ADMIN { Role::Admin } else { Role::User }
}

fn configured_user(
    number: &str,
    user: &ConfiguredUser,
    digests: &MacKey,
) -> Result<Configured, SettingsError> {
    let (name, password) = (user.name.as_str(), user.password.expose_secret());
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(':') {
        let rule = format!("must have 1 to {LONGEST_NAME} bytes and no colon");
        return Err(SettingsError(format!("user name {name:?} of number {number} {rule}")));
    }
    if password.is_empty() || password.len() > super::token::MAX_CREDENTIAL {
        return Err(SettingsError(format!(
            "the password of user {name} of number {number} is empty or too long"
        )));
    }
    let [a, b, c, d, e, f, g, h, ..] = digests.digest(&["epoch", number, name, password]);
    Ok(Configured {
        password: password_digest(digests, password),
        epoch: i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        role: if name == ADMIN { Role::Admin } else { user.role },
    })
}

/// Keys get a name for the log that no user can have.
fn api_keys(access: &NumberAccess, digests: &MacKey) -> Result<ApiKeys, SettingsError> {
    let mut keys = HashMap::new();
    for (position, key) in access.api_keys.iter().enumerate() {
        let (name, text) = (format!("api-key:{}", position + 1), key.key.expose_secret());
        if text.is_empty() || text.len() > super::token::MAX_CREDENTIAL {
            return Err(SettingsError(format!("{name} of number {} is empty or too long", access.name)));
        }
        if keys.insert(digests.digest(&[API_KEY, text]), (name.as_str().into(), key.role)).is_some() {
            return Err(SettingsError(format!("{name} of number {} is there twice", access.name)));
        }
    }
    Ok(keys)
}
