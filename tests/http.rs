//! What the proxy is as an HTTP server: paths, verbs, bodies and connections.

mod framing;
mod json;
mod limits;
mod plain;

use prembridge::onprem::route::ENDPOINTS;
use serde_json::json;

use crate::support::{ADMIN_KEY, Client, KEY, Proxy, Reply, TO, request, text};

/// `Authorization` of a user.
fn key() -> String {
    format!("Bearer {KEY}")
}

/// The head of `POST /v1/messages` by a user, without its last line.
fn send_head() -> String {
    format!("POST /v1/messages HTTP/1.1\r\nHost: proxy\r\nAuthorization: {}\r\n", key())
}

fn body() -> String {
    text(TO).to_string()
}

/// A whole good request.
fn good() -> Vec<u8> {
    request("POST", "/v1/messages", &[("Authorization", &key())], body().as_bytes())
}

#[tokio::test]
async fn unknown_paths_are_on_prem_errors() {
    let proxy = Proxy::start().await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/messages/../users/login",
        "/v1/messages/%2e%2e/x",
        "/v1/messages/a%00b",
        "/v1/users/..%2f",
        "/v1/users/%",
        "/v1/users/a/b",
        "/v1/users/\u{e4}",
        "/v2/messages",
        "/V1/messages",
        "/livez",
        "/_mock/requests",
        "*",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let reply = proxy.call(method, path, "").await;
            let (code, _, details) = reply.error();
            assert_eq!((reply.status, code), (404, 1006), "{method} {path}");
            assert_ne!(details, "unknown contact");
        }
    }
    assert_eq!(proxy.mock.seen(), 0);
    let metrics = proxy.metrics().await;
    assert!(metrics.contains("endpoint=\"unknown\",method=\"OTHER\",code=\"404\""), "{metrics}");
    assert!(!metrics.contains("BREW") && !metrics.contains("nothing"), "{metrics}");
}

#[tokio::test]
async fn wrong_verbs_name_the_right_ones() {
    let proxy = Proxy::start().await;
    for (method, path, allow) in [
        ("GET", "/v1/messages", "POST"),
        ("OPTIONS", "/v1/messages", "POST"),
        ("post", "/v1/messages", "POST"),
        ("POST", "/v1/messages/wamid.x", "PUT"),
        ("GET", "/v1/users/login", "POST"),
        ("GET", "/v1/users/logout", "POST"),
        ("GET", "/v1/users", "POST"),
        ("PUT", "/v1//users/", "POST"),
        ("POST", "/v1/users/somebody", "GET, HEAD, PUT, DELETE"),
        ("POST", "/", "GET, HEAD"),
        ("OPTIONS", "/", "GET, HEAD"),
    ] {
        let reply = proxy.call(method, path, "{}").await;
        assert_eq!((reply.status, reply.code()), (405, 1025), "{method} {path}");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test]
async fn no_answer_invites_other_origins() {
    let proxy = Proxy::start().await;
    let headers = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    for (method, path, status) in [("OPTIONS", "/v1/messages", 405), ("POST", "/v1/messages", 401)] {
        let reply = proxy.connect().await.call(method, path, &headers, b"").await;
        assert_eq!(reply.status, status);
        assert!(!reply.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{reply:?}");
    }
}

#[tokio::test]
async fn the_probe_of_official_templates_is_answered() {
    let proxy = Proxy::start().await;
    let reply = proxy.connect().await.call("GET", "/", &[], b"").await;
    assert_eq!((reply.status, reply.json()), (200, json!({})));
    let mut client = proxy.connect().await;
    let reply = client.call("HEAD", "/", &[], b"").await;
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("2")));
    assert_eq!(client.call("GET", "/?a=b", &[], b"").await.status, 200, "HEAD leaves no body behind");
    let reply = client.call("HEAD", "/v1/messages", &[], b"").await;
    assert_eq!(reply.status, 405);
    assert_eq!(client.call("GET", "/", &[], b"").await.status, 200);
}

/// Monitors ask with HEAD. Two in a row on one connection: a body behind the first would be the second's answer.
#[tokio::test]
async fn head_gives_the_head_of_what_get_gives() {
    let proxy = Proxy::start().await;
    let (user, admin) = (key(), format!("Bearer {ADMIN_KEY}"));
    let file = proxy.call_as(&user, "POST", "/v1/media", &"x".repeat(50_000)).await;
    let file = format!("/v1/media/{}", file.json()["media"][0]["id"].as_str().unwrap());
    let table = ENDPOINTS.iter().filter(|endpoint| endpoint.verb == "GET").map(|endpoint| endpoint.path);
    let paths: Vec<_> =
        table.filter(|path| !path.contains('{')).chain([&*file, "/v1/media/0", "/nothing"]).collect();
    for authorization in [user.as_str(), admin.as_str(), ""] {
        for path in &paths {
            let headers = [("Authorization", authorization)];
            let mut client = proxy.connect().await;
            let mut get = client.call("GET", path, &headers, b"").await;
            for _ in 0..2 {
                let mut head = client.call("HEAD", path, &headers, b"").await;
                // These count their own answers.
                if path.contains("metrics") || path.contains("stats") {
                    for reply in [&mut get, &mut head] {
                        reply.headers.retain(|(name, _)| name != "content-length");
                    }
                }
                assert_eq!(plain::seen(&head), (get.status, plain::seen(&get).1, Vec::new()), "{path}");
            }
            assert_eq!(client.call("GET", "/", &[], b"").await.json(), json!({}), "after HEAD {path}");
        }
    }
    for path in ["/livez", "/readyz", "/openapi.json", "/nothing"] {
        let mut client = Client::connect(proxy.admin).await;
        let get = client.call("GET", path, &[], b"").await;
        let head = client.call("HEAD", path, &[], b"").await;
        assert_eq!(plain::seen(&head), (get.status, plain::seen(&get).1, Vec::new()), "{path}");
        assert_eq!(client.call("GET", "/livez", &[], b"").await.text(), "ok\n");
    }
}

