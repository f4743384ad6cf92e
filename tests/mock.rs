//! The mock Cloud API over real sockets.

mod business;
mod command;
mod media;
mod receiver;
mod templates;
mod webhooks;

use std::net::SocketAddr;
use std::time::Duration;

use prembridge::mock::{self, Act, FaultRule, Matcher, MockCloud, Options, Times};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const MESSAGES: &str = "/v26.0/106540352242922/messages";

/// One HTTP/1.1 connection, just able enough to see how it ends.
struct Client(BufReader<TcpStream>);

#[derive(Debug)]
struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Client {
    async fn to(mock: &MockCloud) -> Self {
        Self(BufReader::new(TcpStream::connect(mock.addr()).await.unwrap()))
    }

    /// Sends a request and reads its answer; an error tells how the connection ended instead.
    async fn call(&mut self, method: &str, path: &str, token: &str, body: &[u8]) -> std::io::Result<Reply> {
        self.send(method, path, token, body).await?;
        self.receive().await
    }

    async fn send(&mut self, method: &str, path: &str, token: &str, body: &[u8]) -> std::io::Result<()> {
        let token = if token.is_empty() { String::new() } else { format!("Authorization: {token}\r\n") };
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: mock\r\n{token}Content-Length: {length}\r\n\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        self.0.write_all(&request).await
    }

    async fn receive(&mut self) -> std::io::Result<Reply> {
        let start = self.line().await?;
        let status = start.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
        let mut headers = Vec::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        reply.body.resize(reply.header("content-length").map_or(0, |length| length.parse().unwrap()), 0);
        self.0.read_exact(&mut reply.body).await?;
        Ok(reply)
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    async fn post(&mut self, message: &Value) -> std::io::Result<Reply> {
        self.call("POST", MESSAGES, "Bearer token", message.to_string().as_bytes()).await
    }

    /// Whether the peer has closed and nothing more comes.
    async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]).await, Ok(0))
    }
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    fn code(&self) -> u64 {
        self.json()["error"]["code"].as_u64().expect("an error")
    }
}

async fn start(options: Options) -> MockCloud {
    MockCloud::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap()
}

async fn with_fault(line: &str) -> MockCloud {
    start(Options { faults: vec![line.parse().unwrap()], ..Options::default() }).await
}

fn text(to: &str) -> Value {
    json!({"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": "hello"}})
}

fn template() -> Value {
    json!({"messaging_product": "whatsapp", "to": "+15551234567", "type": "template",
           "template": {"name": "n", "language": {"code": "en"}}})
}

#[tokio::test]
async fn a_text_is_accepted_and_recorded() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let reply = client.post(&text("+1 (555) 123-4567")).await.unwrap();
    assert_eq!(reply.status, 200);
    let json = reply.json();
    assert_eq!(json["messaging_product"], "whatsapp");
    assert_eq!(json["contacts"], json!([{"input": "+1 (555) 123-4567", "wa_id": "15551234567"}]));
    assert_eq!(json["messages"][0].as_object().unwrap().len(), 1);
    assert_eq!(reply.header("facebook-api-version"), Some("v26.0"));
    assert_eq!(reply.header("content-type"), Some("application/json; charset=UTF-8"));
    assert!(reply.header("x-fb-request-id").is_some_and(|id| id.len() == 23));

    let recorded = &mock.recorded()[0];
    assert_eq!((recorded.method.as_str(), recorded.path.as_str()), ("POST", MESSAGES));
    assert_eq!(recorded.authorization.as_deref(), Some("Bearer token"));
    assert_eq!(recorded.phone_number_id.as_deref(), Some("106540352242922"));
    assert_eq!(recorded.body.json()["text"]["body"], "hello");
    assert_eq!((recorded.notes.len(), recorded.status), (0, Some(200)));
    let accepted = &mock.accepted_messages()[0];
    assert_eq!(json["messages"][0]["id"], accepted.wamid.as_str());
    assert_eq!((accepted.kind.as_str(), accepted.wa_id.as_deref()), ("text", Some("15551234567")));
    assert_eq!((mock.seen(), mock.accepted()), (1, 1));

    mock.clear();
    assert_eq!((mock.seen(), mock.accepted(), mock.recorded().len()), (0, 0, 0));
    mock.shutdown().await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn equal_seeds_give_equal_ids_and_no_id_comes_twice() {
    let mut ids = Vec::new();
    for seed in [5, 5, 6] {
        let mock = start(Options { seed, ..Options::default() }).await;
        let mut client = Client::to(&mock).await;
        for _ in 0..2 {
            ids.push(client.post(&text("+15551234567")).await.unwrap().json()["messages"][0]["id"].clone());
        }
    }
    assert_eq!(ids[..2], ids[2..4]);
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[4]);
}

