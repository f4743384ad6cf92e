//! A store that fails or stalls on demand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use prembridge::store::{
    AliasRow, AliasStore, Batches, CallbackStore, Digest, DocumentRow, Error, FileRow, Identities, Jti,
    MediaStore, ProviderRow, Queued, QueuedRow, Reply, Sqlite, Store, UploadRow, User, WantedRow,
};
use prembridge::translate::WaId;
use tokio::sync::Semaphore;

/// In memory, and in order until told otherwise.
pub struct Faulty {
    inner: Sqlite,
    /// Makes changes fail, before they do anything.
    pub broken: AtomicBool,
    /// Changes pass one permit each.
    pub gate: Semaphore,
    /// One permit for each change that has begun.
    pub entered: Semaphore,
    /// Makes the next job with batches panic, on the inner store's thread.
    pub panics: Arc<AtomicBool>,
    /// How many batches each job brought.
    pub jobs: Arc<Mutex<Vec<usize>>>,
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Sqlite::memory().unwrap(),
            broken: AtomicBool::new(false),
            gate: Semaphore::new(1_000),
            entered: Semaphore::new(0),
            panics: Arc::default(),
            jobs: Arc::default(),
        })
    }

    /// Lets no change pass, and forgets which have.
    pub fn close(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
        self.entered.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn pass<'a, T: 'a>(&'a self, change: Reply<'a, T>) -> Reply<'a, T> {
        Box::pin(async move {
            self.entered.add_permits(1);
            self.gate.acquire().await.unwrap().forget();
            if self.broken.load(Ordering::SeqCst) { Err(Error::Full) } else { change.await }
        })
    }
}

/// Methods that ask the inner store, and methods that have to pass first: changes, and questions that wait for them.
macro_rules! methods {
    (reads { $(fn $read:ident($($ra:ident: $rt:ty),*) -> $ro:ty;)* }
     changes { $(fn $change:ident($($ca:ident: $ct:ty),*) -> $co:ty;)* }) => {
        $(fn $read(&self, $($ra: $rt),*) -> Reply<'_, $ro> { self.inner.$read($($ra),*) })*
        $(fn $change(&self, $($ca: $ct),*) -> Reply<'_, $co> { self.pass(self.inner.$change($($ca),*)) })*
    };
}

impl Store for Faulty {
    methods! {
        reads {
            fn identities() -> Identities;
            fn purge_revocations(now: i64) -> usize;
            fn secret(name: &str, candidate: Vec<u8>) -> Vec<u8>;
            fn documents() -> Vec<DocumentRow>;
            fn ping() -> ();
        }
        changes {
            fn create_user(user: User) -> bool;
            fn set_password(user: User) -> bool;
            fn delete_user(number: &str, name: &str) -> bool;
            fn revoke(jti: Jti, expires_at: i64) -> ();
            fn put_document(row: DocumentRow) -> ();
            fn delete_document(number: &str, name: &str) -> bool;
        }
    }
}

impl MediaStore for Faulty {
    methods! {
        reads {
            fn providers() -> Vec<ProviderRow>;
            fn source(key: Digest) -> Option<Vec<u8>>;
            fn upload(key: Digest) -> Option<UploadRow>;
            fn file(number: &str, id: &str) -> Option<FileRow>;
            fn files_with_digest(digest: Digest) -> u64;
            fn files_unused_since(t: i64, most: usize) -> Vec<FileRow>;
            fn oldest_kept(skip: usize, most: usize) -> Vec<Digest>;
            fn files_of(digest: Digest) -> Vec<FileRow>;
            fn pin_upload(key: Digest, row: UploadRow) -> ();
            fn kept_bytes() -> u64;
            fn kept_digests() -> Vec<Digest>;
            fn wanted_media(most: usize) -> Vec<WantedRow>;
        }
        changes {
            fn put_providers(rows: Vec<ProviderRow>) -> ();
            fn delete_provider(number: &str, name: &str) -> bool;
            fn put_source(key: Digest, entry: Vec<u8>, most: u64) -> ();
            fn delete_source(key: Digest) -> ();
            fn put_upload(key: Digest, row: UploadRow, most: u64) -> ();
            fn delete_upload(key: Digest, even_pinned: bool) -> ();
            fn put_file(row: FileRow) -> ();
            fn touch_file(number: &str, id: &str, used_at: i64) -> ();
            fn delete_file(number: &str, id: &str) -> Option<FileRow>;
            fn mark_not_kept(digest: Digest) -> ();
            fn want_media(rows: Vec<WantedRow>) -> ();
            fn drop_wanted(number: &str, media_id: &str) -> ();
            fn put_wanted(row: FileRow) -> bool;
            fn purge_media(now: i64) -> usize;
        }
    }
}

impl CallbackStore for Faulty {
    fn queue_all(&self, batches: Batches) -> Reply<'_, Vec<Queued>> {
        let (panics, jobs) = (Arc::clone(&self.panics), Arc::clone(&self.jobs));
        self.pass(self.inner.queue_all(Box::new(move || {
            let batches = batches();
            jobs.lock().unwrap().push(batches.len());
            assert!(!panics.swap(false, Ordering::SeqCst), "on purpose");
            batches
        })))
    }

    methods! {
        reads {
            fn queued_callbacks() -> Vec<QueuedRow>;
            fn callback_body(place: i64) -> Option<Vec<u8>>;
            fn purge_seen(t: i64, most: usize) -> usize;
        }
        changes {
            fn delete_callbacks(places: Vec<i64>) -> ();
            fn recall(number: &str, user_ids: Vec<String>) -> Vec<(String, String)>;
        }
    }
}

impl AliasStore for Faulty {
    methods! {
        reads {
            fn aliases(number: &str, setting: WaId, most: usize) -> Vec<AliasRow>;
            fn purge_aliases(t: i64, most: usize) -> usize;
        }
        changes {
            fn recall_aliases(number: &str, setting: WaId, ids: Vec<String>) -> Vec<AliasRow>;
            fn put_aliases(rows: Vec<AliasRow>) -> ();
            fn end_aliases(number: &str, setting: WaId, shown: &str) -> ();
        }
    }
}