#[tokio::test]
async fn slashes_queries_and_content_types_do_not_matter() {
    let proxy = Proxy::start().await;
    let key = key();
    for path in [
        "/v1/messages",
        "/v1/messages/",
        "/v1/messages//",
        "//v1/messages",
        "/v1//messages",
        "///messages",
        "/v1/messages?retry=1",
        "/v1/messages/?a&b=%",
        "//v1/messages?//",
        "http://proxy//v1//messages",
    ] {
        assert_eq!(proxy.call("POST", path, &body()).await.status, 201, "{path}");
        // And in hyper's hands.
        let mut client = plain::unusual(&proxy).await;
        let reply = client.call("POST", path, &[("Authorization", &key)], body().as_bytes()).await;
        assert_eq!(reply.status, 201, "{path}");
    }
    let seen = proxy.mock.recorded().len();
    for (path, status) in [
        ("/v1//messages/wamid.x", 200),
        ("/v1/messages//wamid.x/", 200),
        ("//", 405),
        ("/%2fv1/messages", 404),
    ] {
        assert_eq!(proxy.call("PUT", path, "{\"status\":\"read\"}").await.status, status, "{path}");
    }
    assert_eq!(proxy.mock.recorded().len(), seen + 2);
    assert_eq!(proxy.call("POST", "//v1/users//login", "").await.status, 401);
    assert_eq!(proxy.page("//livez/").await.status, 200);
    for content_type in [
        "application/json",
        "application/json;charset=utf-8",
        "application/JSON; charset=\"UTF-8\"",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "nonsense",
        "",
    ] {
        let headers = [("Authorization", key.as_str()), ("Content-Type", content_type)];
        let reply = proxy.connect().await.call("POST", "/v1/messages", &headers, body().as_bytes()).await;
        assert_eq!(reply.status, 201, "{content_type}");
    }
    assert_eq!(proxy.raw(good()).await.status, 201, "without a content type");
}

#[tokio::test]
async fn requests_with_and_without_bodies_share_a_connection() {
    let proxy = Proxy::start().await;
    let key = key();
    let headers = [("Authorization", key.as_str())];
    let big = format!("{{\"x\":\"{}\"}}", "x".repeat(100_000));
    let mut client = proxy.connect().await;
    for (method, path, body, status) in [
        ("GET", "/v1/users/admin", "{\"a\":1}", 403),
        ("DELETE", "/v1/users/nobody", "{\"force\":true}", 403),
        ("DELETE", "/v1/nothing", big.as_str(), 404),
        ("GET", "/", big.as_str(), 200),
        ("GET", "/v1/messages", "{}", 405),
        ("POST", "/v1/messages", "{\"to\":", 400),
        ("POST", "/v1/messages", "", 400),
        ("POST", "/v1/messages", big.as_str(), 400),
    ] {
        let reply = client.call(method, path, &headers, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{method} {path}");
        assert_ne!(reply.header("connection"), Some("close"), "{method} {path}");
        let next = client.call("POST", "/v1/messages", &headers, crate::http::body().as_bytes()).await;
        assert_eq!(next.status, 201, "after {method} {path}");
    }
}

#[tokio::test]
async fn chunked_bodies_are_as_good() {
    let proxy = Proxy::start().await;
    let body = body();
    let (a, b) = body.split_at(10);
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        client
            .write(format!(
                "{}Transfer-Encoding: Chunked\r\n\r\na;ext=1\r\n{a}\r\n{:X}\r\n{b}\r\n0\r\nTrailer: x\r\n\r\n",
                send_head(),
                b.len()
            ))
            .await;
        assert_eq!(client.reply().await.status, 201);
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let proxy = Proxy::start().await;
    proxy.mock.fault("delay 20ms:next 1".parse().unwrap());
    let mut bytes = good();
    bytes.extend(request("GET", "/", &[], b""));
    bytes.extend(request("GET", "/nothing", &[], b""));
    bytes.extend(b"GARBAGE\r\n\r\n");
    let mut client = proxy.connect().await;
    client.write(&bytes).await;
    let mut replies: Vec<Reply> = Vec::new();
    for _ in 0..4 {
        replies.push(client.reply().await);
    }
    let statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    assert_eq!(statuses, [201, 200, 404, 400]);
    assert_eq!(replies[3].code(), 1025);
    assert!(client.is_closed().await);
}

/// RFC 9112 section 9.6: a client may say that it has sent everything and still read.
#[tokio::test]
async fn a_half_closed_client_gets_its_answer() {
    let proxy = Proxy::start().await;
    proxy.mock.fault("delay 20ms:once".parse().unwrap());
    let mut client = proxy.connect().await;
    client.write(good()).await;
    client.finish().await;
    assert_eq!(client.reply().await.status, 201);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn the_request_id_is_the_clients_or_our_own() {
    let proxy = Proxy::start().await;
    let mut client = proxy.connect().await;
    let long = "x".repeat(129);
    for (sent, is_kept) in [("abc-1", true), ("a b", false), ("", false), (&long, false), ("\u{e4}", false)] {
        let reply = client.call("GET", "/", &[("X-Request-Id", sent)], b"").await;
        let id = reply.header("x-request-id").unwrap();
        assert_eq!(id == sent, is_kept, "{sent}");
        assert!(!id.is_empty());
    }
}
