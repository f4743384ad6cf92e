//! `/metrics` and `/v1/stats`, through the whole app.

use serde_json::{Value, json};

use crate::stub::Take;
use crate::support::{ADMIN_KEY, KEY, PHONE_NUMBER_ID, Proxy, Reply, TO, number, text};
use crate::webhooks::scene::{self, Scene};

const SALES_ID: &str = "204561782290018";
const PATHS: [&str; 6] = [
    "/v1/metrics",
    "/metrics",
    "/v1/stats/app",
    "/v1/stats/app/internal",
    "/v1/stats/db",
    "/v1/stats/db/internal",
];

/// The metrics of an answer in JSON.
#[track_caller]
fn metrics(reply: &Reply) -> Value {
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
    let mut json = reply.json();
    assert_eq!(json["meta"], json!({"api_status": "stable", "version": "v2.45.1"}));
    ["/metrics", "/stats/app", "/stats/db"]
        .into_iter()
        .find_map(|place| json.pointer_mut(place).map(Value::take))
        .unwrap_or_else(|| panic!("{reply:?}"))
}

/// The value of the metric `name` with these labels, however many others there are.
fn value(metrics: &Value, name: &str, labels: &Value) -> Option<u64> {
    let samples = metrics[name]["data"].as_array().unwrap_or_else(|| panic!("no {name} in {metrics}"));
    let has_all = |sample: &&Value| {
        labels.as_object().unwrap().iter().all(|(label, value)| sample["labels"][label] == *value)
    };
    samples.iter().find(has_all)?["value"].as_u64()
}

#[tokio::test]
async fn requests_are_counted_under_on_prem_s_names() {
    let proxy = Proxy::start().await;
    proxy.send(&text(TO)).await;
    proxy.send(&text(TO)).await;
    proxy.send(&json!({"to": TO})).await;
    proxy.call_as("Bearer x", "PUT", "/v1/messages/wamid.x", "{}").await;
    proxy.clock.advance(7);
    let shown = metrics(&proxy.call("GET", "/v1/metrics", "").await);
    assert_eq!(shown["web_uptime"]["type"], "gauge");
    assert_eq!(shown["api_requests_duration_ms_sum"]["type"], "counter");
    assert_eq!(value(&shown, "web_uptime", &json!({})), Some(7));
    assert_eq!(value(&shown, "web_requests", &json!({"state": "handle-request"})), Some(1), "this one");
    assert_eq!(value(&shown, "web_requests", &json!({"state": "read"})), Some(0));
    let app = metrics(&proxy.call("GET", "/v1/stats/app", "").await);
    for (method, result, count) in [
        ("POST_v1_messages", "201", Some(2)),
        ("POST_v1_messages", "400", Some(1)),
        ("PUT_v1_messages_message_id", "401", Some(1)),
        ("GET_v1_health", "200", None),
    ] {
        let labels = json!({"method": method, "result": result});
        assert_eq!(value(&shown, "api_requests_duration_ms_count", &labels), count, "{labels}");
        assert_eq!(value(&shown, "api_requests_duration_ms_sum", &labels).is_some(), count.is_some());
        assert_eq!(value(&app, "endpoint_requests", &labels), count, "{labels}");
        assert_eq!(value(&app, "endpoint_requests_duration_ms_count", &labels), count, "{labels}");
    }
    let labels = json!({"method": "GET_v1_metrics", "result": "200"});
    assert_eq!(value(&app, "endpoint_requests", &labels), Some(1));
    assert_eq!(proxy.mock.seen(), 2, "only the messages");
}

#[tokio::test]
async fn the_database_is_told_by_the_names_that_clients_read() {
    let proxy = Proxy::start().await;
    let shown = metrics(&proxy.call("GET", "/v1/stats/db", "").await);
    let gauge = |data: Value| (data, "gauge");
    for (name, (data, kind)) in [
        (
            "db_contacts",
            gauge(json!([
                {"labels": {"type": "non_whatsapp_user"}, "value": 0},
                {"labels": {"type": "whatsapp_user"}, "value": 0},
            ])),
        ),
        ("db_message_receipts", gauge(json!([{"value": 0}]))),
        ("db_messages", gauge(json!([{"labels": {"type": "undefined"}, "value": 0}]))),
        ("db_pending_callbacks", gauge(json!([{"value": 0}]))),
        ("db_pending_messages", gauge(json!([{"value": 0}]))),
    ] {
        assert_eq!((&shown[name]["data"], &shown[name]["type"]), (&data, &json!(kind)), "{name}");
        assert!(shown[name]["help"].as_str().is_some_and(|help| !help.is_empty()), "{name}");
    }
    assert_eq!(shown.as_object().unwrap().len(), 5);
}

