//! What Cloud calls: `GET` and `POST /webhooks/cloud`, one URL for all numbers.
//!
//! Anything but 200 makes Cloud keep its events and repeat them for seven days ("Webhooks", retries). So nothing is
//! acknowledged before it is committed, and what is acknowledged although nobody will get it is counted:
//!
//! | | answer | |
//! |---|---|---|
//! | no signature, or a wrong one | 401 | nothing is kept |
//! | signed by an app that must not speak for the number | 403 | nothing is kept |
//! | not a webhook | 400 | nothing is kept |
//! | larger than 3 MiB | 413 | nothing is kept |
//! | slower than the lowest speed | 408 | nothing is kept |
//! | a number's queue is full | 503 | the other numbers' events are kept, and recognised when they come again |
//! | the store commits nothing, or not in time | 503 | nothing is kept, except that a slow store may commit late: then the repetition is recognised |
//! | no room in memory, or no turn to be verified | 503 | nothing is kept |
//! | numbers that are not configured, other fields, parts that cannot be read, events without counterpart | 200 | counted in `prembridge_webhook_events_total` |

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;
use subtle::ConstantTimeEq;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use url::form_urlencoded;

use super::body;
use super::body::RequestBody;
use super::framing::{check_framing, verb_label};
use super::request::{Name, Request};
use super::respond::{self, Reply};
use super::state::State;
use crate::callback::Refused;
use crate::cloud::webhook::Webhook;
use crate::config::Secret;
use crate::onprem::ErrorCode;
use crate::relay::{Failure, Source};
use crate::telemetry::CallKey;
use crate::webhook::{Inbox, Signed, Unsigned, is_signature};
pub use access::{Access, Turns};
pub use room::Room;
use room::patience;

mod access;
mod room;

/// Where Cloud posts.
pub const PATH: &str = "/webhooks/cloud";
/// The largest webhook: "up to 3 MB" ("Webhooks", payload size).
pub const LARGEST: usize = 3 * 1024 * 1024;
/// Bodies beyond this are verified one at a time and off the threads that serve: with two hundred secrets one of
/// 3 MiB takes nearly half a second.
const LARGE: usize = 16 * 1024;
/// How long a body waits for that.
const TURN: Duration = Duration::from_secs(5);
/// The longest challenge that is given back; Graph's have some ten digits.
const CHALLENGE: usize = 256;
/// Seconds after which a refused webhook is welcome again.
const AGAIN: u32 = 5;

/// Answers whatever comes to a listener that is Cloud's alone.
pub async fn dispatch(state: Arc<State>, peer: SocketAddr, request: Request) -> Reply {
    let path = request.head.target.path();
    if is_ours(path) {
        return answer(state, peer, request).await;
    }
    if let Err(failure) = check_framing(&request.head, state.limits.headers) {
        return respond::failure_to_cloud(&body::refuse(request.body, failure).await);
    }
    let is_probe = path == "/" && matches!(request.head.method, Method::GET | Method::HEAD);
    if is_probe {
        body::discard(request.body).await;
        return respond::root();
    }
    let failure = refusal(404, format!("there is nothing here; webhooks go to {PATH}"));
    respond::failure_to_cloud(&body::refuse(request.body, failure).await)
}

/// Whether a path is where Cloud posts.
pub fn is_ours(path: &str) -> bool {
    path == PATH
}

