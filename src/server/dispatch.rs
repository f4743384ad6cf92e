//! One request: checked, routed, handled, answered, counted, logged.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method};
use tokio::time::Instant;

use super::body::RequestBody;
use super::framing::{check_framing, verb_label};
use super::request::{Context, Fields, Head, Name, Request};
use super::respond::{After, Reply};
use super::state::{Limits, State};
use super::{body, handlers, respond, webhook};
use crate::number::Number;
use crate::onprem::ErrorCode;
use crate::onprem::route::{Access, Action, Body, Means, NoRoute, Route};
use crate::relay::Failure;
use crate::session::Principal;
use crate::telemetry::{CallKey, ErrorLabels, request_id};

const REQUEST_ID: &str = "x-request-id";
/// What happened to each file of a message, for people who wonder why it was fetched again: in the words of
/// [`media::reason`](crate::media::reason).
pub const MEDIA: &str = "x-prembridge-media";
/// Of a client's own request id: longer or stranger ones are replaced.
const REQUEST_ID_LENGTH: usize = 128;

/// Bytes of a login's body, which anybody may send: a new password has at most 64 characters.
const LOGIN_BODY: usize = 4096;

/// Bytes of a profile photo: 5 MB, with room for the form around it.
const PHOTO_BODY: usize = 6 * 1024 * 1024;

/// What the log and the counters say of a request beside its answer.
#[derive(Debug, Default)]
pub struct RequestLog {
    /// The number.
    pub number: Option<Arc<Number>>,
    /// How the files of a message were found, when requests are logged.
    pub media: Option<String>,
}

/// Answers `request`.
pub async fn dispatch(state: Arc<State>, peer: SocketAddr, request: Request) -> Reply {
    if state.webhook.is_on_api && webhook::is_ours(request.head.target.path()) {
        return Box::pin(webhook::answer(state, peer, request)).await;
    }
    let started = Instant::now();
    let Request { head, body } = request;
    let id = client_request_id(&head.fields).unwrap_or_else(|| request_id(&state.process));
    let verb = verb_label(&head.method);
    let route = Route::parse(head.method.as_str(), head.target.path());
    let endpoint = match &route {
        Ok(route) => route.endpoint.path,
        Err(NoRoute::WrongVerb { path, .. }) => path,
        Err(NoRoute::UnknownPath) => "unknown",
    };
    let context = Context { request_id: id, peer };
    let mut log = RequestLog::default();
    let work = handle(&state, &context, route, &head, body, &mut log);
    let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
        state.metrics.panics.inc();
        Err(Failure::internal("a handler panicked"))
    });
    let (mut reply, failure) = match outcome {
        Ok(reply) => (reply, None),
        Err(failure) => (respond::failure(&failure, &state.numbers.load().compat.api_version), Some(failure)),
    };
    if let Ok(value) = HeaderValue::from_str(&context.request_id) {
        reply.set(REQUEST_ID, value);
    }
    if let Some(value) = log.media.as_deref().and_then(|media| HeaderValue::from_str(media).ok()) {
        reply.set(MEDIA, value);
    }
    if state.is_draining() && reply.after == After::Open {
        reply.after = After::Close;
    }
    let code = reply.status.as_u16();
    let now = Instant::now();
    reply.ready_at = Some(now);
    let elapsed = now - started;
    let key = CallKey { endpoint, method: verb, code };
    state.metrics.requests.answered(key, elapsed);
    if let Some(number) = &log.number {
        number.ledger.calls.add(key, elapsed);
    }
    if let Some(failure) = &failure {
        let labels = ErrorLabels { code: failure.code.code(), source: failure.source.name() };
        state.metrics.errors.get_or_create(&labels).inc();
    }
    if state.log_requests {
        write_log(&context, endpoint, verb, code, elapsed, failure.as_ref(), &log);
    }
    reply
}

