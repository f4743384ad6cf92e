//! Credentials that were verified, so that only the first request with one pays for its signature.
//!
//! What is kept follows from the credential's text and from keys that do not change while we run: whose it is, and
//! until when. Whether that still counts is for the caller to say each time. A credential that was refused is not kept,
//! so nobody without a good one can put anything here.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::Role;
use super::accounts::Deployment;
use super::token::{SIGNATURE, TokenId};
use crate::net::this_worker;

/// Threads beyond that many share. What a thread remembers is made when it first has something to remember.
const SHARDS: usize = 64;

/// An entry has few places where it can be, so looking for it, and for the one that makes room, takes a few steps.
const SETS: usize = 128;

/// Places of a set, which makes 1,024 entries a thread, and 1 MiB of the longest credentials.
const WAYS: usize = 8;

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

/// The verified credentials of each thread.
pub(super) struct Remembered {
    hashes: RandomState,
    shards: [OnceLock<Box<Mutex<Shard>>>; SHARDS],
}

impl Default for Remembered {
    fn default() -> Self {
        Self { hashes: RandomState::new(), shards: [const { OnceLock::new() }; SHARDS] }
    }
}

impl Remembered {
    /// What `judge` says of the credential if it is remembered. One that it refuses is forgotten.
    pub(super) fn judge<T, E>(
        &self,
        presented: Presented<'_>,
        judge: impl FnOnce(&mut Verified) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let mut shard = free(self.shards.get(this_worker() % SHARDS)?.get()?)?;
        let hash = self.hash(presented);
        let verdict = judge(shard.find(hash, presented)?);
        if verdict.is_err() {
            shard.forget(hash, presented);
        }
        Some(verdict)
    }

    /// Remembers a credential that was verified and accepted.
    pub(super) fn remember(&self, presented: Presented<'_>, verified: Verified) {
        let Some(shard) = self.shards.get(this_worker() % SHARDS) else { return };
        if let Some(mut shard) = free(shard.get_or_init(Box::default)) {
            shard.add(self.hash(presented), presented, verified);
        }
    }

    /// Forgets what `keep` does not want kept.
    pub(super) fn retain(&self, mut keep: impl FnMut(&mut Verified) -> bool) {
        for shard in self.shards.iter().filter_map(OnceLock::get) {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.sets.iter_mut().for_each(|set| set.retain_mut(|entry| keep(&mut entry.verified)));
        }
    }

    /// Keyed, so that nobody can know which credentials meet in one set. Of a token the signature is enough: it is
    /// where tokens differ, and what nobody can choose.
    fn hash(&self, presented: Presented<'_>) -> u64 {
        let text = presented.text.as_bytes();
        let signature = text.last_chunk::<SIGNATURE>().filter(|_| presented.as_token);
        let mut hasher = self.hashes.build_hasher();
        hasher.write(presented.number.as_bytes());
        hasher.write(signature.map_or(text, <[u8; SIGNATURE]>::as_slice));
        hasher.finish()
    }
}

/// Holds secrets, none of which is printed.
impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").finish_non_exhaustive()
    }
}

/// The shard, unless another thread has it: verifying takes less time than waiting might.
fn free(shard: &Mutex<Shard>) -> Option<MutexGuard<'_, Shard>> {
    match shard.try_lock() {
        Ok(shard) => Some(shard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What one thread remembers.
struct Shard {
    sets: [Vec<Entry>; SETS],
    /// Counts the uses, to tell which entry was used longest ago.
    uses: u64,
}

struct Entry {
    hash: u64,
    used: u64,
    /// As it came: a digest of it that nobody could forge would cost more than the comparison, and the token is in
    /// the buffers of its connection as well.
    text: SecretString,
    verified: Verified,
}

impl Default for Shard {
    fn default() -> Self {
        Self { sets: [const { Vec::new() }; SETS], uses: 0 }
    }
}

impl Shard {
    fn find(&mut self, hash: u64, presented: Presented<'_>) -> Option<&mut Verified> {
        self.uses += 1;
        let uses = self.uses;
        let entry = self.set(hash)?.iter_mut().find(|entry| entry.is(hash, presented))?;
        entry.used = uses;
        Some(&mut entry.verified)
    }

    /// Adds an entry in the place of the one of its set that was used longest ago, if the set is full.
    fn add(&mut self, hash: u64, presented: Presented<'_>, verified: Verified) {
        self.uses += 1;
        let used = self.uses;
        self.forget(hash, presented);
        let Some(set) = self.set(hash) else { return };
        let entry = Entry { hash, used, text: SecretString::from(presented.text), verified };
        if set.len() < WAYS {
            set.push(entry);
        } else if let Some(oldest) = set.iter_mut().min_by_key(|entry| entry.used) {
            *oldest = entry;
        }
    }

    fn forget(&mut self, hash: u64, presented: Presented<'_>) {
        if let Some(set) = self.set(hash) {
            set.retain(|entry| !entry.is(hash, presented));
        }
    }

    fn set(&mut self, hash: u64) -> Option<&mut Vec<Entry>> {
        // The remainder is below a small number, so it fits.
        self.sets.get_mut((hash % SETS as u64) as usize)
    }
}

impl Entry {
    fn is(&self, hash: u64, presented: Presented<'_>) -> bool {
        self.hash == hash
            && matches!(self.verified.kind, Kind::Token { .. }) == presented.as_token
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