/// Answers Cloud.
pub async fn answer(state: Arc<State>, peer: SocketAddr, request: Request) -> Reply {
    let started = Instant::now();
    let verb = verb_label(&request.head.method);
    let mut told = None;
    let work = AssertUnwindSafe(handle(&state, peer, request, &mut told)).catch_unwind();
    let outcome = work.await.unwrap_or_else(|_| {
        state.metrics.panics.inc();
        Err(refusal(500, "the proxy failed on this webhook".to_owned()).log("a handler panicked"))
    });
    let (reply, failure) = match outcome {
        Ok(reply) => (reply, None),
        Err(failure) => (respond::failure_to_cloud(&failure), Some(failure)),
    };
    let (code, elapsed) = (reply.status.as_u16(), started.elapsed());
    let key = CallKey { endpoint: PATH, method: verb, code };
    state.metrics.requests.answered(key, elapsed);
    if state.log_requests {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let refused = failure.as_ref().map(|failure| failure.details.as_str());
        let reason = failure.as_ref().and_then(|failure| failure.log.as_deref());
        let (queued, repeated) = told.unzip();
        tracing::info!(
            method = verb,
            endpoint = PATH,
            status = code,
            micros,
            queued,
            repeated,
            refused,
            reason,
            "webhook"
        );
    }
    reply
}

/// What was queued of a webhook, and what had been there before.
type Told = Option<(usize, usize)>;

async fn handle(
    state: &Arc<State>,
    peer: SocketAddr,
    request: Request,
    told: &mut Told,
) -> Result<Reply, Failure> {
    let framed = check_framing(&request.head, state.limits.headers);
    let verb = framed.and_then(|()| match request.head.method {
        Method::GET | Method::HEAD => Ok(Verb::Subscribe),
        Method::POST => Ok(Verb::Take),
        _ => {
            let mut failure = refusal(405, "GET and POST are answered here".to_owned());
            failure.allow = Some("GET, HEAD, POST".to_owned());
            Err(failure)
        }
    });
    match verb {
        Ok(Verb::Subscribe) => {
            body::discard(request.body).await;
            subscribe(state, request.head.target.query())
        }
        Ok(Verb::Take) => {
            let signature = request.head.fields.once(Name::Signature).ok().flatten();
            let Some(signature) = signature.filter(|signature| is_signature(signature)) else {
                let failure = unsigned(state, Unsigned::Missing);
                return Err(body::refuse(request.body, failure).await);
            };
            let mut part = state.webhook.room.part(peer);
            let body = match request.body {
                RequestBody::Whole(body) => body,
                arriving @ RequestBody::Arriving { .. } => {
                    let longest = state.limits.body_timeout;
                    let admit = |more| if part.grow(more) { Ok(()) } else { Err(crowded()) };
                    let reading = body::collect(arriving, LARGEST, |got| patience(got).min(longest), admit);
                    Box::pin(reading).await.inspect_err(|failure| {
                        let outcome = if failure.http == 503 { "crowded" } else { "broken" };
                        state.metrics.callbacks.webhook(outcome);
                    })?
                }
            };
            let signed = verify(state, signature, &body).await?;
            if !part.verify() {
                state.metrics.callbacks.webhook("crowded");
                return Err(crowded());
            }
            take(state, &signed, &body, told).await
        }
        Err(failure) => Err(body::refuse(request.body, failure).await),
    }
}

/// Says who has signed a body.
async fn verify(state: &Arc<State>, signature: &[u8], body: &Bytes) -> Result<Signed, Failure> {
    let verified = if body.len() <= LARGE {
        state.webhook.secrets.verify(Some(signature), body)
    } else {
        let Ok(Ok(turn)) = timeout(TURN, Arc::clone(&state.webhook.turns.0).acquire_owned()).await else {
            state.metrics.callbacks.webhook("crowded");
            return Err(crowded());
        };
        let (state, signature, body) = (Arc::clone(state), signature.to_vec(), body.clone());
        // The turn goes with the work, which goes on when its client has gone.
        let verifying = spawn_blocking(move || {
            let verified = state.webhook.secrets.verify(Some(&signature), &body);
            drop(turn);
            verified
        });
        verifying.await.map_err(|error| {
            refusal(500, "the proxy failed on this webhook".to_owned()).log(error.to_string())
        })?
    };
    verified.map_err(|why| unsigned(state, why))
}

fn crowded() -> Failure {
    let mut failure = refusal(503, "too many webhooks at once; nothing was taken".to_owned()).closing();
    failure.retry_after = Some(AGAIN);
    failure
}

