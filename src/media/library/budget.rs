//! How many bytes are kept, and which ones make room for new ones.
//!
//! The least recently used go first, but bytes that a client was given an id for go only when Cloud has them for as long as
//! that id was promised to work, or can be given them anew.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::files::Files;
use crate::clock::Clock;
use crate::media::account::Account;
use crate::media::error::MediaError;
use crate::media::transfer::download::is_cloud_id;
use crate::media::transfer::spool::{Digest, Spooled};
use crate::media::transfer::upload::Uploader;
use crate::store::{FileRow, UploadRow};

/// How many old files are read together to make room for a new one, and how often.
const PAGE: usize = 200;
const PAGES: usize = 50;
/// An id of ours works for 30 days; Cloud's own is not used on its last day, and was made a little later.
const PROMISED: i64 = 28 * 86_400;

/// Keeps files as long as there is room for them.
pub struct Budget {
    pub files: Files,
    pub uploader: Arc<Uploader>,
    pub clock: Clock,
    /// How many bytes may be kept.
    pub max: u64,
    /// How many are; held while bytes and rows change together.
    pub kept: Mutex<u64>,
}

impl Budget {
    /// Keeps an arrived file under its row's id; `false`, and nothing is kept, when a user sent it and it is not wanted
    /// any more. Other files may be uploaded to make room, those of `account` only.
    pub async fn put(&self, account: &Account, row: &FileRow, spooled: Spooled) -> Result<bool, MediaError> {
        let path = self.files.path(&row.digest);
        let mut kept = self.kept.lock().await;
        // Bytes that are here already take no more room.
        let is_new = !tokio::fs::try_exists(&path).await?;
        if is_new {
            self.make_room(account, row.length, &mut kept).await?;
        }
        spooled.keep(path).await?;
        let store = &self.files.store;
        let put = if is_from_user(row) {
            store.put_wanted(row.clone()).await
        } else {
            store.put_file(row.clone()).await.map(|()| true)
        };
        if is_new && matches!(put, Ok(true)) {
            *kept = kept.saturating_add(row.length);
        } else if is_new {
            self.files.remove(&row.digest).await?;
        }
        Ok(put?)
    }

    /// Fails when no room could be made for `length` more bytes.
    pub async fn check_room(&self, account: &Account, length: u64) -> Result<(), MediaError> {
        let mut kept = self.kept.lock().await;
        self.dispensable(account, length, &mut kept).await.map(drop)
    }

    /// Forgets an id, and its bytes if no other id has them; `false` if there is none.
    pub async fn delete(&self, number: &str, id: &str) -> Result<bool, MediaError> {
        let mut kept = self.kept.lock().await;
        let Some(row) = self.files.forget(number, id).await? else {
            return Ok(false);
        };
        if self.files.store.files_with_digest(row.digest).await? == 0 {
            self.files.remove(&row.digest).await?;
            if row.is_kept {
                *kept = kept.saturating_sub(row.length);
            }
        }
        Ok(true)
    }

    /// Forgets files that nobody has used since `before`.
    pub async fn expire(&self, before: i64) -> Result<(), MediaError> {
        loop {
            let rows = self.files.store.files_unused_since(before, PAGE).await?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in rows {
                self.delete(&row.number, &row.id).await?;
            }
        }
    }

    /// Removes the least recently used bytes until there is room for `length` more; none when that would not suffice.
    async fn make_room(&self, account: &Account, length: u64, kept: &mut u64) -> Result<(), MediaError> {
        for old in self.dispensable(account, length, kept).await? {
            for row in old.promises() {
                if !self.secure(account, &row).await {
                    return Err(MediaError::Full);
                }
            }
            self.files.store.mark_not_kept(old.digest).await?;
            *kept = kept.saturating_sub(old.length());
            self.files.remove(&old.digest).await?;
            // Nobody was promised these, and Cloud is asked for them again when their rows are gone.
            for row in old.rows.iter().filter(|row| is_from_user(row)) {
                self.files.forget(&row.number, &row.id).await?;
            }
        }
        Ok(())
    }

    /// The least recently used bytes that have to go for `length` more; an error when even all that may go are too few.
    async fn dispensable(
        &self,
        account: &Account,
        length: u64,
        kept: &mut u64,
    ) -> Result<Vec<Old>, MediaError> {
        if length > self.max {
            return Err(MediaError::Full);
        }
        if kept.saturating_add(length) <= self.max {
            return Ok(Vec::new());
        }
        let store = &self.files.store;
        // What was counted may differ from what is there after a failure.
        *kept = store.kept_bytes().await?;
        let mut excess = kept.saturating_add(length).saturating_sub(self.max);
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        'pages: for page in 0..PAGES {
            let digests = store.oldest_kept(page * PAGE, PAGE).await?;
            let is_last = digests.len() < PAGE;
            for digest in digests {
                if excess == 0 {
                    break 'pages;
                }
                let old = Old { digest, rows: store.files_of(digest).await? };
                if seen.insert(digest) && self.is_dispensable(account, &old).await {
                    excess = excess.saturating_sub(old.length());
                    found.push(old);
                }
            }
            if is_last {
                break;
            }
        }
        if excess > 0 { Err(MediaError::Full) } else { Ok(found) }
    }

    /// Whether Cloud has the bytes for everyone who was promised them, or can be given them anew: only a number's own
    /// token uploads under it.
    async fn is_dispensable(&self, account: &Account, old: &Old) -> bool {
        for row in old.promises() {
            let key = self.uploader.key(account, &row.number, &row.digest, &row.media_type);
            let upload = self.uploader.cache.find(&key, self.clock.now()).await;
            let is_safe =
                |upload: Arc<UploadRow>| keeps_promise(&upload, &row) || row.number == account.number;
            if !upload.is_some_and(is_safe) {
                return false;
            }
        }
        true
    }

    /// Makes sure that Cloud has the bytes. From then on what is remembered of that upload is all that is left of them.
    async fn secure(&self, account: &Account, row: &FileRow) -> bool {
        let key = self.uploader.key(account, &row.number, &row.digest, &row.media_type);
        let Some(mut upload) = self.uploader.cache.find(&key, self.clock.now()).await else {
            return false;
        };
        if !keeps_promise(&upload, row) {
            let file = self.files.open(row);
            upload = match self.uploader.upload_new(account, &row.media_type, file).await {
                Ok(upload) => self.uploader.cache.put(key, upload).await,
                Err(_) => return false,
            };
        }
        self.uploader.cache.pin(key, &upload).await
    }
}

/// Bytes that are kept, and everyone who has them.
struct Old {
    digest: Digest,
    rows: Vec<FileRow>,
}

impl Old {
    fn length(&self) -> u64 {
        self.rows.first().map_or(0, |row| row.length)
    }

    /// Everyone who was given an id for these bytes; of equal promises the latest, which promises most.
    fn promises(&self) -> Vec<FileRow> {
        let mut rows: Vec<_> = self.rows.iter().filter(|row| !is_from_user(row)).cloned().collect();
        rows.sort_by(|a, b| {
            (&a.number, &a.media_type, b.created_at).cmp(&(&b.number, &b.media_type, a.created_at))
        });
        rows.dedup_by(|later, first| later.number == first.number && later.media_type == first.media_type);
        rows
    }
}

/// Whether a user sent it: then it has Cloud's id, and nobody was promised that it stays.
fn is_from_user(row: &FileRow) -> bool {
    is_cloud_id(&row.id)
}

fn keeps_promise(upload: &UploadRow, row: &FileRow) -> bool {
    upload.usable_until >= row.created_at.saturating_add(PROMISED)
}
