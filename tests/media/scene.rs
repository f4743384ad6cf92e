//! The proxy between a scripted provider and the mock Cloud API, and what each of them counted.

use std::fs::DirEntry;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, SystemTime};

use prembridge::app::{Addresses, App};
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use prembridge::mock::{MockCloud, Options, Recorded};
use serde_json::{Value, json};

use crate::stub::{Answer, Provider};
use crate::support::{ADMIN_KEY, Client, KEY, NOW, PHONE_NUMBER_ID, Proxy, Reply, TO, config, number};
use crate::temp::TempDir;

/// The least that passes for a PNG file.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
/// The id of a second number, whose name is "sales".
pub const SALES_ID: &str = "204561782290018";
pub const MINUTE: i64 = 60;
pub const DAY: i64 = 86_400;

const PROVIDERS: &str = "/v1/settings/application/media/providers";

pub struct Scene {
    pub proxy: Proxy,
    pub provider: Provider,
    folder: TempDir,
    /// The configuration.
    text: String,
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

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        counts(self.g - before.g, self.c - before.c, self.u - before.u, self.s - before.s)
    }
}

/// A PNG file unlike those of other labels.
pub fn image_bytes(label: &str) -> Vec<u8> {
    [PNG, label.as_bytes()].concat()
}

pub fn png() -> Answer {
    Answer::ok(PNG).content_type("image/png")
}

/// A [`png`] that may be used for an hour.
pub fn fresh() -> Answer {
    png().header("Cache-Control", "max-age=3600")
}

pub fn image(link: &str) -> Value {
    media("image", &json!({"link": link}))
}

/// A message of this kind.
pub fn media(kind: &str, object: &Value) -> Value {
    json!({"to": TO, "type": kind, kind: object})
}

impl Scene {
    /// Everything at its default.
    pub async fn start() -> Self {
        Self::with("", "").await
    }

    /// Under `cache_profile`.
    pub async fn under(profile: &str) -> Self {
        Self::with(&format!("cache_profile = \"{profile}\"\n"), "").await
    }

    /// With these keys of `[media]` and these sections.
    pub async fn with(media: &str, sections: &str) -> Self {
        Self::build("memory:", media, sections, &number("support", PHONE_NUMBER_ID, "")).await
    }

    /// With a store that a restart keeps.
    pub async fn stored(media: &str) -> Self {
        Self::build("sqlite:FOLDER/prembridge.db", media, "", &number("support", PHONE_NUMBER_ID, "")).await
    }

    /// With the numbers "support" and "sales", and `more` in each, where NAME is the number's.
    pub async fn of_two_numbers(more: &str) -> Self {
        let more = |name: &str| more.replace("NAME", name);
        let hosts = |name: &str| format!("hosts = [\"{name}.wa.internal\"]\n{}", more(name));
        let numbers = [("support", PHONE_NUMBER_ID), ("sales", SALES_ID)];
        let numbers = numbers.map(|(name, id)| number(name, id, &hosts(name)));
        Self::build("memory:", "", "", &numbers.concat()).await
    }

    /// Links lead to this machine unless `sections` say otherwise.
    async fn build(store: &str, media: &str, sections: &str, numbers: &str) -> Self {
        let folder = TempDir::new();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mock = MockCloud::start(address, Options::default()).await.unwrap();
        let egress = if sections.contains("[egress]") { "" } else { "[egress]\nallow = [\"127.0.0.1\"]\n" };
        let sections = format!(
            "{sections}\n[media]\nfolder = \"FOLDER/files\"\n{media}\n{egress}\n[shutdown]\nlame_duck = \"0s\"\n"
        );
        let text = config(&mock.base_url(), &sections, numbers).replace("memory:", store);
        let text = text.replace("FOLDER", folder.path().to_str().unwrap());
        let clock = Clock::fixed(NOW);
        let proxy = run(&text, mock, clock).await;
        Self { proxy, provider: Provider::start().await, folder, text }
    }

    /// Ends the proxy in good order and starts it again.
    pub async fn restart(self) -> Self {
        self.restart_as("", "").await
    }

    /// The same, with a part of its configuration replaced.
    pub async fn restart_as(self, old: &str, new: &str) -> Self {
        let Self { proxy, provider, folder, text } = self;
        let text = if old.is_empty() { text } else { text.replace(old, new) };
        let Proxy { mock, app, clock, .. } = proxy;
        assert!(app.drain().await);
        Self { proxy: run(&text, mock, clock).await, provider, folder, text }
    }

    pub fn serve(&self, answer: Answer) {
        self.provider.serve("/a.png", answer);
    }

    /// Sends the link of [`Scene::serve`] as an image.
    pub async fn send(&self) -> Reply {
        self.send_image(&json!({"link": self.provider.url("/a.png")})).await
    }

    pub async fn send_image(&self, object: &Value) -> Reply {
        self.proxy.send(&media("image", object)).await
    }

