//! One step for clients: the bytes of a file that is kept here, or that Cloud has.

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use serde_json::Value;
use tokio::time::{Instant, Sleep, sleep};

use super::error::MediaError;
use super::kinds;
use super::spool::FileBody;
use super::{Account, Inner};
use crate::net::ByteStream;
use crate::net::egress::{redirect, same_origin, vet_url};
use crate::store::FileRow;
use crate::upstream::{CallError, Sent, Target, is_success};

/// How long Cloud may pause within a file.
const IDLE: Duration = Duration::from_secs(20);
/// Redirects that are followed on the way to Cloud's bytes.
const HOPS: usize = 3;

/// A file on its way to a client.
pub struct Download {
    /// Its type.
    pub media_type: String,
    /// How many bytes it has.
    pub length: u64,
    /// Its bytes.
    pub body: ByteStream,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Inner {
    /// The file that `id` names; `None` when neither we nor Cloud have it.
    pub async fn download(&self, account: &Account, id: &str) -> Result<Option<Download>, MediaError> {
        if is_cloud_id(id) {
            let kept = self.kept(&account.number, id).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "a file cannot be looked for here; Cloud is asked for it");
                None
            });
            return match kept {
                Some((row, file)) => Ok(Some(self.given(&row, file).await)),
                None => self.at_cloud(account, id).await,
            };
        }
        let Some(row) = self.files.find(&account.number, id).await? else {
            return Ok(None);
        };
        if let Some(file) = self.files.read(&row.digest).await? {
            return Ok(Some(self.given(&row, file).await));
        }
        let key = self.keys.upload(&account.graph, &account.number, &row.digest, &row.media_type);
        match self.cache.upload(&key, self.clock.now()).await {
            Some(upload) => self.at_cloud(account, &upload.media_id).await,
            None => Ok(None),
        }
    }

    /// The file of an id and its bytes, if they are here.
    pub(super) async fn kept(
        &self,
        number: &str,
        id: &str,
    ) -> Result<Option<(Arc<FileRow>, File)>, MediaError> {
        let Some(row) = self.files.find(number, id).await? else {
            return Ok(None);
        };
        Ok(self.files.read(&row.digest).await?.map(|file| (row, file)))
    }

    async fn given(&self, row: &FileRow, file: File) -> Download {
        self.files.touch(row, self.clock.now()).await;
        let body = Box::pin(FileBody::new(Arc::new(file), row.length));
        Download { media_type: row.media_type.clone(), length: row.length, body }
    }

    /// Asks Cloud where the file is, and begins to read it. The place is good for five minutes; a 404 from it means
    /// asking once more (Cloud's media reference, "Download media").
    pub(super) async fn at_cloud(&self, account: &Account, id: &str) -> Result<Option<Download>, MediaError> {
        for _ in 0..2 {
            let Some(described) = self.describe(account, id).await? else {
                return Ok(None);
            };
            let token = account.edge.authorization.as_ref();
            let response = self.bytes(account, &described.url, token).await?;
            if response.status() == StatusCode::OK {
                return finish(described, response).map(Some);
            }
            if response.status() != StatusCode::NOT_FOUND {
                return Err(place_failed(response.status()));
            }
        }
        Ok(None)
    }

    /// The file at a place that Cloud named and that needs no token, so that it gets none.
    pub(super) async fn public_file(
        &self,
        account: &Account,
        url: &str,
    ) -> Result<Option<Download>, MediaError> {
        let response = self.bytes(account, url, None).await?;
        match response.status() {
            StatusCode::OK => {
                finish(Described { url: String::new(), media_type: None, length: None }, response).map(Some)
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status => Err(place_failed(status)),
        }
    }

    async fn describe(&self, account: &Account, id: &str) -> Result<Option<Described>, MediaError> {
        let answer = self.upstream.get(&account.node(id)?).await?;
        if is_absent(&answer) {
            return Ok(None);
        }
        if !is_success(&answer) {
            return Err(MediaError::Refused(answer));
        }
        match Described::parse(&answer.body) {
            Some(described) => Ok(Some(described)),
            // Whatever Graph knows has an id: a number, a flow. Only files have a place to be downloaded from.
            None if is_another_object(&answer.body) => Ok(None),
            None => Err(MediaError::Unusable),
        }
    }

    /// The token goes to the place that Cloud named and not where that redirects to; and it never leaves an
    /// encrypted API for an unencrypted place.
    async fn bytes(
        &self,
        account: &Account,
        url: &str,
        token: Option<&HeaderValue>,
    ) -> Result<Response<Incoming>, MediaError> {
        let first = vet_url(url).map_err(|_| MediaError::Unusable)?;
        let mut here = first.clone();
        if account.edge.uri.scheme_str() == Some("https") && here.scheme() != "https" {
            return Err(MediaError::Unusable);
        }
        for _ in 0..=HOPS {
            let authorization = token.filter(|_| same_origin(&first, &here)).cloned();
            let uri: Uri = here.as_str().parse().map_err(|_| MediaError::Unusable)?;
            // Cloud's own address is the operator's choice; any other has to be a public one.
            let is_cloud = uri.authority() == account.edge.uri.authority();
            let client = if is_cloud { &self.upstream } else { &self.elsewhere };
            let response = client.download(&Target { uri, authorization, health: None }).await?;
            let Some(location) =
                response.headers().get(LOCATION).filter(|_| response.status().is_redirection())
            else {
                return Ok(response);
            };
            here = redirect(&here, location.as_bytes()).map_err(|_| MediaError::Unusable)?;
        }
        Err(MediaError::Unusable)
    }

    /// Deletes a file; `false` when there is none.
    pub async fn delete(&self, account: &Account, id: &str) -> Result<bool, MediaError> {
        if !is_cloud_id(id) {
            // Cloud keeps its copy until it lapses: a message that was just sent may still need it.
            return self.files.delete(&account.number, id).await;
        }
        // First, so that what is on its way is not kept after that.
        self.wanted.forget(&account.number, id).await?;
        let was_kept = self.files.delete(&account.number, id).await?;
        // Graph deletes by the same call whatever else has such an id, a flow for one.
        if self.describe(account, id).await?.is_none() {
            return Ok(was_kept);
        }
        let answer = self.upstream.delete(&account.node(id)?).await?;
        if is_absent(&answer) {
            return Ok(was_kept);
        }
        if !is_success(&answer) {
            return Err(MediaError::Refused(answer));
        }
        Ok(true)
    }
}

