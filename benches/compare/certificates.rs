//! The certificates of an upstream with TLS: an authority of its own, so that peers have something to verify.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// What peers trust.
pub const AUTHORITY: &str = "ca.pem";
/// What the upstream shows.
pub const CERTIFICATE: &str = "upstream.pem";
/// Its key.
pub const KEY: &str = "upstream.key";

/// Writes all three.
pub fn write(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "prembridge comparison");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join(AUTHORITY), params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = Issuer::new(params, key);

    // By name for nginx and HAProxy, which compare names only, and by address.
    let mut params = CertificateParams::new(["localhost", "127.0.0.1"].map(str::to_owned)).unwrap();
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    fs::write(folder.join(CERTIFICATE), certificate.pem()).unwrap();
    fs::write(folder.join(KEY), key.serialize_pem()).unwrap();
}