    /// Sends it, and Cloud takes it.
    pub async fn sent(&self) -> String {
        self.sent_image(&json!({"link": self.provider.url("/a.png")})).await
    }

    /// Sends an image that Cloud takes, and gives its id there.
    pub async fn sent_image(&self, object: &Value) -> String {
        self.sent_message(&media("image", object)).await["image"]["id"].as_str().unwrap().to_owned()
    }

    /// Sends a message that Cloud takes, and gives what Cloud got.
    pub async fn sent_message(&self, message: &Value) -> Value {
        let reply = self.proxy.send(message).await;
        assert_eq!(reply.status, 201, "{}", String::from_utf8_lossy(&reply.body));
        self.proxy.last_body()
    }

    /// The id of the image in the last message.
    pub fn last_media_id(&self) -> String {
        self.proxy.last_body()["image"]["id"].as_str().unwrap().to_owned()
    }

    /// A call to one of the numbers, with its key and this type.
    pub async fn call_as(
        &self,
        name: &str,
        method: &str,
        path: &str,
        media_type: &str,
        body: &[u8],
    ) -> Reply {
        let key = if path.starts_with(PROVIDERS) { ADMIN_KEY } else { KEY };
        let suffix = if name == "support" { String::new() } else { format!("-{name}") };
        let (host, key) = (format!("{name}.wa.internal"), format!("Bearer {key}{suffix}"));
        let mut headers = vec![("Host", host.as_str()), ("Authorization", &key)];
        if !media_type.is_empty() {
            headers.push(("Content-Type", media_type));
        }
        Client::connect(self.proxy.api).await.call(method, path, &headers, body).await
    }

    /// Sends a message from one of the numbers.
    pub async fn send_as(&self, name: &str, message: &Value) -> Reply {
        self.call_as(name, "POST", "/v1/messages", "application/json", message.to_string().as_bytes()).await
    }

    /// Sets a media provider.
    pub async fn set_provider(&self, name: &str, credentials: &Value) {
        let body = json!([{"name": name, "type": "www", "config": credentials}]).to_string();
        let reply = self.call_as("support", "POST", PROVIDERS, "application/json", body.as_bytes()).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    pub async fn delete_provider(&self, name: &str) {
        let reply = self.call_as("support", "DELETE", &format!("{PROVIDERS}/{name}"), "", b"").await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// Uploads a file of this type, none if empty, and gives the id.
    pub async fn upload(&self, media_type: &str, body: &[u8]) -> String {
        let reply = self.call_as("support", "POST", "/v1/media", media_type, body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        id_of(&reply)
    }

    pub async fn get(&self, id: &str) -> Reply {
        self.call_as("support", "GET", &format!("/v1/media/{id}"), "", b"").await
    }

    pub async fn delete(&self, id: &str) -> Reply {
        self.call_as("support", "DELETE", &format!("/v1/media/{id}"), "", b"").await
    }

    /// A rule of the mock, see `mock::faults`.
    pub fn fault(&self, line: &str) {
        self.proxy.mock.fault(line.parse().unwrap());
    }

    /// The uploads that reached Cloud, as it recorded them.
    pub fn uploads(&self) -> Vec<Recorded> {
        let recorded = self.proxy.mock.recorded();
        recorded.into_iter().filter(|seen| seen.path.ends_with("/media")).collect()
    }

    /// Leaves an empty file of this age in the folder, which is that of a store in a file.
    pub fn leave(&self, name: &str, age: Duration) {
        let file = std::fs::File::create(self.folder.join("files").join(name)).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    /// Removes the files from their folder, as somebody might by hand.
    pub fn lose_files(&self) {
        for name in self.files() {
            std::fs::remove_file(self.folder.join("files").join(name)).unwrap();
        }
    }

    /// The names in the folder of files.
    pub fn files(&self) -> Vec<String> {
        let entries = |folder: &Path| -> Vec<DirEntry> {
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect()
        };
        let mut found = entries(&self.folder.join("files"));
        // A store in memory has a folder within.
        if let [only] = found.as_slice()
            && only.path().is_dir()
        {
            found = entries(&only.path());
        }
        let names = found.into_iter().map(|entry| entry.file_name().into_string().unwrap());
        // The mark that says whose folder it is.
        names.filter(|name| name != ".prembridge").collect()
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

    /// The value of one sample; absent ones are 0.
    pub async fn metric(&self, sample: &str) -> u64 {
        let metrics = self.proxy.metrics().await;
        let value = metrics.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().unwrap())
    }
}

async fn run(text: &str, mock: MockCloud, clock: Clock) -> Proxy {
    let config = Config::parse(text, &Env::default()).unwrap_or_else(|e| panic!("{e:?}\n{text}")).config;
    let app = App::start(config, clock.clone()).await.unwrap();
    let Addresses { api, admin, .. } = app.addresses();
    Proxy { mock, app, clock, api, admin }
}

/// The id in the answer to an upload.
pub fn id_of(reply: &Reply) -> String {
    reply.json()["media"][0]["id"].as_str().unwrap().to_owned()
}
