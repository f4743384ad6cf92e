//! The interface for people with a shell, under `/_mock/`; it needs no token and is not recorded.
//!
//! `POST /_mock/faults` adds a rule (a JSON rule, a JSON string or the bare one-line form),
//! `GET /_mock/faults` lists them with the number of requests each matched, `DELETE /_mock/faults` drops them.
//! `GET /_mock/requests` shows what arrived and what was accepted, `DELETE /_mock/requests` forgets it.
//! `POST /_mock/media?phone_number_id=…` keeps the body, of the `Content-Type` it has, as a file that a user
//! sent to the number, and answers with its id.
//!
//! `POST /_mock/webhook` with `{"url": …, "app_secret": …}` subscribes an endpoint to signed webhooks; it may add
//! `verify_token`, `statuses` (what is told of each accepted message, by default `["sent", "delivered", "read"]`),
//! `waba_id` and `extra_roots` (PEM). With a verify token the endpoint is sent a challenge, and the answer says whether
//! it passed; it is subscribed in any case. `DELETE /_mock/webhook` ends that, and forgets what was not taken yet.
//! `POST /_mock/inbound?phone_number_id=…` lets a user write to a number and answers with the message's id: the body is
//! an element of Cloud's `messages[]`, in which `from`, `id`, `timestamp`, `type` and what is told of a file may be
//! missing, or just `{"from": …, "text": "…"}`. `POST /_mock/post` posts its body as it is, signed.
//! `GET /_mock/webhooks` shows what was posted, with the answer to every try, and how many are `waiting` to be taken;
//! `DELETE /_mock/webhooks` forgets what was posted.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::content::Spool;
use super::faults::FaultRule;
use super::graph::{LARGEST_BODY, query};
use super::media::Item;
use super::state::State;
use super::webhooks;

/// Graph objects never begin like this.
pub(super) const PREFIX: &str = "/_mock/";

const LARGEST_RULE: usize = 1 << 20;

pub(super) async fn answer(state: &State, request: Request<Incoming>) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let what = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let done = json!({"success": true});
    match (what, &head.method) {
        ("faults", &Method::POST) => {
            let body = Limited::new(body, LARGEST_RULE).collect().await;
            let rule = body.map_err(|error| error.to_string()).and_then(|body| parse(&body.to_bytes()));
            match rule {
                Ok(rule) => {
                    state.add_fault(rule);
                    reply(StatusCode::OK, &done)
                }
                Err(error) => reply(StatusCode::BAD_REQUEST, &json!({ "error": error })),
            }
        }
        ("faults", &Method::GET) => reply(StatusCode::OK, &faults(state)),
        ("faults", &Method::DELETE) => {
            state.clear_faults();
            reply(StatusCode::OK, &done)
        }
        ("requests", &Method::GET) => reply(StatusCode::OK, &requests(state)),
        ("requests", &Method::DELETE) => {
            state.clear();
            reply(StatusCode::OK, &done)
        }
        ("media", &Method::POST) => match keep(state, &head, body).await {
            Ok(id) => reply(StatusCode::OK, &json!({ "id": id })),
            Err(error) => reply(StatusCode::BAD_REQUEST, &json!({ "error": error })),
        },
        (other, method) => match webhooks::control::answer(state, other, &head, body).await {
            Some(Ok(answer)) => reply(StatusCode::OK, &answer),
            Some(Err(error)) => reply(StatusCode::BAD_REQUEST, &json!({ "error": error })),
            None => {
                let error = format!(
                    "no {method} of {PREFIX}{other}: there are faults, requests, media, webhook, webhooks, inbound \
                     and post"
                );
                reply(StatusCode::NOT_FOUND, &json!({ "error": error }))
            }
        },
    }
}

async fn keep(state: &State, head: &Parts, body: Incoming) -> Result<String, String> {
    let number = query(head.uri.query(), "phone_number_id").ok_or("which phone_number_id?")?;
    let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.ok_or("which Content-Type?")?;
    let mut spool = Spool::new(state.options.media_in_memory);
    let mut body = Limited::new(body, LARGEST_BODY);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() {
            spool.write(&data).await.map_err(|error| error.to_string())?;
        }
    }
    let written = spool.finish().await.map_err(|error| error.to_string())?;
    let content = written.content.ok_or("the file was not kept")?;
    let (number, media_type) = (number.to_owned(), media_type.to_owned());
    Ok(state.media.add(Arc::new(Item { number, media_type, sha256: written.sha256, content })))
}

fn parse(body: &[u8]) -> Result<FaultRule, String> {
    let text = std::str::from_utf8(body).map_err(|error| error.to_string())?.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).map_err(|error| error.to_string());
    }
    match serde_json::from_str::<String>(text) {
        Ok(line) => line.parse(),
        Err(_) => text.parse(),
    }
}

fn faults(state: &State) -> Value {
    let rules: Vec<_> =
        state.faults().into_iter().map(|(rule, matched)| json!({"rule": rule, "matched": matched})).collect();
    json!({ "faults": rules })
}

fn requests(state: &State) -> Value {
    json!({
        "seen": state.seen_count(),
        "accepted": state.accepted_count(),
        "uploads": state.upload_count(),
        "requests": state.requests(),
        "accepted_messages": state.accepted(),
    })
}

fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{body:#}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
