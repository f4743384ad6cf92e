//! TLS on both sides: rustls with aws-lc-rs, TLS 1.2 and later.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

use super::{BadBundle, ca_bundle};

/// HTTP/2 over TLS, as the two sides name it to each other (RFC 9113 section 3.1).
pub(super) const HTTP_2: &[u8] = b"h2";

/// What is wrong with certificates or keys.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A PEM file that cannot be read, or holds nothing.
    #[error("{path}: {reason}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// rustls does not accept it.
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
    /// A bundle of roots that is none.
    #[error("{0}")]
    Bundle(#[from] BadBundle),
    /// A self-signed certificate could not be made.
    #[error("self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

/// What we trust upstream: the public roots and, if given, those in `ca_file`.
pub fn client_config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
    client_config_with(ca_file, None)
}

/// The same with the roots of a bundle.
pub fn client_config_with(ca_file: Option<&Path>, pem: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = ca_file {
        for certificate in certificates(path)? {
            roots.add(certificate)?;
        }
    }
    for certificate in pem.map(ca_bundle).transpose()?.unwrap_or_default() {
        roots.add(certificate)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The same for a server that may speak HTTP/2.
pub fn offering_http2(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols.insert(0, HTTP_2.to_vec());
    Arc::new(config)
}

/// What we show to clients.
pub fn server_config(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The certificate chain and key in two PEM files.
pub fn server_config_from_files(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| TlsError::Pem { path: key.to_owned(), reason: error.to_string() })?;
    server_config(certificates(cert)?, private)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let error = |reason: String| TlsError::Pem { path: path.to_owned(), reason };
    let list = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|reason| error(reason.to_string()))?;
    if list.is_empty() { Err(error("holds no certificate".to_owned())) } else { Ok(list) }
}

/// A certificate as PEM text (RFC 7468 section 2: base64 in lines of 64).
pub fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for (at, letter) in STANDARD.encode(certificate).char_indices() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}

/// A self-signed certificate for these host names and IP addresses, and its key, as one PEM text, as
/// the on-prem client made one for itself.
pub fn self_signed(names: Vec<String>) -> Result<String, TlsError> {
    let mut params = rcgen::CertificateParams::new(names)?;
    // What a person sees who looks at the certificate; clients compare the names only.
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "prembridge");
    let key = rcgen::KeyPair::generate()?;
    Ok(params.self_signed(&key)?.pem() + &key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_written_as_everybody_writes_it() {
        let pair = self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = CertificateDer::from_pem_slice(pair.as_bytes()).unwrap();
        let pem = certificate_pem(&certificate);
        assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap(), certificate);
        assert!(pem.lines().all(|line| line.len() <= 64) && pem.ends_with("-----\n"), "{pem}");
        assert!(!pem.contains("PRIVATE") && pair.contains("PRIVATE"));
        // Of 48 bytes, whose base64 fills one line.
        let even = certificate_pem(&CertificateDer::from(vec![0; 48]));
        assert_eq!(even.lines().count(), 3, "{even}");
    }
}
