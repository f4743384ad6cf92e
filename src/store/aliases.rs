//! What is kept of the ids of users: which of them a client knows a user by.

use std::fmt;

use super::Reply;
use crate::translate::WaId;

/// The part of an engine that ids of users need; every [`Store`](super::Store) has it, under the same rules.
///
/// Each setting has rows of its own, since they say different things.
pub trait AliasStore: Send + Sync {
    /// The `max` rows of a number that were used last, the latest first.
    fn aliases(&self, number: &str, setting: WaId, max: usize) -> Reply<'_, Vec<AliasRow>>;

    /// The rows of a number for these ids.
    fn recall_aliases(&self, number: &str, setting: WaId, ids: Vec<String>) -> Reply<'_, Vec<AliasRow>>;

    /// Adds rows, replaces those of the same id, and removes those that say nothing any more.
    fn put_aliases(&self, rows: Vec<AliasRow>) -> Reply<'_, ()>;

    /// Removes the rows of a number that say that a client knows a user by `shown`.
    fn end_aliases(&self, number: &str, setting: WaId, shown: &str) -> Reply<'_, ()>;

    /// Forgets up to `max` of the rows that were last used before `t`, and says how many.
    fn purge_aliases(&self, t: i64, max: usize) -> Reply<'_, usize>;
}

/// That a client knows a user by another id than this one, or by this one whatever others there may be.
#[derive(Clone, PartialEq, Eq)]
pub struct AliasRow {
    /// The number whose client it is.
    pub number: String,
    /// The setting under which it was learnt.
    pub setting: WaId,
    /// One of the user's ids.
    pub id: String,
    /// The id that the client knows; none when there is nothing to say any more.
    pub shown: Option<String>,
    /// When it was last used, in seconds since the Unix epoch.
    pub used_at: i64,
}

/// Leaves the ids out: they are people's numbers.
impl fmt::Debug for AliasRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AliasRow")
            .field("number", &self.number)
            .field("used_at", &self.used_at)
            .finish_non_exhaustive()
    }
}
