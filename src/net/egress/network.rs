//! Networks of IP addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All addresses that share their first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of `address`, of which the first `prefix` bits count. An IPv4-mapped network is the IPv4
    /// network that it stands for, because addresses are compared unwrapped.
    pub const fn new(address: IpAddr, prefix: u8) -> Self {
        match address {
            IpAddr::V4(address) => Self::v4(address, prefix),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) if prefix >= 96 => Self::v4(mapped, prefix - 96),
                Some(_) | None => Self::v6(address, prefix),
            },
        }
    }

    pub(super) const fn v4(address: Ipv4Addr, prefix: u8) -> Self {
        let first = Ipv4Addr::from_bits(address.to_bits() & mask_v4(prefix));
        Self { first: IpAddr::V4(first), prefix }
    }

    pub(super) const fn v6(address: Ipv6Addr, prefix: u8) -> Self {
        let first = Ipv6Addr::from_bits(address.to_bits() & mask_v6(prefix));
        Self { first: IpAddr::V6(first), prefix }
    }

    /// Whether `address` is one of these. IPv4-mapped addresses are unwrapped.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                first.to_bits() == address.to_bits() & mask_v4(self.prefix)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                first.to_bits() == address.to_bits() & mask_v6(self.prefix)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        self.first
    }

    /// How many leading bits count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

const fn mask_v4(prefix: u8) -> u32 {
    match u32::MAX.checked_shr(prefix as u32) {
        Some(rest) => !rest,
        None => u32::MAX,
    }
}

const fn mask_v6(prefix: u8) -> u128 {
    match u128::MAX.checked_shr(prefix as u32) {
        Some(rest) => !rest,
        None => u128::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_network() {
        for (network, prefix, inside, outside) in [
            ("0.0.0.0", 0, "255.255.255.255", "::"),
            ("10.0.0.0", 8, "10.255.255.255", "11.0.0.0"),
            ("127.0.0.1", 32, "::ffff:127.0.0.1", "127.0.0.2"),
            ("::ffff:10.0.0.0", 104, "10.1.2.3", "::a00:1"),
            ("::", 0, "ffff::", "1.2.3.4"),
            ("fd00::", 8, "fdff::1", "fc00::1"),
            ("::1", 128, "::1", "::2"),
        ] {
            let network = Network::new(network.parse().unwrap(), prefix);
            assert!(network.contains(inside.parse().unwrap()), "{inside} in {network}");
            assert!(!network.contains(outside.parse().unwrap()), "{outside} not in {network}");
        }
    }

    #[test]
    fn bits_behind_the_prefix_do_not_count() {
        assert_eq!(Network::new("10.1.2.3".parse().unwrap(), 8).to_string(), "10.0.0.0/8");
        assert_eq!(Network::new("fd12::3".parse().unwrap(), 8).to_string(), "fd00::/8");
        assert_eq!(Network::new("::ffff:10.1.2.3".parse().unwrap(), 112).to_string(), "10.1.0.0/16");
    }
}
