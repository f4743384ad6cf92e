//! `/v1/media`, and what clients are told about files.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Call, internal_failure, store_failure};
use crate::media::{Download, Media, MediaError, Spool, SpoolError, is_too_slow};
use crate::onprem::ErrorCode;
use crate::onprem::callback::CallbackError;
use crate::onprem::error::Meta;
use crate::onprem::form::{self, FirstFile};
use crate::onprem::media::MediaReply;
use crate::server::body::{self, RequestBody};
use crate::server::dispatch::Trail;
use crate::server::request::Name;
use crate::server::respond::{self, Body, Failure, Reply, Source};
use crate::server::state::{Limits, State};
use crate::translate::error_to_onprem;
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::upstream::Answer;

/// What a form may have beside its file.
const FORM_ROOM: u64 = 64 * 1024;
/// The slowest client whose upload is waited for sends 100 MiB in this time.
const LONGEST_UPLOAD: Duration = Duration::from_secs(30 * 60);

/// `POST /v1/media`: the file itself is the body, whatever its type; a form, as Cloud's own endpoint wants it, is
/// unpacked.
pub async fn upload(call: &Call<'_>, incoming: RequestBody) -> Result<Reply, Failure> {
    let (state, limits) = (call.state, &call.state.limits);
    let media_type = call.fields.text(Name::ContentType);
    let form = media_type.filter(|media_type| form::is_form(media_type)).map(FirstFile::new);
    let mut form = match form.transpose() {
        Ok(form) => form,
        Err(invalid) => return Err(body::refuse(incoming, invalid.into()).await),
    };
    let most = limits.media + if form.is_some() { FORM_ROOM } else { 0 };
    if incoming.length().is_some_and(|length| length > most) {
        return Err(body::refuse(incoming, too_large(limits.media)).await);
    }
    let Some((mut spool, _turn)) = state.media.receive(limits.media).await else {
        let details = "too many files are being uploaded; send this one again later";
        let mut failure = Failure::new(Source::Internal, ErrorCode::SystemOverloaded, details);
        failure.retry_after = Some(5);
        return Err(body::refuse(incoming, failure).await);
    };
    receive(incoming, &mut spool, form.as_mut(), &state.media, limits).await?;
    let part = form.map(FirstFile::finish).transpose()?;
    let (media_type, filename) = match &part {
        Some(part) => (part.content_type.as_deref(), part.filename.as_deref()),
        None => (media_type, None),
    };
    let id = state.media.keep(&call.number.account, media_type, filename, spool).await;
    let id = id.map_err(|error| not_kept(&error))?;
    let status = StatusCode::from_u16(state.compat.created_status).unwrap_or(StatusCode::CREATED);
    Ok(respond::json(status, &MediaReply::new(&id, Meta::stable(&state.compat.version))))
}

async fn receive(
    incoming: RequestBody,
    spool: &mut Spool,
    mut form: Option<&mut FirstFile>,
    media: &Media,
    limits: &Limits,
) -> Result<(), Failure> {
    let (idle, mut received) = (limits.body_timeout, 0);
    let mut frames = incoming.into_frames();
    let started = Instant::now();
    let end = started + LONGEST_UPLOAD;
    loop {
        let frame = timeout_at(end, timeout(idle, frames.frame()))
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or_else(|| body::too_slow(idle))?;
        let Some(frame) = frame else {
            return Ok(());
        };
        let Ok(data) = frame.map_err(|error| body::broken(&*error))?.into_data() else {
            continue;
        };
        media.metrics().received(data.len());
        received += data.len() as u64;
        if is_too_slow(started.elapsed(), received) {
            return Err(body::too_slow(started.elapsed()));
        }
        let Some(form) = form.as_deref_mut() else {
            keep(spool, data, limits).await?;
            continue;
        };
        if received > limits.media + FORM_ROOM {
            return Err(too_large(limits.media));
        }
        form.push(data);
        while let Some(data) = form.take().map_err(|invalid| Failure::from(invalid).closing())? {
            keep(spool, data, limits).await?;
        }
    }
}

async fn keep(spool: &mut Spool, data: Bytes, limits: &Limits) -> Result<(), Failure> {
    spool.push(data).await.map_err(|error| match error {
        SpoolError::TooLarge(_) => too_large(limits.media),
        SpoolError::Disk(error) => not_kept(&error.into()).closing(),
    })
}

/// `GET /v1/media/{media-id}`: the bytes in one step; "404 with no body" when there are none.
pub(super) async fn download(call: &Call<'_>, id: &str, trail: &mut Trail) -> Result<Reply, Failure> {
    let found = call.state.media.download(&call.number.account, id).await;
    let found =
        found.map_err(|error| failure(call.state, &call.number.phone_number_id, "media", &error, trail))?;
    Ok(found.map_or_else(respond::nothing_there, give))
}

/// The answer with a file in it.
pub(super) fn give(Download { media_type, length, body }: Download) -> Reply {
    let mut reply = Reply::new(StatusCode::OK, Body::Stream { bytes: body, length });
    let unknown = HeaderValue::from_static("application/octet-stream");
    reply.set(respond::CONTENT_TYPE, HeaderValue::try_from(media_type).unwrap_or(unknown));
    // Users and clients name the types of their files: a page that is called an image must not run as one.
    reply.set("x-content-type-options", HeaderValue::from_static("nosniff"));
    reply
}

/// `DELETE /v1/media/{media-id}`
pub(super) async fn delete(call: &Call<'_>, id: &str, trail: &mut Trail) -> Result<Reply, Failure> {
    match call.state.media.delete(&call.number.account, id).await {
        Ok(true) => Ok(respond::empty(&call.state.compat.version)),
        Ok(false) => Err(Failure::client(ErrorCode::ResourceNotFound, "no file has this id")),
        Err(error) => Err(failure(call.state, &call.number.phone_number_id, "media", &error, trail)),
    }
}

