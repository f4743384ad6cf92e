//! The proxy between a scripted provider and the mock Cloud API, and what each of them counted.

use prembridge::mock::Recorded;
use serde_json::{Value, json};

use crate::stub::{Answer, Provider};
use crate::support::{Proxy, Reply, TO};

/// The least that passes for a PNG file.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

pub struct Scene {
    pub proxy: Proxy,
    pub provider: Provider,
}

/// What happened: unconditional and conditional requests to the provider, uploads to Cloud, sends to Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub g: usize,
    pub c: usize,
    pub u: usize,
    pub s: usize,
}

/// The counts in the order in which the specification has them.
pub fn counts(g: usize, c: usize, u: usize, s: usize) -> Counts {
    Counts { g, c, u, s }
}

impl Scene {
    /// Under `cache_profile`.
    pub async fn under(profile: &str) -> Self {
        Self::with(&format!("[media]\ncache_profile = \"{profile}\"\n")).await
    }

    /// With these sections.
    pub async fn with(sections: &str) -> Self {
        let proxy = Proxy::with(&format!("{sections}\n[egress]\nallow = [\"127.0.0.1\"]\n")).await;
        Self { proxy, provider: Provider::start().await }
    }

    pub fn serve(&self, answer: Answer) {
        self.provider.serve("/a.png", answer);
    }

    /// Sends the link of [`Scene::serve`] as an image.
    pub async fn send(&self) -> Reply {
        self.send_image(&json!({"link": self.provider.url("/a.png")})).await
    }

    pub async fn send_image(&self, image: &Value) -> Reply {
        self.proxy.send(&json!({"to": TO, "type": "image", "image": image})).await
    }

    /// Sends it, and Cloud takes it.
    pub async fn sent(&self) -> String {
        let reply = self.send().await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        self.last_media_id()
    }

    /// The id of the image in the last message.
    pub fn last_media_id(&self) -> String {
        self.proxy.last_body()["image"]["id"].as_str().unwrap().to_owned()
    }

    pub fn advance(&self, seconds: i64) {
        self.proxy.clock.advance(seconds);
    }

    pub fn counts(&self) -> Counts {
        let recorded = self.proxy.mock.recorded();
        let edge = |edge: &str| recorded.iter().filter(|seen: &&Recorded| seen.path.ends_with(edge)).count();
        Counts {
            g: self.provider.gets(),
            c: self.provider.conditionals(),
            u: edge("/media"),
            s: edge("/messages"),
        }
    }
}
