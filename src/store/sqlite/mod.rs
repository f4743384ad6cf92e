//! The embedded engine: one SQLite file, one thread that owns it.

use std::fs::File;
use std::path::Path;

use rusqlite::{Transaction, params};

use super::{DocumentRow, Error, Identities, Jti, Reply, Revocation, Store, User};
use reserve::Reserve;
use writer::Writer;

mod aliases;
mod callbacks;
mod dedupe;
mod media;
mod open;
mod reserve;
mod writer;

/// A store in one SQLite file, or in memory.
///
/// Dropping it waits until every accepted change is written, then closes the file.
pub struct Sqlite {
    writer: Writer,
    /// Dropped last, when everything is written.
    _claim: Option<File>,
}

impl Sqlite {
    /// Opens the file, or makes it if there is none; refuses a file that is damaged, newer or not ours.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let inside = |problem| Error::Open { path: path.display().to_string(), problem: Box::new(problem) };
        let claim = open::claim(path).map_err(inside)?;
        let connection = open::file(path).map_err(inside)?;
        let reserve = Reserve::open(path, &connection).map_err(inside)?;
        let writer = Writer::start(connection, Some(reserve)).map_err(inside)?;
        Ok(Self { writer, _claim: Some(claim) })
    }

    /// A store that is gone with the process, otherwise the same code.
    pub fn memory() -> Result<Self, Error> {
        Ok(Self { writer: Writer::start(open::memory()?, None)?, _claim: None })
    }
}

impl Store for Sqlite {
    fn identities(&self) -> Reply<'_, Identities> {
        self.writer.submit(|tx| Ok(Identities { users: users(tx)?, revocations: revocations(tx)? }))
    }

    fn create_user(&self, user: User) -> Reply<'_, bool> {
        self.writer.submit(move |tx| {
            let sql = "INSERT INTO users (number, name, password_hash, epoch) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO NOTHING";
            Ok(write(tx, sql, params![user.number, user.name, user.password_hash, user.epoch])? == 1)
        })
    }

    fn set_password(&self, user: User) -> Reply<'_, bool> {
        self.writer.submit(move |tx| {
            let sql = "UPDATE users SET password_hash = ?3, epoch = ?4 WHERE number = ?1 AND name = ?2";
            Ok(write(tx, sql, params![user.number, user.name, user.password_hash, user.epoch])? == 1)
        })
    }

    fn delete_user(&self, number: &str, name: &str) -> Reply<'_, bool> {
        let (number, name) = (number.to_owned(), name.to_owned());
        self.writer.submit(move |tx| {
            let sql = "DELETE FROM users WHERE number = ?1 AND name = ?2";
            Ok(write(tx, sql, params![number, name])? == 1)
        })
    }

    fn revoke(&self, jti: Jti, expires_at: i64) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            let sql = "INSERT INTO revocations (jti, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            write(tx, sql, params![jti.as_slice(), expires_at]).map(drop)
        })
    }

    fn purge_revocations(&self, now: i64) -> Reply<'_, usize> {
        self.writer
            .submit(move |tx| write(tx, "DELETE FROM revocations WHERE expires_at <= ?1", params![now]))
    }

    fn secret(&self, name: &str, candidate: Vec<u8>) -> Reply<'_, Vec<u8>> {
        let name = name.to_owned();
        self.writer.submit(move |tx| {
            let sql = "INSERT INTO secrets (name, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            write(tx, sql, params![name, candidate])?;
            let mut query = tx.prepare_cached("SELECT value FROM secrets WHERE name = ?1")?;
            Ok(query.query_row(params![name], |row| row.get(0))?)
        })
    }

    fn documents(&self) -> Reply<'_, Vec<DocumentRow>> {
        self.writer.submit(|tx| {
            let sql = "SELECT number, name, content FROM documents ORDER BY number, name";
            let mut query = tx.prepare_cached(sql)?;
            let rows = query.query_map([], |row| {
                Ok(DocumentRow { number: row.get(0)?, name: row.get(1)?, content: row.get(2)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn put_document(&self, row: DocumentRow) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            let sql = "INSERT INTO documents (number, name, content) VALUES (?1, ?2, ?3)
                       ON CONFLICT DO UPDATE SET content = excluded.content";
            write(tx, sql, params![row.number, row.name, row.content]).map(drop)
        })
    }

    fn delete_document(&self, number: &str, name: &str) -> Reply<'_, bool> {
        let (number, name) = (number.to_owned(), name.to_owned());
        self.writer.submit(move |tx| {
            let sql = "DELETE FROM documents WHERE number = ?1 AND name = ?2";
            Ok(write(tx, sql, params![number, name])? == 1)
        })
    }

    /// Every job begins with the write lock, so an empty one shows whether a change would be taken.
    fn ping(&self) -> Reply<'_, ()> {
        self.writer.submit(|tx| {
            Ok(tx.query_row("SELECT count(*) FROM secrets", [], |row| row.get(0)).map(|_: i64| ())?)
        })
    }
}

fn write(tx: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> Result<usize, Error> {
    Ok(tx.prepare_cached(sql)?.execute(values)?)
}

fn users(tx: &Transaction<'_>) -> Result<Vec<User>, Error> {
    let mut query =
        tx.prepare_cached("SELECT number, name, password_hash, epoch FROM users ORDER BY number, name")?;
    let rows = query.query_map([], |row| {
        Ok(User { number: row.get(0)?, name: row.get(1)?, password_hash: row.get(2)?, epoch: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn revocations(tx: &Transaction<'_>) -> Result<Vec<Revocation>, Error> {
    let mut query = tx.prepare_cached("SELECT jti, expires_at FROM revocations ORDER BY jti")?;
    let rows = query.query_map([], |row| Ok(Revocation { jti: row.get(0)?, expires_at: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi};
        let code = error.sqlite_error_code();
        let is = |wanted: ErrorCode| code == Some(wanted);
        // The index of the log is a file, too, and what it grows by has an error of its own.
        let is_short_of_index =
            error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE);
        if is(ErrorCode::DiskFull) || is_short_of_index {
            Self::Full
        } else if is(ErrorCode::DatabaseBusy) || is(ErrorCode::DatabaseLocked) {
            Self::Locked
        } else if is(ErrorCode::ReadOnly) {
            Self::ReadOnly
        } else if is(ErrorCode::DatabaseCorrupt) || is(ErrorCode::NotADatabase) {
            Self::Damaged(error.to_string())
        } else {
            Self::Engine(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
