//! Who is one peer.

use std::net::{IpAddr, Ipv6Addr};

/// What counts as one peer: an IPv6 client owns its whole /64, and IPv4 in IPv6 clothes is IPv4.
pub fn peer_network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::peer_network;

    #[test]
    fn an_ipv6_network_is_one_peer() {
        let at = |text: &str| peer_network(text.parse().unwrap());
        assert_eq!(at("2001:db8::1"), at("2001:db8::ffff:0:0:2"));
        assert_ne!(at("2001:db8::1"), at("2001:db8:0:1::1"));
        assert_eq!(at("::ffff:192.0.2.1"), at("192.0.2.1"));
    }
}
