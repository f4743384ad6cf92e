//! Certificates that cannot be used end the start.

use prembridge::app::{App, StartError};
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};

use super::*;

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
        (files(KEY, CERT), "", &["listen.tls.cert: ", "listen.tls.key: ", "2 problem(s)"][..]),
        (files(CERT, other_key), "", &["listen.tls.key: does not belong", "1 problem(s)"]),
        (files(CERT, KEY), "ca_file = \"Cargo.toml\"", &["cloud.ca_file: ", "1 problem(s)"]),
        (
            files("Cargo.toml", "Cargo.toml"),
            "ca_file = \"Cargo.toml\"\nversion = \"26\"",
            &["listen.tls.cert: ", "listen.tls.key: ", "cloud.ca_file: ", "cloud.version: ", "4 problem(s)"],
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
