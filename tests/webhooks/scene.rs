//! A proxy that takes webhooks, a client that takes callbacks, and Cloud in between.

use std::collections::HashMap;
use std::net::SocketAddr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use prembridge::callback::Refused;
use prembridge::cloud::webhook::Webhook;
use prembridge::webhook::{Inbox, Receipt};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::stub::Sink;
use crate::support::{ADMIN_KEY, Client, PHONE_NUMBER_ID, Proxy, Reply, number};

pub const SECRET: &str = "canary-app-secret";
pub const OLD_SECRET: &str = "canary-old-app-secret";
pub const OTHER_SECRET: &str = "canary-other-app-secret";
pub const VERIFY_TOKEN: &str = "canary-verify-token";
/// Another number, of another app.
pub const OTHER: &str = "106540352242999";
pub const USER: &str = "16315551234";
pub const PATH: &str = "/webhooks/cloud";

/// What every scene allows.
pub const EGRESS: &str = "[egress]\nallow = [\"127.0.0.1\"]\n";

pub struct Scene {
    pub proxy: Proxy,
    pub sink: Sink,
    pub webhook: SocketAddr,
}

/// The number of most scenes.
pub fn support() -> String {
    let secrets = format!(
        "app_secret = \"{SECRET}\"\nprevious_app_secrets = [\"{OLD_SECRET}\"]\nverify_token = \"{VERIFY_TOKEN}\"\n\
         hosts = [\"support\", \"proxy\"]"
    );
    number("support", PHONE_NUMBER_ID, &secrets)
}

/// And a second one.
pub fn sales() -> String {
    number("sales", OTHER, &format!("app_secret = \"{OTHER_SECRET}\"\nhosts = [\"sales\"]"))
}

impl Scene {
    /// With the client's URL set as clients set it, all statuses on, and short pauses.
    pub async fn new() -> Self {
        Self::with("").await
    }

    pub async fn with(sections: &str) -> Self {
        let scene = Self::silent(sections).await;
        scene.set(&scene.wishes()).await;
        scene
    }

    /// Where the client has not said where it wants its callbacks.
    pub async fn silent(sections: &str) -> Self {
        let proxy =
            Proxy::numbers(&format!("{EGRESS}{sections}"), &format!("{}{}", support(), sales())).await;
        let webhook = proxy.app.addresses().webhook.unwrap();
        Self { proxy, sink: Sink::start().await, webhook }
    }

    pub fn wishes(&self) -> Value {
        json!({
            "callback_backoff_delay_ms": "1",
            "max_callback_backoff_delay_ms": 5,
            "webhooks": {"url": self.sink.url(), "message": {"sent": true, "delivered": true, "read": true}},
        })
    }

    /// `PATCH /v1/settings/application`, which has to succeed.
    pub async fn set(&self, patch: &Value) {
        let reply = self.settings("PATCH", &patch.to_string()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    pub async fn settings(&self, method: &str, body: &str) -> Reply {
        self.proxy.call_as(&format!("Bearer {ADMIN_KEY}"), method, "/v1/settings/application", body).await
    }

    /// Posts as Cloud does, signed with the number's secret.
    pub async fn post(&self, webhook: &Value) -> Reply {
        self.post_signed(SECRET, webhook.to_string().as_bytes()).await
    }

    /// Posts what has to be acknowledged.
    pub async fn tell(&self, webhook: &Value) {
        let reply = self.post(webhook).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    pub async fn post_signed(&self, secret: &str, body: &[u8]) -> Reply {
        self.post_with(Some(&signature(secret, body)), body).await
    }

    pub async fn post_with(&self, signature: Option<&str>, body: &[u8]) -> Reply {
        let headers: Vec<_> = signature.iter().map(|value| ("X-Hub-Signature-256", *value)).collect();
        Client::connect(self.webhook).await.call("POST", PATH, &headers, body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        Client::connect(self.webhook).await.call("GET", path, &[], b"").await
    }

    /// A counter or gauge by its name and labels as the page writes them; 0 when it is not there.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.proxy.metrics().await;
        let lines: HashMap<_, _> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
        lines.get(name).map_or(0.0, |value| value.parse().unwrap())
    }

    /// Takes a webhook in as if Cloud had posted it.
    pub async fn take(&self, webhook: &Webhook<'_>) -> Result<Receipt, Refused> {
        let state = self.proxy.app.state();
        let numbers = state.numbers.load_full();
        let inbox_of = |id: &str| numbers.by_id(id).map(|number| Inbox::from(&**number));
        state.webhook.intake.take(webhook, inbox_of).await
    }

    /// Waits until no callback is left.
    pub async fn until_empty(&self, number: &str) {
        let queue =
            std::sync::Arc::clone(&self.proxy.app.state().numbers.load().by_id(number).unwrap().callbacks);
        crate::support::until(|| queue.depth() == 0).await;
    }
}

pub fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// A webhook about one number.
pub fn webhook(number: &str, value: Value) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change(number, value)]}]})
}

/// One change of the field `messages`.
pub fn change(number: &str, mut value: Value) -> Value {
    value["messaging_product"] = json!("whatsapp");
    value["metadata"] = json!({"display_phone_number": "15550783881", "phone_number_id": number});
    json!({"field": "messages", "value": value})
}

/// A text of [`USER`].
pub fn text(id: &str, body: &str) -> Value {
    text_from(USER, id, body)
}

pub fn text_from(user: &str, id: &str, body: &str) -> Value {
    webhook(
        PHONE_NUMBER_ID,
        json!({
            "contacts": [{"profile": {"name": "Kerry Fisher"}, "wa_id": user}],
            "messages": [{"from": user, "id": id, "timestamp": "1700000000", "type": "text", "text": {"body": body}}],
        }),
    )
}

/// A status of a message to [`USER`].
pub fn status(id: &str, word: &str) -> Value {
    status_of(USER, id, word)
}

pub fn status_of(user: &str, id: &str, word: &str) -> Value {
    webhook(
        PHONE_NUMBER_ID,
        json!({"statuses": [{"id": id, "status": word, "timestamp": "1700000000", "recipient_id": user}]}),
    )
}

/// The texts of callbacks with messages.
pub fn bodies(callbacks: &[Value]) -> Vec<String> {
    let text = |callback: &Value| callback["messages"][0]["text"]["body"].as_str().map(str::to_owned);
    callbacks.iter().filter_map(text).collect()
}
