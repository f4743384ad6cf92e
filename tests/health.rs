//! `/v1/health` and `/v1/support`, through the whole app.

use std::collections::HashSet;

use prembridge::mock;
use serde_json::{Value, json};

use crate::support::{ACCESS_TOKEN, ADMIN_KEY, KEY, PHONE_NUMBER_ID, Proxy, TO, number, text};

const PATH: &str = "/v1/health";
const SALES_ID: &str = "204561782290018";

async fn health(proxy: &Proxy) -> Value {
    let reply = proxy.call("GET", PATH, "").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
    let mut json = reply.json();
    assert_eq!(json["meta"], json!({"api_status": "stable", "version": "v2.45.1"}));
    assert!(json.get("errors").is_none());
    json["health"].take()
}

#[track_caller]
fn status(name: &str) -> Value {
    json!({"gateway_status": name})
}

#[tokio::test]
async fn a_fresh_process_asks_once_and_believes_its_calls_after_that() {
    let proxy = Proxy::start().await;
    assert_eq!(health(&proxy).await, status("connected"));
    let asked = &proxy.mock.recorded()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/v26.0/106540352242922"));
    assert_eq!(
        asked.query.as_deref(),
        Some("fields=code_verification_status,status,platform_type,verified_name")
    );
    assert_eq!(asked.authorization.as_deref(), Some(&*format!("Bearer {ACCESS_TOKEN}")));
    for _ in 0..5 {
        assert_eq!(health(&proxy).await, status("connected"));
    }
    proxy.clock.advance(29);
    assert_eq!(health(&proxy).await, status("connected"));
    assert_eq!(proxy.mock.seen(), 1, "what was heard is good for half a minute");
    proxy.clock.advance(1);
    assert_eq!(health(&proxy).await, status("connected"));
    assert_eq!(proxy.mock.seen(), 2);
    proxy.clock.advance(30);
    assert_eq!(proxy.send(&text(TO)).await.status, 201);
    proxy.clock.advance(59);
    assert_eq!(health(&proxy).await, status("connected"));
    assert_eq!(proxy.mock.seen(), 3, "a message tells enough for a minute");
    proxy.clock.advance(1);
    assert_eq!(health(&proxy).await, status("connected"));
    assert_eq!(proxy.mock.seen(), 4);
    let metrics = proxy.metrics().await;
    assert!(metrics.contains("upstream_requests_total{op=\"health\",outcome=\"ok\"} 3"), "{metrics}");
}

#[tokio::test]
async fn many_who_ask_at_once_ask_cloud_once() {
    let proxy = Proxy::start().await;
    let all = futures_util::future::join_all((0..20).map(|_| health(&proxy))).await;
    assert_eq!(all.into_iter().collect::<HashSet<_>>(), [status("connected")].into());
    assert_eq!(proxy.mock.seen(), 1);
}

#[tokio::test]
async fn what_cloud_answers_decides() {
    let missing = json!({"error": {
        "message": format!("Unsupported get request. Object with ID '{PHONE_NUMBER_ID}' does not exist"),
        "type": "GraphMethodException", "code": 100, "error_subcode": 33, "fbtrace_id": "A"}});
    let missing = mock::Act::Http(mock::HttpAct {
        status: 400,
        content_type: "application/json".to_owned(),
        body: missing.to_string(),
        headers: Default::default(),
    });
    for (rule, expected) in [
        ("190@any".parse().unwrap(), "disconnected"),
        ("104@any".parse().unwrap(), "disconnected"),
        ("0/401@any".parse().unwrap(), "disconnected"),
        ("133010@any".parse().unwrap(), "unregistered"),
        (
            mock::FaultRule::new(missing).when("190@any".parse::<mock::FaultRule>().unwrap().when),
            "unregistered",
        ),
        ("131016/503@any".parse().unwrap(), "connected"),
        ("80007@any".parse().unwrap(), "connected"),
        ("http 502 html@any".parse().unwrap(), "connecting"),
    ] {
        let proxy = Proxy::start().await;
        let shown = format!("{rule:?}");
        proxy.mock.fault(rule);
        assert_eq!(health(&proxy).await, status(expected), "{shown}");
        proxy.mock.clear_faults();
        assert_eq!(health(&proxy).await, status(expected), "not asked again so soon: {shown}");
        proxy.clock.advance(30);
        assert_eq!(health(&proxy).await, status("connected"), "{shown}");
    }
}

