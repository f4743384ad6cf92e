//! One file per resource. Handlers are thin: read, ask a lower floor, answer.

mod account;
mod auth;
mod certificate;
mod contacts;
mod health;
mod media;
mod messages;
mod metrics;
mod profile;
mod providers;
mod services;
mod settings;
mod stickers;
mod templates;
mod users;
mod webhook_url;

use std::sync::Arc;

use bytes::Bytes;

use super::request::{Context, Fields};
use super::respond::{self, Reply};
use super::state::State;
use crate::number::Number;
use crate::onprem::ErrorCode;
use crate::onprem::error::Meta;
use crate::onprem::route::{Access, Action, Endpoint, Route};
use crate::relay::Failure;
use crate::session::Principal;

/// A request to one number, with its whole body.
#[derive(Debug)]
pub struct Call<'a> {
    /// What every request may look at.
    pub state: &'a Arc<State>,
    /// The number.
    pub number: &'a Arc<Number>,
    /// What its head says.
    pub fields: &'a Fields,
    /// The query as it was sent, without its question mark.
    pub query: &'a str,
    /// Where the request comes from, and its id.
    pub context: &'a Context,
    /// Who is asking; nobody yet in a login.
    pub principal: Option<Principal>,
    /// The body.
    pub body: Bytes,
}

impl Call<'_> {
    /// What every success says about the API.
    fn meta(&self) -> Meta<'_> {
        Meta::stable(&self.number.compat.api_version)
    }

    /// The answer of an operation that has nothing to return.
    fn done(&self) -> Reply {
        respond::empty(&self.number.compat.api_version)
    }

    /// Queues callbacks that tell what the answer tells.
    async fn call_back(&self, bodies: impl Iterator<Item = Vec<u8>>) {
        self.state.relay.call_back(self.number, &self.context.request_id, bodies).await;
    }
}

/// Says who is asking, and whether they may. The table of endpoints is the whole matrix of rights.
pub fn admit(
    state: &State,
    number: &Number,
    fields: &Fields,
    access: Access,
) -> Result<Option<Principal>, Failure> {
    match access {
        Access::Everybody => Ok(None),
        Access::User => auth::user(state, number, fields).map(Some),
        Access::Admin => auth::admin(state, number, fields).map(Some),
    }
}

/// Answers a routed and admitted request.
pub async fn handle(call: &Call<'_>, route: Route<'_>, media: &mut Option<String>) -> Result<Reply, Failure> {
    if route.endpoint.action == Action::SendMessage {
        return messages::send(call, media).await;
    }
    // The future of a request has room for the largest of its parts, which is moved with it and kept for as long as
    // it runs. In a box of their own, these cost a message nothing.
    Box::pin(handle_other(call, route)).await
}

async fn handle_other(call: &Call<'_>, route: Route<'_>) -> Result<Reply, Failure> {
    match route.endpoint.action {
        Action::Root => Ok(respond::root()),
        Action::UpdateMessage => messages::mark_read(call, route.id()).await,
        Action::SendMessage | Action::UploadMedia => Err(Failure::internal("this is answered elsewhere")),
        Action::GetMedia => media::download(call, route.id()).await,
        Action::DeleteMedia => media::delete(call, route.id()).await,
        Action::Login => users::login(call).await,
        Action::Logout => users::logout(call).await,
        Action::CreateUser => users::create(call).await,
        Action::ShowUser => users::show(call, route.id()),
        Action::UpdateUser => users::update(call, route.id()).await,
        Action::DeleteUser => users::delete(call, route.id()).await,
        Action::ListProviders => Ok(providers::list(call)),
        Action::SetProviders => providers::set(call).await,
        Action::DeleteProvider => providers::delete(call, route.id()).await,
        Action::ShowSettings => Ok(settings::show(call)),
        Action::UpdateSettings => settings::update(call).await,
        Action::ResetSettings => settings::reset(call).await,
        Action::ShowWebhooksCa => Ok(settings::show_ca(call)),
        Action::SetWebhooksCa => settings::set_ca(call).await,
        Action::DeleteWebhooksCa => settings::delete_ca(call).await,
        Action::CheckContacts => contacts::check(call).await,
        Action::ShowIdentity => contacts::show_identity(call, route.id()).await,
        Action::AcknowledgeIdentity => contacts::acknowledge(call, route.id()),
        Action::CollectMessages => Ok(services::collect_messages(call).await),
        Action::Health => Ok(health::show(call).await),
        Action::Support => Ok(health::support(call)),
        Action::ShowMetrics => metrics::show_web(call),
        Action::ShowAppStats => metrics::show_app(call),
        Action::ShowDbStats => metrics::show_db(call),
        Action::ShowBusinessProfile => profile::show(call).await,
        Action::UpdateBusinessProfile => profile::update(call).await,
        Action::ShowAbout => profile::show_about(call).await,
        Action::UpdateAbout => profile::update_about(call).await,
        Action::ShowPhoto => profile::show_photo(call).await,
        Action::SetPhoto => profile::set_photo(call).await,
        Action::SetPin => account::set_pin(call).await,
        Action::Register => account::register(call).await,
        Action::Verify => account::verify(call).await,
        Action::ShowShards => Ok(account::show_shards(call)),
        Action::SetShards => account::set_shards(call).await,
        Action::ShowExternalCa => Ok(certificate::show_ca(call)),
        Action::ListStickerpacks => Ok(stickers::list(call)),
        Action::CreateStickerpack => stickers::create(call).await,
        Action::ShowStickerpack => stickers::show(call, route.id()),
        Action::UpdateStickerpack => stickers::update(call, route.id()).await,
        Action::DeleteStickerpack => stickers::delete(call, route.id()).await,
        Action::ListStickers => stickers::list_stickers(call, route.id()),
        Action::CreateSticker => stickers::create_sticker(call, route.id()).await,
        Action::ShowSticker => stickers::show_sticker(call, route.id(), route.second()),
        Action::UpdateSticker => stickers::update_sticker(call, route.id(), route.second()).await,
        Action::DeleteSticker => stickers::delete_sticker(call, route.id(), route.second()).await,
        Action::ShowWebhookUrl => Ok(webhook_url::show(call)),
        Action::SetWebhookUrl => webhook_url::set(call).await,
        Action::ListTemplates => templates::list(call).await,
        Action::CreateTemplate => templates::create(call).await,
        Action::DeleteTemplate => templates::delete(call, route.id()).await,
        // What the table refuses does not come here; see `dispatch`.
        Action::DeletePhoto
        | Action::RemovePin
        | Action::Backup
        | Action::Restore
        | Action::SetExternalCertificate
        | Action::Groups => Err(refused(&route)),
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
