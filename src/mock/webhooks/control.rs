//! Webhooks in the interface for shells.

use bytes::Bytes;
use http::Method;
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::super::graph::query;
use super::super::state::State;
use super::deliver::verify;
use super::{InboundMessage, Subscription};

/// Graph's webhooks have at most 3 MB.
const LARGEST_BODY: usize = 4 << 20;
const NOBODY: &str = "nobody is subscribed: POST /_mock/webhook first";

/// What is done; none when there is no such thing to do.
pub(in super::super) async fn answer(
    state: &State,
    what: &str,
    head: &Parts,
    body: Incoming,
) -> Option<Result<Value, String>> {
    let answer = match (what, &head.method) {
        ("webhook", &Method::POST) => subscribe(state, body).await,
        ("webhook", &Method::DELETE) => {
            state.hooks.unsubscribe();
            Ok(json!({"success": true}))
        }
        ("webhooks", &Method::GET) => {
            Ok(json!({"waiting": *state.hooks.waiting.borrow(), "webhooks": state.hooks.sent()}))
        }
        ("webhooks", &Method::DELETE) => {
            state.hooks.clear();
            Ok(json!({"success": true}))
        }
        ("inbound", &Method::POST) => inbound(state, head, body).await,
        ("post", &Method::POST) => collect(body).await.and_then(|body| {
            let is_queued = state.hooks.queue(body, None, None);
            if is_queued { Ok(json!({"success": true})) } else { Err(NOBODY.to_owned()) }
        }),
        (_, _) => return None,
    };
    Some(answer)
}

/// The subscription stands whatever the endpoint says to the challenge, which may come too early for it.
async fn subscribe(state: &State, body: Incoming) -> Result<Value, String> {
    let body = collect(body).await?;
    let subscription: Subscription = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    subscription.check()?;
    let has_token = subscription.verify_token.is_some();
    state.hooks.subscribe(subscription);
    if !has_token {
        return Ok(json!({"success": true}));
    }
    Ok(match verify(state).await {
        Ok(()) => json!({"success": true, "verified": true}),
        Err(error) => json!({"success": true, "verified": false, "error": error}),
    })
}

async fn inbound(state: &State, head: &Parts, body: Incoming) -> Result<Value, String> {
    let number = query(head.uri.query(), "phone_number_id").ok_or("which phone_number_id?")?;
    let message = serde_json::from_slice(&collect(body).await?).map_err(|error| error.to_string())?;
    let message = InboundMessage::from_json(message)?;
    if !state.hooks.is_on() {
        return Err(NOBODY.to_owned());
    }
    Ok(json!({"id": state.hooks.inbound(state, number, message)}))
}

async fn collect(body: Incoming) -> Result<Bytes, String> {
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|error| error.to_string())?;
    Ok(body.to_bytes())
}
