//! `/v1/settings/business/profile` and `/v1/settings/profile/…`

use bytes::Bytes;
use http::StatusCode;

use super::{Call, media};
use crate::cloud::profile::{Profile, ProfileUpdate};
use crate::media::Photo;
use crate::onprem::message::Body;
use crate::onprem::profile as onprem;
use crate::onprem::{ErrorCode, form};
use crate::relay::Failure;
use crate::server::request::Name;
use crate::server::respond::{self, Reply};
use crate::translate::{profile_to_cloud, profile_to_onprem};

/// "Images … 5 MB" (Cloud's media reference, which on-prem's says, too).
const LARGEST_PHOTO: usize = 5 * 1024 * 1024;

/// `GET /v1/settings/business/profile`
pub(super) async fn show(call: &Call<'_>) -> Result<Reply, Failure> {
    let profile = profile_to_onprem(ask(call, Profile::FIELDS).await?);
    Ok(respond::json(StatusCode::OK, &profile.to_reply(call.meta())))
}

/// `POST /v1/settings/business/profile`
pub(super) async fn update(call: &Call<'_>) -> Result<Reply, Failure> {
    let body = onprem::read_profile(&call.body)?;
    let update = onprem::ProfileUpdate::parse(&body)?;
    let update = profile_to_cloud(&update)?;
    // A client that clears an industry which it never had changes nothing.
    if update != ProfileUpdate::default() {
        call.state.relay.set_profile(call.number, &update).await?;
    }
    Ok(call.done())
}

/// `GET /v1/settings/profile/about`
pub(super) async fn show_about(call: &Call<'_>) -> Result<Reply, Failure> {
    let about = ask(call, "about").await?.about.unwrap_or_default();
    Ok(respond::json(StatusCode::OK, &onprem::about_reply(&about, call.meta())))
}

/// `PATCH /v1/settings/profile/about`
pub(super) async fn update_about(call: &Call<'_>) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let text = onprem::parse_about(&body)?;
    let update = ProfileUpdate { about: Some(&text), ..ProfileUpdate::default() };
    call.state.relay.set_profile(call.number, &update).await?;
    Ok(call.done())
}

/// `GET /v1/settings/profile/photo`: the photo, or where Cloud has it; a 404 without a body when there is none.
pub(super) async fn show_photo(call: &Call<'_>) -> Result<Reply, Failure> {
    let wants_link = onprem::asks_for_link(call.query)?;
    let Some(url) = ask(call, "profile_picture_url").await?.picture_url else {
        return Ok(respond::nothing_there());
    };
    if wants_link {
        return Ok(respond::json(StatusCode::OK, &onprem::photo_reply(&url, call.meta())));
    }
    let found = call.state.relay.photo(call.number, &url).await?;
    Ok(found.map_or_else(respond::nothing_there, media::file))
}

/// `POST /v1/settings/profile/photo`: the photo is the body, or the field `File` of a form.
pub(super) async fn set_photo(call: &Call<'_>) -> Result<Reply, Failure> {
    let bytes = photo_of(call)?;
    let photo = Photo::of(&bytes).ok_or_else(|| {
        Failure::client(ErrorCode::ParameterInvalid, "the photo is neither a JPEG nor a PNG file")
    })?;
    call.state.relay.set_photo(call.number, photo, bytes).await?;
    Ok(call.done())
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

async fn ask(call: &Call<'_>, fields: &str) -> Result<Profile, Failure> {
    call.state.relay.profile(call.number, fields).await
}
