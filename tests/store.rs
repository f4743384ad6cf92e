//! The rules of every store engine, as functions over `&dyn Store`, and what is particular to SQLite.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use prembridge::store::{
    AliasRow, AliasStore, Batch, CallbackStore, DocumentRow, Error, Identities, MediaStore, Revocation,
    Sqlite, Store, User, UserRow,
};
use prembridge::translate::WaId;

use crate::temp::TempDir;

mod callbacks;
mod commits;
mod media;
mod traces;

/// Everything an engine promises. A second engine calls this with an empty store of its own.
pub async fn conforms(store: &dyn Store) {
    starts_empty(store).await;
    users_are_kept_per_number(store).await;
    a_password_change_replaces_hash_and_epoch(store).await;
    a_deleted_user_is_gone(store).await;
    revocations_are_idempotent_and_purged(store).await;
    the_first_secret_wins(store).await;
    documents_are_kept_per_number(store).await;
    media::conforms(store).await;
    callbacks::conforms(store).await;
    store.ping().await.unwrap();
}

async fn starts_empty(store: &dyn Store) {
    assert_eq!(store.identities().await.unwrap(), Identities::default());
}

async fn users_are_kept_per_number(store: &dyn Store) {
    let (here, there) = (user("support", "alice", "h1", 1), user("sales", "alice", "h2", i64::MAX));
    assert!(store.create_user(here.clone()).await.unwrap());
    assert!(store.create_user(there.clone()).await.unwrap());
    assert!(!store.create_user(user("support", "alice", "other", 9)).await.unwrap());
    assert!(store.create_user(user("support", "Alice", "h3", 3)).await.unwrap(), "names are case sensitive");
    assert_eq!(sorted(store).await, vec![there, user("support", "Alice", "h3", 3), here]);
}

async fn a_password_change_replaces_hash_and_epoch(store: &dyn Store) {
    let changed = user("support", "alice", "h4", 4);
    assert!(store.set_password(changed.clone()).await.unwrap());
    assert!(sorted(store).await.contains(&changed));
    assert!(
        sorted(store).await.contains(&user("sales", "alice", "h2", i64::MAX)),
        "the other number's stays"
    );
    assert!(!store.set_password(user("support", "nobody", "h", 5)).await.unwrap());
    assert_eq!(sorted(store).await.len(), 3);
}

async fn a_deleted_user_is_gone(store: &dyn Store) {
    assert!(store.delete_user("support", "alice").await.unwrap());
    assert!(!store.delete_user("support", "alice").await.unwrap());
    assert_eq!(sorted(store).await.len(), 2);
    assert!(store.create_user(user("support", "alice", "again", 6)).await.unwrap());
}

async fn revocations_are_idempotent_and_purged(store: &dyn Store) {
    store.revoke([1; 16], 100).await.unwrap();
    store.revoke([1; 16], 100).await.unwrap();
    store.revoke([2; 16], 200).await.unwrap();
    assert_eq!(store.purge_revocations(99).await.unwrap(), 0);
    assert_eq!(store.purge_revocations(100).await.unwrap(), 1, "a token is dead at its expiry, not after");
    let left = store.identities().await.unwrap().revocations;
    assert_eq!(left, vec![Revocation { jti: [2; 16], expires_at: 200 }]);
}

async fn the_first_secret_wins(store: &dyn Store) {
    let (one, two) = tokio::join!(store.secret("key", vec![1, 0, 1]), store.secret("key", vec![2]));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one, two);
    assert_eq!(store.secret("key", vec![3]).await.unwrap(), one);
    assert_eq!(store.secret("other", vec![4]).await.unwrap(), vec![4]);
}

async fn documents_are_kept_per_number(store: &dyn Store) {
    assert_eq!(store.documents().await.unwrap(), []);
    let (a, b) = (document("1", "a", b"\0one"), document("1", "b", b""));
    let other = document("2", "a", b"two");
    for row in [&other, &document("1", "a", b"old"), &b, &a] {
        store.put_document(row.clone()).await.unwrap();
    }
    assert_eq!(store.documents().await.unwrap(), [a.clone(), b.clone(), other.clone()], "replaced by name");
    assert!(store.delete_document("1", "a").await.unwrap());
    assert!(!store.delete_document("1", "a").await.unwrap());
    assert!(!store.delete_document("2", "b").await.unwrap());
    assert_eq!(store.documents().await.unwrap(), [b, other]);
}

