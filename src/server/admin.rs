//! The operator's listener: `/livez`, `/readyz`, `/metrics`, `/openapi.json`.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};

use super::framing::check_framing;
use super::request::Request;
use super::respond::{self, After, CONTENT_TYPE, Reply};
use super::state::State;
use crate::onprem::openapi;

/// Answers the operator.
pub async fn dispatch(state: Arc<State>, _peer: SocketAddr, request: Request) -> Reply {
    if let Err(failure) = check_framing(&request.head, state.limits.headers) {
        let status = StatusCode::from_u16(failure.http).unwrap_or(StatusCode::BAD_REQUEST);
        let mut reply = text(status, failure.details + "\n");
        reply.after = After::Unread;
        return reply;
    }
    if !matches!(request.head.method, Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered here\n");
    }
    match request.head.target.path() {
        "/livez" => text(StatusCode::OK, "ok\n"),
        "/readyz" => ready(&state).await,
        "/metrics" => {
            for number in state.numbers.load().all() {
                state.relay.callbacks.measure(&number.callbacks);
            }
            let mut reply = text(StatusCode::OK, state.metrics.render());
            let format = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            reply.set(CONTENT_TYPE, HeaderValue::from_static(format));
            reply
        }
        "/openapi.json" => respond::json(StatusCode::OK, &openapi::document()),
        "/" => text(
            StatusCode::OK,
            concat!(
                "prembridge ",
                env!("CARGO_PKG_VERSION"),
                "\n\n/livez\n/readyz\n/metrics\n/openapi.json\n"
            ),
        ),
        _ => text(StatusCode::NOT_FOUND, "no such page\n"),
    }
}

/// Ready means: new work is welcome, and the store answers.
async fn ready(state: &State) -> Reply {
    if state.is_draining() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "shutting down\n");
    }
    match state.store.ping().await {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(error) => text(StatusCode::SERVICE_UNAVAILABLE, format!("the store does not answer: {error}\n")),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Reply::new(status, body.into());
    reply.set(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    reply
}
