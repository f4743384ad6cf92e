//! The tables of callbacks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rusqlite::{OptionalExtension, Transaction, params};

use super::dedupe::Change;
use super::media::want;
use super::writer::Job;
use super::{Sqlite, write};
use crate::store::{Batch, CallbackStore, Done, Error, NewCallback, QueuedRow, Reply, UserRow};

/// `AUTOINCREMENT`, so that the place of a callback that was taken out is not given again. Bodies are read one
/// by one and events by key, so nothing else needs an index but what is forgotten by age.
pub(super) const SCHEMA: &str = "
    CREATE TABLE callbacks (
        place  INTEGER PRIMARY KEY AUTOINCREMENT,
        number TEXT NOT NULL,
        chat   TEXT NOT NULL,
        body   BLOB NOT NULL,
        at     INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE events_seen (
        key BLOB PRIMARY KEY CHECK (length(key) = 16),
        at  INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX events_seen_by_age ON events_seen (at);
    CREATE TABLE users_of_cloud (
        number  TEXT NOT NULL,
        user_id TEXT NOT NULL,
        wa_id   TEXT NOT NULL,
        PRIMARY KEY (number, user_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE recipients (
        number  TEXT NOT NULL,
        wamid   TEXT NOT NULL,
        written TEXT NOT NULL,
        at      INTEGER NOT NULL,
        PRIMARY KEY (number, wamid)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX recipients_by_age ON recipients (at);
";

impl CallbackStore for Sqlite {
    fn queue(&self, batch: Arc<Batch>, done: Done) {
        self.writer.join(Box::new(Queueing { batch, places: Vec::new(), done }));
    }

    fn queued_callbacks(&self) -> Reply<'_, Vec<QueuedRow>> {
        self.writer.submit(|tx| {
            let mut query =
                tx.prepare_cached("SELECT place, number, chat, at FROM callbacks ORDER BY place")?;
            let rows = query.query_map([], |row| {
                Ok(QueuedRow { place: row.get(0)?, number: row.get(1)?, chat: row.get(2)?, at: row.get(3)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn callback_body(&self, place: i64) -> Reply<'_, Option<Vec<u8>>> {
        self.writer.submit(move |tx| {
            let mut query = tx.prepare_cached("SELECT body FROM callbacks WHERE place = ?1")?;
            Ok(query.query_row(params![place], |row| row.get(0)).optional()?)
        })
    }

    fn delete_callbacks(&self, places: Vec<i64>) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            for place in &places {
                write(tx, "DELETE FROM callbacks WHERE place = ?1", params![place])?;
            }
            Ok(())
        })
    }

    fn recall(&self, number: &str, user_ids: Vec<String>) -> Reply<'_, Vec<(String, String)>> {
        let number = number.to_owned();
        self.writer.submit(move |tx| {
            let sql = "SELECT wa_id FROM users_of_cloud WHERE number = ?1 AND user_id = ?2";
            let mut query = tx.prepare_cached(sql)?;
            let mut found = Vec::new();
            for user_id in &user_ids {
                let wa_id: Option<String> =
                    query.query_row(params![number, user_id], |row| row.get(0)).optional()?;
                found.extend(wa_id.map(|wa_id| (user_id.clone(), wa_id)));
            }
            Ok(found)
        })
    }

    fn forget_events(&self, t: i64) -> Reply<'_, ()> {
        self.writer.submit(move |tx| tx.forget_before(t))
    }
}

/// A batch on its way into the queue.
struct Queueing {
    batch: Arc<Batch>,
    places: Vec<Option<i64>>,
    done: Done,
}

impl Job for Queueing {
    fn bytes(&self) -> usize {
        self.batch.callbacks.iter().map(|callback| callback.body.len()).sum()
    }

    fn run(&mut self, tx: &mut Change<'_>) -> Result<(), Error> {
        let Self { batch, places, .. } = self;
        places.clear();
        for user in &batch.users {
            put_user(tx, user)?;
        }
        for NewCallback { number, chat, key, wanted, body } in &batch.callbacks {
            if let Some(key) = key
                && !tx.insert(key, batch.at)?
            {
                places.push(None);
                continue;
            }
            if let Some(wanted) = wanted {
                want(tx, wanted)?;
            }
            let sql = "INSERT INTO callbacks (number, chat, body, at) VALUES (?1, ?2, ?3, ?4)";
            write(tx, sql, params![number, chat, &body[..], batch.at])?;
            places.push(Some(tx.last_insert_rowid()));
        }
        Ok(())
    }

    /// A panic of the caller's must not end the thread.
    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let Self { places, done, .. } = *self;
        let _ = catch_unwind(AssertUnwindSafe(|| done(committed.map(|()| places))));
    }
}

fn put_user(tx: &Transaction<'_>, user: &UserRow) -> Result<(), Error> {
    let UserRow { number, user_id, wa_id } = user;
    match wa_id {
        Some(wa_id) => {
            let sql = "INSERT INTO users_of_cloud (number, user_id, wa_id) VALUES (?1, ?2, ?3)
                       ON CONFLICT DO UPDATE SET wa_id = excluded.wa_id";
            write(tx, sql, params![number, user_id, wa_id]).map(drop)
        }
        None => {
            let sql = "DELETE FROM users_of_cloud WHERE number = ?1 AND user_id = ?2";
            write(tx, sql, params![number, user_id]).map(drop)
        }
    }
}
