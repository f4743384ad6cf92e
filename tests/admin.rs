//! The operator's listener, and how the proxy goes away.

use serde_json::json;
use tokio::net::TcpStream;

use crate::support::{
    ACCESS_TOKEN, ADMIN_KEY, Client, KEY, PASSWORD, PHONE_NUMBER_ID, Proxy, TO, request, text,
};

#[tokio::test]
async fn pages() {
    let proxy = Proxy::start().await;
    for (method, path, status, word) in [
        ("GET", "/livez", 200, "ok"),
        ("GET", "/readyz", 200, "ok"),
        ("GET", "/readyz?verbose=1", 200, "ok"),
        ("GET", "/metrics", 200, "prembridge_ready 1"),
        ("GET", "/", 200, "prembridge"),
        ("GET", "/", 200, "/openapi.json"),
        ("GET", "/openapi.json", 200, "\"openapi\":\"3.1.0\""),
        ("GET", "/nothing", 404, "no such page"),
        ("GET", "/v1/messages", 404, "no such page"),
        ("GET", "//livez/", 200, "ok"),
        ("POST", "/livez", 405, "only GET"),
        ("DELETE", "/metrics", 405, "only GET"),
    ] {
        let reply = Client::connect(proxy.admin).await.call(method, path, &[], b"").await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert!(reply.text().contains(word), "{method} {path}: {reply:?}");
        assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control")));
    }
    let mut client = Client::connect(proxy.admin).await;
    assert_eq!(client.call("HEAD", "/livez", &[], b"").await.status, 200);
    assert_eq!(client.call("GET", "/livez", &[], b"x").await.status, 200);
}

/// Whoever opens connections and asks nothing must not keep the operator out.
#[tokio::test]
async fn idle_connections_of_the_operator_end() {
    let proxy = Proxy::with("[limits]\nheader_timeout = \"10m\"\n").await;
    let mut silent = Client::connect(proxy.admin).await;
    let mut half = Client::connect(proxy.admin).await;
    half.write("GET /livez HTTP/1.1\r\nHo").await;
    let mut asked = Client::connect(proxy.admin).await;
    assert_eq!(asked.call("GET", "/livez", &[], b"").await.status, 200);
    assert!(silent.is_closed().await && half.is_closed().await && asked.is_closed().await);
}

/// Every kind of traffic, then a look at every label.
#[tokio::test]
async fn metrics_count_and_name_nobody() {
    let proxy = Proxy::start().await;
    assert_eq!(proxy.send(&text(TO)).await.status, 201);
    assert_eq!(proxy.send(&json!({"to": TO, "ttl": 1, "text": {"body": "canary text"}})).await.status, 201);
    proxy.mock.fault("131047:once".parse().unwrap());
    assert_eq!(proxy.send(&text(TO)).await.status, 400);
    proxy.mock.fault("http 502:once".parse().unwrap());
    assert_eq!(proxy.send(&text(TO)).await.status, 500);
    assert_eq!(proxy.send(&json!({})).await.status, 400);
    assert_eq!(proxy.call("PUT", "/v1/messages/wamid.canary", "{\"status\":\"read\"}").await.status, 200);
    assert_eq!(proxy.call("GET", "/v1/users/canary-user", "").await.status, 403);
    assert_eq!(proxy.call("CANARY", "/v1/canary-path?canary-query", "").await.status, 404);
    assert_eq!(proxy.login("canary-user", PASSWORD, "").await.status, 401);

    let reply = proxy.page("/metrics").await;
    assert!(reply.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let metrics = reply.text();
    assert!(metrics.ends_with("# EOF\n"));
    for line in [
        "prembridge_http_requests_total{endpoint=\"/v1/messages\",method=\"POST\",code=\"201\"} 2",
        "prembridge_http_requests_total{endpoint=\"/v1/messages/{message-id}\",method=\"PUT\",code=\"200\"} 1",
        "prembridge_http_requests_total{endpoint=\"unknown\",method=\"OTHER\",code=\"404\"} 1",
        "prembridge_errors_total{code=\"470\",source=\"upstream\"} 1",
        "prembridge_errors_total{code=\"1008\",source=\"client\"} 1",
        "prembridge_upstream_requests_total{op=\"messages\",outcome=\"ok\"} 2",
        "prembridge_upstream_requests_total{op=\"messages\",outcome=\"refused\"} 2",
        "prembridge_upstream_requests_total{op=\"read\",outcome=\"ok\"} 1",
        "prembridge_rules_applied_total{rule=\"message.ttl\"} 1",
        "prembridge_in_doubt_total 1",
        "prembridge_panics_total 0",
        "prembridge_logins_total{outcome=\"refused\"} 1",
        "prembridge_upstream_duration_seconds_count 5",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}\n{metrics}");
    }
    for secret in
        ["canary", "CANARY", TO, PHONE_NUMBER_ID, ACCESS_TOKEN, KEY, ADMIN_KEY, PASSWORD, "127.0.0.1"]
    {
        assert!(!metrics.contains(secret), "{secret}\n{metrics}");
    }
    let known = ["endpoint", "method", "code", "outcome", "op", "source", "rule", "le", "version", "number"];
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let Some((labels, _)) = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')) else {
            continue;
        };
        for label in labels.split("\",") {
            let (name, _) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(known.contains(&name), "{line}");
        }
    }
}