#[tokio::test]
async fn templates_have_a_status_and_users_without_number_have_no_wa_id() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let reply = client.post(&template()).await.unwrap().json();
    assert_eq!(reply["messages"][0]["message_status"], "accepted");
    let user = "US.13491208655302741918";
    let message = json!({"messaging_product": "whatsapp", "recipient": user, "text": {"body": "b"}});
    let reply = client.post(&message).await.unwrap().json();
    assert_eq!(reply["contacts"], json!([{"input": user, "user_id": user}]));
    let read = json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x"});
    assert_eq!(client.post(&read).await.unwrap().json(), json!({"success": true}));
    assert_eq!(mock.accepted(), 2);
}

#[tokio::test]
async fn a_number_without_plus_goes_to_the_business_country_and_is_noted() {
    let mock = start(Options { default_country: "91".into(), ..Options::default() }).await;
    let reply = Client::to(&mock).await.post(&text("(631) 555-1234")).await.unwrap().json();
    assert_eq!(reply["contacts"][0]["wa_id"], "916315551234");
    assert_eq!(mock.recorded()[0].notes, ["digits without +"]);
}

#[tokio::test]
async fn refusals_are_recorded_and_not_accepted() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let mut message = text("+15551234567");
    message["text"]["provider"] = json!("p");
    let reply = client.post(&message).await.unwrap();
    assert_eq!((reply.status, reply.code()), (400, 100));
    let error = &reply.json()["error"];
    assert_eq!(error["message"], "(#100) Unexpected key \"provider\" on param \"text\".");
    assert_eq!(error["type"], "OAuthException");
    assert_eq!(error["fbtrace_id"].as_str(), reply.header("x-fb-request-id"));
    assert!(
        reply
            .header("www-authenticate")
            .is_some_and(|value| value.starts_with("OAuth \"Facebook Platform\""))
    );

    let reply = client.call("POST", MESSAGES, "Bearer token", b"{not json").await.unwrap();
    assert_eq!((reply.status, reply.code()), (400, 100));
    assert_eq!(mock.recorded()[1].body, mock::Body::Raw("{not json".into()));
    assert_eq!((mock.seen(), mock.accepted()), (2, 0));
}

#[tokio::test]
async fn tokens_are_checked() {
    let mock = start(Options { access_tokens: Some(vec!["good".into()]), ..Options::default() }).await;
    let mut client = Client::to(&mock).await;
    let body = text("+15551234567").to_string();
    for (token, path, status, code) in [
        ("", MESSAGES.to_owned(), 401, Some(104)),
        ("Bearer bad", MESSAGES.to_owned(), 401, Some(190)),
        ("good", MESSAGES.to_owned(), 401, Some(190)),
        ("Bearer good", MESSAGES.to_owned(), 200, None),
        ("", format!("{MESSAGES}?access_token=good"), 200, None),
    ] {
        let reply = client.call("POST", &path, token, body.as_bytes()).await.unwrap();
        assert_eq!((reply.status, reply.json()["error"]["code"].as_u64()), (status, code), "{token} {path}");
    }
    let message = |n: usize| mock.recorded()[n].status;
    assert_eq!((message(0), message(3)), (Some(401), Some(200)));
}

