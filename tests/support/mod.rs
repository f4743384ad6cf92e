//! The whole proxy in process, in front of the mock Cloud API, on ports of the system's choice.

mod client;
#[cfg(target_os = "linux")]
pub mod disk;
pub mod faulty;
pub mod ids;
pub mod needs;
pub mod process;
pub mod random;
pub mod seeded;
pub mod tls;

use std::net::{Ipv4Addr, SocketAddr};

use prembridge::app::{Addresses, App};
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use prembridge::mock::{self, MockCloud};
use serde_json::{Value, json};

pub use client::{Client, Reply, request};

use crate::temp::TempDir;

/// The number of [`Proxy::start`].
pub const PHONE_NUMBER_ID: &str = "106540352242922";
/// Its token upstream, which no client may ever see.
pub const ACCESS_TOKEN: &str = "EAAG-canary-access-token";
/// A key with the rights of a user.
pub const KEY: &str = "user-key-0123456789";
/// A key with the rights of an administrator.
pub const ADMIN_KEY: &str = "admin-key-0123456789";
/// A password that the rule for passwords accepts.
pub const PASSWORD: &str = "Abcdef1!";
/// The recipient of most messages.
pub const TO: &str = "16315551234";
/// When the proxy's clock stands still.
pub const NOW: i64 = 1_700_000_000;

/// A running proxy and its upstream.
pub struct Proxy {
    pub mock: MockCloud,
    pub app: App,
    /// The proxy's, which stands still at [`NOW`] until it is moved.
    pub clock: Clock,
    pub api: SocketAddr,
    pub admin: SocketAddr,
}

impl Proxy {
    /// One number with two API keys, everything else at its default.
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// The same with further sections of the configuration.
    pub async fn with(sections: &str) -> Self {
        Self::numbers(sections, &number("support", PHONE_NUMBER_ID, "")).await
    }

    /// With these sections and these numbers.
    pub async fn numbers(sections: &str, numbers: &str) -> Self {
        Self::behind(mock::Options::default(), sections, numbers).await
    }

    /// In front of a mock with these options.
    pub async fn behind(options: mock::Options, sections: &str, numbers: &str) -> Self {
        let mock = MockCloud::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), options).await.unwrap();
        let text = config(&mock.base_url(), sections, numbers);
        let config = Config::parse(&text, &Env::default()).unwrap_or_else(|e| panic!("{e:?}\n{text}")).config;
        let clock = Clock::fixed(NOW);
        let app = App::start(config, clock.clone()).await.unwrap();
        let Addresses { api, admin, .. } = app.addresses();
        Self { mock, app, clock, api, admin }
    }

    /// A new connection to the on-prem API.
    pub async fn connect(&self) -> Client {
        Client::connect(self.api).await
    }

    /// One call on a connection of its own, with [`KEY`].
    pub async fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        self.call_as(&format!("Bearer {KEY}"), method, path, body).await
    }

    /// One call on a connection of its own.
    pub async fn call_as(&self, authorization: &str, method: &str, path: &str, body: &str) -> Reply {
        let headers = [("Authorization", authorization), ("Content-Type", "application/json")];
        self.connect().await.call(method, path, &headers, body.as_bytes()).await
    }

    /// Sends a message with [`KEY`].
    pub async fn send(&self, message: &Value) -> Reply {
        self.call("POST", "/v1/messages", &message.to_string()).await
    }

    /// Sends a raw request and reads its one answer.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().await;
        client.write(request).await;
        client.reply().await
    }

    /// `POST /v1/users/login` with this body.
    pub async fn login(&self, user: &str, password: &str, body: &str) -> Reply {
        self.call_as(&basic(user, password), "POST", "/v1/users/login", body).await
    }

    /// The token of a login that has to succeed.
    pub async fn token(&self, user: &str, password: &str) -> String {
        let reply = self.login(user, password, "").await;
        reply.json()["users"][0]["token"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
    }

    /// A page of the operator's listener.
    pub async fn page(&self, path: &str) -> Reply {
        Client::connect(self.admin).await.call("GET", path, &[], b"").await
    }

    /// The metrics as text.
    pub async fn metrics(&self) -> String {
        self.page("/metrics").await.text()
    }

    /// What the mock got last.
    pub fn last_body(&self) -> Value {
        self.mock.recorded().last().unwrap().body.json().clone()
    }
}

/// A configuration: free ports, no file, this upstream; messages are paced only where the sections say how, because
/// most tests write to one user faster than Cloud allows, and count all that the upstream gets.
pub fn config(base_url: &str, sections: &str, numbers: &str) -> String {
    let pacing = if sections.contains("[pacing]") { "" } else { "[pacing]\nenabled = false\n" };
    // `[cloud]` stands last of ours so that a test may add keys to it.
    format!(
        "[listen]\napi = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nwebhook = \"127.0.0.1:0\"\n\
         [store]\nurl = \"memory:\"\n{pacing}\
         [cloud]\nbase_url = \"{base_url}\"\n{sections}\n{numbers}"
    )
}

/// The app alone, with its store in `folder`, ready to be drained and started again.
pub async fn lasting(folder: &TempDir, numbers: &str) -> App {
    let text = config("http://127.0.0.1:9", "[shutdown]\nlame_duck = \"0s\"\n", numbers);
    let store = format!("url = \"sqlite:{}\"", folder.join("prembridge.db").display());
    let parsed = Config::parse(&text.replace("url = \"memory:\"", &store), &Env::default()).unwrap();
    App::start(parsed.config, Clock::fixed(NOW)).await.unwrap()
}

/// A `[[number]]` with its own token and keys, named after `name` except for the first.
pub fn number(name: &str, phone_number_id: &str, more: &str) -> String {
    let suffix = if name == "support" { String::new() } else { format!("-{name}") };
    format!(
        "[[number]]\nname = \"{name}\"\nphone_number_id = \"{phone_number_id}\"\n\
         access_token = \"{ACCESS_TOKEN}{suffix}\"\n{more}\n\
         [[number.api_key]]\nkey = \"{KEY}{suffix}\"\n\
         [[number.api_key]]\nkey = \"{ADMIN_KEY}{suffix}\"\nrole = \"admin\"\n"
    )
}

/// A text as on-prem clients send it.
pub fn text(to: &str) -> Value {
    json!({"to": to, "type": "text", "text": {"body": "hello"}})
}

/// The value of `Authorization` for a login.
pub fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    let pair = format!("{user}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// Longer than anything should take here.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Waits until `is_so`.
pub async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never came to that");
}
