//! Answers one Graph request: token, body, fault rules, answer, and how the connection goes on.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::business::{self, Change, Examined};
use super::content::Content;
use super::errors::GraphError;
use super::faults::{Act, ErrorAct, HttpAct};
use super::media::Item;
use super::messages::{self, Inspected, Recipient, Verdict};
use super::route::{Call, Target};
use super::server::{Cut, render, stall};
use super::state::{Accepted, Body, Recorded, State};
use super::upload::{self, Received};
use super::{attachments, files, templates};

/// Far above any message; Meta's largest media are 100 MB.
pub(super) const LARGEST_BODY: usize = 128 << 20;
/// How much is remembered of a body that makes no sense.
const RAW_KEPT: usize = 64 << 10;

pub(super) async fn answer(state: &State, request: Request<Incoming>) -> Result<Response<Content>, Cut> {
    let trace = state.ids.trace(state.next_request());
    let (head, body) = request.into_parts();
    let call = Call::parse(&head.method, head.uri.path(), state.options.check_version, |id| {
        state.media.was_given(id)
    });
    if let Some(act) = state.fault_at_head(call.subject(None, None)) {
        state.record(|| Recorded::of(&head, call.id));
        return Err(if act == Act::ResetBeforeRead { Cut::Reset } else { Cut::Close });
    }
    let found = read(state, &head, &call, Limited::new(body, LARGEST_BODY)).await?;
    let act = state.fault(call.subject(found.kind.as_deref(), found.to.as_deref()));
    let mut response = settle(state, &call, &found, act.as_ref(), &trace);
    stamp(&mut response, &call, &trace);
    state.record(|| Recorded {
        body: found.body,
        notes: call.note.clone().into_iter().chain(found.notes).collect(),
        status: Some(response.status().as_u16()),
        answer: match response.body() {
            // Of a file only what is said instead of it.
            Content::Memory(bytes)
                if !matches!(call.target, Ok(Target::Download | Target::Photo))
                    || !response.status().is_success() =>
            {
                String::from_utf8_lossy(bytes).into_owned()
            }
            Content::Memory(_) | Content::Spooled { .. } => String::new(),
        },
        ..Recorded::of(&head, call.id)
    });
    finish(response, act).await
}

/// A request, looked at in the order Graph does: path, token, body.
struct Found {
    body: Body,
    kind: Option<String>,
    to: Option<String>,
    notes: Vec<String>,
    verdict: Result<Granted, GraphError>,
}

/// What a request is entitled to.
enum Granted {
    Send(Recipient),
    Json(Value),
    /// A file is kept and gets an id.
    Keep(Arc<Item>),
    /// A file is handed out.
    Give(Arc<Item>),
    /// The file of this id is forgotten.
    Forget(String),
    /// A number or its profile is changed.
    Change(Change),
    /// The templates change.
    Templates(templates::Change),
}

/// Rules ask for type and recipient even when the token is bad, so the body is read in any case.
async fn read(state: &State, head: &Parts, call: &Call<'_>, body: Limited<Incoming>) -> Result<Found, Cut> {
    let mut found = if call.target == Ok(Target::Upload) {
        // Boxed, so that the future of a message, which is made for each, has no room for a file.
        let received = upload::receive(&head.headers, body, state.options.media_in_memory);
        let received = Box::pin(received).await;
        Found::uploaded(received.map_err(|_| Cut::Close)?, call.id.unwrap_or_default())
    } else {
        let body = body.collect().await.map_err(|_| Cut::Close)?.to_bytes();
        examine(state, head, call, &body)
    };
    // Anybody can see a photo, and a token has no business there.
    if call.target == Ok(Target::Photo) {
        if head.headers.contains_key(header::AUTHORIZATION) {
            found.notes.push("a token was sent to a public place".to_owned());
        }
        return Ok(found);
    }
    if let Err(refusal) = authorize(state, head) {
        found.verdict = Err(refusal);
    }
    Ok(found)
}

