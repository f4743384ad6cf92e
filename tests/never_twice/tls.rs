//! Upstreams that are not who they should be.

use std::sync::Arc;

use prembridge::net;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use super::SHORT;
use crate::stub::{Act, Proxy, Stub};
use crate::temp::TempDir;

/// A root of our own, in a file for `cloud.ca_file`.
struct Root {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Root {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = TempDir::new();
        std::fs::write(dir.join("root.pem"), issuer.pem()).unwrap();
        Self { issuer, dir }
    }

    /// A server whose certificate names `name` and has expired or not.
    fn server(&self, name: &str, has_expired: bool) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if has_expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        net::server_config(vec![certificate.der().clone()], key).unwrap()
    }

    async fn proxy(&self, stub: &Stub, rest: &str) -> Proxy {
        let file = self.dir.join("root.pem");
        let rest = format!("ca_file = \"{}\"\n{rest}", file.display());
        Proxy::start(&format!("https://127.0.0.1:{}", stub.addr.port()), &rest).await
    }
}

#[tokio::test]
async fn a_peer_that_is_not_cloud_gets_nothing() {
    let (root, stranger) = (Root::new(), Root::new());
    let peers = [
        ("wrong name", root.server("graph.example", false)),
        ("expired", root.server("127.0.0.1", true)),
        ("unknown issuer", stranger.server("127.0.0.1", false)),
    ];
    for (name, peer) in peers {
        let stub = Stub::tls(peer, []).await;
        let proxy = root.proxy(&stub, "").await;
        proxy.send("first").await.assert_unsent();
        assert_eq!((proxy.calls("unsent").await, proxy.in_doubt().await), (1, 0), "{name}");
        let seen = stub.seen();
        assert_eq!(seen.whole, [""; 0], "{name}");
        assert!(seen.connections <= 3, "{name}: a storm of {} connections", seen.connections);
    }
    let stub = Stub::tls(root.server("127.0.0.1", false), []).await;
    let proxy = root.proxy(&stub, "").await;
    assert_eq!(proxy.send("first").await.status, 201);
}

#[tokio::test]
async fn a_handshake_that_fails_twice_is_tried_a_third_time() {
    let root = Root::new();
    let acts = [Act::CloseConnection, Act::CloseConnection];
    let stub = Stub::tls(root.server("127.0.0.1", false), acts).await;
    let proxy = root.proxy(&stub, "").await;
    assert_eq!(proxy.send("first").await.status, 201);
    let seen = stub.seen();
    assert_eq!((seen.connections, seen.whole.len()), (3, 1));
    assert_eq!((proxy.calls("ok").await, proxy.calls("unsent").await), (1, 0));
}

/// The deadline of the first byte may pass before there is a connection.
#[tokio::test]
async fn a_handshake_without_end_sends_nothing() {
    let root = Root::new();
    let stub = Stub::tls(root.server("127.0.0.1", false), [Act::Ignore, Act::Ignore, Act::Ignore]).await;
    let proxy = root.proxy(&stub, SHORT).await;
    proxy.send("first").await.assert_unsent();
    assert_eq!((proxy.calls("unsent").await, proxy.in_doubt().await), (1, 0));
    assert_eq!(stub.seen().whole, [""; 0]);
}