#[tokio::test]
async fn memory_conforms() {
    conforms(&Sqlite::memory().unwrap()).await;
}

#[tokio::test]
async fn a_file_conforms_and_keeps_everything() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let before = {
        let store = Sqlite::open(&path).unwrap();
        conforms(&store).await;
        store.identities().await.unwrap()
    };
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.identities().await.unwrap(), before);
    assert_eq!(store.secret("other", vec![9]).await.unwrap(), vec![4]);
    assert_eq!(store.providers().await.unwrap().len(), 3);
    assert_eq!(store.kept_digests().await.unwrap().len(), 2);
    assert_eq!(store.documents().await.unwrap(), [document("1", "b", b""), document("2", "a", b"two")]);
    assert_eq!(store.wanted_media(9).await.unwrap().len(), 1);
}

/// As the first version of this program left it.
#[tokio::test]
async fn an_old_schema_is_brought_up_to_date() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE users (number TEXT NOT NULL, name TEXT NOT NULL, password_hash TEXT NOT NULL,
             epoch INTEGER NOT NULL, PRIMARY KEY (number, name)) STRICT, WITHOUT ROWID;
         CREATE TABLE revocations (jti BLOB PRIMARY KEY CHECK (length(jti) = 16),
             expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
         CREATE INDEX revocations_by_expiry ON revocations (expires_at);
         CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
         INSERT INTO users VALUES ('support', 'alice', 'h1', 7);
         INSERT INTO secrets VALUES ('key', x'0102');
         PRAGMA application_id = 0x7072656d;
         PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    for _ in 0..2 {
        let store = Sqlite::open(&path).unwrap();
        assert_eq!(sorted(&store).await, [user("support", "alice", "h1", 7)]);
        assert_eq!(store.secret("key", vec![9]).await.unwrap(), vec![1, 2]);
        assert_eq!(store.providers().await.unwrap(), []);
        store.put_source([1; 32], vec![1], 1).await.unwrap();
        store.put_document(document("1", "a", b"one")).await.unwrap();
        assert_eq!(store.wanted_media(9).await.unwrap(), []);
    }
    let now: i64 = rusqlite::Connection::open(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(now, 7);
}

/// As version 5 of the schema had it: what was seen in a table by key, with its age.
#[tokio::test]
async fn a_store_of_version_5_keeps_its_queue_and_what_was_seen() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    drop(Sqlite::open(&path).unwrap());
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "DROP TABLE seen_log;
         DROP TABLE seen_runs;
         DROP TABLE seen_parts;
         DROP TABLE seen_filters;
         DROP TABLE aliases;
         CREATE TABLE recipients (number TEXT, wamid TEXT, written TEXT, at INTEGER);
         CREATE TABLE events_seen (key BLOB PRIMARY KEY CHECK (length(key) = 16), at INTEGER NOT NULL)
             STRICT, WITHOUT ROWID;
         CREATE INDEX events_seen_by_age ON events_seen (at);
         INSERT INTO events_seen VALUES (x'01010101010101010101010101010101', 30),
             (x'02020202020202020202020202020202', 20);
         INSERT INTO callbacks VALUES (7, 'support', '16315551234', x'7b7d', 20);
         INSERT INTO callbacks VALUES (9, 'support', '16315551234', x'7b7d', 30);
         DELETE FROM callbacks WHERE place = 9;
         PRAGMA user_version = 5;",
    )
    .unwrap();
    drop(old);
    for first in [10, 11] {
        let store = Sqlite::open(&path).unwrap();
        let queued: Vec<i64> =
            store.queued_callbacks().await.unwrap().into_iter().map(|row| row.place).collect();
        assert_eq!(queued.first(), Some(&7));
        assert_eq!(callbacks::queue(&store, 40, [1, 2]).await, [None, None]);
        let new = 100 + u8::try_from(first).unwrap();
        assert_eq!(callbacks::queue(&store, 40, [new]).await, [Some(first)], "no place is given twice");
    }
    let store = Sqlite::open(&path).unwrap();
    store.forget_events(30).await.unwrap();
    let places = callbacks::queue(&store, 50, [1, 2]).await;
    assert!(places[0].is_none() && places[1].is_some(), "the older one is forgotten");
}