/// A number that cannot send can be read all the same.
#[tokio::test]
async fn a_number_that_is_not_registered_is_not_connected() {
    let proxy = Proxy::start().await;
    proxy.mock.set_stage(PHONE_NUMBER_ID, mock::NumberStage::Verified);
    assert_eq!(health(&proxy).await, status("unregistered"));
    let file = proxy.mock.add_media(PHONE_NUMBER_ID, "image/jpeg", b"bytes".as_slice());
    assert_eq!(proxy.call("GET", &format!("/v1/media/{file}"), "").await.status, 200);
    assert_eq!(health(&proxy).await, status("unregistered"), "a file says nothing about sending");
    proxy.mock.set_stage(PHONE_NUMBER_ID, mock::NumberStage::Connected);
    proxy.clock.advance(30);
    assert_eq!(health(&proxy).await, status("connected"));
}

#[tokio::test]
async fn messages_and_files_tell_it_too() {
    let proxy = Proxy::start().await;
    proxy.mock.fault("190:once".parse().unwrap());
    assert_eq!(proxy.send(&text(TO)).await.status, 500);
    assert_eq!(health(&proxy).await, status("disconnected"));
    // Cloud's own id, which is looked for there.
    let file = proxy.mock.add_media(PHONE_NUMBER_ID, "image/jpeg", b"bytes".as_slice());
    assert_eq!(proxy.call("GET", &format!("/v1/media/{file}"), "").await.status, 200);
    assert_eq!(health(&proxy).await, status("connected"));
    proxy.mock.fault("http 502 html@media-get".parse().unwrap());
    for failures in 1..=5 {
        assert_ne!(proxy.call("GET", &format!("/v1/media/{file}"), "").await.status, 200);
        let expected = if failures < 5 { "connecting" } else { "disconnected" };
        assert_eq!(health(&proxy).await, status(expected), "after {failures}");
    }
    assert_eq!(proxy.send(&text(TO)).await.status, 201);
    assert_eq!(health(&proxy).await, status("connected"));
    let recorded = proxy.mock.recorded();
    assert!(
        !recorded.iter().any(|request| request
            .query
            .as_deref()
            .is_some_and(|query| query.starts_with("fields=code_verification"))),
        "nobody had to ask"
    );
}

#[tokio::test]
async fn an_unreachable_cloud_is_lost_after_five_tries() {
    let proxy = Proxy::start().await;
    proxy.mock.fault("reset-after-read@any".parse().unwrap());
    for tries in 1..=6 {
        let expected = if tries < 5 { "connecting" } else { "disconnected" };
        assert_eq!(health(&proxy).await, status(expected), "after {tries}");
        proxy.clock.advance(30);
    }
    let metrics = proxy.metrics().await;
    assert!(metrics.contains("upstream_requests_total{op=\"health\",outcome=\"unsent\"} 6"), "{metrics}");
}

#[tokio::test]
async fn who_may_ask_and_how() {
    let proxy = Proxy::start().await;
    for authorization in [format!("Bearer {KEY}"), format!("Apikey {KEY}"), format!("Apikey {ADMIN_KEY}")] {
        for path in [PATH, "/v1/health/", "/health", "/v1/health?x=1"] {
            let reply = proxy.call_as(&authorization, "GET", path, "{}").await;
            assert_eq!((reply.status, &reply.json()["health"]), (200, &status("connected")), "{path}");
        }
    }
    let headers = [("D360-API-KEY", KEY)];
    assert_eq!(proxy.connect().await.call("GET", PATH, &headers, b"").await.status, 200);
    proxy.mock.clear();
    let nobody = proxy.connect().await.call("GET", PATH, &[], b"").await;
    let stranger = proxy.call_as("Apikey another-key-0123456789", "GET", PATH, "").await;
    for reply in [nobody, stranger] {
        assert_eq!((reply.status, reply.code()), (401, 1005), "{reply:?}");
    }
    let reply = proxy.call("POST", PATH, "{}").await;
    assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some("GET, HEAD")));
    assert_eq!(proxy.mock.seen(), 0, "strangers make no calls");
}

