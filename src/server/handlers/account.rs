//! `/v1/account` and `/v1/settings/account/two-step`

use http::StatusCode;

use super::{Call, settings};
use crate::onprem::account::{AccountReply, Pin, Registration, ShardsReply, Verification, parse_shards};
use crate::onprem::message::Body;
use crate::relay::{Failure, Registered, Verified};
use crate::server::respond::{self, Reply};

/// What a deployment has whose shards nobody set.
const ONE_SHARD: u8 = 1;

/// `POST /v1/account`: 201 when the number is registered (now), 202 when a code is on its way.
pub(super) async fn register(call: &Call<'_>) -> Result<Reply, Failure> {
    let registration = Registration::parse(&Body::read(&call.body)?)?;
    let Registered { is_connected, name } = call.state.relay.register(call.number, registration).await?;
    let status = if is_connected { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    Ok(respond::json(status, &AccountReply::new(&name, call.meta())))
}

/// `POST /v1/account/verify`: 200 when the number is verified, 201 when it was so already or is registered, too.
pub(super) async fn verify(call: &Call<'_>) -> Result<Reply, Failure> {
    let verification = Verification::parse(&Body::read(&call.body)?)?;
    let mut reply = call.done();
    if call.state.relay.verify(call.number, verification).await? == Verified::Already {
        reply.status = StatusCode::CREATED;
    }
    Ok(reply)
}

/// `POST /v1/settings/account/two-step`
pub(super) async fn set_pin(call: &Call<'_>) -> Result<Reply, Failure> {
    let pin = Pin::parse(&Body::read(&call.body)?)?;
    call.state.relay.set_pin(call.number, &pin).await?;
    Ok(call.done())
}

/// `GET /v1/account/shards`
pub(super) fn show_shards(call: &Call<'_>) -> Reply {
    let shards = call.number.settings.now().shards.unwrap_or(ONE_SHARD);
    respond::json(StatusCode::OK, &ShardsReply::new(shards, call.meta()))
}

/// `POST /v1/account/shards`
pub(super) async fn set_shards(call: &Call<'_>) -> Result<Reply, Failure> {
    let shards = parse_shards(&Body::read(&call.body)?)?;
    call.number.settings.set_shards(shards).await.map_err(settings::failure)?;
    let mut reply = call.done();
    reply.status = StatusCode::CREATED;
    Ok(reply)
}
