//! Profile photos: Cloud takes them by its resumable upload, under the app and not under the number.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::form_urlencoded;

use super::call::{accepted, id_of, with_retry};
use crate::media::account::Account;
use crate::media::error::MediaError;
use crate::upstream::MediaUpstream;

/// Where in the file the bytes of a request begin ("Resumable Upload API").
const FILE_OFFSET: HeaderName = HeaderName::from_static("file_offset");
/// Those that Meta shows have a few hundred characters.
const MAX_HANDLE: usize = 4096;

/// A picture that Cloud takes for a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Photo {
    media_type: &'static str,
    file_name: &'static str,
}

const JPEG: Photo = Photo { media_type: "image/jpeg", file_name: "photo.jpg" };
const PNG: Photo = Photo { media_type: "image/png", file_name: "photo.png" };

impl Photo {
    /// What these bytes are, by how they begin; nothing when they are neither JPEG nor PNG.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let kinds = [(&b"\xff\xd8\xff"[..], JPEG), (b"\x89PNG\r\n\x1a\n", PNG)];
        kinds.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, photo)| photo)
    }
}

/// A session and the bytes, and another session when Cloud failed: one that was left lapses by itself.
pub async fn upload(
    upstream: &MediaUpstream,
    account: &Account,
    photo: Photo,
    bytes: &Bytes,
) -> Result<String, MediaError> {
    let app_id = app_id(upstream, account).await?;
    with_retry(|| upload_once(upstream, account, &app_id, photo, bytes.clone())).await
}

async fn upload_once(
    upstream: &MediaUpstream,
    account: &Account,
    app_id: &str,
    photo: Photo,
    bytes: Bytes,
) -> Result<String, MediaError> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("file_name", photo.file_name)
        .append_pair("file_length", &bytes.len().to_string())
        .append_pair("file_type", photo.media_type)
        .finish();
    let edge = account.at(&format!("{app_id}/uploads?{query}")).ok_or(MediaError::NoApp)?;
    let answer = upstream.post(&edge, HeaderMap::new(), Bytes::new()).await?;
    let session = text_of(&accepted(answer)?, "id").filter(|id| is_session(id));
    let session = session.and_then(|id| account.at(&id)).ok_or(MediaError::Unusable)?;
    let answer = upstream.post(&session, upload_headers(account, photo)?, bytes).await?;
    text_of(&accepted(answer)?, "h").ok_or(MediaError::Unusable)
}

/// The configured id of the app, or the one that the token was made for, which is asked for once.
async fn app_id(upstream: &MediaUpstream, account: &Account) -> Result<String, MediaError> {
    if let Some(known) = account.app_id.get() {
        return Ok(known.clone());
    }
    let token = account.token().ok_or(MediaError::NoApp)?;
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("input_token", token).finish();
    let target = account.at(&format!("debug_token?{query}")).ok_or(MediaError::NoApp)?;
    let body = accepted(upstream.get(&target).await?)?;
    let found = serde_json::from_slice(&body).ok().and_then(|body: Value| app_of(&body));
    let found = found.ok_or(MediaError::NoApp)?;
    // Another request may have learnt it meanwhile, and has learnt the same.
    Ok(account.app_id.get_or_init(|| found).clone())
}

/// The bytes go under another scheme of the same token, which is how Meta documents it.
fn upload_headers(account: &Account, photo: Photo) -> Result<HeaderMap, MediaError> {
    let token = account.token().ok_or(MediaError::NoApp)?;
    let mut authorization =
        HeaderValue::try_from(format!("OAuth {token}")).map_err(|_| MediaError::Unusable)?;
    authorization.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(FILE_OFFSET, HeaderValue::from_static("0"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(photo.media_type));
    Ok(headers)
}

fn text_of(body: &[u8], key: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = body.get(key)?.as_str()?;
    let is_fit = (1..=MAX_HANDLE).contains(&text.len()) && !text.chars().any(char::is_control);
    is_fit.then(|| text.to_owned())
}

/// A session's id is a path with a query of its own: `upload:…?sig=…`. It may lead nowhere else.
fn is_session(id: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b":?=&_-~.+/%".contains(&byte);
    let climbs = || id.replace("%2e", ".").replace("%2E", ".").contains("..");
    id.starts_with("upload:") && id.bytes().all(is_known) && !climbs()
}

/// `data.app_id`, a string in Meta's sample.
fn app_of(body: &Value) -> Option<String> {
    let id = id_of(body.get("data")?.get("app_id")?)?;
    ((1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit())).then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_app_is_its_digits() {
        for (data, app) in [
            (json!({"app_id": "138483919580948", "is_valid": true}), Some("138483919580948")),
            (json!({"app_id": 5}), Some("5")),
            (json!({"app_id": "../1"}), None),
            (json!({"app_id": ""}), None),
            (json!({"is_valid": false}), None),
            (json!(null), None),
        ] {
            assert_eq!(app_of(&json!({ "data": data })).as_deref(), app, "{data}");
        }
    }

    #[test]
    fn a_session_leads_to_uploads_only() {
        for id in ["upload:MTphdHRh==?sig=ARZqkGCA_uQ-1", "upload:a/b+c=?sig=%2F&x=1"] {
            assert!(is_session(id), "{id}");
        }
        for id in [
            "",
            "1/media",
            "upload",
            "upload:a/../1",
            "upload:a b",
            "upload:a#b",
            "upload:a@b",
            "upload:\n",
            "upload:a/%2e./1",
            "upload:a/%2E%2e/1",
        ] {
            assert!(!is_session(id), "{id}");
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn only_the_beginning_of_a_file_counts(tail in prop::collection::vec(any::<u8>(), 0..20)) {
            for (magic, photo) in [
                (b"\xff\xd8\xff".as_slice(), Some(JPEG)),
                (b"\x89PNG\r\n\x1a\n", Some(PNG)),
                (b"\x89PNG\r\n\x1a", if tail.starts_with(b"\n") { Some(PNG) } else { None }),
                (b"GIF89a", None),
                (b"<svg", None),
            ] {
                prop_assert_eq!(Photo::of(&[magic, &tail].concat()), photo);
            }
        }
    }
}
