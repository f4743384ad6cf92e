//! From `[egress]` to the guards of links and callbacks.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{Allowed, Config, Egress, Links};
use crate::net::egress::{Allow, Guard, Network, Ports, Rules, SystemResolver};

/// The guard of every link that a client names; `own` are the addresses at which we listen.
pub fn guard(config: &Egress, own: Vec<SocketAddr>) -> Guard {
    let ports = Ports::Only(config.ports.clone());
    let rules = Rules { allow: allow(config), ports, encrypted: false };
    Guard::new(rules, own, Arc::new(SystemResolver::default()))
}

/// The guard of the URLs that clients set for their callbacks. Such a URL stands for longer than a link and users'
/// messages go there: with TLS only, as on-prem asked, but to any port, since receivers listen where they like.
/// What the operator allows may be private and without TLS.
pub fn callback_guard(config: &Egress, own: Vec<SocketAddr>) -> Guard {
    let rules = Rules { allow: allow(config), ports: Ports::Any, encrypted: true };
    Guard::new(rules, own, Arc::new(SystemResolver::default()))
}

fn allow(config: &Egress) -> Vec<Allow> {
    let allow = config.allow.iter().map(|entry| match entry {
        Allowed::Network { address, prefix } => Allow::Network(Network::new(*address, *prefix)),
        Allowed::Host(name) => Allow::Host(name.clone()),
    });
    allow.collect()
}

/// Whether media are fetched and none of them may be on a private network, where the media servers of most
/// on-prem deployments are. Better told at start than found out link by link.
pub fn refuses_private_links(config: &Config) -> bool {
    let fetches =
        config.media.links == Links::Upload || config.numbers.iter().any(|n| !n.providers.is_empty());
    fetches && config.egress.allow.is_empty()
}
