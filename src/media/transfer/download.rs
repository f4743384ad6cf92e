//! Files that Cloud has: where they are, their bytes, and their deletion.

use std::io;
use std::time::Duration;

use futures_util::stream::try_unfold;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use super::call::{accepted, is_absent};
use crate::media::account::Account;
use crate::media::error::MediaError;
use crate::media::kinds;
use crate::net::ByteStream;
use crate::net::egress::{redirect, same_origin, vet_url};
use crate::upstream::{CallError, MediaUpstream, Sent, Target};

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

/// Cloud's files.
pub struct CloudFiles(pub MediaUpstream);

impl CloudFiles {
    /// Asks Cloud where the file is, and begins to read it; `None` when there is none. The place is good for five
    /// minutes; a 404 from it means asking once more (Cloud's media reference, "Download media").
    pub async fn download(&self, account: &Account, id: &str) -> Result<Option<Download>, MediaError> {
        for _ in 0..2 {
            let Some(described) = self.describe(account, id).await? else {
                return Ok(None);
            };
            let token = account.edge.authorization.as_ref();
            let response = self.bytes(account, &described.url, token).await?;
            match response.status() {
                StatusCode::OK => return finish(described, response).map(Some),
                StatusCode::NOT_FOUND => {}
                status => return Err(place_failed(status)),
            }
        }
        Ok(None)
    }

    /// The file at a place that Cloud named and that anybody can read, so that no token is sent; `None` when it is not
    /// there.
    pub async fn public_file(&self, account: &Account, url: &str) -> Result<Option<Download>, MediaError> {
        let response = self.bytes(account, url, None).await?;
        match response.status() {
            StatusCode::OK => finish(Described::default(), response).map(Some),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status => Err(place_failed(status)),
        }
    }

    /// Deletes a file; `false` when there is none.
    pub async fn delete(&self, account: &Account, id: &str) -> Result<bool, MediaError> {
        // Graph deletes by the same call whatever else has such an id, a flow for one.
        if self.describe(account, id).await?.is_none() {
            return Ok(false);
        }
        let answer = self.0.delete(&account.node(id)?).await?;
        if is_absent(&answer) {
            return Ok(false);
        }
        accepted(answer).map(|_| true)
    }

    async fn describe(&self, account: &Account, id: &str) -> Result<Option<Described>, MediaError> {
        let answer = self.0.get(&account.node(id)?).await?;
        if is_absent(&answer) {
            return Ok(None);
        }
        let body = accepted(answer)?;
        match Described::parse(&body) {
            Some(described) => Ok(Some(described)),
            // Whatever Graph knows has an id: a number, a flow. Only files have a place to be downloaded from.
            None if is_another_object(&body) => Ok(None),
            None => Err(MediaError::Unusable),
        }
    }

    /// The token goes to the place that Cloud named and not where that redirects to; and it never leaves an encrypted
    /// API for an unencrypted place.
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
            let target = Target { uri, authorization, health: None };
            let response = self.0.download(&target, is_cloud).await?;
            let location = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            let Some(location) = location else {
                return Ok(response);
            };
            here = redirect(&here, location.as_bytes()).map_err(|_| MediaError::Unusable)?;
        }
        Err(MediaError::Unusable)
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

/// What Cloud says about a file.
#[derive(Default)]
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
    let length = content_length(&parts.headers).or(described.length).ok_or(MediaError::Unusable)?;
    let named = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let media_type = described.media_type.or(named).unwrap_or_else(|| kinds::UNKNOWN.to_owned());
    Ok(Download { media_type, length, body: checked(body, length) })
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Cloud's bytes as they arrive. An end before the announced one is an error, so that the client's connection breaks off
/// too and nobody takes a part for the whole.
fn checked(body: Incoming, length: u64) -> ByteStream {
    Box::pin(StreamBody::new(try_unfold((body, length), |(mut body, left)| async move {
        let Some(frame) = timeout(IDLE, body.frame()).await? else {
            return if left == 0 { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        };
        let frame = frame.map_err(io::Error::other)?;
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        let left = left.checked_sub(size).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Some((frame, (body, left))))
    })))
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
