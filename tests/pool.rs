//! The connections to Cloud: whatever becomes of them, each message is taken once at most, and gets its own answer.

#[path = "pool/framing.rs"]
mod framing;
#[path = "pool/goaway.rs"]
mod goaway;
#[path = "pool/http1.rs"]
mod http1;
#[path = "pool/http2.rs"]
mod http2;
#[path = "pool/negotiation.rs"]
mod negotiation;
#[path = "pool/random.rs"]
mod random;

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::task::JoinSet;

use crate::stub::http2::{Deed, Http2Stub};
use crate::stub::{Client, Proxy, Reply, message};
use crate::support::tls;
use crate::temp::TempDir;

/// Deadlines for upstreams that never come to an end.
const SHORT: &str = "first_byte_timeout = \"300ms\"\ntotal_timeout = \"600ms\"";

/// Further keys of `[cloud]`, and one thread that serves clients: each has connections of its own.
fn alone(cloud: &str) -> String {
    format!("{cloud}\n[server]\nworkers = 1")
}

/// The same over HTTP/2.
fn http2(cloud: &str) -> String {
    alone(&format!("http = \"2\"\n{cloud}"))
}

/// A proxy that speaks HTTP/2 to a stub without TLS.
struct Bench {
    stub: Http2Stub,
    proxy: Proxy,
}

impl Bench {
    async fn new(cloud: &str, deeds: impl IntoIterator<Item = Deed>) -> Self {
        let stub = Http2Stub::start(deeds).await;
        let proxy = Proxy::start(&stub.base_url(), &http2(cloud)).await;
        Self { stub, proxy }
    }

    /// Sends one message that has to be taken once, and get its own answer.
    async fn send(&self, text: &str) {
        self.assert_own(text, &self.proxy.send(text).await);
    }

    #[track_caller]
    fn assert_own(&self, text: &str, reply: &Reply) {
        let seen = self.stub.seen();
        let taken = seen.taken.iter().find(|taken| taken.text == text);
        assert_eq!(reply.id().as_ref(), taken.map(|taken| &taken.id), "{text}: {reply:?}, {seen:?}");
        assert_eq!((seen.count(text), seen.nonsense.len()), (1, 0), "{text}: {seen:?}");
    }

    /// Sends one message that is taken but not answered for.
    async fn in_doubt(&self, text: &str, status: u16) {
        self.proxy.send(text).await.assert_in_doubt(status);
        assert_eq!(self.stub.seen().count(text), 1, "{text}: {:?}", self.stub.seen());
    }

    async fn assert_no_doubt(&self) {
        assert_eq!(self.proxy.in_doubt().await, 0);
        self.proxy.assert_sound().await;
    }
}

/// A server's certificate for this machine, and a file with its root.
struct Trust {
    server: Arc<ServerConfig>,
    dir: TempDir,
}

impl Trust {
    fn new() -> Self {
        let (server, root) = tls::server("127.0.0.1");
        let dir = TempDir::new();
        std::fs::write(dir.join("root.pem"), root).unwrap();
        Self { server, dir }
    }

    /// The same for a server that speaks nothing but `protocol`.
    fn speaking(&self, protocol: &[u8]) -> Arc<ServerConfig> {
        let mut server = ServerConfig::clone(&self.server);
        server.alpn_protocols = vec![protocol.to_vec()];
        Arc::new(server)
    }

    async fn proxy(&self, port: u16, cloud: &str) -> Proxy {
        let root = self.dir.join("root.pem");
        let cloud = http2(&format!("ca_file = \"{}\"\n{cloud}", root.display()));
        Proxy::start(&format!("https://127.0.0.1:{port}"), &cloud).await
    }
}

fn texts(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix} {number}")).collect()
}

/// Sends all of them at once, each on a connection of its own.
async fn burst(proxy: &Proxy, texts: Vec<String>) -> Vec<(String, Reply)> {
    let mut clients = JoinSet::new();
    for text in texts {
        let addr = proxy.0.addresses().api;
        clients.spawn(async move {
            let reply = Client::to(addr).await.send(&text).await;
            (text, reply)
        });
    }
    clients.join_all().await
}

/// A client that sends its message and waits for nothing.
async fn hurried(proxy: &Proxy, text: &str) -> Client {
    let mut client = proxy.client().await;
    client.write(&message(text)).await;
    client
}

/// It goes, and not in peace.
fn vanish(mut client: Client) {
    client.0.get_mut().set_zero_linger().unwrap();
}