fn examine(state: &State, head: &Parts, call: &Call<'_>, body: &[u8]) -> Found {
    let (id, asked) = (call.id.unwrap_or_default(), head.uri.query());
    let verdict = match &call.target {
        Ok(Target::Messages) => {
            let mut found = Found::of(messages::inspect(body, &state.options.default_country), body);
            if let (Ok(Granted::Send(_)), Body::Json(message)) = (&found.verdict, &found.body) {
                let is_valid = |media: &str| files::is_attachment(state, media, id);
                if let Err(refusal) = attachments::check(message, is_valid) {
                    found.verdict = Err(refusal);
                }
            }
            return found;
        }
        Ok(Target::Number) if id == state.options.waba_id => {
            templates::account(state, asked).map(Granted::Json)
        }
        Ok(Target::Templates) => {
            let verdict = templates::examine(state, head, id, body).map(|asked| match asked {
                templates::Asked::Page(page) => Granted::Json(page),
                templates::Asked::Change(change) => Granted::Templates(change),
            });
            let body = serde_json::from_slice(body).map_or_else(|_| raw(body), Body::Json);
            return Found { body, kind: None, to: None, notes: Vec::new(), verdict };
        }
        Ok(Target::Number) => business::number(state, id, asked).map(Granted::Json),
        Ok(Target::DebugToken) => business::debug_token(state, asked).map(Granted::Json),
        Ok(Target::Profile) => business::show_profile(state, head, id).map(Granted::Json),
        Ok(Target::Photo) => business::photo(state, id, asked).map(Granted::Give),
        Ok(Target::OpenUpload) => business::open(id, asked).map(Granted::Change),
        Ok(Target::SetProfile) => return Found::changed(business::update_profile(state, id, body), body),
        Ok(Target::RequestCode) => return Found::changed(business::request_code(state, id, body), body),
        Ok(Target::VerifyCode) => return Found::changed(business::verify_code(state, id, body), body),
        Ok(Target::Register) => return Found::changed(business::register(state, id, body), body),
        Ok(Target::SetPin) => return Found::changed(business::change_pin(state, id, body), body),
        Ok(Target::SendUpload) => return Found::changed(business::receive(state, head, id, body), body),
        Ok(Target::Media) => {
            files::find(state, head, id).map(|item| Granted::Json(files::describe(state, head, id, &item)))
        }
        Ok(Target::Delete) => files::find(state, head, id).map(|_| Granted::Forget(id.to_owned())),
        Ok(Target::Download) => files::download(state, id, asked).map(Granted::Give),
        // Its body is a stream, see `read`.
        Ok(Target::Upload) => Err(GraphError::no_such_object("post", id)),
        Err(error) => Err(error.clone()),
    };
    Found { body: raw(body), kind: None, to: None, notes: Vec::new(), verdict }
}

/// A body that is not JSON, or that nobody wants.
fn raw(body: &[u8]) -> Body {
    match body.get(..RAW_KEPT).unwrap_or(body) {
        [] => Body::Empty,
        // A copy, since a slice would keep the whole.
        kept => Body::Raw(Bytes::copy_from_slice(kept)),
    }
}

impl Found {
    fn uploaded(received: Received, number: &str) -> Self {
        let Received { fields, file, notes, verdict } = received;
        let verdict = verdict.map(|content| {
            let (media_type, sha256) =
                file.as_ref().map(|file| (file.media_type.clone(), file.sha256.clone())).unwrap_or_default();
            Granted::Keep(Arc::new(Item { number: number.to_owned(), media_type, sha256, content }))
        });
        Self { body: Body::Form { fields, file }, kind: None, to: None, notes, verdict }
    }

    fn changed(examined: Examined, body: &[u8]) -> Self {
        let Examined { json, notes, verdict } = examined;
        let body = json.map_or_else(|| raw(body), Body::Json);
        Self { body, kind: None, to: None, notes, verdict: verdict.map(Granted::Change) }
    }

