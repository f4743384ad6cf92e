//! `/v1/account` and `/v1/settings/account/two-step`
//!
//! A number that is connected is never registered again: Cloud would take it down for the while, and counts.

use http::StatusCode;

use super::graph::Graph;
use super::{Call, internal_failure, store_failure};
use crate::cloud::GraphError;
use crate::cloud::number::{self as cloud, CodeCheck, CodeRequest, NumberState, PinChange, Stage};
use crate::onprem::account::{
    AccountReply, CodeMethod, Pin, Registration, ShardsReply, Verification, parse_shards, pin_needed,
};
use crate::onprem::error::Meta;
use crate::onprem::message::Body;
use crate::server::dispatch::Trail;
use crate::server::respond::{self, Failure, Reply};
use crate::settings::SettingsError;
use crate::upstream::Answer;

/// The language of the code's text: on-prem did not ask for one, and Cloud wants it.
const LANGUAGE: &str = "en_US";
/// Cloud's "Phone number already verified".
const ALREADY_VERIFIED: i64 = 136_024;
/// What a deployment has whose shards nobody set.
const ONE_SHARD: u8 = 1;

/// `POST /v1/account`: 201 when the number is registered (now), 202 when a code is on its way.
pub(super) async fn register(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let Registration { method, pin } = Registration::parse(&body)?;
    let _turn = call.number.registering.lock().await;
    let graph = Graph::account(call);
    let state = ask(&graph, trail).await?;
    if state.stage == Stage::Unverified {
        let code_method = match method {
            CodeMethod::Sms => "SMS",
            CodeMethod::Voice => "VOICE",
        };
        let answer = graph.act("/request_code", &CodeRequest { code_method, language: LANGUAGE }).await?;
        if !is_verified_already(&answer) {
            graph.done(answer, trail)?;
            return Ok(account(call, StatusCode::ACCEPTED, &state.verified_name));
        }
    }
    if state.stage != Stage::Connected {
        let pin = pin.ok_or_else(pin_needed)?;
        connect(&graph, &pin, trail).await?;
    }
    Ok(account(call, StatusCode::CREATED, &state.verified_name))
}

/// `POST /v1/account/verify`: 200 when the number is verified, 201 when it was so already or is registered, too.
pub(super) async fn verify(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let Verification { code, pin } = Verification::parse(&body)?;
    let _turn = call.number.registering.lock().await;
    let graph = Graph::account(call);
    let answer = graph.act("/verify_code", &CodeCheck { code: &code }).await?;
    let was_verified = is_verified_already(&answer);
    if !was_verified {
        graph.done(answer, trail)?;
    }
    let status = match pin {
        Some(pin) => {
            // Even a connected number can have a verification that has lapsed.
            if ask(&graph, trail).await?.stage != Stage::Connected {
                connect(&graph, &pin, trail).await?;
            }
            StatusCode::CREATED
        }
        None if was_verified => StatusCode::CREATED,
        None => StatusCode::OK,
    };
    let mut reply = respond::empty(&call.state.compat.version);
    reply.status = status;
    Ok(reply)
}

/// `POST /v1/settings/account/two-step`
pub(super) async fn set_pin(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let pin = Pin::parse(&Body::read(&call.body)?)?;
    Graph::account(call).set("", &PinChange { pin: pin.digits() }, trail).await?;
    Ok(respond::empty(&call.state.compat.version))
}

/// `GET /v1/account/shards`
pub(super) fn show_shards(call: &Call<'_>) -> Reply {
    let shards = call.state.settings.of(&call.number.phone_number_id).shards;
    let meta = Meta::stable(&call.state.compat.version);
    respond::json(StatusCode::OK, &ShardsReply::new(shards.unwrap_or(ONE_SHARD), meta))
}

/// `POST /v1/account/shards`
pub(super) async fn set_shards(call: &Call<'_>) -> Result<Reply, Failure> {
    let shards = parse_shards(&Body::read(&call.body)?)?;
    let kept = call.state.settings.set_shards(&call.number.phone_number_id, shards).await;
    kept.map_err(|error| match error {
        SettingsError::Store(error) => store_failure(&error),
        other @ (SettingsError::Invalid(_)
        | SettingsError::Bundle(_)
        | SettingsError::NotFound
        | SettingsError::NoNumber) => internal_failure(other.to_string()),
    })?;
    let mut reply = respond::empty(&call.state.compat.version);
    reply.status = StatusCode::CREATED;
    Ok(reply)
}

async fn ask(graph: &Graph<'_>, trail: &mut Trail) -> Result<NumberState, Failure> {
    let body = graph.get(&format!("?fields={}", NumberState::FIELDS), trail).await?;
    NumberState::parse(&body).ok_or_else(|| graph.unusable("cloud did not say how far the number is"))
}

/// Registers a number that is verified and not connected.
async fn connect(graph: &Graph<'_>, pin: &Pin, trail: &mut Trail) -> Result<(), Failure> {
    let answer = graph.act("/register", &cloud::Registration::new(pin.digits())).await?;
    graph.done(answer, trail)
}

fn is_verified_already(answer: &Answer) -> bool {
    GraphError::parse(&answer.body).is_some_and(|error| error.code == Some(ALREADY_VERIFIED))
}

fn account(call: &Call<'_>, status: StatusCode, vname: &str) -> Reply {
    respond::json(status, &AccountReply::new(vname, Meta::stable(&call.state.compat.version)))
}