/// As version 6 of the schema had it: how clients wrote the recipients of single messages.
#[tokio::test]
async fn a_store_of_version_6_keeps_its_queue_and_what_it_knows_of_users() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let queued = {
        let store = Sqlite::open(&path).unwrap();
        let user = UserRow {
            number: "support".to_owned(),
            user_id: "US.1".to_owned(),
            wa_id: Some("16315551234".to_owned()),
        };
        store.queue_callbacks(Batch { at: 30, users: vec![user], ..Batch::default() }).await.unwrap();
        callbacks::queue(&store, 30, [1, 2]).await
    };
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "DROP TABLE aliases;
         CREATE TABLE recipients (number TEXT NOT NULL, wamid TEXT NOT NULL, written TEXT NOT NULL,
             at INTEGER NOT NULL, PRIMARY KEY (number, wamid)) STRICT, WITHOUT ROWID;
         CREATE INDEX recipients_by_age ON recipients (at);
         INSERT INTO recipients VALUES ('support', 'wamid.A', '+55 11 98765-4321', 20);
         PRAGMA user_version = 6;",
    )
    .unwrap();
    drop(old);
    for _ in 0..2 {
        let store = Sqlite::open(&path).unwrap();
        let places: Vec<_> =
            store.queued_callbacks().await.unwrap().into_iter().map(|row| Some(row.place)).collect();
        assert_eq!(places, queued);
        assert_eq!(callbacks::queue(&store, 40, [1, 2]).await, [None, None], "what was seen is known");
        let known = store.recall("support", vec!["US.1".to_owned()]).await.unwrap();
        assert_eq!(known, [("US.1".to_owned(), "16315551234".to_owned())]);
        let row = AliasRow {
            number: "support".to_owned(),
            setting: WaId::AsSent,
            id: "551187654321".to_owned(),
            shown: Some("5511987654321".to_owned()),
            used_at: 40,
        };
        store.put_aliases(vec![row.clone()]).await.unwrap();
        assert_eq!(store.aliases("support", WaId::AsSent, 9).await.unwrap(), [row]);
    }
    let left = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'recipients%'";
    assert_eq!(left.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "nothing is left of it");
}

/// Two processes would deliver each other's callbacks.
#[tokio::test]
async fn a_store_belongs_to_one_process() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let first = Sqlite::open(&path).unwrap();
    let begun = Instant::now();
    let second = Sqlite::open(&path).map(|_| ()).unwrap_err();
    assert!(begun.elapsed() >= Duration::from_secs(5), "the process before it may be on its way out");
    assert!(second.to_string().contains("another prembridge is using it"), "{second}");
    drop(first);
    Sqlite::open(&path).unwrap();
}

