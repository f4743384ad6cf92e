//! `[listen]`: the addresses, which must not collide, and TLS.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::check::Check;
use super::pem;
use super::raw;

/// `[listen]`
#[derive(Clone, Debug)]
pub struct Listen {
    /// Where on-prem clients connect.
    pub api: SocketAddr,
    /// Health and metrics.
    pub admin: SocketAddr,
    /// Where Cloud webhooks arrive; may equal `api`.
    pub webhook: SocketAddr,
    /// How `api` and `webhook` are encrypted.
    pub tls: Tls,
}

/// `listen.tls`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// A certificate made on first start, as the on-prem client did.
    SelfSigned,
    /// Two PEM files.
    Files {
        /// The certificate chain.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

pub(super) fn listen(raw: raw::Listen, check: &mut Check<'_>) -> Listen {
    let mut address = |path, raw: Option<String>, port| {
        check.parsed(path, raw, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), |text| {
            let wanted = "is not an IP address with a port, such as \"127.0.0.1:9090\" or \"[::]:9090\"";
            text.parse().map_err(|_| format!("{text:?} {wanted}"))
        })
    };
    let api = address("listen.api", raw.api, 9090);
    let admin = address("listen.admin", raw.admin, 9091);
    let webhook = address("listen.webhook", raw.webhook, 9092);
    let mut collision = |path, a: SocketAddr, other, b: SocketAddr| {
        if collide(a, b) {
            check.report.problem(path, format!("{a} collides with {other} ({b}); choose another port"));
        }
    };
    collision("listen.admin", admin, "listen.api", api);
    collision("listen.webhook", webhook, "listen.admin", admin);
    if webhook != api {
        collision("listen.webhook", webhook, "listen.api", api);
    }
    Listen { api, admin, webhook, tls: tls(raw.tls, check) }
}

/// Whether both cannot be bound.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() != 0
        && a.port() == b.port()
        && (a.ip() == b.ip() || covers(a.ip(), b.ip()) || covers(b.ip(), a.ip()))
}

/// Whether `wildcard` takes its ports on `ip` too: 0.0.0.0 does on IPv4, and `[::]` on both.
fn covers(wildcard: IpAddr, ip: IpAddr) -> bool {
    wildcard.is_unspecified() && (wildcard.is_ipv6() || ip.is_ipv4())
}

fn tls(raw: Option<raw::Tls>, check: &mut Check<'_>) -> Tls {
    match raw {
        None => Tls::Off,
        Some(raw::Tls::Word(word)) => {
            let known = [("off", false), ("self-signed", true)];
            let self_signed = check.parsed("listen.tls", Some(word), false, |word| {
                let found = known.iter().find(|(known, _)| *known == word).map(|(_, value)| *value);
                let wanted = "use \"off\", \"self-signed\" or { cert = \"PATH\", key = \"PATH\" }";
                found.ok_or_else(|| format!("{word:?} is not known; {wanted}"))
            });
            if self_signed { Tls::SelfSigned } else { Tls::Off }
        }
        Some(raw::Tls::Files(files)) => tls_files(files, check),
    }
}

fn tls_files(raw: raw::CertFiles, check: &mut Check<'_>) -> Tls {
    let cert = pem_file("listen.tls.cert", raw.cert, pem::chain, check);
    let key = pem_file("listen.tls.key", raw.key, pem::key, check);
    let (Some((cert, chain)), Some((key, private))) = (cert, key) else {
        return Tls::Off;
    };
    if let Err(message) = pem::belong_together(chain, private) {
        check.report.problem("listen.tls.key", message);
    }
    Tls::Files { cert, key }
}

fn pem_file<T>(
    path: &str,
    raw: Option<String>,
    read: fn(&Path) -> Result<T, String>,
    check: &mut Check<'_>,
) -> Option<(PathBuf, T)> {
    if raw.is_none() {
        check.report.problem(path, "is missing; name a PEM file");
    }
    check.file(path, raw, read)
}