#[tokio::test]
async fn a_number_can_be_asked_about() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let fields = "display_phone_number,verified_name,quality_rating,platform_type,status,throughput";
    let path = format!("/v26.0/106540352242922?fields={fields}");
    let reply = client.call("GET", &path, "Bearer t", b"").await.unwrap();
    assert_eq!(
        reply.json(),
        json!({"display_phone_number": "+1 555-012-3456", "verified_name": "Lucky Shrub",
               "quality_rating": "GREEN", "platform_type": "CLOUD_API", "status": "CONNECTED",
               "throughput": {"level": "STANDARD"}, "id": "106540352242922"})
    );
    let reply = client.call("GET", "/v26.0/1?fields=shoe_size", "Bearer t", b"").await.unwrap();
    assert_eq!((reply.status, reply.code()), (400, 100));
    let reply = client.call("PUT", "/v26.0/1/messages", "Bearer t", b"").await.unwrap();
    assert_eq!((reply.json()["error"]["error_subcode"].as_u64(), reply.code()), (Some(33), 100));
    let reply = client.call("POST", "/v26.0/1/nonsense", "Bearer t", b"").await.unwrap();
    assert_eq!(reply.code(), 2500);
}

#[tokio::test]
async fn every_code_of_the_table_can_be_produced() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    for code in mock::codes().collect::<Vec<_>>() {
        mock.clear_faults();
        mock.fault(FaultRule::error(code));
        let reply = client.post(&text("+15551234567")).await.unwrap();
        let (title, status) = mock::lookup(code).unwrap();
        assert_eq!((reply.code(), reply.status), (u64::from(code), status));
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(title), "{code}");
        assert!(reply.json()["error"]["error_data"]["details"].is_string(), "{code}");
    }
    assert_eq!(mock.accepted(), 0);
}

#[tokio::test]
async fn rules_pick_requests_and_count() {
    let mock = with_fault("130429/429 bare@+15550000001:every 2nd").await;
    let mut client = Client::to(&mock).await;
    let mut statuses = Vec::new();
    for to in ["+15550000001", "15550000002", "+1 555 000 0001", "+15550000001", "+15550000001"] {
        statuses.push(client.post(&text(to)).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 429, 200, 429]);

    mock.clear_faults();
    mock.fault("190@any:once".parse().unwrap());
    let reply = client.call("GET", "/v26.0/1", "Bearer t", b"").await.unwrap();
    assert_eq!((reply.status, reply.code()), (401, 190));
    let templates = Matcher { kind: Some("template".into()), ..Matcher::default() };
    mock.fault(FaultRule::new(Act::Held).when(templates).times(Times::Next(1)));
    assert_eq!(client.post(&text("+15550000001")).await.unwrap().status, 200);
    let status = |reply: Reply| reply.json()["messages"][0]["message_status"].clone();
    assert_eq!(status(client.post(&template()).await.unwrap()), "held_for_quality_assessment");
    assert_eq!(status(client.post(&template()).await.unwrap()), "accepted");
}

#[tokio::test]
async fn http_answers_are_to_the_letter() {
    for (line, status, body, accepted) in [
        ("http 502", 502, "<html>", 0),
        ("http 200 empty", 200, "", 1),
        ("http 200 garbage", 200, "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"inp", 1),
        ("http 200 no-messages", 200, "{\"messaging_product\":\"whatsapp\",\"contacts\":[]}", 1),
        ("http 429 empty retry-after 2", 429, "", 0),
    ] {
        let mock = with_fault(line).await;
        let reply = Client::to(&mock).await.post(&text("+15551234567")).await.unwrap();
        assert_eq!(reply.status, status, "{line}");
        assert!(String::from_utf8(reply.body.clone()).unwrap().starts_with(body), "{line}");
        assert_eq!(reply.header("retry-after"), (status == 429).then_some("2"));
        assert_eq!(mock.accepted(), accepted, "{line}");
    }
}

#[tokio::test]
async fn connections_end_where_the_rule_says() {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    for (line, end, accepted) in [
        ("reset-before-read", ConnectionReset, 0),
        ("reset-after-read", ConnectionReset, 1),
        ("truncate", UnexpectedEof, 1),
    ] {
        let mock = with_fault(line).await;
        let error = Client::to(&mock).await.post(&text("+15551234567")).await.unwrap_err();
        assert_eq!(error.kind(), end, "{line}");
        assert_eq!((mock.seen(), mock.accepted(), mock.recorded().len()), (1, accepted, 1), "{line}");
    }
}

#[tokio::test]
async fn a_close_before_the_body_is_a_plain_end_while_no_body_has_come() {
    let mock = with_fault("close-before-read").await;
    let mut client = Client::to(&mock).await;
    let head = format!("POST {MESSAGES} HTTP/1.1\r\nHost: mock\r\nContent-Length: 5\r\n\r\n");
    client.0.write_all(head.as_bytes()).await.unwrap();
    assert!(client.is_closed().await);
    assert_eq!((mock.accepted(), mock.recorded()[0].status), (0, None));
}

#[tokio::test]
async fn an_unannounced_close_follows_a_whole_answer() {
    let mock = with_fault("close-after-response:once").await;
    let mut client = Client::to(&mock).await;
    let reply = client.post(&text("+15551234567")).await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (200, None));
    assert!(reply.json()["messages"][0]["id"].is_string());
    assert!(client.is_closed().await);
    assert_eq!(Client::to(&mock).await.post(&text("+15551234567")).await.unwrap().status, 200);
}