fn too_large(limit: u64) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, format!("the file is larger than {limit} bytes"))
        .http(413)
        .closing()
}

/// Why an uploaded file was not kept.
fn not_kept(error: &MediaError) -> Failure {
    let failed = |code, details: &str| Failure::new(Source::Internal, code, details).log(error.to_string());
    match error.innermost() {
        MediaError::FileUnfit(unfit) => {
            Failure::client(ErrorCode::ParameterInvalid, format!("the file cannot be kept: {unfit}"))
        }
        MediaError::Disk(_) => {
            failed(ErrorCode::DatabaseError, "the file could not be stored; nothing was kept")
        }
        MediaError::Store(error) => store_failure(error),
        MediaError::Full => {
            let mut failure =
                failed(ErrorCode::SystemOverloaded, "there is no room for another file; delete some first");
            failure.retry_after = Some(60);
            failure
        }
        other @ (MediaError::Link(_)
        | MediaError::Origin { .. }
        | MediaError::LinkUnfit { .. }
        | MediaError::Unknown
        | MediaError::Gone
        | MediaError::Refused(_)
        | MediaError::Unreachable(_)
        | MediaError::Unusable
        | MediaError::NoApp
        | MediaError::Late
        | MediaError::Foreign(_)
        | MediaError::Secret
        | MediaError::Shared(_)
        | MediaError::Lost) => internal_failure(other.to_string()),
    }
}

/// What a client is told when the file at `path` cannot be had or sent; nothing was sent in any case.
///
/// 1014 for what a provider did, or gave, is the vendor's own word: "media upload failed due to bad image or media
/// not found"; trying again may help, once the file is another. What only the message could mend is never a 5xx, which
/// clients repeat.
pub(super) fn failure(
    state: &State,
    phone_number_id: &str,
    path: &str,
    error: &MediaError,
    trail: &mut Trail,
) -> Failure {
    let text = |error: &MediaError| format!("{path}: {error}");
    match error.innermost() {
        error @ (MediaError::Link(_) | MediaError::FileUnfit(_)) => {
            Failure::client(ErrorCode::ParameterInvalid, text(error))
        }
        error @ (MediaError::Origin { .. } | MediaError::LinkUnfit { .. }) => {
            // The host and what it did: no part of either is a secret.
            let details = text(error);
            let deferred = CallbackError { code: ErrorCode::InternalError, details: Some(details.clone()) };
            let mut failure = Failure::new(Source::Provider, ErrorCode::InternalError, details);
            // On-prem fetched files after it had taken the message.
            failure.deferred = Some(deferred);
            failure.log(error.to_string())
        }
        error @ (MediaError::Unknown | MediaError::Gone) => {
            Failure::client(ErrorCode::ResourceNotFound, text(error))
        }
        MediaError::Refused(answer) => refused(state, phone_number_id, answer, trail),
        MediaError::Unreachable(error) => {
            let mut failure = Failure::new(
                Source::Upstream,
                ErrorCode::SystemOverloaded,
                format!("{path}: the Cloud API cannot be reached; nothing was sent, try again later"),
            )
            .log(&error.reason);
            failure.retry_after = Some(1);
            failure
        }
        error @ MediaError::Unusable => {
            Failure::new(Source::Upstream, ErrorCode::InternalError, text(error)).log(error.to_string())
        }
        error @ MediaError::NoApp => {
            Failure::new(Source::Upstream, ErrorCode::ServiceNotReady, text(error)).log(error.to_string())
        }
        MediaError::Disk(error) => {
            let details = format!("{path}: the file could not be stored on its way; nothing was sent");
            Failure::new(Source::Internal, ErrorCode::DatabaseError, details).log(error.to_string())
        }
        MediaError::Late => {
            let mut failure = Failure::new(Source::Provider, ErrorCode::SystemOverloaded, text(error));
            failure.retry_after = Some(5);
            failure
        }
        MediaError::Store(error) => {
            let details = format!("{path}: the store does not answer; nothing was sent");
            Failure::new(Source::Internal, ErrorCode::DatabaseError, details).log(error.to_string())
        }
        other @ (MediaError::Full
        | MediaError::Foreign(_)
        | MediaError::Secret
        | MediaError::Lost
        | MediaError::Shared(_)) => internal_failure(other.to_string()),
    }
}

/// Cloud's own words about a file, in the dialect.
fn refused(state: &State, phone_number_id: &str, answer: &Answer, trail: &mut Trail) -> Failure {
    let line = format!("cloud answered http {} to a call about a file", answer.status.as_u16());
    if answer.status.is_server_error() && crate::cloud::GraphError::parse(&answer.body).is_none() {
        // The translation would say that a message may have been sent, but there is none yet.
        let details = format!(
            "the Cloud API answered HTTP {}; nothing was sent, try again later",
            answer.status.as_u16()
        );
        let mut failure = Failure::new(Source::Upstream, ErrorCode::SystemOverloaded, details).log(line);
        failure.retry_after = Some(answer.retry_after.unwrap_or(1));
        return failure;
    }
    let error = error_to_onprem(
        &CloudFailure {
            http: answer.status.as_u16(),
            body: &answer.body,
            retry_after: answer.retry_after,
            endpoint: Endpoint::Media,
            phone_number_id,
        },
        &state.compat.options,
    );
    trail.cloud_code = error.cloud_code;
    trail.cloud_trace.clone_from(&error.trace);
    let mut failure = Failure::new(Source::Upstream, error.code, error.details).http(error.http);
    failure.retry_after = error.retry_after;
    failure.log(line)
}
