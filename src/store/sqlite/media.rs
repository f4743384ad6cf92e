//! The tables of media.

use rusqlite::{OptionalExtension, Params, Row, Transaction, params};

use super::{Sqlite, write};
use crate::store::{Digest, Error, FileRow, MediaStore, ProviderRow, Reply, UploadRow, WantedRow};

/// The columns of a file, in the order of [`file_of`].
macro_rules! select_files {
    ($rest:literal) => {
        concat!(
            "SELECT id, number, digest, length, media_type, created_at, used_at, is_kept FROM media_files ",
            $rest
        )
    };
}

impl MediaStore for Sqlite {
    fn providers(&self) -> Reply<'_, Vec<ProviderRow>> {
        self.writer.submit(|tx| {
            let sql = "SELECT number, name, config, generation FROM providers ORDER BY number, name";
            let mut query = tx.prepare_cached(sql)?;
            let rows = query.query_map([], |row| {
                Ok(ProviderRow {
                    number: row.get(0)?,
                    name: row.get(1)?,
                    config: row.get(2)?,
                    generation: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn put_providers(&self, rows: Vec<ProviderRow>) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            let sql = "INSERT INTO providers (number, name, config, generation) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT DO UPDATE SET config = excluded.config, generation = excluded.generation";
            for row in &rows {
                write(tx, sql, params![row.number, row.name, row.config, row.generation])?;
            }
            Ok(())
        })
    }

    fn delete_provider(&self, number: &str, name: &str) -> Reply<'_, bool> {
        let (number, name) = (number.to_owned(), name.to_owned());
        self.writer.submit(move |tx| {
            let sql = "DELETE FROM providers WHERE number = ?1 AND name = ?2";
            Ok(write(tx, sql, params![number, name])? == 1)
        })
    }

    fn source(&self, key: Digest) -> Reply<'_, Option<Vec<u8>>> {
        self.writer.submit(move |tx| {
            let mut query = tx.prepare_cached("SELECT entry FROM media_sources WHERE key = ?1")?;
            Ok(query.query_row(params![key.as_slice()], |row| row.get(0)).optional()?)
        })
    }

    fn put_source(&self, key: Digest, entry: Vec<u8>, max: u64) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            write(tx, "DELETE FROM media_sources WHERE key = ?1", params![key.as_slice()])?;
            let sql = "INSERT INTO media_sources (key, entry) VALUES (?1, ?2)";
            write(tx, sql, params![key.as_slice(), entry])?;
            let oldest = "DELETE FROM media_sources WHERE seq IN (
                              SELECT seq FROM media_sources ORDER BY seq LIMIT max(0, (
                                  SELECT held FROM media_counts WHERE name = 'media_sources') - ?1))";
            write(tx, oldest, params![limit(max)]).map(drop)
        })
    }

    fn delete_source(&self, key: Digest) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            write(tx, "DELETE FROM media_sources WHERE key = ?1", params![key.as_slice()]).map(drop)
        })
    }

    fn upload(&self, key: Digest) -> Reply<'_, Option<UploadRow>> {
        self.writer.submit(move |tx| {
            let sql = "SELECT media_id, usable_until FROM media_uploads WHERE key = ?1";
            let mut query = tx.prepare_cached(sql)?;
            let row = query.query_row(params![key.as_slice()], |row| {
                Ok(UploadRow { media_id: row.get(0)?, usable_until: row.get(1)? })
            });
            Ok(row.optional()?)
        })
    }

    fn put_upload(&self, key: Digest, row: UploadRow, max: u64) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            let pinned = "SELECT count(*) FROM media_uploads WHERE key = ?1 AND is_pinned = 1";
            let is_pinned = number(tx, pinned, params![key.as_slice()])? > 0;
            write(tx, "DELETE FROM media_uploads WHERE key = ?1", params![key.as_slice()])?;
            let sql =
                "INSERT INTO media_uploads (key, media_id, usable_until, is_pinned) VALUES (?1, ?2, ?3, ?4)";
            write(tx, sql, params![key.as_slice(), row.media_id, row.usable_until, is_pinned])?;
            let oldest = "DELETE FROM media_uploads WHERE seq IN (
                              SELECT seq FROM media_uploads WHERE is_pinned = 0 ORDER BY seq LIMIT max(0, (
                                  SELECT held FROM media_counts WHERE name = 'media_uploads') - (
                                  SELECT count(*) FROM media_uploads WHERE is_pinned = 1) - ?1))";
            write(tx, oldest, params![limit(max)]).map(drop)
        })
    }

    fn pin_upload(&self, key: Digest, row: UploadRow) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            let sql =
                "INSERT INTO media_uploads (key, media_id, usable_until, is_pinned) VALUES (?1, ?2, ?3, 1)
                       ON CONFLICT (key) DO UPDATE SET media_id = excluded.media_id,
                           usable_until = excluded.usable_until, is_pinned = 1";
            write(tx, sql, params![key.as_slice(), row.media_id, row.usable_until]).map(drop)
        })
    }

    fn delete_upload(&self, key: Digest, even_pinned: bool) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            let sql = "DELETE FROM media_uploads WHERE key = ?1 AND (?2 OR is_pinned = 0)";
            write(tx, sql, params![key.as_slice(), even_pinned]).map(drop)
        })
    }

    fn file(&self, number: &str, id: &str) -> Reply<'_, Option<FileRow>> {
        let (number, id) = (number.to_owned(), id.to_owned());
        self.writer.submit(move |tx| file(tx, &number, &id))
    }

    fn put_file(&self, row: FileRow) -> Reply<'_, ()> {
        self.writer.submit(move |tx| put_file(tx, &row))
    }

    fn touch_file(&self, number: &str, id: &str, used_at: i64) -> Reply<'_, ()> {
        let (number, id) = (number.to_owned(), id.to_owned());
        self.writer.submit(move |tx| {
            let sql = "UPDATE media_files SET used_at = ?3 WHERE id = ?2 AND number = ?1 AND used_at < ?3";
            write(tx, sql, params![number, id, used_at]).map(drop)
        })
    }

    fn delete_file(&self, number: &str, id: &str) -> Reply<'_, Option<FileRow>> {
        let (number, id) = (number.to_owned(), id.to_owned());
        self.writer.submit(move |tx| {
            let found = file(tx, &number, &id)?;
            write(tx, "DELETE FROM media_files WHERE id = ?2 AND number = ?1", params![number, id])?;
            Ok(found)
        })
    }

    fn files_with_digest(&self, digest: Digest) -> Reply<'_, u64> {
        self.writer.submit(move |tx| {
            number(tx, "SELECT count(*) FROM media_files WHERE digest = ?1", params![digest.as_slice()])
        })
    }

    fn mark_not_kept(&self, digest: Digest) -> Reply<'_, ()> {
        self.writer.submit(move |tx| {
            let sql = "UPDATE media_files SET is_kept = 0 WHERE digest = ?1 AND is_kept = 1";
            write(tx, sql, params![digest.as_slice()]).map(drop)
        })
    }

    fn files_unused_since(&self, t: i64, max: usize) -> Reply<'_, Vec<FileRow>> {
        self.writer.submit(move |tx| {
            let sql = select_files!("WHERE used_at <= ?1 ORDER BY used_at, id LIMIT ?2");
            files(tx, sql, params![t, limit(max)])
        })
    }

    fn oldest_kept(&self, skip: usize, max: usize) -> Reply<'_, Vec<Digest>> {
        self.writer.submit(move |tx| {
            let sql = "SELECT digest FROM media_files WHERE is_kept = 1
                       GROUP BY digest ORDER BY max(used_at), digest LIMIT ?2 OFFSET ?1";
            let mut query = tx.prepare_cached(sql)?;
            let rows = query.query_map(params![limit(skip), limit(max)], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn files_of(&self, digest: Digest) -> Reply<'_, Vec<FileRow>> {
        self.writer.submit(move |tx| {
            files(tx, select_files!("WHERE digest = ?1 ORDER BY used_at, id"), params![digest.as_slice()])
        })
    }

    fn kept_bytes(&self) -> Reply<'_, u64> {
        self.writer.submit(|tx| {
            let sql = "SELECT coalesce(sum(length), 0) FROM (
                           SELECT max(length) AS length FROM media_files WHERE is_kept = 1 GROUP BY digest)";
            number(tx, sql, [])
        })
    }

    fn kept_digests(&self) -> Reply<'_, Vec<Digest>> {
        self.writer.submit(|tx| {
            let sql = "SELECT DISTINCT digest FROM media_files WHERE is_kept = 1 ORDER BY digest";
            let mut query = tx.prepare_cached(sql)?;
            let rows = query.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn want_media(&self, rows: Vec<WantedRow>) -> Reply<'_, ()> {
        self.writer.submit(move |tx| rows.iter().try_for_each(|row| want(tx, row)))
    }

    fn wanted_media(&self, max: usize) -> Reply<'_, Vec<WantedRow>> {
        self.writer.submit(move |tx| wanted(tx, max))
    }

    fn drop_wanted(&self, number: &str, media_id: &str) -> Reply<'_, ()> {
        let (number, media_id) = (number.to_owned(), media_id.to_owned());
        self.writer.submit(move |tx| drop_wanted(tx, &number, &media_id).map(drop))
    }

    fn put_wanted(&self, row: FileRow) -> Reply<'_, bool> {
        self.writer.submit(move |tx| {
            let is_wanted = drop_wanted(tx, &row.number, &row.id)?;
            if is_wanted {
                put_file(tx, &row)?;
            }
            Ok(is_wanted)
        })
    }

    fn purge_media(&self, now: i64) -> Reply<'_, usize> {
        self.writer
            .submit(move |tx| write(tx, "DELETE FROM media_uploads WHERE usable_until <= ?1", params![now]))
    }
}

