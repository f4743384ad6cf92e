//! The tables of callbacks.

use std::sync::Arc;

use rusqlite::{CachedStatement, OptionalExtension, Transaction, params};

use super::media::want;
use super::seen::Seen;
use super::writer::alone;
use super::{Sqlite, write};
use crate::store::{Batch, Batches, CallbackStore, Error, NewCallback, Queued, QueuedRow, Reply, UserRow};

/// `AUTOINCREMENT`, so that the place of a callback that was taken out is not given again. Bodies are read one
/// by one and seen events by key, so nothing else needs an index but what is forgotten by age.
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
    /// Most batches are good: they are tried without a savepoint for each, and once more with one when any fails.
    fn queue_all(&self, batches: Batches) -> Reply<'_, Vec<Queued>> {
        let mut asked = Some(batches);
        let mut batches = Vec::new();
        self.writer.submit_with_seen(move |tx, seen| {
            if let Some(asked) = asked.take() {
                batches = asked();
            }
            let all = alone(tx, seen, |tx, seen| {
                let mut insert = tx.prepare_cached(INSERT)?;
                batches.iter().map(|batch| queue(tx, seen, &mut insert, batch)).collect::<Result<Vec<_>, _>>()
            })?;
            match all {
                Ok(all) => return Ok(all.into_iter().map(Ok).collect()),
                // There may be room for all of them in a moment.
                Err(Error::Full) => return Err(Error::Full),
                Err(_) => {}
            }
            let one = |batch: &Arc<Batch>| {
                alone(tx, seen, |tx, seen| queue(tx, seen, &mut tx.prepare_cached(INSERT)?, batch))
            };
            batches.iter().map(one).collect()
        })
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

    fn purge_seen(&self, t: i64, most: usize) -> Reply<'_, usize> {
        self.writer.submit_with_seen(move |tx, seen| seen.purge(tx, t, most))
    }
}

const INSERT: &str = "INSERT INTO callbacks (number, chat, body, at) VALUES (?1, ?2, ?3, ?4)";

fn queue(
    tx: &Transaction<'_>,
    seen: &mut Seen,
    insert: &mut CachedStatement<'_>,
    batch: &Batch,
) -> Result<Vec<Option<i64>>, Error> {
    for user in &batch.users {
        put_user(tx, user)?;
    }
    let mut places = Vec::with_capacity(batch.callbacks.len());
    for NewCallback { number, chat, key, wanted, body } in &batch.callbacks {
        if let Some(key) = key
            && !seen.add(tx, key, batch.at)?
        {
            places.push(None);
            continue;
        }
        if let Some(wanted) = wanted {
            want(tx, wanted)?;
        }
        insert.execute(params![number, chat, &body[..], batch.at])?;
        places.push(Some(tx.last_insert_rowid()));
    }
    Ok(places)
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