/// Readiness goes first: balancers look elsewhere while everything is still served.
#[tokio::test]
async fn readiness_goes_before_the_listener() {
    let proxy = Proxy::with("[shutdown]\nlame_duck = \"1h\"\n").await;
    let mut idle = proxy.connect().await;
    assert_eq!(idle.call("GET", "/", &[], b"").await.header("connection"), None);
    let Proxy { app, api, admin, .. } = proxy;
    let watch = async {
        let mut operator = Client::connect(admin).await;
        assert_eq!(operator.call("GET", "/readyz", &[], b"").await.status, 503);
        assert_eq!(operator.call("GET", "/livez", &[], b"").await.status, 200);
        assert!(operator.call("GET", "/metrics", &[], b"").await.text().contains("prembridge_ready 0\n"));
        for mut client in [idle, Client::connect(api).await] {
            let reply = client.call("GET", "/", &[], b"").await;
            assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
            assert!(client.is_closed().await, "clients are to come back elsewhere");
        }
    };
    tokio::select! {
        biased;
        drained = app.drain() => panic!("drained within the hour: {drained}"),
        () = watch => {}
    }
}

#[tokio::test]
async fn a_running_request_finishes_and_new_ones_are_turned_away() {
    let proxy = Proxy::with("[shutdown]\nlame_duck = \"0s\"\n").await;
    let mut idle = proxy.connect().await;
    assert_eq!(idle.call("GET", "/", &[], b"").await.status, 200);
    let untouched = proxy.connect().await;
    proxy.mock.fault("delay 300ms".parse().unwrap());
    let mut running = proxy.connect().await;
    let key = format!("Bearer {KEY}");
    let message = text(TO).to_string();
    running.write(request("POST", "/v1/messages", &[("Authorization", &key)], message.as_bytes())).await;
    while proxy.mock.seen() == 0 {
        tokio::task::yield_now().await;
    }
    let Proxy { app, api, admin, mock, .. } = proxy;
    let turned_away = async {
        while TcpStream::connect(api).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    let (drained, reply, ()) = tokio::join!(app.drain(), running.reply(), turned_away);
    assert!(drained, "everything finished");
    assert_eq!((reply.status, reply.header("connection")), (201, Some("close")));
    assert_eq!(mock.accepted(), 1);
    assert!(running.is_closed().await && idle.is_closed().await);
    assert!(TcpStream::connect(admin).await.is_err(), "the operator's listener is gone last");
    drop(untouched);
}

#[tokio::test]
async fn what_never_ends_is_not_waited_for() {
    let proxy = Proxy::with("[shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"50ms\"\n").await;
    proxy.mock.fault("stall".parse().unwrap());
    let mut running = proxy.connect().await;
    let key = format!("Bearer {KEY}");
    let message = text(TO).to_string();
    running.write(request("POST", "/v1/messages", &[("Authorization", &key)], message.as_bytes())).await;
    while proxy.mock.seen() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!proxy.app.drain().await);
}

/// A connection on which nothing was asked yet does not hold the end up.
#[tokio::test]
async fn silent_connections_do_not_hold_the_end_up() {
    // A silent connection would have 30 seconds otherwise; the drain has less.
    let proxy = Proxy::with("[shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"5s\"\n").await;
    let mut silent = proxy.connect().await;
    let mut half = proxy.connect().await;
    half.write("POST /v1/messages HTTP/1.1\r\nHo").await;
    let mut asked = proxy.connect().await;
    assert_eq!(asked.call("GET", "/", &[], b"").await.status, 200);
    assert!(proxy.app.drain().await);
    assert!(silent.is_closed().await && half.is_closed().await && asked.is_closed().await);
}
