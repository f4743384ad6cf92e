//! What RapidPro and its gateway courier do with an on-prem channel (`WA`) and one of 360dialog (`D3`), request for
//! request, and what they make of the answers.

use prembridge::mock::{Act, ErrorAct, FaultRule, HttpAct, Times, codes};
use serde_json::{Value, json};

use crate::stub::Sink;
use crate::support::{ADMIN_KEY, PASSWORD, PHONE_NUMBER_ID, Proxy, Reply, TO, basic, number};
use crate::webhooks::scene::{self, EGRESS, SECRET, Scene, USER, text_from};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const DAY: i64 = 86_400;

/// What courier makes of the answer to a message, in the order in which it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// The channel rests for two seconds, and the message stands in the queue again.
    Paused,
    /// Nothing is sent in bulk for a day.
    BulkStopped,
    /// The contact is checked and the message sent again at once.
    UnknownContact,
    /// It counts as an error, and is tried again later or given up.
    Errored,
    /// It was sent, under this id; if there is another, the contact is renamed.
    Wired { id: String, renamed: Option<String> },
}

fn verdict(to: &str, reply: &Reply) -> Verdict {
    if matches!(reply.status, 429 | 503) {
        return Verdict::Paused;
    }
    let json = reply.json();
    let errors = json["errors"].as_array().cloned().unwrap_or_default();
    let is_unknown = |error: &Value| {
        let words = ["unknown contact", "Could not retrieve phone number from contact store"];
        let details = error["details"].as_str().unwrap();
        error["code"] == 1006 && error["title"] == "Resource not found" && words.contains(&details)
    };
    if errors.iter().any(|error| error["code"] == 471) {
        return Verdict::BulkStopped;
    }
    if errors.iter().any(is_unknown) {
        return Verdict::UnknownContact;
    }
    match json["messages"][0]["id"].as_str() {
        Some(id) if errors.is_empty() => {
            let renamed = json["contacts"][0]["wa_id"].as_str().filter(|&wa_id| wa_id != to);
            Verdict::Wired { id: id.to_owned(), renamed: renamed.map(str::to_owned) }
        }
        Some(_) | None => Verdict::Errored,
    }
}

/// A channel: which type it is, and its secret.
struct Channel {
    scene: Scene,
    header: &'static str,
    secret: String,
}

impl Channel {
    /// With the callbacks set over the API, as RapidPro does it when a channel is made.
    async fn new(kind: &str) -> Self {
        Self::with(kind, "").await
    }

    /// The same with a further section of the configuration.
    async fn with(kind: &str, section: &str) -> Self {
        let more = format!(
            "app_secret = \"{SECRET}\"\n[[number.user]]\nname = \"rapidpro\"\npassword = \"{PASSWORD}\"\nrole = \"admin\""
        );
        let proxy =
            Proxy::numbers(&format!("{EGRESS}{section}"), &number("support", PHONE_NUMBER_ID, &more)).await;
        let webhook = proxy.app.addresses().webhook.unwrap();
        let scene = Scene { proxy, sink: Sink::start().await, webhook };
        let url = scene.sink.url();
        let channel = if kind == "WA" {
            let authorization = basic("rapidpro", PASSWORD);
            let headers = [("Authorization", authorization.as_str())];
            let login = scene.proxy.connect().await.call("POST", "/v1/users/login", &headers, b"").await;
            assert_eq!(login.status, 200, "not even 201 will do");
            let token = login.json()["users"][0]["token"].as_str().unwrap().to_owned();
            let channel = Self { scene, header: "Authorization", secret: format!("Bearer {token}") };
            for patch in [
                json!({"webhooks": {"url": url}}),
                json!({"messaging_api_rate_limit": ["15", "54600", "1000000"],
                    "contacts_scrape_rate_limit": "1000000",
                    "contacts_api_rate_limit": ["15", "54600", "1000000"]}),
            ] {
                assert_eq!(channel.json("PATCH", "/v1/settings/application", &patch).await.status, 200);
            }
            channel
        } else {
            let channel = Self { scene, header: "D360-API-KEY", secret: ADMIN_KEY.to_owned() };
            let body = json!({ "url": url });
            assert_eq!(channel.json("POST", "/v1/configs/webhook", &body).await.status, 200);
            channel
        };
        let health = channel.call("GET", "/v1/health", &[], b"").await;
        assert_eq!(health.status, 200);
        let health = health.json();
        assert!(health["health"].is_object(), "{health}");
        // Older ones get no buttons.
        let version = health["meta"]["version"].as_str().unwrap().strip_prefix('v').unwrap();
        let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
        assert!(parts >= vec![2, 35, 2], "{version}");
        channel
    }

    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let headers = [&[(self.header, self.secret.as_str())], headers].concat();
        self.scene.proxy.connect().await.call(method, path, &headers, body).await
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> Reply {
        let headers = [("Content-Type", "application/json"), ("Accept", "application/json")];
        self.call(method, path, &headers, body.to_string().as_bytes()).await
    }