#[tokio::test]
async fn callbacks_are_counted_by_what_they_tell_and_how_they_end() {
    let scene = Scene::new().await;
    scene.tell(&scene::text("wamid.1", "hello")).await;
    scene.sink.take(1).await;
    scene.until_empty(PHONE_NUMBER_ID).await;
    scene.sink.always(Take::Status(503));
    scene.tell(&scene::status("wamid.2", "delivered")).await;
    scene.sink.arrived(3).await;
    let (waiting, db) = (
        metrics(&scene.proxy.call("GET", "/v1/stats/app", "").await),
        metrics(&scene.proxy.call("GET", "/v1/stats/db", "").await),
    );
    assert_eq!(value(&waiting, "callback_queue_size", &json!({})), Some(1));
    assert_eq!(value(&db, "db_pending_callbacks", &json!({})), Some(1));
    scene.sink.always(Take::Status(200));
    scene.until_empty(PHONE_NUMBER_ID).await;
    let shown = metrics(&scene.proxy.call("GET", "/v1/stats/app", "").await);
    assert_eq!(value(&shown, "callback_queue_size", &json!({})), Some(0));
    for name in ["callback_requests", "callback_requests_duration_ms_count"] {
        let labels = |result: &str, kind: &str| json!({"result": result, "type": kind});
        assert_eq!(value(&shown, name, &labels("success", "inbound_message")), Some(1));
        assert_eq!(value(&shown, name, &labels("success", "status_change")), Some(1));
        assert!(value(&shown, name, &labels("503", "status_change")).is_some_and(|refused| refused >= 1));
        assert_eq!(value(&shown, name, &labels("503", "inbound_message")), None);
    }
}

#[tokio::test]
async fn the_prometheus_form_has_the_same_values() {
    let proxy = Proxy::start().await;
    proxy.send(&text(TO)).await;
    for path in PATHS {
        let json = metrics(&proxy.call("GET", path, "").await);
        let reply = proxy.call("GET", &format!("{path}?format=prometheus"), "").await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, Some("text/plain; version=0.0.4")),
            "{path}"
        );
        let page = reply.text();
        for (name, metric) in json.as_object().unwrap() {
            let head = format!("# TYPE {name} {}\n", metric["type"].as_str().unwrap());
            assert!(page.contains(&head), "{name}: {page}");
            assert!(
                page.contains(&format!("# HELP {name} {}\n", metric["help"].as_str().unwrap())),
                "{name}"
            );
        }
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<u64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap();
            assert!(json.get(name).is_some(), "{line}");
        }
    }
    let page = proxy.call("GET", "/v1/stats/app?format=prometheus", "").await.text();
    assert!(page.contains("endpoint_requests{method=\"POST_v1_messages\",result=\"201\"} 1\n"), "{page}");
    assert!(page.contains("callback_queue_size 0\n"), "{page}");
    for (format, status) in [("json", 200), ("", 200), ("xml", 400), ("PROMETHEUS", 400)] {
        for path in PATHS {
            let reply = proxy.call("GET", &format!("{path}?format={format}&retry=1"), "").await;
            assert_eq!(reply.status, status, "{path} {format}");
            assert!(status == 200 || reply.code() == 1009, "{reply:?}");
        }
    }
}

#[tokio::test]
async fn who_may_look_and_how() {
    let proxy = Proxy::start().await;
    for path in PATHS {
        let slashed = format!("{path}/");
        let bare = path.strip_prefix("/v1").unwrap_or(path);
        for authorization in [format!("Bearer {KEY}"), format!("Apikey {KEY}"), format!("Apikey {ADMIN_KEY}")]
        {
            for path in [path, &slashed, bare] {
                metrics(&proxy.call_as(&authorization, "GET", path, "").await);
            }
        }
        let nobody = proxy.connect().await.call("GET", path, &[], b"").await;
        assert_eq!((nobody.status, nobody.code()), (401, 1005), "{path}");
        let reply = proxy.call("POST", path, "{}").await;
        assert_eq!(
            (reply.status, reply.code(), reply.header("allow")),
            (405, 1025, Some("GET, HEAD")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn numbers_do_not_see_each_other() {
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support\"]");
    let sales = number("sales", SALES_ID, "hosts = [\"sales\"]");
    let proxy = Proxy::numbers("", &format!("{support}\n{sales}")).await;
    let call = async |host: &str, method: &str, path: &str, body: &str| {
        let key = if host == "sales" { format!("Bearer {KEY}-sales") } else { format!("Bearer {KEY}") };
        let headers = [("Host", host), ("Authorization", &key)];
        proxy.connect().await.call(method, path, &headers, body.as_bytes()).await
    };
    assert_eq!(call("sales", "POST", "/v1/messages", &text(TO).to_string()).await.status, 201);
    for path in PATHS {
        let page = call("support", "GET", path, "").await.text();
        assert!(!page.contains("POST_v1_messages") && !page.contains("sales"), "{path}: {page}");
    }
    let shown = metrics(&call("sales", "GET", "/v1/metrics", "").await);
    let labels = json!({"method": "POST_v1_messages", "result": "201"});
    assert_eq!(value(&shown, "api_requests_duration_ms_count", &labels), Some(1));
}
