//! Files that clients uploaded here: kept, and sent under Cloud's id.

use std::sync::Arc;

use super::error::MediaError;
use super::files::Spare;
use super::kinds::{self, Evidence};
use super::reason::{Event, Lookup};
use super::sniff::Sniffed;
use super::spool::{HEAD, Spool};
use super::upload::{AtCloud, Bytes};
use super::{Account, Found, Inner};
use crate::onprem::message::MediaKind;
use crate::store::{FileRow, UploadRow};

/// An id of ours works for 30 days; Cloud's own is not used on its last day, and was made a little later.
const PROMISED: i64 = 28 * 86_400;

impl Inner {
    /// Keeps a file that has arrived.
    ///
    /// The answer does not wait for Cloud, as on-prem's did not: the bytes are ours to lose from here on. The upload
    /// begins at once, so that the first message need not wait for it either; if it fails, that message tries again.
    pub async fn keep(
        self: &Arc<Self>,
        account: &Arc<Account>,
        declared: Option<&str>,
        filename: Option<&str>,
        spool: Spool,
    ) -> Result<String, MediaError> {
        let spooled = spool.finish().await?;
        if spooled.length == 0 {
            return Err(kinds::Unfit::Empty.into());
        }
        let sniffed = spooled.sniffed().await?.media_type;
        let names = [filename, None, None, None];
        let media_type = kinds::of_upload(Evidence { declared, sniffed: sniffed.as_deref(), names });
        let now = self.clock.now();
        let row = self
            .files
            .keep(
                &account.number,
                media_type,
                spooled,
                now,
                Spare { may: |row| self.may_spare(account, row), does: |row| self.spare(account, row) },
            )
            .await?;
        let id = row.id.clone();
        if kinds::is_uploadable(&row.media_type, row.length) {
            let (inner, account) = (Arc::clone(self), Arc::clone(account));
            let work = async move {
                let Ok(_turn) = inner.background_slots.acquire().await else {
                    return;
                };
                let media_type = row.media_type.clone();
                if let Err(error) = inner.upload_kept(&account, &row, &media_type).await {
                    tracing::warn!(number = account.name, %error, "an uploaded file is not at Cloud yet");
                }
            };
            self.background.spawn(work);
        }
        Ok(id)
    }

    /// The bytes of a file may go when Cloud has them for about as long as the id was promised to work, or can be given
    /// them anew.
    pub(super) async fn may_spare(&self, account: &Account, row: FileRow) -> bool {
        let key = self.keys.upload(&account.graph, &row.number, &row.digest, &row.media_type);
        let upload = self.cache.upload(&key, self.clock.now()).await;
        // Only a number's own token uploads under it.
        upload.is_some_and(|upload| keeps_promise(&upload, &row) || row.number == account.number)
    }

    /// Makes sure of that. From then on what is remembered of that upload is all that is left.
    pub(super) async fn spare(&self, account: &Account, row: FileRow) -> bool {
        let key = self.keys.upload(&account.graph, &row.number, &row.digest, &row.media_type);
        let Some(mut upload) = self.cache.upload(&key, self.clock.now()).await else {
            return false;
        };
        if !keeps_promise(&upload, &row) {
            let bytes = Bytes::Kept(self.files.path(&row.digest), row.length);
            upload = match self.upload_new(account, &row.media_type, &bytes).await {
                Ok(upload) => self.cache.keep_upload(key, upload).await,
                Err(_) => return false,
            };
        }
        self.cache.pin_upload(key, &upload).await
    }

    /// The id at Cloud of a file that was uploaded here.
    pub async fn uploaded(
        self: &Arc<Self>,
        account: &Arc<Account>,
        kind: MediaKind,
        id: &str,
        filename: Option<&str>,
    ) -> Result<Found, MediaError> {
        let row = self.files.find(&account.number, id).await?.ok_or(MediaError::Unknown)?;
        // Of the others everything is known since they came; an earlier version did not tell Opus from other Ogg.
        let is_looked_at = kind == MediaKind::Sticker || row.media_type == kinds::OGG;
        let sniffed = if is_looked_at { self.beginning(&row).await } else { Sniffed::default() };
        let names = [filename, None, None, None];
        let sniffed_type = sniffed.media_type.as_deref();
        let evidence = Evidence { declared: Some(&row.media_type), sniffed: sniffed_type, names };
        let media_type = kinds::media_type(kind, evidence)?;
        kinds::check_size(kind, row.length, sniffed.is_animated)?;
        let (upload, row_at_cloud, how) = self.upload_kept(account, &row, &media_type).await?;
        self.files.touch(&row, self.clock.now()).await;
        let event = Event { lookup: Lookup::Uploaded, upload: how, forgotten: None };
        Ok(Found {
            media_id: row_at_cloud.media_id.as_str().into(),
            event,
            source: None,
            upload: Some(upload),
            is_shared: true,
        })
    }

    async fn upload_kept(
        self: &Arc<Self>,
        account: &Arc<Account>,
        row: &FileRow,
        media_type: &str,
    ) -> Result<AtCloud, MediaError> {
        let bytes = Bytes::Kept(self.files.path(&row.digest), row.length);
        let outcome = self.upload(account, row.digest, media_type, bytes, true).await;
        outcome.map_err(|error| {
            let is_gone = matches!(
                error.innermost(),
                MediaError::Disk(missing) if missing.kind() == std::io::ErrorKind::NotFound
            );
            if is_gone { MediaError::Gone } else { error }
        })
    }

    /// What its first bytes tell.
    async fn beginning(&self, row: &FileRow) -> Sniffed {
        let Ok(Some(file)) = self.files.read(&row.digest).await else {
            // Its bytes went because Cloud has them, so Cloud has taken it for what it is.
            return Sniffed { media_type: None, is_animated: true };
        };
        let read = move || {
            let mut head = [0; HEAD];
            let count = std::io::Read::read(&mut &file, &mut head).unwrap_or_default();
            Sniffed::of(head.get(..count).unwrap_or_default())
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }
}

fn keeps_promise(upload: &UploadRow, row: &FileRow) -> bool {
    upload.usable_until >= row.created_at.saturating_add(PROMISED)
}
