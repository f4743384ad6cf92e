//! Opening the file: whose it is, whether it is whole, and its schema.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::store::Error;

/// How long a change waits for another process's lock, for example a backup's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon another process's end is noticed.
const CLAIM_AGAIN: Duration = Duration::from_millis(50);

/// KiB of pages in memory (SQLite, "PRAGMA cache_size", where a negative number means KiB; 2000 without this). They are
/// taken as they are needed: the buckets of events are found by pages that lead to their rows.
const CACHE: i64 = -8192;

/// "prem" in ASCII: `PRAGMA application_id` tells our file from another program's.
const APPLICATION_ID: i64 = 0x7072_656d;

/// Each step brings the schema from the version of its index to the next. Steps are only ever appended.
const MIGRATIONS: &[&str] = &[
    LOGINS,
    MEDIA,
    super::callbacks::SCHEMA,
    DOCUMENTS,
    MEDIA_WANTED,
    super::dedupe::SCHEMA,
    super::aliases::SCHEMA,
];

const LOGINS: &str = "
    CREATE TABLE users (
        number        TEXT NOT NULL,
        name          TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        epoch         INTEGER NOT NULL,
        PRIMARY KEY (number, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revocations (
        jti        BLOB PRIMARY KEY CHECK (length(jti) = 16),
        expires_at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX revocations_by_expiry ON revocations (expires_at);
    CREATE TABLE secrets (
        name  TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// The number of sources and uploads is kept up to date by triggers: each new entry pushes the oldest out,
/// and counting a large table for that would read it whole. `seq` is the order of writing.
const MEDIA: &str = "
    CREATE TABLE providers (
        number     TEXT NOT NULL,
        name       TEXT NOT NULL,
        config     BLOB NOT NULL,
        generation INTEGER NOT NULL,
        PRIMARY KEY (number, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE media_sources (
        seq   INTEGER PRIMARY KEY,
        key   BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
        entry BLOB NOT NULL
    ) STRICT;
    CREATE TABLE media_uploads (
        seq          INTEGER PRIMARY KEY,
        key          BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
        media_id     TEXT NOT NULL,
        usable_until INTEGER NOT NULL,
        is_pinned    INTEGER NOT NULL CHECK (is_pinned IN (0, 1))
    ) STRICT;
    CREATE INDEX media_uploads_by_end ON media_uploads (usable_until);
    CREATE INDEX media_uploads_pinned ON media_uploads (is_pinned) WHERE is_pinned = 1;
    CREATE TABLE media_counts (
        name TEXT PRIMARY KEY,
        held INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    INSERT INTO media_counts (name, held) VALUES ('media_sources', 0), ('media_uploads', 0);
    CREATE TRIGGER media_sources_more AFTER INSERT ON media_sources
        BEGIN UPDATE media_counts SET held = held + 1 WHERE name = 'media_sources'; END;
    CREATE TRIGGER media_sources_less AFTER DELETE ON media_sources
        BEGIN UPDATE media_counts SET held = held - 1 WHERE name = 'media_sources'; END;
    CREATE TRIGGER media_uploads_more AFTER INSERT ON media_uploads
        BEGIN UPDATE media_counts SET held = held + 1 WHERE name = 'media_uploads'; END;
    CREATE TRIGGER media_uploads_less AFTER DELETE ON media_uploads
        BEGIN UPDATE media_counts SET held = held - 1 WHERE name = 'media_uploads'; END;
    CREATE TABLE media_files (
        id         TEXT PRIMARY KEY,
        number     TEXT NOT NULL,
        digest     BLOB NOT NULL CHECK (length(digest) = 32),
        length     INTEGER NOT NULL CHECK (length >= 0),
        media_type TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        used_at    INTEGER NOT NULL,
        is_kept    INTEGER NOT NULL CHECK (is_kept IN (0, 1))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX media_files_by_digest ON media_files (digest, is_kept, length);
    CREATE INDEX media_files_by_use ON media_files (used_at);
    CREATE INDEX media_files_kept ON media_files (used_at) WHERE is_kept = 1;
";

const DOCUMENTS: &str = "
    CREATE TABLE documents (
        number  TEXT NOT NULL,
        name    TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (number, name)
    ) STRICT, WITHOUT ROWID;
";

/// Files that users sent and that are still to be fetched. The index ends in `media_id`, as every index of such a
/// table does in its key.
const MEDIA_WANTED: &str = "
    CREATE TABLE media_wanted (
        number     TEXT NOT NULL,
        media_id   TEXT NOT NULL,
        media_type TEXT NOT NULL,
        added_at   INTEGER NOT NULL,
        PRIMARY KEY (number, media_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX media_wanted_by_age ON media_wanted (number, added_at);
";

/// Opens `path`, or makes it if there is none.
pub(super) fn file(path: &Path) -> Result<Connection, Error> {
    let fresh = create(path)?;
    let opened = connect(path, fresh);
    if fresh && opened.is_err() {
        // We made it a moment ago and it holds nothing; left behind, it would be refused as cut off.
        let _ = fs::remove_file(path);
    }
    opened
}

/// Makes sure that no other process has the store: each would deliver what the other has in its queue. The lock is on
/// a file of its own, since SQLite locks parts of the database, and goes with the process, however that ends.
pub(super) fn claim(path: &Path) -> Result<File, Error> {
    let mut name = OsString::from(path);
    name.push("-lock");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&name).map_err(|error| {
        if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
            Error::ReadOnly
        } else {
            Error::Engine(format!("its lock cannot be opened: {error}"))
        }
    })?;
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // The process before us may be on its way out.
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(CLAIM_AGAIN),
            Err(TryLockError::WouldBlock) => return Err(Error::InUse),
            // A file system without locks is better than no store.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(file),
            Err(TryLockError::Error(error)) => {
                return Err(Error::Engine(format!("its lock cannot be taken: {error}")));
            }
        }
    }
}

/// A database without a file.
pub(super) fn memory() -> Result<Connection, Error> {
    let mut connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "foreign_keys", true)?;
    migrate(&mut connection, 0)?;
    Ok(connection)
}

/// Makes the file if there is none. Only its owner may read it, since it holds the token key; SQLite
/// gives its side files the same mode.
fn create(path: &Path) -> Result<bool, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(Error::ReadOnly),
        Err(error) => Err(Error::Engine(error.to_string())),
    }
}

fn connect(path: &Path, fresh: bool) -> Result<Connection, Error> {
    if !fresh && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() == 0) {
        // SQLite takes an empty file for a new database: that would bring back the default password.
        return Err(Error::Damaged("the file is empty, so it was cut off or never finished".to_owned()));
    }
    // No CREATE and no URI: the path is taken to the letter and `create` has made the file.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    if connection.is_readonly("main")? {
        return Err(Error::ReadOnly);
    }
    let version = if fresh { 0 } else { examine(&connection)? };
    connection.pragma_update(None, "foreign_keys", true)?;
    // FULL keeps the last commits through a power loss, NORMAL would not (SQLite, "PRAGMA synchronous").
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What people wrote does not outlive its row, as far as that costs no further writes (SQLite, "PRAGMA
    // secure_delete").
    connection.pragma_update(None, "secure_delete", "FAST")?;
    // Before WAL: the first schema then goes into the main file in one piece, so a file that somebody
    // copied without its -wal is at worst old, never an empty database.
    migrate(&mut connection, version)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Engine(format!("its file system does not allow WAL (journal mode is {mode})")));
    }
    connection.pragma_update(None, "cache_size", CACHE)?;
    Ok(connection)
}

/// Refuses what we must not touch, and gives the schema version of the rest.
fn examine(connection: &Connection) -> Result<usize, Error> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(Error::Foreign);
    }
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(found).ok().filter(|version| *version <= MIGRATIONS.len());
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let version = version.ok_or(Error::Newer { found, known })?;
    check(connection)?;
    Ok(version)
}

/// Looks for damage, in one table after the other: those of events may have gigabytes, in which damage shows when they
/// are asked for.
fn check(connection: &Connection) -> Result<(), Error> {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let tables = tables.query_map([], |row| row.get(0))?;
    for table in tables {
        let table: String = table?;
        if super::dedupe::LARGE.contains(&table.as_str()) {
            continue;
        }
        let mut verdict = String::new();
        connection.pragma(None, "quick_check", &table, |row| {
            verdict = row.get(0)?;
            Ok(())
        })?;
        if verdict != "ok" {
            return Err(Error::Damaged(verdict));
        }
    }
    Ok(())
}

/// One transaction for all steps: the schema has the old version or the new one, nothing between.
fn migrate(connection: &mut Connection, version: usize) -> Result<(), Error> {
    if version == MIGRATIONS.len() {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for step in MIGRATIONS.iter().skip(version) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    Ok(tx.commit()?)
}
