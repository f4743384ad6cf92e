//! What is said about PEM files: before the start, and without telling what is in them.

use std::fs;

use prembridge::config::{Config, Problems};
use rcgen::{CertificateParams, KeyPair};

use super::env;
use crate::temp::TempDir;

const NUMBER: &str = "[[number]]\nphone_number_id = \"1\"\naccess_token = { env = \"TOKEN\" }\n";

/// A key, and a certificate made with it.
fn pair() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// What is wrong with these two files, as certificate and key, and with the first as `ca_file`.
fn problems(cert: &str, key: &str) -> Vec<String> {
    let folder = TempDir::new();
    let (cert_file, key_file) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&cert_file, cert).unwrap();
    fs::write(&key_file, key).unwrap();
    let text = format!(
        "[listen]\ntls = {{ cert = {cert_file:?}, key = {key_file:?} }}\n[cloud]\nca_file = {cert_file:?}\n{NUMBER}"
    );
    match Config::parse(&text, &env()) {
        Ok(_) => Vec::new(),
        Err(Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn assert_begin_and_hold(found: &[String], expected: &[(&str, &str)]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (line, (beginning, fragment)) in found.iter().zip(expected) {
        assert!(line.starts_with(beginning) && line.contains(fragment), "{found:?}");
    }
}

#[test]
fn a_key_has_to_belong_to_its_certificate() {
    let ((cert, key), (other_cert, other_key)) = (pair(), pair());
    assert_eq!(problems(&cert, &key), [""; 0]);
    // The first certificate is ours; the others only lead to a root.
    assert_eq!(problems(&format!("{cert}{other_cert}"), &key), [""; 0]);
    let expected = [("listen.tls.key: ", "does not belong to the first certificate of listen.tls.cert")];
    assert_begin_and_hold(&problems(&cert, &other_key), &expected);
    assert_begin_and_hold(&problems(&format!("{other_cert}{cert}"), &key), &expected);
}

#[test]
fn damaged_files_are_not_quoted() {
    let (cert, key) = pair();
    let no_certificate = "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----\n";
    let no_key = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n";
    let on_one_line = "-----BEGIN PRIVATE KEY canary-----";
    let cert_cannot = ("listen.tls.cert: ", "begins with a certificate that cannot be used");
    let root_cannot = ("cloud.ca_file: ", "a certificate that cannot be a root");
    let damaged_key = ("listen.tls.key: ", "holds damaged PEM");
    for (cert, key, expected) in [
        (no_certificate, key.as_str(), &[cert_cannot, root_cannot][..]),
        (&cert, no_key, &[("listen.tls.key: ", "not RSA, ECDSA or Ed25519")]),
        (&cert, &key[..key.len() / 2], &[damaged_key]),
        (&cert, on_one_line, &[damaged_key]),
        (&cert, &no_key.replace("PRIVATE", "ENCRYPTED PRIVATE"), &[("listen.tls.key: ", "unencrypted")]),
        (&cert, "", &[("listen.tls.key: ", "holds no private key")]),
        (
            &cert[..cert.len() / 2],
            &key,
            &[("listen.tls.cert: ", "holds damaged PEM"), ("cloud.ca_file: ", "holds damaged PEM")],
        ),
    ] {
        let found = problems(cert, key);
        assert_begin_and_hold(&found, expected);
        let shown = found.concat();
        assert!(!shown.contains("canary") && !shown.contains("Y2Fu") && !shown.contains("99, 97"), "{shown}");
    }
}
