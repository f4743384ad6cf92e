//! `/metrics` and `/v1/stats`: on-prem's names over what is counted here, of the number alone that is asked.
//!
//! What on-prem counted and there is nothing of here is left out, but for the counters of the database, which are 0:
//! clients read those by name.

use http::{HeaderValue, StatusCode};

use super::Call;
use crate::onprem::metrics::{
    Format, Kind, Metric, MetricsReply, Sample, Scope, method_label, to_prometheus,
};
use crate::relay::Failure;
use crate::server::respond::{self, Reply};
use crate::telemetry::{CallKey, DeliveryKey, Total};

/// `GET /metrics` and `GET /v1/metrics`
pub(super) fn show_web(call: &Call<'_>) -> Result<Reply, Failure> {
    let (state, ledger) = (call.state, &call.number.ledger);
    let node = || ("node", state.installation.host.clone());
    let uptime = state.clock.now().saturating_sub(state.installation.started_at);
    let uptime = Sample { labels: vec![node()], value: u64::try_from(uptime).unwrap_or(0) };
    let ongoing =
        [("read", &ledger.reading), ("handle-request", &ledger.handling)].map(|(state, ongoing)| Sample {
            labels: vec![node(), ("state", state.to_owned())],
            value: ongoing.now(),
        });
    let calls = ledger.calls.totals();
    let of_calls = |value: fn(&Total<CallKey>) -> u64| {
        let sample = |total: &Total<CallKey>| {
            let labels = vec![node(), ("result", total.key.code.to_string()), ("method", method(&total.key))];
            Sample { labels, value: value(total) }
        };
        calls.iter().map(sample).collect()
    };
    let metrics = [
        gauge("web_uptime", "Seconds since the start", vec![uptime]),
        gauge("web_requests", "Requests that are being read and answered", ongoing.to_vec()),
        counter(
            "api_requests_duration_ms_sum",
            "Milliseconds of all requests",
            of_calls(|total| total.millis),
        ),
        counter("api_requests_duration_ms_count", "Requests answered", of_calls(|total| total.count)),
    ];
    reply(call, Scope::Metrics, &metrics)
}

/// `GET /v1/stats/app`
pub(super) fn show_app(call: &Call<'_>) -> Result<Reply, Failure> {
    let (queue, calls) = (&call.number.callbacks, call.number.ledger.calls.totals());
    let deliveries = queue.deliveries.totals();
    let of_deliveries = |value: fn(&Total<DeliveryKey>) -> u64| {
        let sample = |total: &Total<DeliveryKey>| {
            let labels = vec![("result", result(&total.key)), ("type", total.key.kind.to_owned())];
            Sample { labels, value: value(total) }
        };
        deliveries.iter().map(sample).collect::<Vec<_>>()
    };
    let of_calls = |value: fn(&Total<CallKey>) -> u64| {
        let sample = |total: &Total<CallKey>| {
            let labels = vec![("method", method(&total.key)), ("result", total.key.code.to_string())];
            Sample { labels, value: value(total) }
        };
        calls.iter().map(sample).collect::<Vec<_>>()
    };
    let (delivered, requested) = (of_deliveries(|total| total.count), of_calls(|total| total.count));
    let metrics = [
        gauge("callback_queue_size", "Callbacks that are not delivered yet", vec![queued(call)]),
        counter("callback_requests", "Deliveries of callbacks", delivered.clone()),
        counter("callback_requests_duration_ms_count", "Deliveries of callbacks", delivered),
        counter(
            "callback_requests_duration_ms_sum",
            "Milliseconds of all deliveries of callbacks",
            of_deliveries(|total| total.millis),
        ),
        counter("endpoint_requests", "Requests answered", requested.clone()),
        counter("endpoint_requests_duration_ms_count", "Requests answered", requested),
        counter(
            "endpoint_requests_duration_ms_sum",
            "Milliseconds of all requests",
            of_calls(|total| total.millis),
        ),
    ];
    reply(call, Scope::App, &metrics)
}

/// `GET /v1/stats/db`: of contacts and messages nothing is kept. The order of contacts and each sample's label are
/// what clients read.
pub(super) fn show_db(call: &Call<'_>) -> Result<Reply, Failure> {
    let none = |kind: &str| Sample { labels: vec![("type", kind.to_owned())], value: 0 };
    let metrics = [
        gauge(
            "db_contacts",
            "Contacts that are kept; none are",
            vec![none("non_whatsapp_user"), none("whatsapp_user")],
        ),
        gauge("db_message_receipts", "Receipts that are kept; none are", vec![Sample::plain(0)]),
        gauge("db_messages", "Messages that are kept; none are", vec![none("undefined")]),
        gauge("db_pending_callbacks", "Callbacks that are not delivered yet", vec![queued(call)]),
        gauge("db_pending_messages", "Messages that wait to be sent; none do", vec![Sample::plain(0)]),
    ];
    reply(call, Scope::Db, &metrics)
}

fn queued(call: &Call<'_>) -> Sample {
    Sample::plain(u64::try_from(call.number.callbacks.depth()).unwrap_or(u64::MAX))
}

fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Metric {
    Metric { name, help, kind: Kind::Gauge, samples }
}

fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Metric {
    Metric { name, help, kind: Kind::Counter, samples }
}

fn method(key: &CallKey) -> String {
    method_label(key.method, key.endpoint)
}

/// `success`, the status that refused it, or why there was none.
fn result(key: &DeliveryKey) -> String {
    match (key.outcome, key.code) {
        ("taken", _) => "success".to_owned(),
        (outcome, 0) => outcome.to_owned(),
        (_, code) => code.to_string(),
    }
}

fn reply(call: &Call<'_>, scope: Scope, metrics: &[Metric]) -> Result<Reply, Failure> {
    match Format::parse(call.query)? {
        Format::Json => {
            Ok(respond::json(StatusCode::OK, &MetricsReply { scope, metrics, meta: call.meta() }))
        }
        Format::Prometheus => {
            let mut reply = respond::text(to_prometheus(metrics));
            let version = HeaderValue::from_static("text/plain; version=0.0.4");
            reply.set(respond::CONTENT_TYPE, version);
            Ok(reply)
        }
    }
}
