//! `/v1/settings/business/profile` and `/v1/settings/profile/…`

use bytes::Bytes;
use http::StatusCode;

use super::graph::Graph;
use super::{Call, media};
use crate::cloud::profile::{Profile, ProfileUpdate};
use crate::media::Photo;
use crate::onprem::error::Meta;
use crate::onprem::message::Body;
use crate::onprem::profile as onprem;
use crate::onprem::{ErrorCode, form};
use crate::server::dispatch::Trail;
use crate::server::request::Name;
use crate::server::respond::{self, Failure, Reply};
use crate::translate::{profile_to_cloud, profile_to_onprem};

const EDGE: &str = "/whatsapp_business_profile";

/// "Images … 5 MB" (Cloud's media reference, which on-prem's says, too).
const LARGEST_PHOTO: usize = 5 * 1024 * 1024;

/// `GET /v1/settings/business/profile`
pub(super) async fn show(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let profile = profile_to_onprem(ask(call, Profile::FIELDS, trail).await?);
    Ok(respond::json(StatusCode::OK, &profile.to_reply(meta(call))))
}

/// `POST /v1/settings/business/profile`
pub(super) async fn update(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let body = onprem::read_profile(&call.body)?;
    let update = onprem::ProfileUpdate::parse(&body)?;
    let update = profile_to_cloud(&update)?;
    // A client that clears an industry which it never had changes nothing.
    if update == ProfileUpdate::default() {
        return Ok(respond::empty(&call.state.compat.version));
    }
    set(call, &update, trail).await
}

/// `GET /v1/settings/profile/about`
pub(super) async fn show_about(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let about = ask(call, "about", trail).await?.about.unwrap_or_default();
    Ok(respond::json(StatusCode::OK, &onprem::about_reply(&about, meta(call))))
}

/// `PATCH /v1/settings/profile/about`
pub(super) async fn update_about(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let text = onprem::parse_about(&body)?;
    set(call, &ProfileUpdate { about: Some(&text), ..ProfileUpdate::default() }, trail).await
}

/// `GET /v1/settings/profile/photo`: the photo, or where Cloud has it; a 404 without a body when there is none.
pub(super) async fn show_photo(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let wants_link = onprem::asks_for_link(call.query)?;
    let Some(url) = ask(call, "profile_picture_url", trail).await?.picture_url else {
        return Ok(respond::nothing_there());
    };
    if wants_link {
        return Ok(respond::json(StatusCode::OK, &onprem::photo_reply(&url, meta(call))));
    }
    let found = call.state.media.public_file(&call.number.account, &url).await;
    match found.map_err(|error| photo_failure(call, &error, trail))? {
        Some(download) => Ok(media::give(download)),
        None => Ok(respond::nothing_there()),
    }
}

/// `POST /v1/settings/profile/photo`: the photo is the body, or the field `File` of a form.
pub(super) async fn set_photo(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let bytes = photo_of(call)?;
    let photo = Photo::of(&bytes).ok_or_else(|| {
        Failure::client(ErrorCode::ParameterInvalid, "the photo is neither a JPEG nor a PNG file")
    })?;
    let handle = call.state.media.upload_photo(&call.number.account, photo, bytes).await;
    let handle = handle.map_err(|error| photo_failure(call, &error, trail))?;
    let update = ProfileUpdate { profile_picture_handle: Some(&handle), ..ProfileUpdate::default() };
    set(call, &update, trail).await
}

fn photo_of(call: &Call<'_>) -> Result<Bytes, Failure> {
    let content_type = call.fields.text(Name::ContentType).unwrap_or_default();
    let bytes = if form::is_form(content_type) {
        form::field(content_type, &call.body, "File")?
    } else {
        call.body.clone()
    };
    if bytes.is_empty() {
        let details = "the photo is missing; send its bytes, or a form with the field File";
        return Err(Failure::client(ErrorCode::ParameterMissing, details));
    }
    if bytes.len() > LARGEST_PHOTO {
        let details = format!("the photo is larger than {LARGEST_PHOTO} bytes");
        return Err(Failure::client(ErrorCode::InvalidRequest, details).http(413));
    }
    Ok(bytes)
}

fn photo_failure(call: &Call<'_>, error: &crate::media::MediaError, trail: &mut Trail) -> Failure {
    media::failure(call.state, &call.number.phone_number_id, "photo", error, trail)
}

async fn ask(call: &Call<'_>, fields: &str, trail: &mut Trail) -> Result<Profile, Failure> {
    let graph = Graph::profile(call);
    let body = graph.get(&format!("{EDGE}?fields={fields}"), trail).await?;
    Profile::parse(&body).ok_or_else(|| graph.unusable("cloud answered with something else than a profile"))
}

async fn set(call: &Call<'_>, update: &ProfileUpdate<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    Graph::profile(call).set(EDGE, update, trail).await?;
    Ok(respond::empty(&call.state.compat.version))
}

fn meta<'c>(call: &Call<'c>) -> Meta<'c> {
    Meta::stable(&call.state.compat.version)
}
