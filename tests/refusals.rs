//! What on-prem had and Cloud has nothing for: groups, and the certificate that a client would set.

use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use prembridge::onprem::route::{ENDPOINTS, Means};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::support::{ADMIN_KEY, Client, KEY, NOW, PHONE_NUMBER_ID, Proxy, config, number, request, tls};
use crate::temp::TempDir;

const CA: &str = "/v1/certificates/external/ca";

#[tokio::test]
async fn every_endpoint_of_groups_is_refused_in_the_dialect() {
    let proxy = Proxy::start().await;
    let groups: Vec<_> =
        ENDPOINTS.iter().filter(|endpoint| endpoint.path.starts_with("/v1/groups")).collect();
    assert_eq!(groups.len(), 13);
    for endpoint in groups {
        assert_eq!(endpoint.means, Means::Refused);
        let path = endpoint.path.replace("{group-id}", "16315551234-1387429853");
        for path in [path.clone(), format!("{path}/?retry=1"), path.trim_start_matches("/v1").to_owned()] {
            let reply = proxy.call(endpoint.verb, &path, r#"{"subject":"s"}"#).await;
            let (code, _, details) = reply.error();
            let expected = if endpoint.path.contains('{') { 1012 } else { 1000 };
            assert_eq!((reply.status, code), (501, expected), "{} {path}", endpoint.verb);
            assert!(details.contains("on-prem groups have no counterpart"), "{details}");
        }
        let reply = proxy.connect().await.call(endpoint.verb, &path, &[], b"").await;
        assert_eq!((reply.status, reply.code()), (401, 1005), "{} {path}", endpoint.verb);
    }
    let reply = proxy.call("PUT", "/v1/groups", "").await;
    assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some("GET, HEAD, POST")));
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn what_is_refused_is_not_read() {
    let proxy = Proxy::start().await;
    let key = format!("Bearer {KEY}");
    let mut client = proxy.connect().await;
    // Not even JSON, and the connection goes on.
    for body in [&b"\xff\xfe"[..], &[b'['; 100_000]] {
        let reply = client.call("POST", "/v1/groups", &[("Authorization", &key)], body).await;
        assert_eq!((reply.status, reply.code()), (501, 1000));
    }
    // The answer comes before a long body does, and ends the connection.
    let head = request("POST", "/v1/groups/1/icon", &[("Authorization", &key)], b"");
    let head = String::from_utf8(head).unwrap().replace("Content-Length: 0", "Content-Length: 6000000");
    client.write(head).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.code(), reply.header("connection")), (501, 1012, Some("close")));
}

#[tokio::test]
async fn a_certificate_is_set_in_the_configuration() {
    let proxy = Proxy::start().await;
    for (key, status, code) in [(ADMIN_KEY, 501, 1000), (KEY, 403, 1005), ("x", 401, 1005)] {
        let reply = proxy.call_as(&format!("Bearer {key}"), "POST", "/v1/certificates/external", "PEM").await;
        let (found, _, details) = reply.error();
        assert_eq!((reply.status, found), (status, code));
        assert_eq!(details.contains("listen.tls"), status == 501, "{details}");
    }
    let reply = proxy.call_as(&format!("Bearer {ADMIN_KEY}"), "GET", CA, "").await;
    assert_eq!((reply.status, reply.text().as_str()), (404, ""), "no TLS, no certificate");
}

/// With this value of `listen.tls`.
async fn start(folder: &TempDir, tls: &str) -> App {
    let text = config(
        "http://127.0.0.1:9",
        "[shutdown]\nlame_duck = \"0s\"\n",
        &number("support", PHONE_NUMBER_ID, ""),
    );
    let store = format!("tls = {tls}\n[store]\nurl = \"sqlite:{}\"", folder.join("prembridge.db").display());
    let text = text.replace("[store]\nurl = \"memory:\"", &store);
    App::start(Config::parse(&text, &Env::default()).unwrap().config, Clock::fixed(NOW)).await.unwrap()
}

#[tokio::test]
async fn the_certificate_that_we_made_is_its_own_authority() {
    let folder = TempDir::new();
    let key = format!("Bearer {ADMIN_KEY}");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let app = start(&folder, "\"self-signed\"").await;
        let (mut client, presented) = tls::connect(app.addresses().api).await;
        for path in [CA, "/certificates/external/ca/"] {
            let reply = client.call("GET", path, &[("Authorization", &key)], b"").await;
            assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain")), "{reply:?}");
            let pem = reply.text();
            assert!(!pem.contains("PRIVATE") && pem.matches("-----BEGIN").count() == 1, "{pem}");
            assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().as_ref(), presented);
            assert!(prembridge::net::ca_bundle(&pem).is_ok(), "it can stand as a root");
            seen.push(pem);
        }
        let key = format!("Bearer {KEY}");
        let reply = client.call("GET", CA, &[("Authorization", &key)], b"").await;
        assert_eq!((reply.status, reply.code()), (403, 1005));
        drop(client);
        assert!(app.drain().await);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "a restart keeps it");
}

#[tokio::test]
async fn a_certificate_of_files_has_an_authority_that_we_do_not_know() {
    let files = "{ cert = \"tests/config/cert.pem\", key = \"tests/config/key.pem\" }";
    let app = start(&TempDir::new(), files).await;
    let (mut client, _): (Client<_>, _) = tls::connect(app.addresses().api).await;
    let key = format!("Bearer {ADMIN_KEY}");
    let reply = client.call("GET", CA, &[("Authorization", &key)], b"").await;
    assert_eq!((reply.status, reply.text().as_str()), (404, ""));
}
