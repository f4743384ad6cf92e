//! `/v1/users`: making, changing and removing stored users.

use std::sync::Arc;
use std::time::Duration;

use super::accounts::{ADMIN, Deployment};
use super::password::{refused_name, refused_password};
use super::{BUSY_WAIT, Inner, Role, Sessions, Trouble, random};
use crate::store;

/// Said to whoever wants to change a password that is written in the configuration.
pub(super) const OWNED: &str = "This user belongs to the proxy's configuration: change it there.";

/// What `GET /v1/users/{username}` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserInfo {
    /// The user's name.
    pub name: String,
    /// What the user may do.
    pub role: Role,
}

/// Why a user was not made, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is a user of that name.
    #[error("there is a user of that name")]
    Exists,
    /// There is no user of that name.
    #[error("there is no user of that name")]
    NotFound,
    /// The name breaks the rule.
    #[error("{0}")]
    BadName(&'static str),
    /// The password breaks the rule.
    #[error("{0}")]
    BadPassword(&'static str),
    /// `admin` stays, and the configuration's users are changed there.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Too many passwords are being hashed. 429 with 1015.
    #[error("too many passwords are being hashed")]
    Throttled {
        /// For `Retry-After`.
        retry_after: Duration,
    },
    /// The store failed and nothing has changed. 500 with 1023.
    #[error("the store failed: {0}")]
    Store(#[from] store::Error),
    /// Hashing or the system's random numbers failed. 500 with 1014.
    #[error("{0}")]
    Internal(String),
}

impl Sessions {
    /// Makes an ordinary user.
    pub async fn create_user(&self, number: &str, name: &str, password: &str) -> Result<(), UserError> {
        let accounts = self.0.numbers.get(number).ok_or(UserError::NotFound)?;
        if let Some(reason) = refused_name(name) {
            return Err(UserError::BadName(reason));
        }
        if let Some(reason) = refused_password(password) {
            return Err(UserError::BadPassword(reason));
        }
        // `admin` exists before it is stored, hence the question for the role.
        if accounts.role(name).is_some() {
            return Err(UserError::Exists);
        }
        let user = self.0.changed_user(number, name, password).await?;
        let created = self.0.change(|inner| async move { inner.create_user(user).await }).await?;
        if created { Ok(()) } else { Err(UserError::Exists) }
    }

    /// Looks a user up, wherever it comes from.
    pub fn user(&self, number: &str, name: &str) -> Option<UserInfo> {
        let role = self.0.numbers.get(number)?.role(name)?;
        Some(UserInfo { name: name.to_owned(), role })
    }

    /// Changes a password, which ends the user's tokens.
    pub async fn set_password(&self, number: &str, name: &str, password: &str) -> Result<(), UserError> {
        self.stored_account(number, name)?;
        if let Some(reason) = refused_password(password) {
            return Err(UserError::BadPassword(reason));
        }
        let user = self.0.changed_user(number, name, password).await?;
        let set = |inner: Arc<Inner>| async move { inner.set_password(user, Expected::Any).await };
        let changed = self.0.change(set).await?;
        if changed { Ok(()) } else { Err(UserError::NotFound) }
    }

    /// Removes a user, which ends its tokens.
    pub async fn delete_user(&self, number: &str, name: &str) -> Result<(), UserError> {
        self.stored_account(number, name)?;
        if name == ADMIN {
            return Err(UserError::Forbidden("The user admin cannot be deleted."));
        }
        let (number, name) = (number.to_owned(), name.to_owned());
        let deleted = self.0.change(|inner| async move { inner.delete_user(&number, &name).await }).await?;
        if deleted { Ok(()) } else { Err(UserError::NotFound) }
    }

    /// The user's deployment, if the user is there and ours to change.
    fn stored_account(&self, number: &str, name: &str) -> Result<&Deployment, UserError> {
        let accounts = self.0.numbers.get(number).ok_or(UserError::NotFound)?;
        if accounts.is_configured(name) {
            return Err(UserError::Forbidden(OWNED));
        }
        accounts.role(name).map(|_| &**accounts).ok_or(UserError::NotFound)
    }
}

/// What must still be so when a password change gets its turn.
pub(super) enum Expected {
    /// The user exists; `admin` always does.
    Any,
    /// `admin` still has its default password.
    Absent,
    /// The password is still the one that was checked.
    Epoch(i64),
}

/// Changes, for [`Inner::change`] to run: committed first, then shown in memory. The store decides: a user that
/// another replica made or removed in the meantime makes the answer `false`.
impl Inner {
    /// The user as it will be stored, hashed before the change takes its turn.
    pub(super) async fn changed_user(
        &self,
        number: &str,
        name: &str,
        password: &str,
    ) -> Result<store::User, Trouble> {
        let password_hash = self.hasher.hash(password).await?;
        let epoch = i64::from_be_bytes(random()?);
        Ok(store::User { number: number.to_owned(), name: name.to_owned(), password_hash, epoch })
    }

    async fn create_user(&self, user: store::User) -> Result<bool, store::Error> {
        let created = self.store.create_user(user.clone()).await?;
        if created && let Some(accounts) = self.numbers.get(user.number.as_str()) {
            accounts.put(user);
        }
        Ok(created)
    }

    pub(super) async fn set_password(
        &self,
        user: store::User,
        expected: Expected,
    ) -> Result<bool, store::Error> {
        let Some(accounts) = self.numbers.get(user.number.as_str()) else { return Ok(false) };
        let current = accounts.stored(&user.name).map(|stored| stored.epoch);
        let as_expected = match expected {
            Expected::Any => current.is_some() || user.name == ADMIN,
            Expected::Absent => current.is_none(),
            Expected::Epoch(epoch) => current == Some(epoch),
        };
        if !as_expected {
            return Ok(false);
        }
        let changed = match current {
            Some(_) => self.store.set_password(user.clone()).await?,
            None => self.store.create_user(user.clone()).await?,
        };
        if changed {
            accounts.put(user);
        }
        Ok(changed)
    }

    async fn delete_user(&self, number: &str, name: &str) -> Result<bool, store::Error> {
        let deleted = self.store.delete_user(number, name).await?;
        if let Some(accounts) = self.numbers.get(number) {
            accounts.remove(name);
        }
        Ok(deleted)
    }
}

impl From<Trouble> for UserError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Busy => Self::Throttled { retry_after: BUSY_WAIT },
            Trouble::Failed(what) => Self::Internal(what),
        }
    }
}