    async fn send(&self, message: &Value) -> Verdict {
        let reply = self.json("POST", "/v1/messages", message).await;
        verdict(message["to"].as_str().unwrap(), &reply)
    }

    /// Sends what has to go out.
    async fn wired(&self, message: &Value) -> String {
        let found = self.send(message).await;
        let Verdict::Wired { id, renamed: None } = found else { panic!("{message}: {found:?}") };
        id
    }

    /// Uploads a file with the type that its bytes show.
    async fn upload(&self, media_type: &str, bytes: &[u8]) -> String {
        let reply = self.call("POST", "/v1/media", &[("Content-Type", media_type)], bytes).await;
        assert!((200..300).contains(&reply.status), "{reply:?}");
        reply.json()["media"][0]["id"].as_str().unwrap().to_owned()
    }
}

fn text() -> Value {
    json!({"to": TO, "type": "text", "text": {"body": "hello"}})
}

fn interactive(object: Value) -> Value {
    json!({"to": TO, "type": "interactive", "interactive": object})
}

#[tokio::test]
async fn a_channel_sends_all_that_courier_can() {
    for kind in ["WA", "D3"] {
        let channel = Channel::new(kind).await;
        let image = channel.upload("image/png", PNG).await;
        let bill = channel.upload("application/pdf", b"%PDF-1.4 a bill").await;
        let reply = |id: &str, title: &str| json!({"type": "reply", "reply": {"id": id, "title": title}});
        let rows: Vec<_> =
            (0..5).map(|n| json!({"id": n.to_string(), "title": format!("Row {n}")})).collect();
        for message in [
            text(),
            json!({"to": TO, "type": "text", "preview_url": true, "text": {"body": "https://a.example/"}}),
            interactive(json!({"type": "button", "body": {"text": "Well?"},
                "action": {"buttons": [reply("0", "Yes"), reply("1", "No")]}})),
            interactive(json!({"type": "list", "body": {"text": "Which?"},
                "action": {"button": "Menu", "sections": [{"rows": rows}]}})),
            json!({"to": TO, "type": "template", "template": {"namespace": "c8ae5f90_307a", "name": "order_shipped",
                "language": {"policy": "deterministic", "code": "en_US"},
                "components": [{"type": "body", "parameters": [{"type": "text", "text": "Jane"}]}]}}),
            json!({"to": TO, "type": "image", "image": {"id": image, "caption": "Look"}}),
            json!({"to": TO, "type": "document", "document": {"id": bill, "filename": "bill.pdf"}}),
        ] {
            channel.wired(&message).await;
        }
        // Ids are remembered for a day and, near its end, for another.
        channel.scene.proxy.clock.advance(2 * DAY);
        channel.wired(&json!({"to": TO, "type": "image", "image": {"id": image}})).await;
        assert_eq!(channel.scene.proxy.mock.accepted(), 8, "{kind}");
    }
}

#[tokio::test]
async fn statuses_and_messages_come_back() {
    for kind in ["WA", "D3"] {
        let channel = Channel::new(kind).await;
        let (scene, mut known) = (&channel.scene, Vec::new());
        for word in ["delivered", "read", "failed"] {
            let id = channel.wired(&text()).await;
            scene.tell(&scene::status(&id, word)).await;
            known.push((id, word));
        }
        let file = scene.proxy.mock.add_media(PHONE_NUMBER_ID, "image/png", PNG);
        scene.tell(&scene::text("wamid.text", "hi")).await;
        let mut message = scene::text("wamid.image", "");
        let found = &mut message["entry"][0]["changes"][0]["value"]["messages"][0];
        found.as_object_mut().unwrap().remove("text");
        found["type"] = json!("image");
        found["image"] = json!({"id": file, "mime_type": "image/png", "sha256": "", "caption": "Look"});
        scene.tell(&message).await;

        let (mut statuses, mut messages) = (Vec::new(), Vec::new());
        for callback in scene.sink.take(5).await {
            for (key, all) in [("statuses", &mut statuses), ("messages", &mut messages)] {
                if let Some(found) = callback.get(key) {
                    let found = found.as_array().unwrap();
                    assert!(!found.is_empty(), "{callback}");
                    all.extend(found.iter().cloned());
                }
            }
        }
        for one in statuses.iter().chain(&messages) {
            let timestamp = one["timestamp"].as_str().expect("a text");
            assert!(timestamp.parse::<u64>().is_ok(), "{one}");
        }
        assert_eq!(statuses.len(), 3, "{statuses:?}");
        for (id, word) in &known {
            assert!(statuses.iter().any(|one| one["id"] == **id && one["status"] == *word), "{statuses:?}");
        }
        assert!(messages.iter().all(|one| one["from"] == USER), "{messages:?}");
        let image = messages.iter().find(|one| one["type"] == "image").unwrap();
        assert_eq!(image["image"]["caption"], "Look");
        // The file is fetched at a path that courier makes itself.
        let path = format!("/v1/media/{}", image["image"]["id"].as_str().unwrap());
        let reply = channel.call("GET", &path, &[], b"").await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, PNG));
        assert_eq!(reply.header("content-type"), Some("image/png"));
    }
}

