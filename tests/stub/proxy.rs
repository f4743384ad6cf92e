//! The proxy under test, in process.

use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};

use super::client::{Client, Reply};

const NUMBER: &str = "106540352242922";
pub const KEY: &str = "a-key-for-the-tests";

pub struct Proxy(pub App);

impl Proxy {
    /// In front of `base_url`; `rest` is further configuration, `[cloud]` keys first.
    pub async fn start(base_url: &str, rest: &str) -> Self {
        let text = config(base_url, "memory:", rest);
        let config = Config::parse(&text, &Env::default()).unwrap_or_else(|problems| panic!("{problems}"));
        Self(App::start(config.config, Clock::system()).await.unwrap())
    }

    pub async fn client(&self) -> Client {
        Client::to(self.0.addresses().api).await
    }

    /// Sends `text` on a connection of its own.
    pub async fn send(&self, text: &str) -> Reply {
        self.client().await.send(text).await
    }

    pub async fn metrics(&self) -> String {
        let mut admin = Client::to(self.0.addresses().admin).await;
        admin.write(b"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n").await;
        String::from_utf8(admin.reply().await.unwrap().body).unwrap()
    }

    /// The value of one sample; absent ones are 0.
    pub async fn metric(&self, sample: &str) -> u64 {
        let metrics = self.metrics().await;
        let value = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }

    /// Calls that sent a message, by outcome.
    pub async fn calls(&self, outcome: &str) -> u64 {
        let sample = format!("prembridge_upstream_requests_total{{op=\"messages\",outcome=\"{outcome}\"}}");
        self.metric(&sample).await
    }

    pub async fn in_doubt(&self) -> u64 {
        self.metric("prembridge_in_doubt_total").await
    }

    /// Nothing panicked.
    pub async fn assert_sound(&self) {
        assert_eq!(self.metric("prembridge_panics_total").await, 0);
    }
}

/// A configuration with short deadlines, without pacing: what reaches the stub is the message that a test sent.
pub fn config(base_url: &str, store: &str, rest: &str) -> String {
    format!(
        r#"
[listen]
api = "127.0.0.1:0"
admin = "127.0.0.1:0"
[store]
url = "{store}"
[shutdown]
lame_duck = "0s"
drain_timeout = "2s"
[pacing]
enabled = false
[[number]]
phone_number_id = "{NUMBER}"
access_token = "token"
[[number.api_key]]
key = "{KEY}"
[cloud]
base_url = "{base_url}"
version = "v26.0"
{rest}
"#
    )
}