    fn of(inspected: Inspected, body: &[u8]) -> Self {
        let verdict = inspected.verdict.map(|verdict| match verdict {
            Verdict::Send(recipient) => Granted::Send(recipient),
            Verdict::Read => Granted::Json(json!({"success": true})),
        });
        let Inspected { json, kind, to, notes, .. } = inspected;
        Self { body: json.map_or_else(|| raw(body), Body::Json), kind, to, notes, verdict }
    }
}

/// Graph takes the token from the header or from the query.
fn authorize(state: &State, head: &Parts) -> Result<(), GraphError> {
    let header = head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or_default());
    let token = match header {
        Some(value) => match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") || scheme == "OAuth" => {
                token.trim()
            }
            Some(_) | None => return Err(GraphError::worded(190, "Malformed access token")),
        },
        None => query(head.uri.query(), "access_token").unwrap_or_default(),
    };
    if token.is_empty() {
        return Err(GraphError { details: None, ..GraphError::of(104) });
    }
    match &state.options.access_tokens {
        Some(tokens) if !tokens.iter().any(|known| known == token) => {
            Err(GraphError { details: None, ..GraphError::of(190) })
        }
        Some(_) | None => Ok(()),
    }
}

/// The value of a parameter as it stands: those of the mock are plain words and digits.
pub(super) fn query<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find_map(|(key, value)| (key == name).then_some(value))
}

/// The value of a parameter without its percent-encoding.
pub(super) fn decoded(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query?.as_bytes());
    pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}

/// The answer, and the message's acceptance.
fn settle(
    state: &State,
    call: &Call<'_>,
    found: &Found,
    act: Option<&Act>,
    trace: &str,
) -> Response<Content> {
    if let Some(Act::Error(error)) = act {
        return refuse(&wanted(error), trace);
    }
    let scripted = if let Some(Act::Http(http)) = act { Some(verbatim(http)) } else { None };
    let taken = scripted.as_ref().is_none_or(|scripted| scripted.status().is_success());
    let natural = match &found.verdict {
        Ok(_) if !taken => None,
        Ok(Granted::Send(recipient)) => Some(accept(state, call, found, recipient, act)),
        Ok(Granted::Json(json)) => Some(json_answer(json)),
        Ok(Granted::Keep(item)) => {
            state.count_upload();
            Some(json_answer(&json!({"id": state.media.add(Arc::clone(item))})))
        }
        Ok(Granted::Templates(change)) => Some(json_answer(&state.templates.change(change))),
        Ok(Granted::Give(item)) => Some(files::give(item)),
        Ok(Granted::Change(change)) => {
            Some(json_answer(&state.registry.apply(call.id.unwrap_or_default(), change)))
        }
        Ok(Granted::Forget(id)) => {
            // Of two at a time, both were there when they asked.
            state.media.remove(id);
            Some(json_answer(&json!({"success": true})))
        }
        Err(error) => Some(refuse(error, trace)),
    };
    scripted.or(natural).unwrap_or_else(|| ok(Bytes::new()))
}

fn accept(
    state: &State,
    call: &Call<'_>,
    found: &Found,
    recipient: &Recipient,
    act: Option<&Act>,
) -> Response<Content> {
    let input = found.to.as_deref().unwrap_or_default();
    let (user, wa_id) = match recipient {
        Recipient::Phone { wa_id } => (wa_id.as_str(), Some(wa_id)),
        Recipient::User { user_id } => (user_id.as_str(), None),
        Recipient::Group => (input, None),
    };
    let wamid = state.next_wamid(user);
    let status = match (found.kind.as_deref(), act) {
        (_, Some(Act::Held)) => Some("held_for_quality_assessment"),
        (_, Some(Act::Paused)) => Some("paused"),
        (Some("template"), _) => Some("accepted"),
        (_, _) => None,
    };
    let body = messages::sent(input, recipient, &wamid, status);
    state.accept(|| Accepted {
        wamid,
        phone_number_id: call.id.unwrap_or_default().to_owned(),
        kind: found.kind.clone().unwrap_or_default(),
        to: input.to_owned(),
        wa_id: wa_id.cloned(),
        body: found.body.json().clone(),
    });
    ok(body)
}

