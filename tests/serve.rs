//! `prembridge serve` as an operator runs it: files, TLS, signals, restarts, logs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use prembridge::mock::{MockCloud, Options};
use serde_json::{Value, json};

use crate::support::process::{Server, run};
use crate::support::{Client, PASSWORD, Reply, TO, basic, request, text, tls};
use crate::temp::TempDir;

#[path = "serve/certificates.rs"]
mod certificates;

/// Secrets that must never show, and what people write.
const ACCESS_TOKEN: &str = "canary-access-token";
const API_KEY: &str = "canary-api-key-0123";
const USER_PASSWORD: &str = "canary-user-password";
const PROVIDER_TOKEN: &str = "canary-provider-token";
const MESSAGE: &str = "canary-message-text";
const WRONG_PASSWORD: &str = "canary-wrong-password";
/// What nobody can be written to, which the client is told.
const NO_NUMBERS: [&str; 2] = ["+49 0172 998877-no", "0044172998877"];
const CALLBACK_URL: &str = "https://8.8.8.8/canary?canary-token";

struct Setup {
    folder: TempDir,
    mock: MockCloud,
}

impl Setup {
    async fn new() -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { folder: TempDir::new(), mock: MockCloud::start(address, Options::default()).await.unwrap() }
    }

    /// Writes a configuration with this `[listen]` and these further sections, without pacing: the mock is to see
    /// only what clients send.
    fn config(&self, listen: &str, sections: &str) -> PathBuf {
        let path = self.folder.join("prembridge.toml");
        let text = format!(
            "[listen]\n{listen}\nadmin = \"127.0.0.1:0\"\n[shutdown]\nlame_duck = \"0s\"\ndrain_timeout = \"20s\"\n\
             [store]\nurl = \"sqlite:{}\"\n[pacing]\nenabled = false\n[cloud]\nbase_url = \"{}\"\n{sections}\n\
             [[number]]\nname = \"support\"\nphone_number_id = \"106540352242922\"\naccess_token = \"{ACCESS_TOKEN}\"\n\
             [[number.user]]\nname = \"application\"\npassword = \"{USER_PASSWORD}\"\n\
             [[number.api_key]]\nkey = \"{API_KEY}\"\nrole = \"admin\"\n\
             [[number.provider]]\nname = \"cdn\"\nbearer = \"{PROVIDER_TOKEN}\"\n",
            self.folder.join("prembridge.db").display(),
            self.mock.base_url()
        );
        fs::write(&path, text).unwrap();
        path
    }
}

const PLAIN: &str = "api = \"127.0.0.1:0\"";
const TLS: &str = "api = \"127.0.0.1:0\"\ntls = \"self-signed\"";

async fn call(server: &Server, authorization: &str, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let headers = [("Authorization", authorization)];
    Client::connect(server.api).await.call(method, path, &headers, body.as_bytes()).await
}

/// The `tokio` runtime of a test has one thread, which must not block while the mock is needed.
async fn end(server: Server) -> (Option<i32>, String) {
    tokio::task::spawn_blocking(move || server.wait()).await.unwrap()
}

#[tokio::test]
async fn a_signal_lets_the_running_request_finish() {
    for signal in ["TERM", "INT"] {
        let setup = Setup::new().await;
        setup.mock.fault("delay 300ms".parse().unwrap());
        let server = Server::start(&setup.config(TLS, ""));
        let (mut running, _) = tls::connect(server.api).await;
        let silent = Client::connect(server.api).await;
        let key = format!("Bearer {API_KEY}");
        let message = text(TO).to_string();
        running.write(request("POST", "/v1/messages", &[("Authorization", &key)], message.as_bytes())).await;
        while setup.mock.seen() == 0 {
            tokio::task::yield_now().await;
        }
        server.signal(signal);
        let reply = running.reply().await;
        assert_eq!((reply.status, reply.header("connection")), (201, Some("close")), "{signal}");
        let (code, log) = end(server).await;
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("\"draining\"") && log.contains("\"drained\""), "{log}");
        drop(silent);
    }
}

/// One line at start says that messages are held back, and how to change that.
#[tokio::test]
async fn pacing_is_announced() {
    for is_paced in [true, false] {
        let setup = Setup::new().await;
        let path = setup.config(PLAIN, "");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("enabled = false", &format!("enabled = {is_paced}"))).unwrap();
        let server = Server::start(&path);
        server.signal("TERM");
        let (code, log) = end(server).await;
        assert_eq!(code, Some(0), "{log}");
        let lines: Vec<_> = log.lines().filter(|line| line.contains("messages are paced")).collect();
        assert_eq!(lines.len(), usize::from(is_paced), "{log}");
        let says = |text: &str| lines.iter().all(|line| line.contains(text));
        assert!(says("pacing.enabled = false") && says("\"auto\"") && says("\"5s\""), "{log}");
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let setup = Setup::new().await;
    setup.mock.fault("stall".parse().unwrap());
    let server = Server::start(&setup.config(PLAIN, ""));
    let mut running = Client::connect(server.api).await;
    let key = format!("Bearer {API_KEY}");
    let message = text(TO).to_string();
    running.write(request("POST", "/v1/messages", &[("Authorization", &key)], message.as_bytes())).await;
    while setup.mock.seen() == 0 {
        tokio::task::yield_now().await;
    }
    server.signal("TERM");
    // The listener closes once the first signal has arrived; two at once would be one.
    while tokio::net::TcpStream::connect(server.api).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.signal("TERM");
    let (code, log) = end(server).await;
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("a second signal"), "{log}");
}

