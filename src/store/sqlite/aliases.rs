//! The table of ids of users.

use rusqlite::{Row, Transaction, params};

use super::media::limit;
use super::{Sqlite, write};
use crate::store::{AliasRow, AliasStore, Error, Reply};
use crate::translate::WaId;

/// Takes the place of the recipients of single messages, which said nothing about the next message to the same user.
pub(super) const SCHEMA: &str = "
    CREATE TABLE aliases (
        number  TEXT NOT NULL,
        setting TEXT NOT NULL,
        id      TEXT NOT NULL,
        shown   TEXT NOT NULL,
        used_at INTEGER NOT NULL,
        PRIMARY KEY (number, setting, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX aliases_by_use ON aliases (used_at);
    DROP TABLE recipients;
";

impl AliasStore for Sqlite {
    fn aliases(&self, number: &str, setting: WaId, max: usize) -> Reply<'_, Vec<AliasRow>> {
        let number = number.to_owned();
        self.writer.submit(move |tx| {
            let sql = "SELECT id, shown, used_at FROM aliases WHERE number = ?1 AND setting = ?2
                       ORDER BY used_at DESC LIMIT ?3";
            let mut query = tx.prepare_cached(sql)?;
            let values = params![number, setting.name(), limit(max)];
            let rows = query.query_map(values, |row| alias(row, &number, setting))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn recall_aliases(&self, number: &str, setting: WaId, ids: Vec<String>) -> Reply<'_, Vec<AliasRow>> {
        let number = number.to_owned();
        self.writer.submit(move |tx| {
            let sql = "SELECT id, shown, used_at FROM aliases WHERE number = ?1 AND setting = ?2 AND id = ?3";
            let mut query = tx.prepare_cached(sql)?;
            let mut found = Vec::new();
            for id in &ids {
                let values = params![number, setting.name(), id];
                let rows = query.query_map(values, |row| alias(row, &number, setting))?;
                for row in rows {
                    found.push(row?);
                }
            }
            Ok(found)
        })
    }

    fn put_aliases(&self, rows: Vec<AliasRow>) -> Reply<'_, ()> {
        self.writer.submit(move |tx| rows.iter().try_for_each(|row| put(tx, row)))
    }

    fn end_aliases(&self, number: &str, setting: WaId, shown: &str) -> Reply<'_, ()> {
        let (number, shown) = (number.to_owned(), shown.to_owned());
        self.writer.submit(move |tx| {
            let sql = "DELETE FROM aliases WHERE number = ?1 AND setting = ?2 AND shown = ?3";
            write(tx, sql, params![number, setting.name(), shown]).map(drop)
        })
    }

    fn purge_aliases(&self, t: i64, max: usize) -> Reply<'_, usize> {
        self.writer.submit(move |tx| {
            let sql = "DELETE FROM aliases WHERE (number, setting, id) IN (
                           SELECT number, setting, id FROM aliases WHERE used_at < ?1 ORDER BY used_at LIMIT ?2)";
            write(tx, sql, params![t, limit(max)])
        })
    }
}

fn alias(row: &Row<'_>, number: &str, setting: WaId) -> rusqlite::Result<AliasRow> {
    let (id, shown, used_at) = (row.get(0)?, Some(row.get(1)?), row.get(2)?);
    Ok(AliasRow { number: number.to_owned(), setting, id, shown, used_at })
}

fn put(tx: &Transaction<'_>, row: &AliasRow) -> Result<(), Error> {
    let AliasRow { number, setting, id, shown, used_at } = row;
    match shown {
        Some(shown) => {
            let sql = "INSERT INTO aliases (number, setting, id, shown, used_at) VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT DO UPDATE SET shown = excluded.shown, used_at = excluded.used_at";
            write(tx, sql, params![number, setting.name(), id, shown, used_at]).map(drop)
        }
        None => {
            let sql = "DELETE FROM aliases WHERE number = ?1 AND setting = ?2 AND id = ?3";
            write(tx, sql, params![number, setting.name(), id]).map(drop)
        }
    }
}
