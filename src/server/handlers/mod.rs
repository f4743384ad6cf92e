//! One file per resource. Handlers are thin: read, ask a lower floor, answer.

mod auth;
mod media;
mod messages;
mod providers;
mod settings;
mod users;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::dispatch::{Context, Trail};
use super::respond::{self, Failure, Reply, Source};
use super::state::{Number, State};
use crate::onprem::ErrorCode;
use crate::onprem::route::Route;
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
    /// Where the request comes from, and its id.
    pub context: &'a Context,
    /// Who is asking; nobody yet in a login.
    pub principal: Option<Principal>,
    /// The body.
    pub body: Bytes,
}

/// Says who is asking, and whether the route is for them. This is the whole matrix of rights.
pub fn admit(
    state: &State,
    number: &Number,
    headers: &HeaderMap,
    route: &Route<'_>,
) -> Result<Option<Principal>, Failure> {
    match route {
        Route::Root | Route::Login => Ok(None),
        Route::Logout
        | Route::GetUser(_)
        | Route::SendMessage
        | Route::UpdateMessage(_)
        | Route::UploadMedia
        | Route::GetMedia(_)
        | Route::DeleteMedia(_) => auth::user(state, number, headers).map(Some),
        Route::CreateUser
        | Route::UpdateUser(_)
        | Route::DeleteUser(_)
        | Route::ListProviders
        | Route::SetProviders
        | Route::DeleteProvider(_)
        | Route::ShowSettings
        | Route::UpdateSettings
        | Route::ResetSettings
        | Route::ShowWebhooksCa
        | Route::SetWebhooksCa
        | Route::DeleteWebhooksCa => auth::admin(state, number, headers).map(Some),
    }
}

/// Answers a routed and admitted request.
pub async fn handle(call: Call<'_>, route: Route<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    match route {
        Route::Root => Ok(root()),
        Route::Login => users::login(&call).await,
        Route::Logout => users::logout(&call).await,
        Route::CreateUser => users::create(&call).await,
        Route::GetUser(name) => users::show(&call, &name),
        Route::UpdateUser(name) => users::update(&call, &name).await,
        Route::DeleteUser(name) => users::delete(&call, &name).await,
        Route::SendMessage => messages::send(&call, trail).await,
        Route::UpdateMessage(id) => messages::mark_read(&call, &id, trail).await,
        Route::UploadMedia => Err(internal_failure("an upload is not read whole")),
        Route::GetMedia(id) => media::download(&call, &id, trail).await,
        Route::DeleteMedia(id) => media::delete(&call, &id, trail).await,
        Route::ListProviders => Ok(providers::list(&call)),
        Route::SetProviders => providers::set(&call).await,
        Route::DeleteProvider(name) => providers::delete(&call, &name).await,
        Route::ShowSettings => Ok(settings::show(&call)),
        Route::UpdateSettings => settings::update(&call).await,
        Route::ResetSettings => settings::reset(&call).await,
        Route::ShowWebhooksCa => Ok(settings::show_ca(&call)),
        Route::SetWebhooksCa => settings::set_ca(&call).await,
        Route::DeleteWebhooksCa => settings::delete_ca(&call).await,
    }
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
