//! PEM files, read as the TLS stack will read them: what `serve` would stumble over is a problem of
//! the configuration, told with all the others.
//!
//! No message quotes a file, because a damaged private key is still a secret.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys, RootCertStore};

use super::words::in_words;

pub(super) type Chain = Vec<CertificateDer<'static>>;

/// The certificates that are shown to clients, the server's own first.
pub(super) fn chain(file: &Path) -> Result<Chain, String> {
    let chain = certificates(file)?;
    if let Some(Err(error)) = chain.first().map(ParsedCertificate::try_from) {
        return Err(format!("{file:?} begins with a certificate that cannot be used: {error}"));
    }
    Ok(chain)
}

/// The private key of the first certificate of a chain.
pub(super) fn key(file: &Path) -> Result<Arc<dyn SigningKey>, String> {
    const HINT: &str = "name a PEM file with an unencrypted one";
    let key = PrivateKeyDer::from_pem_file(file).map_err(|error| {
        if matches!(error, pem::Error::NoItemsFound) {
            return format!("{file:?} holds no private key; {HINT}");
        }
        unreadable(file, &error)
    })?;
    let provider = aws_lc_rs::default_provider();
    let loaded = provider.key_provider.load_private_key(key);
    loaded.map_err(|_| format!("{file:?} holds a private key that is not RSA, ECDSA or Ed25519; {HINT}"))
}

/// Whether `key` belongs to the first certificate of `chain`.
pub(super) fn belong_together(chain: Chain, key: Arc<dyn SigningKey>) -> Result<(), String> {
    match CertifiedKey::new(chain, key).keys_match() {
        // rustls goes on when it cannot know.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(_) => {
            Err("does not belong to the first certificate of listen.tls.cert; name the key it was made with"
                .to_owned())
        }
    }
}

/// Certificates to trust beside the public ones.
pub(super) fn roots(file: &Path) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots
            .add(certificate)
            .map_err(|error| format!("{file:?} holds a certificate that cannot be a root: {error}"))?;
    }
    Ok(())
}

fn certificates(file: &Path) -> Result<Chain, String> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Chain, _>>);
    match found.map_err(|error| unreadable(file, &error))? {
        none if none.is_empty() => Err(format!("{file:?} holds no certificate; name a PEM file with one")),
        found => Ok(found),
    }
}

fn unreadable(file: &Path, error: &pem::Error) -> String {
    if let pem::Error::Io(error) = error {
        return format!("cannot read the file {file:?}: {}", in_words(error));
    }
    format!("{file:?} holds damaged PEM; look for cut-off lines and for BEGIN and END lines without partner")
}