#[tokio::test]
async fn a_restart_keeps_users_tokens_and_the_certificate() {
    let setup = Setup::new().await;
    let config = setup.config(TLS, "");
    let server = Server::start(&config);
    let (mut client, certificate) = tls::connect(server.api).await;
    let admin = format!("Bearer {API_KEY}");
    let alice = json!({"username": "alice", "password": PASSWORD}).to_string();
    let reply = client.call("POST", "/v1/users", &[("Authorization", &admin)], alice.as_bytes()).await;
    assert_eq!(reply.status, 201);
    let mut tokens = Vec::new();
    for (user, password) in [("alice", PASSWORD), ("application", USER_PASSWORD), ("alice", PASSWORD)] {
        let login = basic(user, password);
        let reply = client.call("POST", "/v1/users/login", &[("Authorization", &login)], b"").await;
        tokens.push(format!("Bearer {}", reply.json()["users"][0]["token"].as_str().unwrap()));
    }
    let logged_out = tokens.pop().unwrap();
    let reply = client.call("POST", "/v1/users/logout", &[("Authorization", &logged_out)], b"").await;
    assert_eq!(reply.status, 200);
    drop(client);
    server.signal("TERM");
    assert_eq!(end(server).await.0, Some(0));

    let server = Server::start(&config);
    let (mut client, same) = tls::connect(server.api).await;
    assert_eq!(certificate, same, "clients may have pinned it");
    let message = text(TO).to_string();
    for token in &tokens {
        let headers = [("Authorization", token.as_str())];
        assert_eq!(client.call("POST", "/v1/messages", &headers, message.as_bytes()).await.status, 201);
    }
    let headers = [("Authorization", logged_out.as_str())];
    let reply = client.call("POST", "/v1/messages", &headers, message.as_bytes()).await;
    assert_eq!((reply.status, reply.code()), (401, 1005), "a logout outlives the process");
    let login = basic("alice", PASSWORD);
    let reply = client.call("POST", "/v1/users/login", &[("Authorization", &login)], b"").await;
    assert_eq!(reply.status, 200);
}

