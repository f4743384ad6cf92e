//! 360dialog's `/v1/configs/templates`, over the templates of the number's account.

use std::time::Instant;

use bytes::Bytes;
use http::{StatusCode, Uri};
use url::form_urlencoded::Serializer;

use super::{Call, internal_failure};
use crate::cloud::GraphError;
use crate::cloud::template::{Created, Page, is_done, namespace};
use crate::onprem::ErrorCode;
use crate::onprem::message::Body;
use crate::onprem::templates::{NewTemplate, Query, TemplatesReply};
use crate::server::dispatch::Trail;
use crate::server::respond::{self, Failure, Reply, Source};
use crate::server::state::Waba;
use crate::telemetry::UpstreamLabels;
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::translate::{created_to_onprem, error_to_onprem, template_to_onprem};
use crate::upstream::{Answer, CallError, Sent};

/// What clients read of a template.
const FIELDS: &str = "id,name,status,category,language,components,quality_score,rejected_reason";
/// Templates that Cloud is asked for at once, and how often for one list.
const PAGE: usize = 200;
const MOST_PAGES: usize = 5;

/// `GET /v1/configs/templates`. All pages are read, as far as the limit of calls goes, because only then the order
/// and the total are right.
pub(super) async fn list(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let query = Query::parse(call.query)?;
    let waba = waba(call)?;
    let namespace = namespace_of(call, waba, trail).await?;
    let mut bodies: Vec<Bytes> = Vec::new();
    let mut after = None;
    while bodies.len() < MOST_PAGES {
        let uri = page_uri(waba, query.name(), after.as_deref())?;
        let body = ask(call, waba, Verb::Read, uri, trail).await?;
        let page = Page::read(&body).ok_or_else(|| unreadable(Verb::Read, "a page is not one"))?;
        after = page.after.map(|after| after.to_string());
        bodies.push(body);
        if after.is_none() {
            break;
        }
    }
    if after.is_some() {
        tracing::warn!(
            number = call.number.name,
            templates = PAGE * MOST_PAGES,
            "the account has more templates than are listed"
        );
    }
    let pages = bodies.iter().filter_map(|body| Page::read(body));
    let templates = pages.flat_map(|page| page.templates);
    let all = templates.map(|template| template_to_onprem(template, namespace)).collect();
    Ok(respond::json(StatusCode::OK, &TemplatesReply::new(&query, all)))
}

/// `POST /v1/configs/templates`
pub(super) async fn create(call: &Call<'_>, trail: &mut Trail) -> Result<Reply, Failure> {
    let body = Body::read(&call.body)?;
    let new = NewTemplate::parse(&body)?;
    let waba = waba(call)?;
    // Asked for first: when it fails, nothing was made.
    let namespace = namespace_of(call, waba, trail).await?;
    let outgoing = serde_json::to_vec(&new.members).map_err(|error| internal_failure(error.to_string()))?;
    let uri = uri(waba, "/message_templates")?;
    let answer = ask(call, waba, Verb::Create(outgoing.into()), uri, trail).await?;
    let created = Created::read(&answer)
        .ok_or_else(|| unreadable(Verb::Create(Bytes::new()), "a new template without an id"))?;
    Ok(respond::json(StatusCode::CREATED, &created_to_onprem(new, created, namespace)))
}

/// `DELETE /v1/configs/templates/{template-name}`
pub(super) async fn delete(call: &Call<'_>, name: &str, trail: &mut Trail) -> Result<Reply, Failure> {
    let waba = waba(call)?;
    let query = Serializer::new(String::new()).append_pair("name", name).finish();
    let uri = uri(waba, &format!("/message_templates?{query}"))?;
    let answer = ask(call, waba, Verb::Delete, uri, trail).await?;
    if !is_done(&answer) {
        return Err(unreadable(Verb::Delete, "a deletion without success"));
    }
    Ok(respond::empty(&call.state.compat.version))
}

fn waba<'a>(call: &'a Call<'_>) -> Result<&'a Waba, Failure> {
    call.number.waba.as_ref().ok_or_else(|| {
        Failure::new(
            Source::Internal,
            ErrorCode::ServiceNotReady,
            "templates belong to the WhatsApp Business Account, which the proxy does not know: set waba_id of this \
             [[number]] in its configuration",
        )
        .log("number[].waba_id is not set")
    })
}