/// The error a rule asks for, filled up from the table.
fn wanted(act: &ErrorAct) -> GraphError {
    let table = GraphError::of(act.code);
    let details = act.details.clone().or(table.details);
    GraphError {
        http: act.http.and_then(final_status).unwrap_or(table.http),
        message: act.message.clone().unwrap_or(table.message),
        details: details.filter(|_| act.error_data),
        ..table
    }
}

fn verbatim(act: &HttpAct) -> Response<Content> {
    let mut response = Response::new(Content::from(Bytes::from(act.body.clone())));
    *response.status_mut() = final_status(act.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let content_type = Some(("content-type", &act.content_type)).filter(|(_, value)| !value.is_empty());
    let others = act.headers.iter().map(|(name, value)| (name.as_str(), value));
    for (name, value) in content_type.into_iter().chain(others) {
        // A header that cannot be written is left out; the rule's author sees it in the answer.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A 1xx status announces an answer and cannot be one.
fn final_status(status: u16) -> Option<StatusCode> {
    StatusCode::from_u16(status).ok().filter(|status| !status.is_informational())
}

fn json_answer(json: &Value) -> Response<Content> {
    ok(Bytes::from(json.to_string()))
}

fn ok(body: Bytes) -> Response<Content> {
    let mut response = Response::new(Content::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}

/// Graph repeats the message in `WWW-Authenticate`.
fn refuse(error: &GraphError, trace: &str) -> Response<Content> {
    let mut response = ok(error.body(trace));
    *response.status_mut() = error.http;
    let kind = if error.http == StatusCode::UNAUTHORIZED { "invalid_token" } else { "invalid_request" };
    let message = error.message.replace('"', "'");
    let challenge = format!("OAuth \"Facebook Platform\" \"{kind}\" \"{message}\"");
    if let Ok(value) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

const VERSION: HeaderName = HeaderName::from_static("facebook-api-version");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-fb-request-id");
const TRACE_ID: HeaderName = HeaderName::from_static("x-fb-trace-id");

/// Adds the headers of every Graph answer.
fn stamp(response: &mut Response<Content>, call: &Call<'_>, trace: &str) {
    let headers = response.headers_mut();
    let reversed: String = trace.chars().rev().take(11).collect();
    for (name, value) in [
        (VERSION, HeaderValue::try_from(format!("v{}.0", call.version))),
        (REQUEST_ID, HeaderValue::from_str(trace)),
        (TRACE_ID, HeaderValue::try_from(reversed)),
    ] {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    }
}

/// Sends the answer, or does to the connection what the rule says.
async fn finish(response: Response<Content>, act: Option<Act>) -> Result<Response<Content>, Cut> {
    let length = response.body().len();
    let write =
        |keep, pace| Cut::Write { head: render(&response), content: response.body().clone(), keep, pace };
    match act {
        Some(Act::Delay(time)) => tokio::time::sleep(time).await,
        Some(Act::Stall) => match stall().await {},
        Some(Act::ResetAfterRead) => return Err(Cut::Reset),
        Some(Act::Truncate) => {
            return Err(write(length / 2, Duration::ZERO));
        }
        Some(Act::CloseAfterResponse) => {
            return Err(write(length, Duration::ZERO));
        }
        Some(Act::Drip(pace)) => return Err(write(length, pace)),
        Some(
            Act::Error(_)
            | Act::Http(_)
            | Act::Held
            | Act::Paused
            | Act::CloseBeforeRead
            | Act::ResetBeforeRead,
        )
        | None => {}
    }
    Ok(response)
}
