//! Credentials that were verified, so that only the first request with one pays for its signature.
//!
//! What is kept follows from the credential's text and from keys that do not change while we run: whose it is, and
//! until when. Whether that still counts is for the caller to say each time. A credential that was refused is not kept,
//! so nobody without a good one can put anything here.

use std::hash::Hasher;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::Role;
use super::accounts::Deployment;
use super::token::{SIGNATURE, TokenId};
use crate::runtime::Recent;

/// What a good credential says that cannot change. Not `Debug`, as the credential beside it is a secret.
pub(super) struct Verified {
    /// Its number.
    pub(super) accounts: Arc<Deployment>,
    /// Its user. A copy of its own for each thread, or all would count the references to one.
    pub(super) user: Arc<str>,
    pub(super) kind: Kind,
}

/// What kind of credential it is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Token { id: TokenId, epoch: i64, standing: Option<Standing> },
    ApiKey(Role),
}

/// What the snapshot said of a token's user.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    pub(super) role: Role,
    /// How many changes there had been.
    pub(super) changes: u64,
}

/// A credential that somebody came with, and what it was presented for.
#[derive(Clone, Copy)]
pub(super) struct Presented<'a> {
    pub(super) number: &'a str,
    pub(super) text: &'a str,
    /// Whether it is to be read as a token: the same text might be an API key in the other scheme.
    pub(super) as_token: bool,
}

/// The verified credentials of each thread: 1 MiB of them, if all were of the longest.
#[derive(Debug, Default)]
pub(super) struct Remembered(Recent<Entry>);

struct Entry {
    /// As it came: a digest of it that nobody could forge would cost more than the comparison, and the token is in
    /// the buffers of its connection as well.
    text: SecretString,
    verified: Verified,
}

impl Remembered {
    /// What `judge` says of the credential if it is remembered. One that it refuses is forgotten.
    pub(super) fn judge<T, E>(
        &self,
        presented: Presented<'_>,
        judge: impl FnOnce(&mut Verified) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let judge = |entry: &mut Entry| {
            let verdict = judge(&mut entry.verified);
            let is_good = verdict.is_ok();
            (verdict, is_good)
        };
        self.0.find(self.hash(presented), |entry| entry.is(presented), judge)
    }

    /// Remembers a credential that was verified and accepted.
    pub(super) fn remember(&self, presented: Presented<'_>, verified: Verified) {
        let entry = Entry { text: SecretString::from(presented.text), verified };
        self.0.add(self.hash(presented), |entry| entry.is(presented), entry);
    }

    /// Forgets what `keep` does not want kept.
    pub(super) fn retain(&self, mut keep: impl FnMut(&mut Verified) -> bool) {
        self.0.retain(|entry| keep(&mut entry.verified));
    }

    /// Of a token the signature is enough: it is where tokens differ, and what nobody can choose.
    fn hash(&self, presented: Presented<'_>) -> u64 {
        let text = presented.text.as_bytes();
        let signature = text.last_chunk::<SIGNATURE>().filter(|_| presented.as_token);
        let mut hasher = self.0.hasher();
        hasher.write(presented.number.as_bytes());
        hasher.write(signature.map_or(text, <[u8; SIGNATURE]>::as_slice));
        hasher.finish()
    }
}

impl Entry {
    fn is(&self, presented: Presented<'_>) -> bool {
        matches!(self.verified.kind, Kind::Token { .. }) == presented.as_token
            && self.verified.accounts.number() == presented.number
            && same(self.text.expose_secret().as_bytes(), presented.text.as_bytes())
    }
}

/// Whether two texts are the same, in a time that only their lengths decide. All differences are gathered before one is
/// looked at; `subtle` for each byte would cost ten times as much.
fn same(one: &[u8], other: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let words = words.iter().zip(other_words);
    let words = words.fold(0, |all, (a, b)| all | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
    let all = rest.iter().zip(other_rest).fold(words, |all, (a, b)| all | u64::from(a ^ b));
    one.len() == other.len() && bool::from(all.ct_eq(&0))
}

#[cfg(test)]
mod tests;
