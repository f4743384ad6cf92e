//! A store that fails or stalls on demand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use prembridge::store::{
    AliasRow, AliasStore, Batch, CallbackStore, Digest, DocumentRow, Done, Error, FileRow, Identities, Jti,
    MediaStore, ProviderRow, QueuedRow, Reply, Sqlite, Store, UploadRow, User, WantedRow,
};
use prembridge::translate::WaId;
use tokio::sync::Semaphore;

/// In memory, and in order until told otherwise.
pub struct Faulty {
    inner: Arc<Sqlite>,
    /// Makes changes fail, before they do anything.
    pub broken: Arc<AtomicBool>,
    /// Changes pass one permit each.
    pub gate: Gate,
    /// One permit for each change that has begun.
    pub entered: Semaphore,
}

/// Where changes wait for a permit; batches in the order in which they came, without a task that waits for them.
pub struct Gate {
    permits: Semaphore,
    batches: Mutex<VecDeque<Box<dyn FnOnce() + Send>>>,
}

impl Gate {
    pub fn add_permits(&self, count: usize) {
        self.permits.add_permits(count);
        self.open();
    }

    fn pass(&self, batch: impl FnOnce() + Send + 'static) {
        self.batches.lock().unwrap().push_back(Box::new(batch));
        self.open();
    }

    fn open(&self) {
        let mut batches = self.batches.lock().unwrap();
        while !batches.is_empty()
            && let Ok(permit) = self.permits.try_acquire()
        {
            permit.forget();
            batches.pop_front().unwrap()();
        }
    }
}

impl Faulty {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(Sqlite::memory().unwrap()),
            broken: Arc::default(),
            gate: Gate { permits: Semaphore::new(1_000), batches: Mutex::default() },
            entered: Semaphore::new(0),
        })
    }

    /// Lets no change pass, and forgets which have.
    pub fn close(&self) {
        self.gate.permits.forget_permits(Semaphore::MAX_PERMITS);
        self.entered.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn pass<'a, T: 'a>(&'a self, change: Reply<'a, T>) -> Reply<'a, T> {
        Box::pin(async move {
            self.entered.add_permits(1);
            self.gate.permits.acquire().await.unwrap().forget();
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
            fn files_unused_since(t: i64, max: usize) -> Vec<FileRow>;
            fn oldest_kept(skip: usize, max: usize) -> Vec<Digest>;
            fn files_of(digest: Digest) -> Vec<FileRow>;
            fn pin_upload(key: Digest, row: UploadRow) -> ();
            fn kept_bytes() -> u64;
            fn kept_digests() -> Vec<Digest>;
            fn wanted_media(max: usize) -> Vec<WantedRow>;
        }
        changes {
            fn put_providers(rows: Vec<ProviderRow>) -> ();
            fn delete_provider(number: &str, name: &str) -> bool;
            fn put_source(key: Digest, entry: Vec<u8>, max: u64) -> ();
            fn delete_source(key: Digest) -> ();
            fn put_upload(key: Digest, row: UploadRow, max: u64) -> ();
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
    fn queue(&self, batch: Arc<Batch>, done: Done) {
        let (inner, broken) = (Arc::clone(&self.inner), Arc::clone(&self.broken));
        self.entered.add_permits(1);
        self.gate.pass(move || {
            if broken.load(Ordering::SeqCst) { done(Err(Error::Full)) } else { inner.queue(batch, done) }
        });
    }

    methods! {
        reads {
            fn queued_callbacks() -> Vec<QueuedRow>;
            fn callback_body(place: i64) -> Option<Vec<u8>>;
            fn forget_events(t: i64) -> ();
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
            fn aliases(number: &str, setting: WaId, max: usize) -> Vec<AliasRow>;
            fn purge_aliases(t: i64, max: usize) -> usize;
        }
        changes {
            fn recall_aliases(number: &str, setting: WaId, ids: Vec<String>) -> Vec<AliasRow>;
            fn put_aliases(rows: Vec<AliasRow>) -> ();
            fn end_aliases(number: &str, setting: WaId, shown: &str) -> ();
        }
    }
}