#[tokio::test]
async fn what_has_to_wait_pauses_the_channel_and_goes_out_once() {
    let channel = Channel::new("WA").await;
    let mock = &channel.scene.proxy.mock;
    for (before, code) in [4, 80_007, 130_429, 131_056, 131_057].into_iter().enumerate() {
        mock.fault(FaultRule::error(code).times(Times::Next(1)));
        assert_eq!(channel.send(&text()).await, Verdict::Paused, "{code}");
        assert_eq!(mock.accepted(), before as u64, "{code}");
        channel.wired(&text()).await;
        assert_eq!(mock.accepted(), before as u64 + 1, "{code}");
    }
    // What may have gone out is neither: to send it again by itself could send it twice.
    mock.fault(FaultRule::new(Act::ResetAfterRead).times(Times::Next(1)));
    assert_eq!(channel.send(&text()).await, Verdict::Errored);
}

/// Whatever Cloud says, and in these very words.
#[tokio::test]
async fn no_error_of_clouds_is_taken_for_an_unknown_contact() {
    for compat in ["", "[compat]\nexpose_cloud_code = false\n"] {
        let proxy = Proxy::with(compat).await;
        for words in ["unknown contact", "Could not retrieve phone number from contact store"] {
            for code in codes() {
                proxy.mock.clear_faults();
                let said = ErrorAct {
                    details: Some(words.into()),
                    message: Some(words.into()),
                    ..ErrorAct::of(code)
                };
                proxy.mock.fault(FaultRule::new(Act::Error(said)));
                let found = verdict(TO, &proxy.send(&text()).await);
                let stops = matches!(code, 131_048 | 131_064);
                assert_eq!(found == Verdict::BulkStopped, stops, "{code}: {found:?}");
                let is_known = matches!(found, Verdict::BulkStopped | Verdict::Errored | Verdict::Paused);
                assert!(is_known, "{code}: {found:?}");
            }
        }
        assert_eq!(proxy.mock.accepted(), 0);
    }
}

/// The road that is left for a gateway that thinks so all the same.
#[tokio::test]
async fn a_contact_is_checked_and_its_message_sent_again() {
    let channel = Channel::new("WA").await;
    let check = json!({"blocking": "wait", "contacts": [format!("+{TO}")], "force_check": true});
    let reply = channel.json("POST", "/v1/contacts", &check).await;
    let contact = reply.json()["contacts"][0].clone();
    assert_eq!((reply.status, &contact["status"]), (200, &json!("valid")), "{reply:?}");
    assert_eq!(contact["input"], format!("+{TO}"));
    let mut message = text();
    message["to"] = contact["wa_id"].clone();
    let reply = channel.json("POST", "/v1/messages?retry=1", &message).await;
    assert!(matches!(verdict(TO, &reply), Verdict::Wired { renamed: None, .. }), "{reply:?}");
}

/// A contact whose number Cloud writes in another way is renamed by the first answer, as with on-prem, and found under that
/// name by the answer that comes from it; or never renamed, and found under its old one.
#[tokio::test]
async fn a_contact_is_found_under_the_name_that_it_has() {
    let (written, cloud) = ("5511998765432", "551198765432");
    for (compat, renamed, name) in
        [("", Some(cloud), cloud), ("[compat]\nwa_id = \"as-sent\"\n", None, written)]
    {
        let channel = Channel::with("D3", compat).await;
        let body = json!({"messaging_product": "whatsapp", "messages": [{"id": "wamid.HBgL"}],
            "contacts": [{"input": format!("+{written}"), "wa_id": cloud}]});
        let act = HttpAct {
            status: 200,
            content_type: "application/json".to_owned(),
            body: body.to_string(),
            headers: [].into(),
        };
        channel.scene.proxy.mock.fault(FaultRule::new(Act::Http(act)));
        let found = channel.send(&json!({"to": written, "type": "text", "text": {"body": "hello"}})).await;
        let expected = Verdict::Wired { id: "wamid.HBgL".to_owned(), renamed: renamed.map(str::to_owned) };
        assert_eq!(found, expected);
        // Whatever it is called by then, it stays so.
        let found = channel.send(&json!({"to": name, "type": "text", "text": {"body": "hello"}})).await;
        assert_eq!(found, Verdict::Wired { id: "wamid.HBgL".to_owned(), renamed: None });
        channel.scene.tell(&text_from(cloud, "wamid.answer", "hi")).await;
        let got = channel.scene.sink.take(1).await;
        assert_eq!(
            (&got[0]["messages"][0]["from"], &got[0]["contacts"][0]["wa_id"]),
            (&json!(name), &json!(name))
        );
    }
}
