//! Bytes to Cloud, once per number and type.

use std::io;
use std::sync::Arc;

use serde_json::Value;

use super::error::MediaError;
use super::form::Form;
use super::key::Key;
use super::kinds;
use super::reason::Upload;
use super::spool::{Digest, FileBody, Spooled};
use super::{Account, Inner};
use crate::store::UploadRow;
use crate::upstream::is_success;

/// "Uploaded media are kept for 30 days" (Cloud's media reference).
const CLOUD_KEEPS: i64 = 30 * 86_400;
/// An id is not used on its last day: the message that carries it may take a while to be sent.
const MARGIN: i64 = 86_400;
/// No id of Cloud's is longer.
const LONGEST_ID: usize = 256;

/// Where the bytes of an upload are read from.
#[derive(Clone, Debug)]
pub enum Bytes {
    /// They have just passed.
    Spooled(Arc<Spooled>),
    /// They are kept, under this name and of this length.
    Kept(std::path::PathBuf, u64),
}

impl Bytes {
    async fn open(&self) -> io::Result<Opened> {
        Ok(match self {
            Self::Spooled(spooled) => Opened::Spooled(Arc::clone(spooled)),
            Self::Kept(path, length) => {
                let file = tokio::fs::File::open(path).await?.into_std().await;
                Opened::File(Arc::new(file), *length)
            }
        })
    }
}

/// What can be read as often as an upload is tried.
enum Opened {
    Spooled(Arc<Spooled>),
    File(Arc<std::fs::File>, u64),
}

impl Opened {
    fn reader(&self) -> io::Result<FileBody> {
        match self {
            Self::Spooled(spooled) => spooled.reader(),
            Self::File(file, length) => Ok(FileBody::new(Arc::clone(file), *length)),
        }
    }
}

/// The key of an upload, Cloud's id, and how Cloud came to have the bytes.
pub type AtCloud = (Key, Arc<UploadRow>, Upload);

impl Inner {
    /// Cloud's id of these bytes: a known one, or that of a new upload. Bytes that may not be remembered are
    /// always uploaded.
    pub async fn upload(
        self: &Arc<Self>,
        account: &Arc<Account>,
        digest: Digest,
        media_type: &str,
        bytes: Bytes,
        is_remembered: bool,
    ) -> Result<AtCloud, MediaError> {
        let key = self.keys.upload(&account.graph, &account.number, &digest, media_type);
        if !is_remembered {
            let row = self.upload_new(account, media_type, &bytes).await?;
            return Ok((key, Arc::new(row), Upload::New));
        }
        if let Some(row) = self.cache.upload(&key, self.clock.now()).await {
            return Ok((key, row, Upload::SameBytes));
        }
        let work = || {
            let (inner, account, media_type) = (Arc::clone(self), Arc::clone(account), media_type.to_owned());
            async move {
                if let Some(row) = inner.cache.upload(&key, inner.clock.now()).await {
                    return Ok((row, Upload::SameBytes));
                }
                let row = inner.upload_new(&account, &media_type, &bytes).await.map_err(Arc::new)?;
                Ok((inner.cache.keep_upload(key, row).await, Upload::New))
            }
        };
        let (outcome, leads) = self.uploads.join(key, work).await.map_err(|_| MediaError::Lost)?;
        let (row, upload) = outcome.map_err(MediaError::Shared)?;
        Ok((key, row, if leads { upload } else { Upload::SameBytes }))
    }

    /// Uploads whatever Cloud has already.
    pub async fn upload_new(
        &self,
        account: &Account,
        media_type: &str,
        bytes: &Bytes,
    ) -> Result<UploadRow, MediaError> {
        let _slot = self.upload_slots.acquire().await.map_err(|_| MediaError::Lost)?;
        // What an earlier version kept may still have a name that Cloud does not take.
        let media_type = kinds::canonical(media_type).unwrap_or_else(|| media_type.to_owned());
        let form = Form::new(&media_type, &uuid::Uuid::new_v4().simple().to_string())
            .ok_or_else(|| MediaError::Link("its media type cannot be sent".to_owned()))?;
        let opened = bytes.open().await?;
        // The id lives from the moment at which Cloud takes the file; counting from before errs on the safe side.
        let started = self.clock.now();
        let metrics = &self.metrics;
        let answer = self
            .upstream
            .upload(&account.edge, &form.content_type, || {
                let file = opened.reader()?;
                metrics.uploading();
                Ok(Box::pin(form.body(file)))
            })
            .await?;
        if !is_success(&answer) {
            return Err(MediaError::Refused(answer));
        }
        let media_id = id_of(&answer.body).ok_or(MediaError::Unusable)?;
        Ok(UploadRow { media_id, usable_until: started.saturating_add(CLOUD_KEEPS - MARGIN) })
    }
}

fn id_of(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let id = match answer.get("id")? {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let is_fit = !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
    is_fit.then_some(id)
}
