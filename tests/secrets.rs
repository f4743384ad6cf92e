//! Graph quotes what it was sent. No secret of a number comes back to anybody that way.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use prembridge::app::{App, probe_numbers};
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::stub::Sink;
use crate::support::{
    ACCESS_TOKEN, ADMIN_KEY, Client, NOW, PHONE_NUMBER_ID, Reply, TO, config, number, text,
};
use crate::webhooks::scene::{EGRESS, PATH, signature, webhook};

/// With what has to be escaped in a URL and in JSON.
const APP_SECRET: &str = "canary/app \"secret\"";
const VERIFY_TOKEN: &str = "canary+verify+token";
/// That of somebody else.
const FOREIGN: &str = "EAAJcanaryZCq0ZBcBAKsOmEbOdYsAlL";

/// Says the same to everybody.
struct Parrot {
    addr: SocketAddr,
    words: Arc<Mutex<(u16, String)>>,
    _tasks: JoinSet<()>,
}

impl Parrot {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let words = Arc::new(Mutex::new((400, String::new())));
        let (said, mut tasks) = (Arc::clone(&words), JoinSet::new());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(answer(stream, Arc::clone(&said)));
            }
        });
        Self { addr, words, _tasks: tasks }
    }

    fn says(&self, status: u16, body: &Value) {
        *self.words.lock().unwrap() = (status, body.to_string());
    }
}

/// Reads one request, of whatever framing, and answers.
async fn answer(mut stream: TcpStream, words: Arc<Mutex<(u16, String)>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let mut tail = body;
    while head.contains("transfer-encoding: chunked") && !tail.ends_with(b"0\r\n\r\n") {
        tail.push(stream.read_u8().await.ok()?);
    }
    let (status, body) = words.lock().unwrap().clone();
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await.ok()
}

/// All secrets, in the forms in which they might be quoted.
fn quoted() -> String {
    format!(
        "Malformed access token {ACCESS_TOKEN}, {FOREIGN}; access_token%3D{ACCESS_TOKEN}%26x; {APP_SECRET}; \
         canary%2Fapp%20%22secret%22; canary\\/app \\\"secret\\\"; {VERIFY_TOKEN}; canary%2bverify%2btoken"
    )
}

/// An error with them in one of its places.
fn error(code: i64, place: &str) -> Value {
    let mut error =
        json!({"message": "Invalid parameter", "type": "OAuthException", "code": code, "fbtrace_id": "A1"});
    match place {
        "details" => error["error_data"] = json!({"details": quoted()}),
        "data" => error["error_data"] = json!(quoted()),
        "fbtrace_id" => error[place] = json!(format!("{FOREIGN} {APP_SECRET}")),
        place => error[place] = json!(quoted()),
    }
    error
}

#[track_caller]
fn assert_hidden(what: &str, said: &str) {
    assert!(!said.contains("canary"), "{what}: {said}");
}

async fn app(parrot: &Parrot, sections: &str) -> (App, Config) {
    let more = format!(
        "app_secret = {}\nverify_token = \"{VERIFY_TOKEN}\"\nwaba_id = \"102290129340398\"\napp_id = \"1\"",
        json!(APP_SECRET)
    );
    let base_url = format!("http://{}", parrot.addr);
    let text = config(&base_url, sections, &number("support", PHONE_NUMBER_ID, &more));
    let parse =
        || Config::parse(&text, &Env::default()).unwrap_or_else(|problems| panic!("{problems}")).config;
    (App::start(parse(), Clock::fixed(NOW)).await.unwrap(), parse())
}

async fn call(app: &App, method: &str, path: &str, content_type: &str, body: &[u8]) -> Reply {
    let key = format!("Bearer {ADMIN_KEY}");
    let headers = [("Authorization", key.as_str()), ("Content-Type", content_type)];
    Client::connect(app.addresses().api).await.call(method, path, &headers, body).await
}