/// What an error of the place of a file's bytes means.
fn place_failed(status: StatusCode) -> MediaError {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        let reason = format!("the file's place answered http {}", status.as_u16());
        return MediaError::Unreachable(CallError { sent: Sent::No, is_timeout: false, reason });
    }
    MediaError::Unusable
}

/// Cloud's ids are digits, ours have hyphens.
pub fn is_cloud_id(id: &str) -> bool {
    (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// "Object with ID … does not exist" is code 100, subcode 33.
fn is_absent(answer: &crate::upstream::Answer) -> bool {
    let error = crate::cloud::GraphError::parse(&answer.body);
    answer.status == StatusCode::NOT_FOUND
        || error.is_some_and(|error| error.code == Some(100) && error.subcode == Some(33))
}

/// Where Cloud has a file.
struct Described {
    url: String,
    media_type: Option<String>,
    length: Option<u64>,
}

impl Described {
    fn parse(body: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        let length = answer.get("file_size").and_then(|size| match size {
            Value::Number(size) => size.as_u64(),
            // A string in Meta's documentation, a number in practice.
            Value::String(size) => size.parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        });
        Some(Self {
            url: answer.get("url")?.as_str()?.to_owned(),
            media_type: answer.get("mime_type").and_then(Value::as_str).map(str::to_owned),
            length,
        })
    }
}

fn is_another_object(body: &[u8]) -> bool {
    let object: Option<serde_json::Map<String, Value>> = serde_json::from_slice(body).ok();
    object.is_some_and(|object| object.contains_key("id") && !object.contains_key("url"))
}

fn finish(described: Described, response: Response<Incoming>) -> Result<Download, MediaError> {
    let (parts, body) = response.into_parts();
    let length = number(&parts.headers).or(described.length).ok_or(MediaError::Unusable)?;
    let named = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let media_type = described.media_type.or(named).unwrap_or_else(|| kinds::UNKNOWN.to_owned());
    Ok(Download {
        media_type,
        length,
        body: Box::pin(Passing { body, idle: Box::pin(sleep(IDLE)), left: length }),
    })
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Cloud's bytes as they arrive; an end before the announced one is an error, so that the client's connection
/// breaks off too and nobody takes a part for the whole.
struct Passing {
    body: Incoming,
    idle: Pin<Box<Sleep>>,
    left: u64,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.idle.as_mut().reset(Instant::now() + IDLE);
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                match this.left.checked_sub(size) {
                    Some(left) => this.left = left,
                    None => return Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into()))),
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) if this.left > 0 => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match this.idle.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into()))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<u64>().prop_map(|number| Value::from(number.to_string())),
            any::<String>().prop_map(Value::from),
            Just(json!([1])),
            Just(json!({"a": 1})),
        ]
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn whatever_cloud_says_of_a_file_is_read_or_refused(
            url in value(), media_type in value(), size in value(), junk in prop::collection::vec(any::<u8>(), 0..64)
        ) {
            let body = json!({"url": url, "mime_type": media_type, "file_size": size}).to_string();
            match Described::parse(body.as_bytes()) {
                Some(described) => {
                    prop_assert_eq!(Some(described.url.as_str()), url.as_str());
                    prop_assert_eq!(described.media_type.as_deref(), media_type.as_str());
                    let text = size.as_str().and_then(|size| size.parse().ok());
                    prop_assert_eq!(described.length, size.as_u64().or(text));
                }
                None => prop_assert!(!url.is_string()),
            }
            prop_assert!(Described::parse(&body.as_bytes()[..body.len() - 1]).is_none());
            prop_assert!(Described::parse(&junk).is_none());
        }
    }
}
