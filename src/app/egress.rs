//! From `[egress]` to the guard of links.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Allowed, Config, Egress, Links};
use crate::net::egress::{Allow, Guard, Network, Rules, SystemResolver};

/// The guard of every link that a client names; `own` are the addresses at which we listen.
pub fn guard(config: &Egress, own: Vec<SocketAddr>) -> Guard {
    let allow = config.allow.iter().map(|entry| match entry {
        Allowed::Network { address, prefix } => Allow::Network(Network::new(*address, *prefix)),
        Allowed::Host(name) => Allow::Host(name.clone()),
    });
    let rules = Rules { allow: allow.collect(), ports: config.ports.clone() };
    Guard::new(rules, own, Arc::new(SystemResolver::default()))
}

/// Whether media are fetched and none of them may be on a private network, where the media servers of most
/// on-prem deployments are. Better told at start than found out link by link.
pub fn refuses_private_links(config: &Config) -> bool {
    let fetches =
        config.media.links == Links::Upload || config.numbers.iter().any(|n| !n.providers.is_empty());
    fetches && config.egress.allow.is_empty()
}