fn put_file(tx: &Transaction<'_>, row: &FileRow) -> Result<(), Error> {
    let length = i64::try_from(row.length).map_err(|_| Error::Engine("the file is too long".to_owned()))?;
    let sql = "INSERT INTO media_files
                   (id, number, digest, length, media_type, created_at, used_at, is_kept)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT DO UPDATE SET digest = excluded.digest, length = excluded.length,
                   media_type = excluded.media_type, created_at = excluded.created_at,
                   used_at = excluded.used_at, is_kept = excluded.is_kept
               WHERE number = excluded.number";
    let values = params![
        row.id,
        row.number,
        row.digest.as_slice(),
        length,
        row.media_type,
        row.created_at,
        row.used_at,
        row.is_kept
    ];
    if write(tx, sql, values)? == 0 {
        return Err(Error::Engine("another number has a file of this id".to_owned()));
    }
    if row.is_kept {
        let sql = "UPDATE media_files SET is_kept = 1 WHERE digest = ?1 AND is_kept = 0";
        write(tx, sql, params![row.digest.as_slice()])?;
    }
    Ok(())
}

/// Notes a file that is to be fetched, within a transaction that writes more than this.
pub(super) fn want(tx: &Transaction<'_>, row: &WantedRow) -> Result<(), Error> {
    let sql = "INSERT INTO media_wanted (number, media_id, media_type, added_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO NOTHING";
    write(tx, sql, params![row.number, row.media_id, row.media_type, row.added_at]).map(drop)
}