enum Verb {
    Subscribe,
    Take,
}

/// Graph's question whether this URL wants its webhooks ("Create a webhook endpoint", verification requests).
fn subscribe(state: &State, query: &str) -> Result<Reply, Failure> {
    let (mut mode, mut token, mut challenge) = (None, None, None);
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "hub.mode" => mode = Some(value),
            "hub.verify_token" => token = Some(value),
            "hub.challenge" => challenge = Some(value),
            _ => {}
        }
    }
    let (Some(mode), Some(token), Some(challenge)) = (mode, token, challenge) else {
        return Err(refusal(400, "hub.mode, hub.verify_token and hub.challenge are needed".to_owned()));
    };
    let is_plain = challenge.len() <= CHALLENGE && challenge.bytes().all(|byte| byte.is_ascii_graphic());
    if mode != "subscribe" || !is_plain {
        return Err(refusal(400, "this is not a subscription".to_owned()));
    }
    let is_known = |known: &Secret| bool::from(known.expose().as_bytes().ct_eq(token.as_bytes()));
    // All of them are compared, so that the time tells nothing.
    if state.webhook.verify_tokens.iter().filter(|known| is_known(known)).count() == 0 {
        state.metrics.callbacks.webhook("wrong_verify_token");
        let details = "hub.verify_token is not the verify_token of a [[number]]";
        return Err(refusal(403, details.to_owned()));
    }
    let mut reply = respond::bytes(StatusCode::OK, challenge.into_owned().into_bytes());
    reply.set(respond::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(reply)
}

async fn take(state: &State, signed: &Signed, body: &[u8], told: &mut Told) -> Result<Reply, Failure> {
    let metrics = &state.metrics.callbacks;
    let webhook = Webhook::read(body).map_err(|not| {
        metrics.webhook("not_a_webhook");
        refusal(400, not.reason().to_owned())
    })?;
    let numbers = state.numbers.load_full();
    let is_foreign = |number: &str| numbers.by_id(number).is_some() && !signed.speaks_for(number);
    if webhook.values().any(|value| is_foreign(&value.phone_number_id)) {
        metrics.webhook("foreign_number");
        let details = "this app's secret is not the app_secret of the number that it speaks for";
        return Err(refusal(403, details.to_owned()));
    }
    let receipt = state
        .webhook
        .intake
        .take(&webhook, |id| numbers.by_id(id).map(|number| Inbox::from(&**number)))
        .await;
    let receipt = receipt.map_err(|refused| {
        let outcome = match refused {
            Refused::Full => "full",
            Refused::Store(_) => "not_committed",
        };
        metrics.webhook(outcome);
        let mut failure =
            refusal(503, "not all of it was taken; send it again later".to_owned()).log(refused.to_string());
        failure.source = Source::Internal;
        failure.retry_after = Some(AGAIN);
        failure
    })?;
    *told = Some((receipt.queued, receipt.repeated));
    for wamid in receipt.failed_media {
        state.relay.media.forget_sent(&wamid).await;
    }
    if receipt.wants_media {
        state.relay.media.notify_wanted();
    }
    metrics.webhook("accepted");
    Ok(respond::json(StatusCode::OK, &json!({"success": true})))
}

fn unsigned(state: &State, why: Unsigned) -> Failure {
    let (outcome, details) = match why {
        Unsigned::Missing => ("unsigned", "X-Hub-Signature-256 is missing, or not sha256= and 64 digits"),
        Unsigned::Wrong => ("wrong_signature", "X-Hub-Signature-256 was made with no app_secret of ours"),
    };
    state.metrics.callbacks.webhook(outcome);
    refusal(401, details.to_owned())
}

/// The code is not shown to Cloud, which knows no on-prem codes.
fn refusal(http: u16, details: String) -> Failure {
    Failure::client(ErrorCode::InvalidRequest, details).http(http)
}
