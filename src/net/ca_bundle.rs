//! Certificates that a client trusts, as it sends them.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;

/// The most bytes of a bundle: room for about thirty certificates.
const LARGEST: usize = 64 * 1024;

/// What is wrong with a bundle. Never quotes it, because a private key may be in it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadBundle {
    /// Longer than we keep.
    #[error("the certificates take more than {LARGEST} bytes")]
    TooLarge,
    /// A secret that does not belong here.
    #[error(
        "there is a private key among the certificates; send the certificates only, and replace that key"
    )]
    PrivateKey,
    /// Not PEM, or damaged.
    #[error("the body is not PEM text; send the certificates between their BEGIN and END lines, in full")]
    Damaged,
    /// No certificate.
    #[error("there is no certificate in the body; send one or more as PEM text")]
    Empty,
    /// A request, a list of revoked certificates, …
    #[error("there is something other than certificates in the body; send certificates only")]
    Other,
    /// A certificate that TLS could not use.
    #[error("certificate {0} of the body cannot be used as a root")]
    Unusable(usize),
}

/// The certificates in `pem`, each of which can stand as a root.
pub fn ca_bundle(pem: &str) -> Result<Vec<CertificateDer<'static>>, BadBundle> {
    if pem.len() > LARGEST {
        return Err(BadBundle::TooLarge);
    }
    // By the words, since the parser passes over kinds of keys that it does not know, such as encrypted ones.
    if pem.to_ascii_uppercase().contains("PRIVATE KEY") {
        return Err(BadBundle::PrivateKey);
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates = certificates.map_err(|_| BadBundle::Damaged)?;
    let begun = pem.matches("-----BEGIN ").count();
    match (certificates.len(), begun) {
        (0, 0) => return Err(BadBundle::Empty),
        (found, begun) if found != begun => return Err(BadBundle::Other),
        (_, _) => {}
    }
    let mut roots = RootCertStore::empty();
    for (at, certificate) in certificates.iter().enumerate() {
        roots.add(certificate.clone()).map_err(|_| BadBundle::Unusable(at + 1))?;
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::self_signed;

    /// A certificate, and its key behind it.
    fn pair() -> (String, String) {
        let pem = self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = pem.split_at(pem.rfind("-----BEGIN").unwrap());
        (certificate.to_owned(), key.to_owned())
    }

    #[test]
    fn certificates_are_taken_with_what_people_write_between_them() {
        let (one, other) = (pair().0, pair().0);
        for (text, count) in [
            (one.clone(), 1),
            (format!("Our root\n{one}\n# and another\n{other}"), 2),
            (one.replace('\n', "\r\n"), 1),
            (one.trim_end().to_owned(), 1),
        ] {
            assert_eq!(ca_bundle(&text).map(|found| found.len()), Ok(count), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let (certificate, key) = pair();
        let with = |more: &str| format!("{certificate}{more}");
        let block = |label: &str, content: &str| {
            format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
        };
        for (text, expected) in [
            (String::new(), BadBundle::Empty),
            ("hello".to_owned(), BadBundle::Empty),
            ("x".repeat(LARGEST + 1), BadBundle::TooLarge),
            (with(&key), BadBundle::PrivateKey),
            (key.to_lowercase(), BadBundle::PrivateKey),
            (with(&block("ENCRYPTED PRIVATE KEY", "AAAA")), BadBundle::PrivateKey),
            (with(&block("CERTIFICATE REQUEST", "AAAA")), BadBundle::Other),
            (with(&block("TRUSTED CERTIFICATE", "AAAA")), BadBundle::Other),
            (with(&certificate.replace("-----BEGIN", " -----BEGIN")), BadBundle::Other),
            (certificate.replace("-----END", ""), BadBundle::Damaged),
            (block("CERTIFICATE", "?"), BadBundle::Damaged),
            (with(&block("CERTIFICATE", "AAAA")), BadBundle::Unusable(2)),
        ] {
            assert_eq!(ca_bundle(&text), Err(expected), "{text}");
        }
    }
}