/// An improper request over TLS gets its body too.
#[tokio::test]
async fn tls_clients_get_errors_in_dialect() {
    let setup = Setup::new().await;
    let server = Server::start(&setup.config(TLS, ""));
    let (mut client, _) = tls::connect(server.api).await;
    client.write("GARBAGE\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code()), (400, 1025));
    let (mut client, _) = tls::connect(server.api).await;
    let headers: Vec<_> = (0..120).map(|n| (format!("X-{n}"), "y")).collect();
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let reply = client.call("GET", "/", &headers, b"").await;
    assert_eq!((reply.status, reply.code()), (431, 1025));
    assert_eq!(tls::connect(server.api).await.0.call("GET", "/", &[], b"").await.status, 200);
}

#[tokio::test]
async fn an_address_in_use_is_told_in_a_sentence() {
    let setup = Setup::new().await;
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let config = setup.config(&format!("api = \"{address}\""), "");
    let run = run(&["serve", "-c", config.to_str().unwrap()], "");
    assert_eq!(run.code, Some(1), "{run:?}");
    let line = run.stderr.lines().last().unwrap();
    assert!(line.starts_with(&format!("error: listen.api cannot listen on {address}: ")), "{line}");
    assert!(line.contains("the address is in use"), "{line}");
}

/// An answer that quotes what was sent is for the client alone.
async fn write_to_no_number(server: &Server, key: &str) {
    let mut quoting = 0;
    for to in NO_NUMBERS {
        for message in
            [json!({"to": to, "text": {"body": "x"}}), json!({"to": TO, "type": to, "text": {"body": "x"}})]
        {
            let reply = call(server, key, "POST", "/v1/messages", &message).await;
            assert_eq!(reply.status, 400, "{reply:?}");
            quoting += usize::from(reply.text().contains(to));
        }
    }
    assert!(quoting > 0, "none of them quotes");
}

/// Planted secrets go through every endpoint, success and failure, at the most talkative level.
#[tokio::test]
async fn secrets_and_messages_show_nowhere() {
    let setup = Setup::new().await;
    let server = Server::start(&setup.config(PLAIN, "[log]\nlevel = \"trace\"\n"));
    let key = format!("Apikey {API_KEY}");
    let login = basic("application", USER_PASSWORD);
    let reply = call(&server, &login, "POST", "/v1/users/login", &Value::Null).await;
    let token = reply.json()["users"][0]["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {token}");
    let message =
        json!({"to": TO, "text": {"body": format!("{MESSAGE}\u{1b}[31m\r\n{{\"level\":\"ERROR\"}}")}});
    let mut errors = Vec::new();
    let providers = "/v1/settings/application/media/providers";
    let settings = "/v1/settings/application";
    for (authorization, method, path, body, status) in [
        (&bearer, "POST", "/v1/messages", &message, 201),
        (&key, "POST", "/v1/messages", &message, 201),
        (&key, "PUT", "/v1/messages/wamid.x", &json!({"status": "read"}), 200),
        (&key, "POST", "/v1/users", &json!({"username": "alice", "password": PASSWORD}), 201),
        (&key, "POST", "/v1/users", &json!({"username": "alice", "password": PASSWORD}), 500),
        (&key, "POST", "/v1/users", &json!({"username": "bobby", "password": USER_PASSWORD}), 400),
        (&key, "PUT", "/v1/users/application", &json!({"password": PASSWORD}), 403),
        (&key, "POST", "/v1/messages", &json!({"to": TO, "text": MESSAGE}), 400),
        (&key, "POST", "/v1/messages", &json!({"to": TO, "text": {"body": MESSAGE.repeat(300)}}), 400),
        (&key, "GET", providers, &Value::Null, 200),
        (&key, "POST", providers, &json!([{"name": "p", "x": 1, "config": {"bearer": PROVIDER_TOKEN}}]), 200),
        (&key, "POST", providers, &json!([{"name": "p", "config": {"bearer": "canary bearer"}}]), 400),
        (&key, "POST", providers, &json!([{"name": "canary/p", "config": "canary"}]), 400),
        (&key, "DELETE", &format!("{providers}/cdn"), &Value::Null, 400),
        (&key, "GET", providers, &Value::Null, 200),
        (&key, "PATCH", settings, &json!({"webhooks": {"url": CALLBACK_URL}, "x": "canary"}), 200),
        (&key, "PATCH", settings, &json!({"webhooks": {"url": CALLBACK_URL.replace("https", "http")}}), 400),
        (&key, "PATCH", settings, &json!({"webhooks": {"url": "canary"}, "log_level": "canary"}), 400),
        (&key, "POST", "/v1/certificates/webhooks/ca", &json!("canary"), 400),
        (&key, "GET", "/v1/messages", &message, 405),
        (&key, "POST", "/v1/nothing", &message, 404),
        (&basic("application", WRONG_PASSWORD), "POST", "/v1/users/login", &Value::Null, 401),
        (&login, "POST", "/v1/users/login", &json!({"new_password": WRONG_PASSWORD}), 403),
        (&format!("{bearer}x"), "POST", "/v1/messages", &message, 401),
        (&format!("{key}x"), "POST", "/v1/messages", &message, 401),
    ] {
        let reply = call(&server, authorization, method, path, body).await;
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        errors.push(reply);
    }
    write_to_no_number(&server, &key).await;
    for rule in ["190/401", "131047", "http 502", "http 200 garbage", "reset-after-read", "truncate", "1"] {
        setup.mock.clear_faults();
        setup.mock.fault(rule.parse().unwrap());
        errors.push(call(&server, &key, "POST", "/v1/messages", &message).await);
    }
    let metrics = Client::connect(server.admin).await.call("GET", "/metrics", &[], b"").await.text();
    server.signal("TERM");
    let (code, log) = end(server).await;
    assert_eq!(code, Some(0));
    assert!(log.lines().filter(|line| line.contains("\"request\"")).count() >= 20, "{log}");
    for line in log.lines().filter(|line| line.starts_with('{')) {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
    let secrets = ["canary", PASSWORD, token.as_str(), &token[token.len() - 20..]];
    let encoded = [USER_PASSWORD, WRONG_PASSWORD].map(|password| basic("application", password));
    for to in NO_NUMBERS {
        assert!(!log.contains(to) && !metrics.contains(to), "{to}:\n{log}");
    }
    for secret in secrets.into_iter().chain(encoded.iter().map(String::as_str)) {
        for (place, text) in [("log", &log), ("metrics", &metrics)] {
            assert!(!text.contains(secret), "{secret} in the {place}:\n{text}");
        }
        for reply in &errors {
            assert!(!reply.text().contains(secret), "{secret} in {reply:?}");
        }
    }
    for text in [&log, &metrics] {
        assert!(!text.contains(TO) && !text.contains("106540352242922"), "{text}");
    }
}