fn write_log(
    context: &Context,
    endpoint: &'static str,
    verb: &'static str,
    code: u16,
    elapsed: std::time::Duration,
    failure: Option<&Failure>,
    log: &RequestLog,
) {
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let cloud = failure.and_then(|failure| failure.cloud.as_deref());
    // `details` may quote a client's text, so it stays out of the log.
    tracing::info!(
        request_id = context.request_id,
        method = verb,
        endpoint,
        status = code,
        micros,
        number = log.number.as_ref().map(|number| number.name.as_str()),
        source = failure.map(|failure| failure.source.name()),
        error = failure.map(|failure| failure.code.code()),
        cloud_code = cloud.and_then(|error| error.code),
        fbtrace_id = cloud.and_then(|error| error.trace.as_deref()),
        media = log.media.as_deref(),
        reason = failure.and_then(|failure| failure.log.as_deref()),
        "request"
    );
}

async fn handle(
    state: &Arc<State>,
    context: &Context,
    route: Result<Route<'_>, NoRoute>,
    head: &Head,
    incoming: RequestBody,
    log: &mut RequestLog,
) -> Result<Reply, Failure> {
    let RequestLog { number, media } = log;
    let admitted = match admit(state, head, route, number) {
        Ok(admitted) => admitted,
        Err(failure) => return Err(Box::pin(body::refuse(incoming, failure)).await),
    };
    let Some(Admitted { route, number, principal }) = admitted else {
        Box::pin(body::discard(incoming)).await;
        return Ok(respond::root());
    };
    if route.endpoint.means == Means::Refused {
        return Err(Box::pin(body::refuse(incoming, handlers::refused(&route))).await);
    }
    let mut call = handlers::Call {
        state,
        number,
        fields: &head.fields,
        context,
        query: head.target.query(),
        principal,
        body: Bytes::new(),
    };
    let limit = match route.endpoint.body {
        Body::Upload => {
            // A file is handled as it is read.
            let _handling = number.ledger.handling.begin();
            return Box::pin(handlers::upload(&call, incoming)).await;
        }
        Body::Photo => PHOTO_BODY,
        // The only body that anybody may send without a token.
        _ if route.endpoint.access == Access::Everybody => LOGIN_BODY.min(state.limits.body),
        Body::Nothing | Body::Json | Body::OptionalJson | Body::Pem => state.limits.body,
    };
    let reading = number.ledger.reading.begin();
    call.body = body::read(incoming, &Limits { body: limit, ..state.limits }).await?;
    drop(reading);
    let _handling = number.ledger.handling.begin();
    handlers::handle(&call, route, media).await
}

/// A request that may be read.
struct Admitted<'n, 'p> {
    route: Route<'p>,
    number: &'n Arc<Number>,
    principal: Option<Principal>,
}

/// Everything that a request's head decides, so that nobody makes us hold a body without a login.
/// `None` is `GET /`, which belongs to no number. The request keeps its number in `kept`, whatever becomes of the registry.
fn admit<'n, 'p>(
    state: &State,
    head: &Head,
    route: Result<Route<'p>, NoRoute>,
    kept: &'n mut Option<Arc<Number>>,
) -> Result<Option<Admitted<'n, 'p>>, Failure> {
    check_framing(head, state.limits.headers)?;
    let route = route.map_err(|no_route| unrouted(no_route, &head.method))?;
    if route.endpoint.action == Action::Root {
        return Ok(None);
    }
    let number =
        state.numbers.load().select(head.fields.text(Name::Host)).map(Arc::clone).ok_or_else(|| {
            Failure::client(
                ErrorCode::ResourceNotFound,
                "no number has this Host name; add it to the hosts of a [[number]]",
            )
        })?;
    let number = &*kept.insert(number);
    let principal = handlers::admit(state, number, &head.fields, route.endpoint.access)?;
    Ok(Some(Admitted { route, number, principal }))
}

fn unrouted(no_route: NoRoute, method: &Method) -> Failure {
    match no_route {
        NoRoute::UnknownPath => Failure::client(ErrorCode::ResourceNotFound, "this path has no endpoint"),
        NoRoute::WrongVerb { verbs, .. } => {
            let mut failure = Failure::client(
                ErrorCode::InvalidRequest,
                format!("this path takes {verbs}, not {}", verb_label(method)),
            )
            .http(405);
            failure.allow = Some(verbs);
            failure
        }
    }
}

fn client_request_id(fields: &Fields) -> Option<String> {
    let id = fields.text(Name::RequestId)?;
    let is_fit = !id.is_empty()
        && id.len() <= REQUEST_ID_LENGTH
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(&byte));
    is_fit.then(|| id.to_owned())
}
