//! `POST /v1/users/login`: Basic credentials for a token.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::accounts::{Account, DEFAULT_PASSWORD, password_digest};
use super::password::refused_password;
use super::token::{MAX_CREDENTIAL, TokenId};
use super::users::Expected;
use super::{BUSY_WAIT, Inner, Sessions, Trouble, random};
use crate::store;

#[cfg(test)]
mod tests;

/// A new token.
#[derive(Clone)]
pub struct Login {
    /// What the client sends as its bearer token.
    pub token: String,
    /// When it ends, in seconds since the Unix epoch.
    pub expires_at: i64,
}

impl Login {
    /// The wire form of `expires_at`: `2018-03-01 15:29:26+00:00`, with a blank and a numeric offset.
    pub fn expires_after(&self) -> String {
        let when = jiff::Timestamp::from_second(self.expires_at).unwrap_or(jiff::Timestamp::MAX);
        when.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string()
    }
}

/// Leaves the token out.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown user or wrong password; nothing tells which. 401 with 1005.
    #[error("invalid credentials")]
    InvalidCredentials,
    /// `admin` has its default password and the request brought no new one. 401 with 1024.
    #[error("the default password must be changed with the first login")]
    PasswordChangeRequired,
    /// The new password breaks the rule. 400 with 1009.
    #[error("{0}")]
    BadPassword(&'static str),
    /// The new password is not ours to set. 403 with 1005.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Too many attempts. 429 with 1015.
    #[error("too many attempts, next one in {} s", retry_after.as_secs())]
    Throttled {
        /// For `Retry-After`; a second at least.
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
    /// Checks the credentials and mints a token; earlier tokens stay good, as clients log in in parallel.
    ///
    /// With `new_password` the password is changed first, which ends the user's earlier tokens. The one
    /// that is in force already is no change.
    pub async fn login(
        &self,
        number: &str,
        user: &str,
        password: &str,
        new_password: Option<&str>,
        peer: IpAddr,
    ) -> Result<Login, LoginError> {
        if user.len() > MAX_CREDENTIAL || password.len() > MAX_CREDENTIAL {
            // Nobody has such a password, and its length is the sender's own secret: no need to hash.
            return Err(LoginError::InvalidCredentials);
        }
        let inner = &self.0;
        let proven = inner.attempt(number, user, password, peer).await?;
        let change = new_password.filter(|new| *new != password);
        let epoch = match (proven, change) {
            (Proven::Default, None) => return Err(LoginError::PasswordChangeRequired),
            (Proven::Default, Some(new)) => self.renew(number, user, Expected::Absent, new).await?,
            (Proven::Stored(epoch), Some(new)) => {
                self.renew(number, user, Expected::Epoch(epoch), new).await?
            }
            (Proven::Configured(_), Some(_)) => return Err(LoginError::Forbidden(super::users::OWNED)),
            (Proven::Configured(epoch) | Proven::Stored(epoch), None) => epoch,
        };
        inner.issue(number, user, epoch)
    }

    async fn renew(
        &self,
        number: &str,
        user: &str,
        expected: Expected,
        new: &str,
    ) -> Result<i64, LoginError> {
        if let Some(reason) = refused_password(new) {
            return Err(LoginError::BadPassword(reason));
        }
        let change = self.0.changed_user(number, user, new).await?;
        let epoch = change.epoch;
        let set = |inner: Arc<Inner>| async move { inner.set_password(change, expected).await };
        if self.0.change(set).await? {
            Ok(epoch)
        } else {
            // Somebody else changed it between our check and now, so the old password is wrong by now.
            Err(LoginError::InvalidCredentials)
        }
    }
}

/// Right credentials, and what the token's epoch will be unless the password changes.
enum Proven {
    Default,
    Configured(i64),
    Stored(i64),
}

impl Inner {
    /// Checks the credentials if it is the client's turn, and counts the result.
    async fn attempt(
        &self,
        number: &str,
        user: &str,
        password: &str,
        peer: IpAddr,
    ) -> Result<Proven, LoginError> {
        let attempt = self
            .throttle
            .begin(number, user, peer, self.clock.now())
            .map_err(|retry_after| LoginError::Throttled { retry_after })?;
        match self.prove(number, user, password, attempt.place()).await {
            Ok(Some(proven)) => {
                attempt.succeeded();
                Ok(proven)
            }
            Ok(None) => {
                attempt.failed(self.clock.now());
                Err(LoginError::InvalidCredentials)
            }
            Err(trouble) => {
                attempt.turned_away();
                Err(trouble.into())
            }
        }
    }

    /// Verifies exactly one hash whatever the account is, so that the time tells nothing. `held` is dropped
    /// when the hash is done.
    async fn prove(
        &self,
        number: &str,
        user: &str,
        password: &str,
        held: impl Send + 'static,
    ) -> Result<Option<Proven>, Trouble> {
        let account = self.numbers.get(number).map_or(Account::Unknown, |accounts| accounts.account(user));
        let hash = match &account {
            Account::Stored(stored) => Some(Arc::clone(&stored.hash)),
            Account::Unknown | Account::Default | Account::Configured(_) => None,
        };
        let verified = self.hasher.verify(password, hash, held).await?;
        let given = password_digest(&self.digests, password);
        let equals = |wanted: [u8; 32]| bool::from(given.ct_eq(&wanted));
        Ok(match account {
            Account::Unknown => None,
            Account::Default => {
                equals(password_digest(&self.digests, DEFAULT_PASSWORD)).then_some(Proven::Default)
            }
            Account::Configured(user) => equals(user.password).then_some(Proven::Configured(user.epoch)),
            Account::Stored(stored) => verified.then_some(Proven::Stored(stored.epoch)),
        })
    }

    fn issue(&self, number: &str, user: &str, epoch: i64) -> Result<Login, LoginError> {
        let now = self.clock.now();
        let expires_at = now.saturating_add(self.token_lifetime);
        let id = TokenId { jti: random()?, expires_at };
        Ok(Login { token: self.keys.mint(number, user, epoch, id, now), expires_at })
    }
}

impl From<Trouble> for LoginError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Busy => Self::Throttled { retry_after: BUSY_WAIT },
            Trouble::Failed(what) => Self::Internal(what),
        }
    }
}
