//! What must survive a restart, behind one trait so that a second engine can stand in.
//!
//! Every number is its own deployment, as every on-prem installation was: users are keyed by number
//! name and user name, and nothing here lets one number see another's.

use std::fmt;
use std::pin::Pin;

mod aliases;
mod callbacks;
mod change_lock;
mod group_commit;
mod media;
mod snapshot;
mod sqlite;

pub use aliases::{AliasRow, AliasStore};
pub use callbacks::{Batch, CallbackStore, Done, EventKey, NewCallback, Queued, QueuedRow, UserRow};
pub use change_lock::ChangeLock;
pub use media::{Digest, FileRow, MediaStore, ProviderRow, UploadRow, WantedRow};
pub use snapshot::Snapshot;
pub use sqlite::Sqlite;

/// The answer of a store, boxed so that `dyn Store` works.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// The random identity of one token, as its `jti` claim carries it (RFC 7519 section 4.1.7).
pub type Jti = [u8; 16];

/// An engine that keeps users, revocations, secrets and documents, and what [`MediaStore`], [`CallbackStore`] and
/// [`AliasStore`] add.
///
/// A reply of `Ok` to a change means it is on disk. A change whose future is dropped may still happen.
/// The rules are written down as tests in `tests/store.rs`, which every engine passes.
pub trait Store: MediaStore + CallbackStore + AliasStore {
    /// Everything a login snapshot needs, of all numbers.
    fn identities(&self) -> Reply<'_, Identities>;

    /// Adds a user; `false` if the number already has one of that name, which then stays as it is.
    fn create_user(&self, user: User) -> Reply<'_, bool>;

    /// Replaces a user's password hash and epoch together; `false` if there is no such user.
    fn set_password(&self, user: User) -> Reply<'_, bool>;

    /// Removes a user; `false` if there is no such user.
    fn delete_user(&self, number: &str, name: &str) -> Reply<'_, bool>;

    /// Remembers until `expires_at` that a token is dead. Doing it twice is no error.
    fn revoke(&self, jti: Jti, expires_at: i64) -> Reply<'_, ()>;

    /// Forgets revocations of tokens that have expired by `now`, and says how many.
    fn purge_revocations(&self, now: i64) -> Reply<'_, usize>;

    /// The secret of that name; the first caller's `candidate` becomes it, for everyone and for good.
    fn secret(&self, name: &str, candidate: Vec<u8>) -> Reply<'_, Vec<u8>>;

    /// The documents of all numbers, by number and name.
    fn documents(&self) -> Reply<'_, Vec<DocumentRow>>;

    /// Adds a document, or replaces the one of the same number and name.
    fn put_document(&self, row: DocumentRow) -> Reply<'_, ()>;

    /// Removes a document; `false` if there is no such document.
    fn delete_document(&self, number: &str, name: &str) -> Reply<'_, bool>;

    /// Whether the store can take a change now.
    fn ping(&self) -> Reply<'_, ()>;
}

/// What [`Store::identities`] gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    /// The stored users of all numbers.
    pub users: Vec<User>,
    /// Tokens that were logged out, until they would have expired anyway.
    pub revocations: Vec<Revocation>,
}

/// One stored user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The number whose deployment the user belongs to.
    pub number: String,
    /// The user's name, unique in its number.
    pub name: String,
    /// The password as a PHC string.
    pub password_hash: String,
    /// Tokens carry the epoch they were issued in and die with it. The caller draws a random one for each
    /// change: a counter would repeat itself after a backup is restored, or after a user is made anew.
    pub epoch: i64,
}

/// One token that must not be accepted any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which token.
    pub jti: Jti,
    /// When it expires and can be forgotten, in seconds since the Unix epoch.
    pub expires_at: i64,
}

/// Something of a number that is read and written as a whole, such as its settings.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentRow {
    /// The number whose deployment the document belongs to.
    pub number: String,
    /// What it is, unique in its number.
    pub name: String,
    /// What the caller wrote.
    pub content: Vec<u8>,
}

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The store refuses to start; the inner error says why.
    #[error("the store {path} cannot be opened: {problem}")]
    Open {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        problem: Box<Error>,
    },
    /// The content is not what was written.
    #[error("it is damaged ({0}): restore it from a backup, or move it away to start anew")]
    Damaged(String),
    /// Another program's database.
    #[error("it is a database of another program: name another file")]
    Foreign,
    /// Written by a later version of this program.
    #[error(
        "its schema has version {found} and this program knows versions up to {known}: run the newer one"
    )]
    Newer {
        /// The version in the file.
        found: i64,
        /// The last version that this program knows.
        known: i64,
    },
    /// It can be read but not changed.
    #[error("it cannot be written: give this process write access to the file and its directory")]
    ReadOnly,
    /// No room left.
    #[error("the disk is full: make room, nothing has been changed")]
    Full,
    /// Somebody else holds the lock for longer than we wait.
    #[error("it is locked by another program, nothing has been changed")]
    Locked,
    /// Another process of ours has it.
    #[error("another prembridge is using it: stop that one first, or give each its own store")]
    InUse,
    /// The store is shutting down, or its thread is gone.
    #[error("it has been closed")]
    Closed,
    /// Anything else, in the engine's words.
    #[error("{0}")]
    Engine(String),
}

/// Leaves the password hash out: it can be attacked offline, so no log should hold it.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("number", &self.number)
            .field("name", &self.name)
            .field("epoch", &self.epoch)
            .finish_non_exhaustive()
    }
}

/// Leaves the content out: it may hold the URL of a callback, which may carry a token.
impl fmt::Debug for DocumentRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentRow")
            .field("number", &self.number)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
