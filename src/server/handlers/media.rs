//! `/v1/media`, and what clients are told about files.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout, timeout_at};

use super::Call;
use crate::media::{Download, Media, MediaError, Spool, SpoolError, is_too_slow};
use crate::onprem::ErrorCode;
use crate::onprem::form::{self, FirstFile};
use crate::onprem::media::MediaReply;
use crate::relay::{Failure, Source, not_kept};
use crate::server::body::{self, RequestBody};
use crate::server::request::Name;
use crate::server::respond::{self, Body, Reply};
use crate::server::state::Limits;

/// What a form may have beside its file.
const FORM_ROOM: u64 = 64 * 1024;
/// The slowest client whose upload is waited for sends 100 MiB in this time.
const LONGEST_UPLOAD: Duration = Duration::from_secs(30 * 60);

/// `POST /v1/media`: the file itself is the body, whatever its type; a form, as Cloud's own endpoint wants it, is
/// unpacked.
pub async fn upload(call: &Call<'_>, incoming: RequestBody) -> Result<Reply, Failure> {
    let (media, limits) = (&call.state.relay.media, &call.state.limits);
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
    let Some((mut spool, _turn)) = media.receive(limits.media).await else {
        let details = "too many files are being uploaded; send this one again later";
        return Err(body::refuse(incoming, Failure::overloaded(Source::Internal, details, 5)).await);
    };
    receive(incoming, &mut spool, form.as_mut(), media, limits).await?;
    let part = form.map(FirstFile::finish).transpose()?;
    let (media_type, filename) = match &part {
        Some(part) => (part.content_type.as_deref(), part.filename.as_deref()),
        None => (media_type, None),
    };
    let id = media.keep(&call.number.account, media_type, filename, spool).await;
    let id = id.map_err(|error| not_kept(&error))?;
    Ok(respond::json(call.number.compat.created_status, &MediaReply::new(&id, call.meta())))
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
pub(super) async fn download(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    let found = call.state.relay.media.download(&call.number.account, id).await;
    let found = found.map_err(|error| failure(call, &error))?;
    Ok(found.map_or_else(respond::nothing_there, file))
}

/// The answer with a file in it.
pub(super) fn file(Download { media_type, length, body }: Download) -> Reply {
    let mut reply = Reply::new(StatusCode::OK, Body::Stream { bytes: body, length });
    let unknown = HeaderValue::from_static("application/octet-stream");
    reply.set(respond::CONTENT_TYPE, HeaderValue::try_from(media_type).unwrap_or(unknown));
    // Users and clients name the types of their files: a page that is called an image must not run as one.
    reply.set("x-content-type-options", HeaderValue::from_static("nosniff"));
    reply
}

/// `DELETE /v1/media/{media-id}`
pub(super) async fn delete(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    match call.state.relay.media.delete(&call.number.account, id).await {
        Ok(true) => Ok(call.done()),
        Ok(false) => Err(Failure::client(ErrorCode::ResourceNotFound, "no file has this id")),
        Err(error) => Err(failure(call, &error)),
    }
}

fn failure(call: &Call<'_>, error: &MediaError) -> Failure {
    call.state.relay.file_failure(call.number, "media", error)
}

fn too_large(limit: u64) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, format!("the file is larger than {limit} bytes"))
        .http(413)
        .closing()
}