#[tokio::test]
async fn slow_answers_come_whole() {
    for line in ["delay 1ms", "drip 1ms"] {
        let mock = with_fault(line).await;
        let reply = Client::to(&mock).await.post(&text("+15551234567")).await.unwrap();
        assert!(reply.json()["messages"][0]["id"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn a_stalled_request_ends_with_the_mock() {
    let mock = with_fault("stall").await;
    let mut client = Client::to(&mock).await;
    client.send("POST", MESSAGES, "Bearer t", text("+15551234567").to_string().as_bytes()).await.unwrap();
    while mock.recorded().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(mock.accepted(), 1);
    // The timer never fires unless shutdown hangs on the stalled request.
    tokio::time::timeout(Duration::from_secs(30), mock.shutdown()).await.unwrap();
    assert!(client.receive().await.is_err());
}

#[tokio::test]
async fn a_shell_can_drive_it() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let rule = br#"{"when":{"kind":"text"},"times":{"next":1},"act":{"error":{"code":131047}}}"#;
    for rule in [rule.as_slice(), br#""131026:next 1""#, b"131048:next 1\n"] {
        let reply = client.call("POST", "/_mock/faults", "", rule).await.unwrap();
        assert_eq!(reply.json(), json!({"success": true}));
    }
    let reply = client.call("POST", "/_mock/faults", "", b"explode").await.unwrap();
    assert_eq!((reply.status, reply.json()["error"].as_str().is_some()), (400, true));
    for code in [131047, 131026, 131048] {
        assert_eq!(client.post(&text("+15551234567")).await.unwrap().code(), code);
    }
    let faults = client.call("GET", "/_mock/faults", "", b"").await.unwrap().json();
    assert_eq!(faults["faults"][0]["matched"], 3);
    assert_eq!(faults["faults"][2]["rule"]["act"]["error"]["code"], 131048);
    client.call("DELETE", "/_mock/faults", "", b"").await.unwrap();
    assert_eq!(client.post(&text("+15551234567")).await.unwrap().status, 200);

    let requests = client.call("GET", "/_mock/requests", "", b"").await.unwrap().json();
    assert_eq!((requests["seen"].as_u64(), requests["accepted"].as_u64()), (Some(4), Some(1)));
    assert_eq!(requests["requests"][3]["body"]["json"]["text"]["body"], "hello");
    client.call("DELETE", "/_mock/requests", "", b"").await.unwrap();
    let requests = client.call("GET", "/_mock/requests", "", b"").await.unwrap().json();
    assert_eq!(requests["requests"], json!([]));
    assert_eq!(client.call("GET", "/_mock/else", "", b"").await.unwrap().status, 404);
}

#[tokio::test]
async fn memory_is_bounded() {
    let mock = start(Options { record_limit: 2, ..Options::default() }).await;
    let mut client = Client::to(&mock).await;
    for n in 0..3 {
        client.post(&text(&format!("+1555000000{n}"))).await.unwrap();
    }
    let kept: Vec<_> = mock.accepted_messages().into_iter().map(|message| message.to).collect();
    assert_eq!(kept, ["+15550000001", "+15550000002"]);
    assert_eq!(mock.accepted(), 3);

    let mock = start(Options { record: false, ..Options::default() }).await;
    Client::to(&mock).await.post(&text("+15551234567")).await.unwrap();
    assert_eq!((mock.accepted(), mock.recorded().len(), mock.accepted_messages().len()), (1, 0, 0));
}
