//! Decides which addresses of a host may be dialled.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::addresses::class;
use super::denial::Denial;
use super::network::Network;
use super::own::is_own;
use super::resolve::Resolve;
use crate::net::ConnectError;

/// What the operator says about links.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Places that may be reached although they are not public, at any port, with or without TLS.
    pub allow: Vec<Allow>,
    /// The ports at which public addresses may be reached.
    pub ports: Ports,
    /// Whether public addresses may be reached with TLS only.
    pub encrypted: bool,
}

/// Ports of public addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// Whichever is named.
    Any,
    /// These and no others.
    Only(Vec<u16>),
}

impl Default for Ports {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

/// A place that may be reached although it is not public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Whatever name leads there.
    Network(Network),
    /// In lower case and without trailing dot; wherever it resolves to.
    Host(String),
}

/// Stands before every connection that a client's link opens.
pub struct Guard {
    rules: Rules,
    own: Vec<SocketAddr>,
    resolver: Arc<dyn Resolve>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("rules", &self.rules).field("own", &self.own).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard that also keeps links away from `own`, the addresses at which we listen, as they were bound
    /// and not as they were configured: port 0 is nobody's. An unspecified address stands for its port at
    /// every address of this machine.
    pub fn new(rules: Rules, own: Vec<SocketAddr>, resolver: Arc<dyn Resolve>) -> Self {
        Self { rules, own: own.into_iter().map(unwrapped).collect(), resolver }
    }

    /// Whether `host` may be reached without TLS as far as its name alone tells: networks are known of addresses.
    pub fn takes_plain(&self, host: &str) -> bool {
        !self.rules.encrypted || self.lists(&normal(host))
    }

    fn lists(&self, host: &str) -> bool {
        self.rules.allow.iter().any(|allow| match allow {
            Allow::Host(name) => name == host,
            Allow::Network(_) => false,
        })
    }

    /// The addresses of `host` (an IPv6 address without its brackets) that may be dialled, in the resolver's
    /// order and at least one. They are what was judged: whoever asks must dial them, with TLS if `is_tls`, and
    /// not look the name up again.
    pub async fn addresses(
        &self,
        host: &str,
        port: u16,
        is_tls: bool,
    ) -> Result<Vec<SocketAddr>, ConnectError> {
        let host = normal(host);
        let found = match self.resolver.resolve(&host, port).await {
            Ok(found) => found,
            Err(source) => return Err(ConnectError::Resolve { host, source }),
        };
        let is_allowed = self.lists(&host);
        let mut denial = None;
        let mut dialled = Vec::new();
        for address in found.into_iter().map(unwrapped) {
            match self.judge(address, is_tls, is_allowed) {
                Ok(()) => dialled.push(address),
                Err(reason) => denial = denial.or(Some(reason)),
            }
        }
        match denial {
            _ if !dialled.is_empty() => Ok(dialled),
            Some(reason) => Err(ConnectError::Denied { host, reason }),
            None => {
                let source = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                Err(ConnectError::Resolve { host, source })
            }
        }
    }

    fn judge(&self, address: SocketAddr, is_tls: bool, is_allowed: bool) -> Result<(), Denial> {
        if is_own(&self.own, address) {
            return Err(Denial::Own);
        }
        if is_allowed || self.allows(address) {
            return Ok(());
        }
        if let Some(class) = class(address.ip()) {
            return Err(Denial::NotPublic(class));
        }
        if self.rules.encrypted && !is_tls {
            return Err(Denial::Plain);
        }
        match &self.rules.ports {
            Ports::Any => Ok(()),
            Ports::Only(ports) if ports.contains(&address.port()) => Ok(()),
            Ports::Only(_) => Err(Denial::Port(address.port())),
        }
    }

    fn allows(&self, address: SocketAddr) -> bool {
        self.rules.allow.iter().any(|allow| match allow {
            Allow::Network(network) => network.contains(address.ip()),
            Allow::Host(_) => false,
        })
    }
}

/// A host as [`Allow::Host`] has it.
fn normal(host: &str) -> String {
    host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase()
}

/// An IPv4-mapped address as the IPv4 address that is dialled for it; any other as it is.
fn unwrapped(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    }
}
