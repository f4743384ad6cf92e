//! Files that clients uploaded here, and those that users sent: kept, sent under Cloud's id, and downloaded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use uuid::Uuid;

use super::budget::Budget;
use crate::clock::Clock;
use crate::media::account::Account;
use crate::media::error::MediaError;
use crate::media::found::Found;
use crate::media::kinds::{self, Evidence, Unfit};
use crate::media::reason::{Event, Lookup};
use crate::media::single_flight::Background;
use crate::media::sniff::Sniffed;
use crate::media::transfer::download::{CloudFiles, Download, is_cloud_id};
use crate::media::transfer::spool::{Contents, Spool, Spooled};
use crate::media::transfer::upload::{AtCloud, Uploader};
use crate::onprem::message::MediaKind;
use crate::store::FileRow;

/// Files that clients upload at the same time; more wait for [`RECEIVE_TIMEOUT`].
pub const RECEIVED: usize = 64;
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Files that are uploaded to Cloud at the same time although no message waits for them yet.
pub const EARLY_UPLOADS: usize = 8;

/// The files that are kept here.
pub struct Library {
    pub budget: Budget,
    pub cloud: CloudFiles,
    pub uploader: Arc<Uploader>,
    /// For [`RECEIVED`] at a time.
    pub receive_slots: Arc<Semaphore>,
    /// For [`EARLY_UPLOADS`] at a time.
    pub early_slots: Semaphore,
    pub background: Background,
    pub clock: Clock,
}

