//! What is kept of media: providers, what links gave, what was uploaded, which files we handed out.

use std::fmt;

use super::Reply;

/// A SHA-256, of a key or of a file's bytes.
pub type Digest = [u8; 32];

/// The part of an engine that media need; every [`Store`](super::Store) has it.
///
/// The same rules hold as for [`Store`](super::Store). What callers write as bytes is theirs to read.
pub trait MediaStore: Send + Sync {
    /// The providers that were set over the API, of all numbers, by number and name.
    fn providers(&self) -> Reply<'_, Vec<ProviderRow>>;

    /// Adds providers, or replaces those of the same number and name; all of them or none.
    fn put_providers(&self, rows: Vec<ProviderRow>) -> Reply<'_, ()>;

    /// Removes a provider; `false` if there is no such provider.
    fn delete_provider(&self, number: &str, name: &str) -> Reply<'_, bool>;

    /// What was last kept of a link.
    fn source(&self, key: Digest) -> Reply<'_, Option<Vec<u8>>>;

    /// Keeps what a link gave, as the newest entry, and forgets all but the `max` newest.
    fn put_source(&self, key: Digest, entry: Vec<u8>, max: u64) -> Reply<'_, ()>;

    /// Forgets a link. Doing it twice is no error.
    fn delete_source(&self, key: Digest) -> Reply<'_, ()>;

    /// The Cloud id of an upload, whether it is still usable or not.
    fn upload(&self, key: Digest) -> Reply<'_, Option<UploadRow>>;

    /// Keeps an upload, as the newest entry, and forgets all but the `max` newest; pinned ones stay.
    fn put_upload(&self, key: Digest, row: UploadRow, max: u64) -> Reply<'_, ()>;

    /// Keeps an upload that is all that is left of a file, however many others there are. It stays pinned when it is
    /// put anew.
    fn pin_upload(&self, key: Digest, row: UploadRow) -> Reply<'_, ()>;

    /// Forgets an upload, a pinned one only if `even_pinned`. Doing it twice is no error.
    fn delete_upload(&self, key: Digest, even_pinned: bool) -> Reply<'_, ()>;

    /// A file that this number was given an id for.
    fn file(&self, number: &str, id: &str) -> Reply<'_, Option<FileRow>>;

    /// Adds a file, or replaces the number's own of the same id; another number's is an error. Bytes are
    /// shared by digest, so a file that is kept makes every other with its digest a kept one.
    fn put_file(&self, row: FileRow) -> Reply<'_, ()>;

    /// Remembers that a file was used, unless a later use is known. No such file is no error.
    fn touch_file(&self, number: &str, id: &str, used_at: i64) -> Reply<'_, ()>;

    /// Forgets a file and tells what it was, so that its bytes can go when nobody else has them.
    fn delete_file(&self, number: &str, id: &str) -> Reply<'_, Option<FileRow>>;

    /// How many files, of all numbers, have these bytes.
    fn files_with_digest(&self, digest: Digest) -> Reply<'_, u64>;

    /// Remembers that these bytes are gone; the ids stay.
    fn mark_not_kept(&self, digest: Digest) -> Reply<'_, ()>;

    /// Files of all numbers whose last use was at `t` or before, the least recently used first.
    fn files_unused_since(&self, t: i64, max: usize) -> Reply<'_, Vec<FileRow>>;

    /// Bytes that are kept, the least recently used of all numbers first, from the `skip`th on.
    fn oldest_kept(&self, skip: usize, max: usize) -> Reply<'_, Vec<Digest>>;

    /// All files of all numbers that have these bytes.
    fn files_of(&self, digest: Digest) -> Reply<'_, Vec<FileRow>>;

    /// How many bytes are kept; files with the same digest count once.
    fn kept_bytes(&self) -> Reply<'_, u64>;

    /// The digests of the bytes that are kept, in ascending order.
    fn kept_digests(&self) -> Reply<'_, Vec<Digest>>;

    /// Notes files at Cloud whose bytes are to be fetched; those that are noted already stay as they are.
    fn want_media(&self, rows: Vec<WantedRow>) -> Reply<'_, ()>;

    /// What is noted by [`want_media`](Self::want_media), oldest first: of each number the `max` oldest, so that one
    /// whose files cannot be had hides nobody else's.
    fn wanted_media(&self, max: usize) -> Reply<'_, Vec<WantedRow>>;

    /// A file of that id is not wanted any more. Doing it twice is no error.
    fn drop_wanted(&self, number: &str, media_id: &str) -> Reply<'_, ()>;

    /// Adds a file as [`put_file`](Self::put_file) does, and it is not wanted any more from then on; `false`, and
    /// nothing happens, if it was not wanted.
    fn put_wanted(&self, row: FileRow) -> Reply<'_, bool>;

    /// Forgets uploads that are not usable any more by `now`, and says how many.
    fn purge_media(&self, now: i64) -> Reply<'_, usize>;
}

/// A provider that was set over the API.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderRow {
    /// The number whose deployment the provider belongs to.
    pub number: String,
    /// The provider's name, unique in its number.
    pub name: String,
    /// What the caller wrote, credentials among it.
    pub config: Vec<u8>,
    /// Changes with the provider.
    pub generation: i64,
}

/// A file that was uploaded to Cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// Cloud's id.
    pub media_id: String,
    /// When Cloud forgets it, in seconds since the Unix epoch.
    pub usable_until: i64,
}

/// A file whose bytes we keep: one that a client uploaded and that we gave an id, or one that a user sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// Our id, or Cloud's of what a user sent; unique among all numbers.
    pub id: String,
    /// The number whose deployment the file belongs to.
    pub number: String,
    /// Of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub length: u64,
    /// The media type that the client, or Cloud, gave.
    pub media_type: String,
    /// When it came, in seconds since the Unix epoch.
    pub created_at: i64,
    /// When it was last used, in seconds since the Unix epoch.
    pub used_at: i64,
    /// Whether its bytes are still in the folder.
    pub is_kept: bool,
}

/// A file that a user sent and whose bytes are to be fetched from Cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedRow {
    /// The number that it was sent to.
    pub number: String,
    /// Cloud's id.
    pub media_id: String,
    /// Its media type as the webhook gave it; may be empty.
    pub media_type: String,
    /// When the webhook came, in seconds since the Unix epoch.
    pub added_at: i64,
}

/// Leaves the configuration out: it holds credentials.
impl fmt::Debug for ProviderRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderRow")
            .field("number", &self.number)
            .field("name", &self.name)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}