#[tokio::test]
async fn changes_run_side_by_side() {
    let store = Sqlite::memory().unwrap();
    let jobs = (0..2000).map(|n| store.create_user(user("support", &format!("user{n}"), "h", n)));
    let made = futures_util::future::join_all(jobs).await;
    assert!(made.into_iter().all(|created| created.unwrap()));
    assert_eq!(store.identities().await.unwrap().users.len(), 2000);
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    for content in [b"".as_slice(), b"not a database at all".as_slice(), &[0; 8192]] {
        fs::write(&path, content).unwrap();
        let error = open(&path);
        assert!(matches!(problem_of(&error), Error::Damaged(_)), "{error}");
        assert!(error.to_string().contains("backup"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[tokio::test]
async fn a_file_damaged_inside_is_refused() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let store = Sqlite::open(&path).unwrap();
    for n in 0..500 {
        store.create_user(user("support", &format!("user{n}"), &"x".repeat(100), n)).await.unwrap();
    }
    drop(store);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let error = open(&path);
    assert!(matches!(problem_of(&error), Error::Damaged(_)), "{error}");
}

/// The keys of seen events may be gigabytes, so the start reads none of them.
#[tokio::test]
async fn damage_among_seen_events_is_told_when_they_are_read() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    drop(Sqlite::open(&path).unwrap());
    // Their upper bytes differ evenly, as those of hashes do.
    let key = |n: u32| [n.wrapping_mul(0x9e37_79b9).to_be_bytes(); 4].concat();
    let log = rusqlite::Connection::open(&path).unwrap();
    let keys: Vec<u8> = (0..200_000).flat_map(key).collect();
    log.execute("INSERT INTO seen_log (at, keys) VALUES (10, ?1)", [keys]).unwrap();
    drop(log);
    drop(Sqlite::open(&path).unwrap());
    let mut bytes = fs::read(&path).unwrap();
    // The last place that has a key is its bucket.
    let key_of_some = key(100_000);
    let place = bytes.windows(16).rposition(|some| some == key_of_some).unwrap();
    let page = place / 4096 * 4096;
    bytes[page..page + 4096].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let store = Sqlite::open(&path).unwrap();
    let (mut damaged, mut known) = (0, 0);
    for n in 0..2000 {
        let places = callbacks::queue_event(&store, 20, key(n * 100).try_into().unwrap()).await;
        damaged += i32::from(matches!(places, Err(Error::Damaged(_))));
        known += i32::from(places.is_ok_and(|places| places == [None]));
    }
    assert!((1..50).contains(&damaged) && damaged + known == 2000, "{damaged} and {known}");
}

#[test]
fn what_fails_behind_the_schema_names_the_file() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    drop(Sqlite::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP TABLE seen_runs").unwrap();
    let error = open(&path);
    assert!(matches!(problem_of(&error), Error::Engine(_)), "{error}");
    assert!(error.to_string().contains("store.db cannot be opened"), "{error}");
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    drop(Sqlite::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let error = open(&path);
    assert!(matches!(problem_of(&error), Error::Newer { found: 999, .. }), "{error}");
    assert!(error.to_string().contains("999"), "{error}");
}

#[test]
fn another_programs_database_is_refused() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(problem_of(&open(&path)), Error::Foreign));
}

#[test]
fn a_missing_directory_is_named() {
    let dir = TempDir::new();
    let error = open(&dir.join("missing/store.db"));
    assert!(error.to_string().contains("missing/store.db"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // The superuser writes anywhere but in /proc, where nobody does.
    let superuser = fs::write(dir.join("probe"), "").is_ok();
    let path = if superuser { Path::new("/proc/store.db").to_owned() } else { dir.join("store.db") };
    let error = open(&path);
    assert!(error.to_string().contains("store.db cannot be opened"), "{error}");
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new();
    let store = Sqlite::open(&dir.join("store.db")).unwrap();
    store.revoke([1; 16], 1).await.unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
        names.push(entry.file_name());
    }
    assert!(names.iter().any(|name| name.to_string_lossy().ends_with("-wal")), "{names:?}");
}

#[test]
fn a_user_prints_without_its_hash_and_a_document_without_its_content() {
    assert!(!format!("{:?}", user("support", "alice", "$argon2id$", 1)).contains("argon2id"));
    assert_eq!(format!("{:?}", document("1", "a", b"{}")), "DocumentRow { number: \"1\", name: \"a\", .. }");
}

fn user(number: &str, name: &str, hash: &str, epoch: i64) -> User {
    User { number: number.into(), name: name.into(), password_hash: hash.into(), epoch }
}

fn document(number: &str, name: &str, content: &[u8]) -> DocumentRow {
    DocumentRow { number: number.into(), name: name.into(), content: content.into() }
}

async fn sorted(store: &dyn Store) -> Vec<User> {
    let mut users = store.identities().await.unwrap().users;
    users.sort_by(|a, b| (&a.number, &a.name).cmp(&(&b.number, &b.name)));
    users
}

fn open(path: &Path) -> Error {
    problem(Sqlite::open(path).map(drop))
}

fn problem(opened: Result<(), Error>) -> Error {
    opened.expect_err("the store should have been refused")
}

fn problem_of(error: &Error) -> &Error {
    if let Error::Open { problem, .. } = error { problem } else { error }
}
