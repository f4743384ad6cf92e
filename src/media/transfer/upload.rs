//! Bytes to Cloud, once per number and type.

use std::sync::Arc;

use reqwest::multipart::{Form, Part};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::call::{accepted, id_of, with_retry};
use super::spool::{Contents, Digest};
use super::uploads::UploadCache;
use crate::clock::Clock;
use crate::media::account::Account;
use crate::media::error::{MediaError, SharedError};
use crate::media::key::{Key, Keys};
use crate::media::kinds;
use crate::media::reason::Upload;
use crate::media::single_flight::SingleFlight;
use crate::store::UploadRow;
use crate::telemetry::MediaMetrics;
use crate::upstream::MediaUpstream;

/// "Uploaded media are kept for 30 days" (Cloud's media reference).
const CLOUD_KEEPS: i64 = 30 * 86_400;
/// An id is not used on its last day: the message that carries it may take a while to be sent.
const MARGIN: i64 = 86_400;
/// No id of Cloud's is longer.
const MAX_ID: usize = 256;
/// Files that are uploaded at the same time.
pub const UPLOADS: usize = 64;

/// An upload, its key, and how Cloud came to have it.
pub type AtCloud = (Key, Arc<UploadRow>, Upload);

/// Uploads files and remembers them.
pub struct Uploader {
    pub cache: UploadCache,
    pub keys: Arc<Keys>,
    pub running: SingleFlight<Result<(Arc<UploadRow>, Upload), SharedError>>,
    /// For [`UPLOADS`] at a time.
    pub slots: Semaphore,
    pub upstream: MediaUpstream,
    pub clock: Clock,
    pub metrics: MediaMetrics,
}

impl Uploader {
    /// The key of these bytes under a number of the same Graph as `account`.
    pub fn key(&self, account: &Account, number: &str, digest: &Digest, media_type: &str) -> Key {
        self.keys.upload(&account.graph, number, digest, media_type)
    }

    /// Cloud's id of these bytes: a known one, or that of a new upload, for which `file` opens them. Bytes that may not
    /// be remembered are always uploaded.
    pub async fn upload(
        self: &Arc<Self>,
        account: &Arc<Account>,
        digest: Digest,
        media_type: &str,
        file: impl Future<Output = Result<Contents, MediaError>> + Send + 'static,
        is_remembered: bool,
    ) -> Result<AtCloud, MediaError> {
        let key = self.key(account, &account.number, &digest, media_type);
        if !is_remembered {
            let row = self.upload_new(account, media_type, file).await?;
            return Ok((key, Arc::new(row), Upload::New));
        }
        if let Some(row) = self.cache.find(&key, self.clock.now()).await {
            return Ok((key, row, Upload::SameBytes));
        }
        let work = || {
            let (uploader, account, media_type) =
                (Arc::clone(self), Arc::clone(account), media_type.to_owned());
            async move {
                if let Some(row) = uploader.cache.find(&key, uploader.clock.now()).await {
                    return Ok((row, Upload::SameBytes));
                }
                let row = uploader.upload_new(&account, &media_type, file).await.map_err(Arc::new)?;
                Ok((uploader.cache.put(key, row).await, Upload::New))
            }
        };
        let (outcome, leads) = self.running.join(key, work).await.map_err(|_| MediaError::Lost)?;
        let (row, upload) = outcome.map_err(MediaError::Shared)?;
        Ok((key, row, if leads { upload } else { Upload::SameBytes }))
    }

    /// Uploads a file, whether Cloud has it already or not.
    pub async fn upload_new(
        &self,
        account: &Account,
        media_type: &str,
        file: impl Future<Output = Result<Contents, MediaError>>,
    ) -> Result<UploadRow, MediaError> {
        let _slot = self.slot().await?;
        // What an earlier version kept may still have a name that Cloud does not take.
        let media_type = kinds::canonical(media_type).unwrap_or_else(|| media_type.to_owned());
        let contents = file.await?;
        // The id lives from the moment at which Cloud takes the file; counting from before errs on the safe side.
        let started = self.clock.now();
        let once = || async {
            let form = form(&media_type, &contents)?;
            self.metrics.uploading();
            accepted(self.upstream.upload(&account.edge, form).await?)
        };
        let body = with_retry(once).await?;
        let media_id = media_id_of(&body).ok_or(MediaError::Unusable)?;
        Ok(UploadRow { media_id, usable_until: started.saturating_add(CLOUD_KEEPS - MARGIN) })
    }

    /// Waits until an upload may begin.
    pub async fn slot(&self) -> Result<SemaphorePermit<'_>, MediaError> {
        self.slots.acquire().await.map_err(|_| MediaError::Lost)
    }
}

/// The form that Cloud wants. Its media reference lists `type` as required, and its example has the type on the file
/// too. The length of the whole is known, because nobody documents that Cloud takes chunks.
fn form(media_type: &str, contents: &Contents) -> Result<Form, MediaError> {
    let file = |media_type: &str| {
        let bytes = reqwest::Body::wrap(contents.body());
        Part::stream_with_length(bytes, contents.length()).file_name("file").mime_str(media_type)
    };
    // Clients write parameters that are none.
    let file = file(media_type)
        .or_else(|_| file(kinds::essence(media_type)))
        .map_err(|_| MediaError::Link("its media type cannot be sent".to_owned()))?;
    Ok(Form::new()
        .text("messaging_product", "whatsapp")
        .text("type", media_type.to_owned())
        .part("file", file))
}

fn media_id_of(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    id_of(answer.get("id")?)
        .filter(|id| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn the_form_has_the_type_twice_and_nothing_else_in_its_lines() {
        let contents = Contents::Memory(Bytes::from_static(b"bytes"));
        for (media_type, on_the_file) in [
            ("image/png", "image/png"),
            ("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"),
            ("audio/ogg; codecs=opus, vorbis", "audio/ogg"),
        ] {
            let form = form(media_type, &contents).unwrap();
            let b = form.boundary().to_owned();
            let bytes: Vec<Bytes> = form.into_stream().try_collect().await.unwrap();
            let expected = format!(
                "--{b}\r\nContent-Disposition: form-data; name=\"messaging_product\"\r\n\r\nwhatsapp\r\n\
                 --{b}\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\n{media_type}\r\n\
                 --{b}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
                 Content-Type: {on_the_file}\r\n\r\nbytes\r\n--{b}--\r\n"
            );
            assert_eq!(String::from_utf8(bytes.concat()).unwrap(), expected);
        }
        assert!(form("image/png\r\nX: y", &contents).is_err());
    }
}