/// From number to number by the index: a table with many rows of one number is not read whole.
fn wanted(tx: &Transaction<'_>, max: usize) -> Result<Vec<WantedRow>, Error> {
    let mut numbers = tx.prepare_cached("SELECT min(number) FROM media_wanted WHERE number > ?1")?;
    let mut oldest = tx.prepare_cached(
        "SELECT number, media_id, media_type, added_at FROM media_wanted
         WHERE number = ?1 ORDER BY added_at, media_id LIMIT ?2",
    )?;
    let mut first: Option<String> =
        tx.query_row("SELECT min(number) FROM media_wanted", [], |row| row.get(0))?;
    let mut found = Vec::new();
    while let Some(number) = first {
        let rows = oldest.query_map(params![number, limit(max)], |row| {
            Ok(WantedRow {
                number: row.get(0)?,
                media_id: row.get(1)?,
                media_type: row.get(2)?,
                added_at: row.get(3)?,
            })
        })?;
        for row in rows {
            found.push(row?);
        }
        first = numbers.query_row(params![number], |row| row.get(0))?;
    }
    found.sort_by_key(|row| row.added_at);
    Ok(found)
}

fn drop_wanted(tx: &Transaction<'_>, number: &str, media_id: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM media_wanted WHERE number = ?1 AND media_id = ?2";
    Ok(write(tx, sql, params![number, media_id])? == 1)
}

fn file(tx: &Transaction<'_>, number: &str, id: &str) -> Result<Option<FileRow>, Error> {
    let mut query = tx.prepare_cached(select_files!("WHERE id = ?2 AND number = ?1"))?;
    Ok(query.query_row(params![number, id], file_of).optional()?)
}

fn files(tx: &Transaction<'_>, sql: &str, values: impl Params) -> Result<Vec<FileRow>, Error> {
    let mut query = tx.prepare_cached(sql)?;
    let rows = query.query_map(values, file_of)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn file_of(row: &Row<'_>) -> rusqlite::Result<FileRow> {
    Ok(FileRow {
        id: row.get(0)?,
        number: row.get(1)?,
        digest: row.get(2)?,
        length: not_negative(row.get(3)?),
        media_type: row.get(4)?,
        created_at: row.get(5)?,
        used_at: row.get(6)?,
        is_kept: row.get(7)?,
    })
}

fn number(tx: &Transaction<'_>, sql: &str, values: impl Params) -> Result<u64, Error> {
    Ok(tx.prepare_cached(sql)?.query_row(values, |row| row.get(0).map(not_negative))?)
}

/// The schema lets no length be negative, and no count is.
fn not_negative(value: i64) -> u64 {
    value.unsigned_abs()
}

/// SQLite counts in signed numbers, of which it never has so many.
pub(super) fn limit(max: impl TryInto<i64>) -> i64 {
    max.try_into().unwrap_or(i64::MAX)
}