/// Whatever is asked of Graph, and wherever in its error they stand.
#[tokio::test]
async fn errors_of_graph_give_nothing_away() {
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";
    let parrot = Parrot::start().await;
    let (app, config) = app(&parrot, EGRESS).await;
    let message = text(TO).to_string();
    let template = json!({"name": "hello", "language": "en", "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Hello"}]})
    .to_string();
    let calls: &[(&str, &str, &str, &[u8])] = &[
        ("POST", "/v1/messages", "application/json", message.as_bytes()),
        ("PUT", "/v1/messages/wamid.1", "application/json", br#"{"status":"read"}"#),
        ("GET", "/v1/media/1037543291543636", "", b""),
        ("DELETE", "/v1/media/1037543291543636", "", b""),
        ("GET", "/v1/configs/templates", "", b""),
        ("POST", "/v1/configs/templates", "application/json", template.as_bytes()),
        ("DELETE", "/v1/configs/templates/hello", "", b""),
        ("GET", "/v1/settings/business/profile", "", b""),
        (
            "POST",
            "/v1/settings/business/profile",
            "application/json",
            br#"{"description":"x","address":"y"}"#,
        ),
        ("GET", "/v1/settings/profile/about", "", b""),
        ("PATCH", "/v1/settings/profile/about", "application/json", br#"{"text":"x"}"#),
        ("GET", "/v1/settings/profile/photo", "", b""),
        ("POST", "/v1/settings/profile/photo", "image/jpeg", JPEG),
        ("POST", "/v1/account/verify", "application/json", br#"{"code":"123456"}"#),
        ("POST", "/v1/settings/account/two-step", "application/json", br#"{"pin":"123456"}"#),
        ("GET", "/v1/health", "", b""),
    ];
    for (code, http) in [(190, 401), (100, 400), (131_009, 400), (999_999, 400), (131_000, 500)] {
        for place in ["message", "details", "data", "error_user_msg", "fbtrace_id"] {
            parrot.says(http, &json!({"error": error(code, place)}));
            let mut told = 0;
            for (method, path, content_type, body) in calls {
                let reply = call(&app, method, path, content_type, body).await;
                let what = format!("{code} in {place} to {method} {path}");
                assert_hidden(&what, &format!("{reply:?} {}", reply.text()));
                told += usize::from(reply.text().contains("(hidden)"));
            }
            // Each of them repeats some of these words; the profile and the account have a sentence of their own.
            assert!(told >= if place == "error_user_msg" { 8 } else { 14 }, "{code} in {place}: {told}");
            let probes = format!("{:?}", probe_numbers(&config).await);
            assert_hidden("check --live", &probes);
        }
    }
    // A file of ours that is uploaded when it is sent.
    let reply = call(&app, "POST", "/v1/media", "image/jpeg", JPEG).await;
    assert_hidden("POST /v1/media", &reply.text());
    assert!(reply.text().contains("(hidden)") || reply.status < 300, "{reply:?}");
    if let Some(id) = reply.json()["media"][0]["id"].as_str() {
        let image = json!({"to": TO, "type": "image", "image": {"id": id}}).to_string();
        let reply = call(&app, "POST", "/v1/messages", "application/json", image.as_bytes()).await;
        assert_hidden("a file", &reply.text());
        assert!(reply.text().contains("(hidden)"), "{reply:?}");
    }
    let metrics = Client::connect(app.addresses().admin).await.call("GET", "/metrics", &[], b"").await;
    assert_hidden("metrics", &metrics.text());
    // What is shown of a number that is well.
    parrot.says(200, &json!({"id": "1", "verified_name": quoted(), "display_phone_number": FOREIGN}));
    assert_hidden("check --live", &format!("{:?}", probe_numbers(&config).await));
}

/// Nor do those that come by webhook, or later.
#[tokio::test]
async fn errors_in_callbacks_give_nothing_away() {
    let parrot = Parrot::start().await;
    let (app, _) = app(&parrot, &format!("{EGRESS}[compat]\nerrors = \"deferred\"\n")).await;
    let sink = Sink::start().await;
    let patch = json!({"webhooks": {"url": sink.url()}}).to_string();
    let reply = call(&app, "PATCH", "/v1/settings/application", "application/json", patch.as_bytes()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let mut expected = 0;
    for (code, place) in
        [(131_047, "message"), (190, "details"), (131_052, "data"), (1026, "details"), (999_999, "title")]
    {
        let mut told = error(code, place);
        if place == "title" {
            told.as_object_mut().unwrap().remove("message");
        }
        let value = json!({
            "errors": [told],
            "contacts": [{"profile": {"name": "Kerry"}, "wa_id": TO}],
            "messages": [{"from": TO, "id": format!("wamid.{code}"), "timestamp": "1", "type": "unsupported", "errors": [told]}],
            "statuses": [{"id": format!("wamid.s{code}"), "status": "failed", "timestamp": "1", "recipient_id": TO, "errors": [told]}],
        });
        let body = webhook(PHONE_NUMBER_ID, value).to_string();
        let signed = signature(APP_SECRET, body.as_bytes());
        let headers = [("X-Hub-Signature-256", signed.as_str())];
        let address = app.addresses().webhook.unwrap();
        let reply = Client::connect(address).await.call("POST", PATH, &headers, body.as_bytes()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        expected += 3;
    }
    parrot.says(400, &json!({"error": error(131_047, "details")}));
    let reply = call(&app, "POST", "/v1/messages", "application/json", text(TO).to_string().as_bytes()).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    expected += 1;
    let got = sink.take(expected).await;
    let said = serde_json::to_string(&got).unwrap();
    assert_hidden("callbacks", &said);
    let hidden = got.iter().filter(|callback| callback.to_string().contains("(hidden)")).count();
    assert!(hidden >= 10, "{hidden}: {said}");
}