impl Library {
    /// A place for a file of at most `limit` bytes, and the permit to fill it; `None` when too many others are being
    /// uploaded.
    pub async fn receive(&self, limit: u64) -> Option<(Spool, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.receive_slots).acquire_owned();
        let permit = timeout(RECEIVE_TIMEOUT, permit).await.ok()?.ok()?;
        Some((Spool::to_keep(&self.budget.files.folder, limit), permit))
    }

    /// Keeps a file that has arrived.
    ///
    /// The answer does not wait for Cloud, as on-prem's did not: the bytes are ours to lose from here on. The upload
    /// begins at once, so that the first message need not wait for it either; if it fails, that message retries it.
    pub async fn keep(
        self: &Arc<Self>,
        account: &Arc<Account>,
        declared: Option<&str>,
        filename: Option<&str>,
        spool: Spool,
    ) -> Result<String, MediaError> {
        let spooled = spool.finish().await?;
        if spooled.contents.length() == 0 {
            return Err(Unfit::Empty.into());
        }
        let sniffed = spooled.contents.clone().sniffed().await?.media_type;
        let names = [filename, None, None, None];
        let media_type = kinds::of_upload(Evidence { declared, sniffed: sniffed.as_deref(), names });
        let row = new_row(Uuid::new_v4().to_string(), account, &spooled, media_type, self.clock.now());
        self.budget.put(account, &row, spooled).await?;
        let id = row.id.clone();
        if kinds::is_uploadable(&row.media_type, row.length) {
            let (library, account) = (Arc::clone(self), Arc::clone(account));
            self.background.spawn(async move { library.upload_early(&account, &row).await });
        }
        Ok(id)
    }

    async fn upload_early(&self, account: &Arc<Account>, row: &FileRow) {
        let Ok(_slot) = self.early_slots.acquire().await else {
            return;
        };
        if let Err(error) = self.upload(account, row, &row.media_type).await {
            tracing::warn!(number = account.name, %error, "an uploaded file is not at Cloud yet");
        }
    }

    /// The id at Cloud of a file that was uploaded here.
    pub async fn find(
        &self,
        account: &Arc<Account>,
        kind: MediaKind,
        id: &str,
        filename: Option<&str>,
    ) -> Result<Found, MediaError> {
        let row = self.budget.files.find(&account.number, id).await?.ok_or(MediaError::Unknown)?;
        // Of the others everything is known since they came; an earlier version did not tell Opus from other Ogg.
        let is_looked_at = kind == MediaKind::Sticker || row.media_type == kinds::OGG;
        let sniffed = if is_looked_at { self.sniffed(&row).await } else { Sniffed::default() };
        let names = [filename, None, None, None];
        let sniffed_type = sniffed.media_type.as_deref();
        let evidence = Evidence { declared: Some(&row.media_type), sniffed: sniffed_type, names };
        let media_type = kinds::media_type(kind, evidence)?;
        kinds::check_size(kind, row.length, sniffed.is_animated)?;
        let (key, upload, how) = self.upload(account, &row, &media_type).await?;
        self.budget.files.touch(&row, self.clock.now()).await;
        Ok(Found {
            media_id: upload.media_id.as_str().into(),
            event: Event { lookup: Lookup::Uploaded, upload: how, forgotten: None },
            link: None,
            upload: Some(key),
            is_shared: true,
        })
    }

    async fn upload(
        &self,
        account: &Arc<Account>,
        row: &FileRow,
        media_type: &str,
    ) -> Result<AtCloud, MediaError> {
        let file = self.budget.files.open(row);
        self.uploader.upload(account, row.digest, media_type, file, true).await
    }

    /// What its bytes tell.
    async fn sniffed(&self, row: &FileRow) -> Sniffed {
        let Ok(Some(contents)) = self.budget.files.read(row).await else {
            // Its bytes went because Cloud has them, so Cloud has accepted it for what it is.
            return Sniffed { media_type: None, is_animated: true };
        };
        contents.sniffed().await.unwrap_or_default()
    }

    /// The file that `id` names; `None` when neither we nor Cloud have it.
    pub async fn download(&self, account: &Account, id: &str) -> Result<Option<Download>, MediaError> {
        if is_cloud_id(id) {
            let kept = self.kept(&account.number, id).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "a file cannot be looked for here; Cloud is asked for it");
                None
            });
            return match kept {
                Some((row, contents)) => Ok(Some(self.serve(&row, &contents).await)),
                None => self.cloud.download(account, id).await,
            };
        }
        let Some(row) = self.budget.files.find(&account.number, id).await? else {
            return Ok(None);
        };
        if let Some(contents) = self.budget.files.read(&row).await? {
            return Ok(Some(self.serve(&row, &contents).await));
        }
        let key = self.uploader.key(account, &account.number, &row.digest, &row.media_type);
        match self.uploader.cache.find(&key, self.clock.now()).await {
            Some(upload) => self.cloud.download(account, &upload.media_id).await,
            None => Ok(None),
        }
    }

    /// The file of an id, if its bytes are here.
    pub async fn kept(&self, number: &str, id: &str) -> Result<Option<(Arc<FileRow>, Contents)>, MediaError> {
        let Some(row) = self.budget.files.find(number, id).await? else {
            return Ok(None);
        };
        Ok(self.budget.files.read(&row).await?.map(|contents| (row, contents)))
    }

    async fn serve(&self, row: &FileRow, contents: &Contents) -> Download {
        self.budget.files.touch(row, self.clock.now()).await;
        let body = Box::pin(contents.body());
        Download { media_type: row.media_type.clone(), length: row.length, body }
    }

    /// Deletes a file; `false` when there is none.
    pub async fn delete(&self, account: &Account, id: &str) -> Result<bool, MediaError> {
        if !is_cloud_id(id) {
            // Cloud keeps its copy until it lapses: a message that was just sent may still need it.
            return self.budget.delete(&account.number, id).await;
        }
        // First, so that what is in flight is not kept after that.
        self.budget.files.store.drop_wanted(&account.number, id).await?;
        let was_kept = self.budget.delete(&account.number, id).await?;
        Ok(self.cloud.delete(account, id).await? || was_kept)
    }
}

/// The row of a file that has arrived.
pub fn new_row(id: String, account: &Account, spooled: &Spooled, media_type: String, now: i64) -> FileRow {
    FileRow {
        id,
        number: account.number.clone(),
        digest: spooled.digest,
        length: spooled.contents.length(),
        media_type,
        created_at: now,
        used_at: now,
        is_kept: true,
    }
}
