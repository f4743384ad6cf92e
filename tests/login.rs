//! Logins, tokens, users and who may do what.

use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use prembridge::session::Role;
use serde_json::json;

use crate::support::{
    ADMIN_KEY, Client, KEY, NOW, PASSWORD, PHONE_NUMBER_ID, Proxy, Reply, TO, basic, config, number, text,
};
use crate::temp::TempDir;

/// A second password that the rule accepts.
const OTHER: &str = "Ghijkl2?";

/// Word for word what on-prem answered.
fn assert_unauthenticated(reply: &Reply, why: &str) {
    assert_eq!(reply.status, 401, "{why}: {reply:?}");
    assert_eq!(
        reply.json(),
        json!({"meta": {"api_status": "stable", "version": "v2.45.1"},
            "errors": [{"code": 1005, "title": "Access denied", "details": "Invalid credentials."}]}),
        "{why}"
    );
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

/// With a configured user, whose login needs no set-up.
async fn with_app() -> Proxy {
    let user = "[[number.user]]\nname = \"application\"\npassword = \"app-password\"";
    Proxy::numbers("", &number("support", PHONE_NUMBER_ID, user)).await
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn send_as(proxy: &Proxy, authorization: &str) -> Reply {
    proxy.call_as(authorization, "POST", "/v1/messages", &text(TO).to_string()).await
}

#[tokio::test]
async fn the_first_login_has_to_change_the_password() {
    let proxy = Proxy::start().await;
    let reply = proxy.login("admin", "secret", "").await;
    let (code, title, _) = reply.error();
    assert_eq!((reply.status, code, title.as_str()), (401, 1024, "Password change required"));
    let reply = proxy.login("admin", "secret", r#"{"new_password":"weak"}"#).await;
    assert_eq!((reply.status, reply.code()), (400, 1009));
    let reply = proxy.login("admin", "secret", r#"{"new_password":7}"#).await;
    assert_eq!((reply.status, reply.code()), (400, 1009));
    let reply = proxy.login("admin", "secret", &json!({"new_password": PASSWORD}).to_string()).await;
    assert_eq!(reply.status, 200);
    let token = reply.json()["users"][0]["token"].as_str().unwrap().to_owned();
    assert_eq!(send_as(&proxy, &bearer(&token)).await.status, 201);
    assert_unauthenticated(&proxy.login("admin", "secret", "").await, "the default is gone");
    assert_eq!(proxy.login("admin", PASSWORD, "").await.status, 200);
}

#[tokio::test]
async fn a_login_answers_as_on_prem_did() {
    let proxy = with_app().await;
    let reply = proxy.login("application", "app-password", "").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let json = reply.json();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["meta", "users"], "and no errors");
    assert_eq!(json["meta"], json!({"api_status": "stable", "version": "v2.45.1"}));
    assert_eq!(json["users"].as_array().unwrap().len(), 1);
    let user = json["users"][0].as_object().unwrap();
    assert_eq!(user.keys().collect::<Vec<_>>(), ["expires_after", "token"]);
    assert!(user["token"].as_str().unwrap().starts_with("eyJ"));
    // Seven days after 2023-11-14 22:13:20.
    assert_eq!((NOW, user["expires_after"].as_str()), (1_700_000_000, Some("2023-11-21 22:13:20+00:00")));
}

#[tokio::test]
async fn a_token_lives_seven_days() {
    let proxy = with_app().await;
    let token = bearer(&proxy.token("application", "app-password").await);
    proxy.clock.advance(7 * 86_400 - 1);
    assert_eq!(send_as(&proxy, &token).await.status, 201);
    proxy.clock.advance(1);
    assert_unauthenticated(&send_as(&proxy, &token).await, "expired");
}

/// As seen from clients: no body at all, an empty one, `{}`, with and without a content type.
#[tokio::test]
async fn bodies_of_a_login() {
    let proxy = with_app().await;
    let authorization = basic("application", "app-password");
    for content_type in ["", "Content-Type: application/json\r\n", "Content-Type: text/plain\r\n"] {
        for body in ["", "Content-Length: 0\r\n", "Content-Length: 2\r\n"] {
            let rest = if body.ends_with("2\r\n") { "{}" } else { "" };
            let reply = proxy
                .raw(format!(
                    "POST /v1/users/login HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\
                     {content_type}{body}\r\n{rest}"
                ))
                .await;
            assert_eq!(reply.status, 200, "{content_type:?} {body:?}: {reply:?}");
        }
    }
    for body in [
        "null",
        " \r\n",
        "[]",
        "\u{feff}",
        "\u{feff}[ ]",
        r#"{"new_password":null}"#,
        r#"{"new_password":"app-password","x":1}"#,
    ] {
        assert_eq!(proxy.login("application", "app-password", body).await.status, 200, "{body}");
    }
    for body in ["[1]", "{", "\"x\"", "1"] {
        let reply = proxy.login("application", "app-password", body).await;
        assert_eq!((reply.status, reply.code()), (400, 1025), "{body}");
    }
}

#[tokio::test]
async fn a_second_login_leaves_the_first_alone_and_logout_ends_only_its_own() {
    let proxy = with_app().await;
    let (first, second) =
        tokio::join!(proxy.token("application", "app-password"), proxy.token("application", "app-password"));
    let (first, second) = (bearer(&first), bearer(&second));
    assert_ne!(first, second);
    for token in [&first, &second] {
        assert_eq!(send_as(&proxy, token).await.status, 201);
    }
    let reply = proxy.call_as(&first, "POST", "/v1/users/logout", "").await;
    assert_eq!((reply.status, reply.json().get("errors")), (200, None));
    assert_unauthenticated(&send_as(&proxy, &first).await, "logged out");
    assert_unauthenticated(&proxy.call_as(&first, "POST", "/v1/users/logout", "").await, "twice");
    assert_eq!(send_as(&proxy, &second).await.status, 201);
}

#[tokio::test]
async fn wrong_credentials_get_one_and_the_same_answer() {
    let proxy = with_app().await;
    for (user, password) in
        [("application", "wrong"), ("nobody", "app-password"), ("", ""), ("application", ""), ("admin", "x")]
    {
        assert_unauthenticated(&proxy.login(user, password, "").await, user);
    }
    let long = "x".repeat(5000);
    assert_unauthenticated(&proxy.login("application", &long, "").await, "long");
    for header in ["", "Basic", "Basic ", "Basic !!!", "Basic YQ==", "Basic /w==", "Bearer x", "basic:x"] {
        assert_unauthenticated(&proxy.call_as(header, "POST", "/v1/users/login", "").await, header);
    }
    let reply = proxy.connect().await.call("POST", "/v1/users/login", &[], b"").await;
    assert_unauthenticated(&reply, "no header");
    // Padding is optional, the scheme's case too, and a password may hold colons.
    let header = basic("application", "app-password").replace("Basic", "bASIC").replace('=', "");
    assert_eq!(proxy.call_as(&header, "POST", "/v1/users/login", "").await.status, 200);
}

#[tokio::test]
async fn credentials_in_every_spelling() {
    let proxy = with_app().await;
    let token = proxy.token("application", "app-password").await;
    let body = text(TO).to_string();
    for (name, value, status) in [
        ("Authorization", bearer(&token), 201),
        ("authorization", format!("bearer {token}"), 201),
        ("AUTHORIZATION", format!("BEARER   {token}  "), 201),
        ("Authorization", format!("Bearer {KEY}"), 201),
        ("Authorization", format!("Apikey {KEY}"), 201),
        ("Authorization", format!("apikey {KEY}"), 201),
        ("Authorization", format!("APIKEY {KEY}"), 201),
        ("D360-API-KEY", KEY.to_owned(), 201),
        ("d360-api-key", format!(" {KEY} "), 201),
        ("D360-API-KEY", String::new(), 401),
        ("D360-API-KEY", format!("{KEY}x"), 401),
        ("D360-API-KEY", token.clone(), 401),
        ("Authorization", format!("Apikey {token}"), 401),
        ("Authorization", KEY.to_owned(), 401),
        ("Authorization", token.clone(), 401),
        ("Authorization", "Bearer".to_owned(), 401),
        ("Authorization", "Bearer ".to_owned(), 401),
        ("Authorization", format!("Token {token}"), 401),
        ("Authorization", format!("Bearer {token}x"), 401),
        ("Authorization", format!("Bearer {}", &token[..token.len() - 1]), 401),
        ("Authorization", format!("Bearer {}", "eyJ.".repeat(2000)), 401),
        ("Authorization", basic("application", "app-password"), 401),
        ("X-Other", bearer(&token), 401),
    ] {
        let reply =
            proxy.connect().await.call("POST", "/v1/messages", &[(name, &value)], body.as_bytes()).await;
        assert_eq!(reply.status, status, "{name}: {value}");
        if status == 401 {
            assert_unauthenticated(&reply, &value);
        }
    }
    assert_eq!(proxy.mock.accepted(), 9);
}

/// What proxies and HTTP libraries leave in `Authorization` is no credential, and hides none.
#[tokio::test]
async fn a_key_counts_whatever_stands_beside_it() {
    let proxy = with_app().await;
    let body = text(TO).to_string();
    let basic = basic("application", "app-password");
    for (authorization, status) in [
        ("", 201),
        (" ", 201),
        ("Bearer", 201),
        ("bearer ", 201),
        ("Apikey", 201),
        ("Token", 201),
        ("Token x", 201),
        ("Digest username=\"x\", realm=\"y\"", 201),
        (basic.as_str(), 201),
        ("\u{e4}", 201),
        // A credential of ours counts, good or not.
        ("Bearer x", 401),
        ("Apikey x", 401),
    ] {
        let mut client = proxy.connect().await;
        let headers = [("Authorization", authorization), ("D360-API-KEY", KEY)];
        let reply = client.call("POST", "/v1/messages", &headers, body.as_bytes()).await;
        assert_eq!(reply.status, status, "{authorization:?}");
        let headers = [("Authorization", authorization), ("D360-API-KEY", "x")];
        assert_unauthenticated(
            &client.call("POST", "/v1/messages", &headers, body.as_bytes()).await,
            authorization,
        );
    }
    assert_eq!(proxy.mock.accepted(), 10);
}

/// Two readers of two fields could see two users.
#[tokio::test]
async fn two_credentials_of_a_kind_are_none() {
    let proxy = with_app().await;
    let body = text(TO).to_string();
    let (good, login) = (bearer(KEY), basic("application", "app-password"));
    for (name, good, path) in [
        ("Authorization", good.as_str(), "/v1/messages"),
        ("D360-API-KEY", KEY, "/v1/messages"),
        ("Authorization", login.as_str(), "/v1/users/login"),
    ] {
        for pair in [[good, "Bearer x"], ["Bearer x", good], [good, ""], ["", good], [good, good]] {
            let headers = pair.map(|value| (name, value));
            let mut client = proxy.connect().await;
            let reply = client.call("POST", path, &headers, body.as_bytes()).await;
            assert_unauthenticated(&reply, &format!("{name}: {pair:?}"));
        }
    }
    assert_eq!(proxy.mock.seen(), 0);
}

/// Header and claims of a token, altered in every way an attacker may try (RFC 8725).
#[tokio::test]
async fn altered_tokens_are_refused() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let proxy = with_app().await;
    let token = proxy.token("application", "app-password").await;
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let none = encode(r#"{"alg":"none","typ":"JWT"}"#);
    let mut altered = vec![
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{header}..{signature}"),
        format!("{header}.{}.{signature}", encode(r#"{"sub":"admin"}"#)),
        format!("{header}.{claims}.{signature}.{signature}"),
    ];
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        altered.push(String::from_utf8(bytes).unwrap());
    }
    let mut client = proxy.connect().await;
    for token in altered {
        let headers = [("Authorization", &*bearer(&token))];
        let reply = client.call("POST", "/v1/messages", &headers, text(TO).to_string().as_bytes()).await;
        assert_unauthenticated(&reply, &token);
    }
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn users_are_made_shown_changed_and_deleted() {
    let proxy = Proxy::start().await;
    let admin = bearer(ADMIN_KEY);
    let meta = json!({"api_status": "stable", "version": "v2.45.1"});
    let body = json!({"username": "alice", "password": PASSWORD}).to_string();
    let reply = proxy.call_as(&admin, "POST", "/v1/users", &body).await;
    assert_eq!((reply.status, reply.json()), (201, json!({"users": [{"username": "alice"}], "meta": meta})));
    let reply = proxy.call_as(&admin, "POST", "/v1/users", &body).await;
    let (code, title, details) = reply.error();
    assert_eq!((reply.status, code, title.as_str()), (500, 1014, "Internal error"));
    assert_eq!(details, "Unable to create user. Already exist?");
    let reply = proxy.call_as(&admin, "GET", "/v1/users/alice", "").await;
    let shown = json!([{"username": "alice", "ROLES": Role::User.as_str()}]);
    assert_eq!((reply.status, &reply.json()["users"]), (200, &shown));
    assert_eq!(shown[0]["ROLES"], "ROLE_USER");

    let token = bearer(&proxy.token("alice", PASSWORD).await);
    let reply = proxy.call_as(&token, "GET", "/v1/users/alice", "").await;
    assert_eq!((reply.status, &reply.json()["users"]), (200, &shown), "oneself, as a user");
    let body = json!({"password": OTHER}).to_string();
    let reply = proxy.call_as(&admin, "PUT", "/v1/users/alice", &body).await;
    assert_eq!((reply.status, &reply.json()["users"]), (200, &json!([{"username": "alice"}])));
    assert_unauthenticated(&send_as(&proxy, &token).await, "another password ends the tokens");
    assert_unauthenticated(&proxy.login("alice", PASSWORD, "").await, "the old one");
    let token = bearer(&proxy.token("alice", OTHER).await);
    let reply = proxy.call_as(&admin, "DELETE", "/v1/users/alice", "").await;
    assert_eq!((reply.status, &reply.json()["users"]), (200, &json!([{"username": "alice"}])));
    assert_unauthenticated(&send_as(&proxy, &token).await, "deleted");
    for method in ["GET", "DELETE"] {
        let reply = proxy.call_as(&admin, method, "/v1/users/alice", "").await;
        assert_eq!((reply.status, reply.code()), (404, 1006), "{method}");
    }
    let reply = proxy.call_as(&admin, "PUT", "/v1/users/alice", &body).await;
    assert_eq!((reply.status, reply.code()), (404, 1006));
}

#[tokio::test]
async fn users_that_cannot_be() {
    let proxy = Proxy::start().await;
    let admin = bearer(ADMIN_KEY);
    for (body, code) in [
        (json!({"username": "abc", "password": PASSWORD}), 1009),
        (json!({"username": "a:bc", "password": PASSWORD}), 1009),
        (json!({"username": "a/../bc", "password": PASSWORD}), 1009),
        (json!({"username": "alice", "password": "simple"}), 1009),
        (json!({"username": "alice", "password": 7}), 1009),
        (json!({"username": "alice"}), 1008),
        (json!({"password": PASSWORD}), 1008),
        (json!({"username": "", "password": PASSWORD}), 1008),
        (json!({}), 1008),
        (json!([]), 1008),
        (json!(null), 1025),
    ] {
        let reply = proxy.call_as(&admin, "POST", "/v1/users", &body.to_string()).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{body}: {reply:?}");
    }
    let reply = proxy.call_as(&admin, "DELETE", "/v1/users/admin", "").await;
    assert_eq!((reply.status, reply.code()), (403, 1005), "admin cannot be deleted");
    let reply = proxy.call_as(&admin, "GET", "/v1/users/admin", "").await;
    assert_eq!(reply.json()["users"][0]["ROLES"], "ROLE_ADMIN");
}

#[tokio::test]
async fn users_may_not_do_what_administrators_do() {
    let proxy = with_app().await;
    let token = proxy.token("application", "app-password").await;
    let create = json!({"username": "alice", "password": PASSWORD}).to_string();
    let change = json!({"password": OTHER}).to_string();
    for authorization in [bearer(&token), bearer(KEY), format!("Apikey {KEY}")] {
        for (method, path, body) in [
            ("POST", "/v1/users", create.as_str()),
            ("GET", "/v1/users/admin", ""),
            ("GET", "/v1/users/nobody", ""),
            ("PUT", "/v1/users/application", &change),
            ("PUT", "/v1/users/admin", &change),
            ("DELETE", "/v1/users/application", ""),
            ("DELETE", "/v1/users/nobody", ""),
        ] {
            let reply = proxy.call_as(&authorization, method, path, body).await;
            assert_eq!((reply.status, reply.code()), (403, 1005), "{method} {path}");
        }
    }
    for (method, path) in [("POST", "/v1/users"), ("GET", "/v1/users/admin"), ("DELETE", "/v1/users/x")] {
        let reply = proxy.call_as("Bearer x", method, path, "").await;
        assert_unauthenticated(&reply, path);
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_and_tells_for_how_long() {
    let proxy = with_app().await;
    let token = bearer(&proxy.token("application", "app-password").await);
    for _ in 0..5 {
        assert_unauthenticated(&proxy.login("application", "wrong", "").await, "a guess");
    }
    let reply = proxy.login("application", "app-password", "").await;
    assert_eq!((reply.status, reply.code(), reply.header("retry-after")), (429, 1015, Some("1")));
    assert_eq!(send_as(&proxy, &token).await.status, 201, "tokens are not concerned");
    proxy.clock.advance(1);
    assert_eq!(proxy.login("application", "app-password", "").await.status, 200);
    let metrics = proxy.metrics().await;
    for (outcome, count) in [("ok", 2), ("refused", 5), ("throttled", 1)] {
        let line = format!("prembridge_logins_total{{outcome=\"{outcome}\"}} {count}");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
}

/// A client that goes away between two calls of one connection leaves nothing behind for the next.
#[tokio::test]
async fn a_connection_carries_no_identity() {
    let proxy = Proxy::start().await;
    let mut client = Client::connect(proxy.api).await;
    let body = text(TO).to_string();
    let authorization = bearer(KEY);
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(client.call("POST", "/v1/messages", &headers, body.as_bytes()).await.status, 201);
    assert_unauthenticated(&client.call("POST", "/v1/messages", &[], body.as_bytes()).await, "no header");
}

/// Nobody makes the proxy hold a body without a login.
#[tokio::test]
async fn a_body_is_asked_for_only_after_the_login() {
    let proxy = Proxy::start().await;
    let mut client = proxy.connect().await;
    client
        .write("POST /v1/messages HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
        .await;
    assert_unauthenticated(&client.reply().await, "no header, and no 100 Continue");
    let large = format!("{{\"new_password\":\"{}\"}}", "x".repeat(5000));
    let reply = proxy.login("nobody", "x", &large).await;
    assert_eq!((reply.status, reply.code()), (413, 1025), "a login's body is small");
}

/// A name is a label: whoever changes it must not bring `admin` with `secret` back.
#[tokio::test]
async fn a_number_may_be_renamed() {
    let folder = TempDir::new();
    let store = format!("[store]\nurl = \"sqlite:{}\"\n", folder.join("users.db").display());
    let start = async |name: &str| {
        let text = config(
            "http://127.0.0.1:9",
            "[shutdown]\nlame_duck = \"0s\"\n",
            &number(name, PHONE_NUMBER_ID, ""),
        );
        let text = text.replace("[store]\nurl = \"memory:\"\n", &store);
        let parsed = Config::parse(&text, &Env::default()).unwrap().config;
        App::start(parsed, Clock::fixed(NOW)).await.unwrap()
    };
    let log_in = async |app: &App, password: &str, body: &str| {
        let authorization = basic("admin", password);
        let headers = [("Authorization", authorization.as_str())];
        let mut client = Client::connect(app.addresses().api).await;
        client.call("POST", "/v1/users/login", &headers, body.as_bytes()).await.status
    };
    let new_password = format!("{{\"new_password\":\"{PASSWORD}\"}}");
    let app = start("support").await;
    assert_eq!(log_in(&app, "secret", &new_password).await, 200);
    assert!(app.drain().await);
    let app = start("renamed").await;
    assert_eq!(log_in(&app, "secret", &new_password).await, 401);
    assert_eq!(log_in(&app, PASSWORD, "").await, 200);
}