/// The configured namespace, which messages are compared with, or else the account's own.
async fn namespace_of<'a>(call: &'a Call<'_>, waba: &'a Waba, trail: &mut Trail) -> Result<&'a str, Failure> {
    if let Some(configured) = &call.number.namespace {
        return Ok(configured);
    }
    let read = async move || {
        let uri = uri(waba, "?fields=message_template_namespace")?;
        let answer = ask(call, waba, Verb::Read, uri, trail).await?;
        namespace(&answer).ok_or_else(|| unreadable(Verb::Read, "an account without a namespace"))
    };
    waba.namespace.get_or_try_init(read).await.map(String::as_str)
}

fn page_uri(waba: &Waba, name: Option<&str>, after: Option<&str>) -> Result<Uri, Failure> {
    let mut query = Serializer::new(String::new());
    query.append_pair("fields", FIELDS).append_pair("limit", &PAGE.to_string());
    // Cloud finds them faster than we do; what it finds is looked through all the same.
    query.extend_pairs(name.map(|name| ("name", name)));
    query.extend_pairs(after.map(|after| ("after", after)));
    uri(waba, &format!("/message_templates?{}", query.finish()))
}

fn uri(waba: &Waba, rest: &str) -> Result<Uri, Failure> {
    format!("{}{rest}", waba.node.uri).parse().map_err(|error: http::uri::InvalidUri| {
        internal_failure(format!("the address of a template: {error}"))
    })
}

/// What is asked of Cloud.
#[derive(Clone)]
enum Verb {
    Read,
    Create(Bytes),
    Delete,
}

/// Asks Cloud; gives back the body of a success.
async fn ask(
    call: &Call<'_>,
    waba: &Waba,
    verb: Verb,
    uri: Uri,
    trail: &mut Trail,
) -> Result<Bytes, Failure> {
    let (state, target) = (call.state, waba.node.at(uri));
    let started = Instant::now();
    let outcome = match verb.clone() {
        Verb::Read => state.upstream.get(&target).await,
        Verb::Create(body) => state.upstream.post(&target, body).await,
        Verb::Delete => state.upstream.delete(&target).await,
    };
    state.metrics.requests.call_took(started.elapsed());
    let count = |outcome| {
        state.metrics.requests.called(UpstreamLabels { op: "templates", outcome });
    };
    let answer = outcome.map_err(|error| {
        count(if error.sent == Sent::No { "unsent" } else { "in_doubt" });
        no_answer(verb, &error)
    })?;
    if answer.status.is_success() && GraphError::parse(&answer.body).is_none() {
        count("ok");
        return Ok(answer.body);
    }
    count("refused");
    Err(refused(call, waba, &answer, trail))
}

fn refused(call: &Call<'_>, waba: &Waba, answer: &Answer, trail: &mut Trail) -> Failure {
    let failure = CloudFailure {
        http: answer.status.as_u16(),
        body: &answer.body,
        retry_after: answer.retry_after,
        endpoint: Endpoint::Other,
        // An account that does not exist is a fault of the configuration, as a number is.
        phone_number_id: &waba.id,
    };
    let error = error_to_onprem(&failure, &call.state.compat.options);
    trail.cloud_code = error.cloud_code;
    trail.cloud_trace.clone_from(&error.trace);
    if error.is_unmapped {
        call.state.metrics.unmapped_cloud_code.inc();
    }
    let mut refused = Failure::new(Source::Upstream, error.code, error.details).http(error.http);
    refused.retry_after = error.retry_after;
    refused.log(format!("cloud answered http {}", answer.status.as_u16()))
}

fn no_answer(verb: Verb, error: &CallError) -> Failure {
    if error.sent == Sent::No {
        let details = "the Cloud API cannot be reached, and nothing was done; try again later";
        let mut failure = Failure::new(Source::Upstream, ErrorCode::SystemOverloaded, details);
        failure.retry_after = Some(1);
        return failure.log(&error.reason);
    }
    unreadable(verb, &error.reason).http(if error.is_timeout { 504 } else { 500 })
}

/// Cloud was asked, and what it did is not known.
fn unreadable(verb: Verb, reason: &str) -> Failure {
    let details = match verb {
        Verb::Read => "the Cloud API gave no usable answer; try again later",
        Verb::Create(_) => {
            "the Cloud API gave no usable answer; the template may have been made: list the templates before trying \
             again"
        }
        Verb::Delete => {
            "the Cloud API gave no usable answer; the template may have been deleted: list the templates before \
             trying again"
        }
    };
    Failure::new(Source::Upstream, ErrorCode::InternalError, details).log(reason)
}
