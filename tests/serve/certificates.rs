//! Certificates: those that cannot be used end the start, and the one we make names us.

use prembridge::app::{App, StartError};
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::*;

const HOSTS: &str = "hosts = [\"support.wa.internal\", \"[fd00::5]:9090\", \"10.1.2.3\"]";

/// Which of these names a client accepts that trusts `certificate` and compares names.
fn accepted<'a>(certificate: &[u8], names: &[&'a str]) -> Vec<&'a str> {
    let certificate = CertificateDer::from(certificate.to_vec());
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = std::sync::Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
    let accepts = |name: &&&str| {
        let name = ServerName::try_from(**name).unwrap();
        verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now()).is_ok()
    };
    names.iter().filter(accepts).copied().collect()
}

#[tokio::test]
async fn the_self_signed_certificate_has_the_configured_names_and_stays() {
    const ALWAYS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
    let ours = ["support.wa.internal", "fd00::5", "10.1.2.3", "127.0.0.2"];
    let all = [&ALWAYS[..], &ours, &["other.internal", "0.0.0.0"]].concat();
    let setup = Setup::new().await;
    let with_hosts = |listen| {
        let path = setup.config(listen, "");
        let name = "name = \"support\"\n";
        let text = fs::read_to_string(&path).unwrap().replacen(name, &format!("{name}{HOSTS}\n"), 1);
        fs::write(&path, text).unwrap();
        path
    };
    let server = Server::start(&with_hosts("api = \"127.0.0.2:0\"\ntls = \"self-signed\""));
    let (_, certificate) = tls::connect(server.api).await;
    assert_eq!(accepted(&certificate, &all), [&ALWAYS[..], &ours].concat());
    let text = String::from_utf8_lossy(&certificate);
    assert!(text.contains("prembridge") && !text.contains("rcgen"), "{text}");
    server.signal("TERM");
    assert_eq!(end(server).await.0, Some(0));

    // Fewer names or more: the certificate is the one that clients may have pinned.
    let server = Server::start(&setup.config(TLS, ""));
    assert_eq!(tls::connect(server.api).await.1, certificate);
}

#[tokio::test]
async fn a_wildcard_is_no_name() {
    let setup = Setup::new().await;
    let server = Server::start(&setup.config("api = \"0.0.0.0:0\"\ntls = \"self-signed\"", ""));
    let address = (Ipv4Addr::LOCALHOST, server.api.port()).into();
    let (_, certificate) = tls::connect(address).await;
    assert_eq!(accepted(&certificate, &["0.0.0.0", "localhost"]), ["localhost"]);
}

/// `listen.tls` with the certificate and key of the tests, or with others in their place.
fn files(cert: &str, key: &str) -> String {
    format!("{PLAIN}\ntls = {{ cert = {cert:?}, key = {key:?} }}")
}

const CERT: &str = "tests/config/cert.pem";
const KEY: &str = "tests/config/key.pem";

#[tokio::test]
async fn unusable_certificates_are_bad_configuration() {
    let setup = Setup::new().await;
    let other_key = setup.folder.join("other.pem");
    fs::write(&other_key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let other_key = other_key.to_str().unwrap();
    for (listen, cloud, lines) in [
        (files(KEY, CERT), "", &["listen.tls.cert: ", "listen.tls.key: ", "2 problems"][..]),
        (files(CERT, other_key), "", &["listen.tls.key: does not belong", "1 problem"]),
        (files(CERT, KEY), "ca_file = \"Cargo.toml\"", &["cloud.ca_file: ", "1 problem"]),
        (
            files("Cargo.toml", "Cargo.toml"),
            "ca_file = \"Cargo.toml\"\nversion = \"26\"",
            &["listen.tls.cert: ", "listen.tls.key: ", "cloud.ca_file: ", "cloud.version: ", "4 problems"],
        ),
    ] {
        let config = setup.config(&listen, cloud);
        for command in ["check", "serve"] {
            let run = run(&[command, "-c", config.to_str().unwrap()], "");
            assert_eq!((run.code, run.stdout.as_str()), (Some(78), ""), "{command}: {run:?}");
            for line in lines {
                assert!(run.stderr.contains(line), "{line}: {run:?}");
            }
        }
    }
    let server = Server::start(&setup.config(&files(CERT, KEY), ""));
    assert_eq!(tls::connect(server.api).await.0.call("GET", "/", &[], b"").await.status, 200);
}

/// A file may change between validation and start.
#[tokio::test]
async fn a_key_replaced_meanwhile_is_bad_configuration_too() {
    let setup = Setup::new().await;
    let key = setup.folder.join("key.pem");
    fs::copy(KEY, &key).unwrap();
    let path = setup.config(&files(CERT, key.to_str().unwrap()), "");
    let config = Config::load(&path, &Env::default()).unwrap().config;
    fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let error = App::start(config, Clock::system()).await.unwrap_err();
    assert!(matches!(error, StartError::Tls(_)) && error.is_bad_config(), "{error}");
}
