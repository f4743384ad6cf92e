//! One file per resource. Handlers are thin: read, ask a lower floor, answer.

mod auth;
mod certificate;
mod media;
mod messages;
mod providers;
mod settings;
mod stickers;
mod templates;
mod users;
mod webhook_url;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::dispatch::{Context, Trail};
use super::respond::{self, Failure, Reply, Source};
use super::state::{Number, State};
use crate::onprem::ErrorCode;
use crate::onprem::route::{Access, Action, Endpoint, Route};
use crate::session::Principal;

/// A request to one number, with its whole body.
#[derive(Debug)]
pub struct Call<'a> {
    /// What every request may look at.
    pub state: &'a Arc<State>,
    /// The number.
    pub number: &'a Arc<Number>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The query as it came.
    pub query: &'a str,
    /// Where the request comes from, and its id.
    pub context: &'a Context,
    /// Who is asking; nobody yet in a login.
    pub principal: Option<Principal>,
    /// The body.
    pub body: Bytes,
}

/// Says who is asking, and whether they may. The table of endpoints is the whole matrix of rights.
pub fn admit(
    state: &State,
    number: &Number,
    headers: &HeaderMap,
    access: Access,
) -> Result<Option<Principal>, Failure> {
    match access {
        Access::Everybody => Ok(None),
        Access::User => auth::user(state, number, headers).map(Some),
        Access::Admin => auth::admin(state, number, headers).map(Some),
    }
}

/// Answers a routed and admitted request.
pub async fn handle(call: Call<'_>, route: Route<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    match route.endpoint.action {
        Action::Root => Ok(root()),
        Action::SendMessage => messages::send(&call, trail).await,
        Action::UpdateMessage => messages::mark_read(&call, route.id(), trail).await,
        Action::UploadMedia => Err(internal_failure("an upload is not read whole")),
        Action::GetMedia => media::download(&call, route.id(), trail).await,
        Action::DeleteMedia => media::delete(&call, route.id(), trail).await,
        Action::Login => users::login(&call).await,
        Action::Logout => users::logout(&call).await,
        Action::CreateUser => users::create(&call).await,
        Action::ShowUser => users::show(&call, route.id()),
        Action::UpdateUser => users::update(&call, route.id()).await,
        Action::DeleteUser => users::delete(&call, route.id()).await,
        Action::ListProviders => Ok(providers::list(&call)),
        Action::SetProviders => providers::set(&call).await,
        Action::DeleteProvider => providers::delete(&call, route.id()).await,
        Action::ShowSettings => Ok(settings::show(&call)),
        Action::UpdateSettings => settings::update(&call).await,
        Action::ResetSettings => settings::reset(&call).await,
        Action::ShowWebhooksCa => Ok(settings::show_ca(&call)),
        Action::SetWebhooksCa => settings::set_ca(&call).await,
        Action::DeleteWebhooksCa => settings::delete_ca(&call).await,
        // A: contacts, health and counters.
        Action::CheckContacts
        | Action::ShowIdentity
        | Action::AcknowledgeIdentity
        | Action::Health
        | Action::ShowMetrics
        | Action::ShowAppStats
        | Action::ShowDbStats
        | Action::Support
        | Action::CollectMessages => Err(refused(&route)),
        // B: profile, account and two-step verification.
        Action::ShowBusinessProfile
        | Action::UpdateBusinessProfile
        | Action::ShowAbout
        | Action::UpdateAbout
        | Action::ShowPhoto
        | Action::SetPhoto
        | Action::DeletePhoto
        | Action::SetPin
        | Action::RemovePin
        | Action::Backup
        | Action::Restore
        | Action::Register
        | Action::Verify
        | Action::ShowShards
        | Action::SetShards => Err(refused(&route)),
        Action::ShowExternalCa => Ok(certificate::show_ca(&call)),
        Action::ListStickerpacks => Ok(stickers::list(&call)),
        Action::CreateStickerpack => stickers::create(&call).await,
        Action::ShowStickerpack => stickers::show(&call, route.id()),
        Action::UpdateStickerpack => stickers::update(&call, route.id()).await,
        Action::DeleteStickerpack => stickers::delete(&call, route.id()).await,
        Action::ListStickers => stickers::list_stickers(&call, route.id()),
        Action::CreateSticker => stickers::create_sticker(&call, route.id()).await,
        Action::ShowSticker => stickers::show_sticker(&call, route.id(), route.second()),
        Action::UpdateSticker => stickers::update_sticker(&call, route.id(), route.second()).await,
        Action::DeleteSticker => stickers::delete_sticker(&call, route.id(), route.second()).await,
        Action::ShowWebhookUrl => Ok(webhook_url::show(&call)),
        Action::SetWebhookUrl => webhook_url::set(&call).await,
        Action::ListTemplates => templates::list(&call, trail).await,
        Action::CreateTemplate => templates::create(&call, trail).await,
        Action::DeleteTemplate => templates::delete(&call, route.id(), trail).await,
        Action::SetExternalCertificate | Action::Groups => Err(refused(&route)),
    }
}

/// What an endpoint without counterpart answers: the reason that the table has.
pub fn refused(route: &Route<'_>) -> Failure {
    let Endpoint { summary, note, action, .. } = route.endpoint;
    let details = format!("this endpoint {summary}, which is not possible here: {note}");
    let names_group = *action == Action::Groups && !route.id().is_empty();
    let code = if names_group { ErrorCode::GroupUnknown } else { ErrorCode::GenericError };
    Failure::client(code, details).http(501)
}

pub use media::upload;

/// `GET /`: official deployment templates probe it and want 200.
pub fn root() -> Reply {
    respond::bytes(StatusCode::OK, b"{}".to_vec())
}

fn internal_failure(reason: impl Into<String>) -> Failure {
    Failure::new(Source::Internal, ErrorCode::InternalError, "the proxy failed on this request").log(reason)
}

fn store_failure(error: &crate::store::Error) -> Failure {
    Failure::new(
        Source::Internal,
        ErrorCode::DatabaseError,
        "the change could not be stored; nothing was changed",
    )
    .log(error.to_string())
}