#[tokio::test]
async fn the_form_of_several_nodes() {
    let proxy = Proxy::with("[compat]\nhealth = \"multi\"\napi_version = \"v2.53.0\"\n").await;
    proxy.mock.fault("133010@any".parse().unwrap());
    let reply = proxy.call("GET", PATH, "").await;
    let json = reply.json();
    let nodes = json["health"].as_object().unwrap();
    assert_eq!((reply.status, nodes.len()), (200, 1), "{json}");
    let (node, told) = nodes.iter().next().unwrap();
    assert!(node.strip_suffix(":prembridge").is_some_and(|host| !host.is_empty()), "{node}");
    assert_eq!(told, &json!({"gateway_status": "unregistered", "role": "primary_master"}));
    assert_eq!(json["meta"]["version"], "v2.53.0");
}

#[tokio::test]
async fn numbers_have_their_own() {
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support\"]");
    let sales = number("sales", SALES_ID, "hosts = [\"sales\"]");
    let options = mock::Options {
        access_tokens: Some(vec![format!("{ACCESS_TOKEN}-sales")]),
        ..mock::Options::default()
    };
    let proxy = Proxy::behind(options, "", &format!("{support}\n{sales}")).await;
    for (host, key, expected) in [
        ("support", KEY.to_owned(), "disconnected"),
        ("sales", format!("{KEY}-sales"), "connected"),
        ("support", KEY.to_owned(), "disconnected"),
    ] {
        let key = format!("Bearer {key}");
        let headers = [("Host", host), ("Authorization", &key)];
        let reply = proxy.connect().await.call("GET", PATH, &headers, b"").await;
        assert_eq!(reply.json()["health"], status(expected), "{host}");
        assert!(!reply.text().contains("canary"), "{reply:?}");
    }
    assert_eq!(proxy.mock.seen(), 2);
}

#[tokio::test]
async fn support_tells_local_facts_to_administrators() {
    let proxy = Proxy::start().await;
    let admin = format!("Bearer {ADMIN_KEY}");
    for path in ["/v1/support", "/v1/support/", "/support"] {
        let reply = proxy.call_as(&admin, "GET", path, "").await;
        let mut json = reply.json();
        assert_eq!(json["meta"], json!({"api_status": "stable", "version": "v2.45.1"}));
        let mut support = json["support"].take();
        let os = [support["os_name"].take(), support["os_version"].take()];
        assert!(os.iter().all(|fact| fact.as_str().is_some_and(|fact| !fact.is_empty())), "{os:?}");
        let expected = json!({
            "context": "healthcheck", "db_engine": "MEMORY", "db_info": [], "debug_info": PHONE_NUMBER_ID,
            "description": concat!("prembridge ", env!("CARGO_PKG_VERSION")),
            "device_iso8601": "2023-11-14T22:13:20Z", "env": [], "lc": "ZZ", "lg": "ZZ", "multi_connect": false,
            "os_name": null, "os_version": null,
        });
        assert_eq!((reply.status, support), (200, expected));
        assert!(
            !reply.text().contains("canary") && !reply.text().contains('/'),
            "a secret or a path: {reply:?}"
        );
    }
    let user = proxy.call("GET", "/v1/support", "").await;
    assert_eq!((user.status, user.code()), (403, 1005));
    let nobody = proxy.connect().await.call("GET", "/v1/support", &[], b"").await;
    assert_eq!((nobody.status, nobody.code()), (401, 1005));
    let reply = proxy.call_as(&admin, "PUT", "/v1/support", "{}").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(proxy.mock.seen(), 0);
}
