//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use prembridge::net::egress::{CLASSES, class, is_public};
use proptest::prelude::*;
use proptest::sample::select;

/// The first and last address of each run that is not public, as the acceptance list has them, and with the
/// addresses beside it that are.
const RUNS: &[(Option<&str>, &str, &str, Option<&str>)] = &[
    (None, "0.0.0.0", "0.255.255.255", Some("1.0.0.0")),
    (Some("9.255.255.255"), "10.0.0.0", "10.255.255.255", Some("11.0.0.0")),
    (Some("100.63.255.255"), "100.64.0.0", "100.127.255.255", Some("100.128.0.0")),
    (Some("126.255.255.255"), "127.0.0.0", "127.255.255.255", Some("128.0.0.0")),
    (Some("168.63.129.15"), "168.63.129.16", "168.63.129.16", Some("168.63.129.17")),
    (Some("169.253.255.255"), "169.254.0.0", "169.254.255.255", Some("169.255.0.0")),
    (Some("172.15.255.255"), "172.16.0.0", "172.31.255.255", Some("172.32.0.0")),
    (Some("191.255.255.255"), "192.0.0.0", "192.0.0.255", Some("192.0.1.0")),
    (Some("192.0.1.255"), "192.0.2.0", "192.0.2.255", Some("192.0.3.0")),
    (Some("192.88.98.255"), "192.88.99.0", "192.88.99.255", Some("192.88.100.0")),
    (Some("192.167.255.255"), "192.168.0.0", "192.168.255.255", Some("192.169.0.0")),
    (Some("198.17.255.255"), "198.18.0.0", "198.19.255.255", Some("198.20.0.0")),
    (Some("198.51.99.255"), "198.51.100.0", "198.51.100.255", Some("198.51.101.0")),
    (Some("203.0.112.255"), "203.0.113.0", "203.0.113.255", Some("203.0.114.0")),
    (Some("223.255.255.255"), "224.0.0.0", "255.255.255.255", None),
    (None, "::", "::fffe:ffff:ffff", None),
    // Between these two is what stands for IPv4.
    (None, "::1:0:0:0", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2000::")),
    (Some("2000:ffff::"), "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:200::")),
    (Some("2001:db7:ffff::"), "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some("2001:db9::")),
    (Some("2001:ffff::"), "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some("2003::")),
    (
        Some("2620:4f:7fff::"),
        "2620:4f:8000::",
        "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
        Some("2620:4f:8001::"),
    ),
    (Some("3ffe:ffff::"), "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", Some("3fff:1000::")),
    (Some("3fff:ffff::"), "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None),
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn runs_end_where_they_should() {
    for (before, first, last, after) in RUNS {
        for denied in [first, last] {
            assert!(!is_public(ip(denied)), "{denied}");
        }
        for public in before.iter().chain(after) {
            assert_eq!(class(ip(public)), None, "{public}");
        }
    }
}

/// Each block of IANA's registry of special addresses of IPv6, and one of what is assigned to nobody.
#[test]
fn of_ipv6_only_global_unicast_is_public() {
    for denied in [
        "64:ff9b::808:808",
        "64:ff9c::1",
        "100::1",
        "2001::1",
        "2001:1::1",
        "2001:1::2",
        "2001:3::1",
        "2001:4:112::1",
        "2001:20::1",
        "2001:30::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:808:808::1",
        "2620:4f:8000::1",
        "3fff::1",
        "200::1",
        "1000::1",
        "4000::1",
        "5f00::1",
        "6000::1",
        "a000::1",
        "e000::1",
        "f800::1",
        "fe00::1",
        "::ffff:10.0.0.1",
    ] {
        assert!(!is_public(ip(denied)), "{denied}");
    }
    for public in [
        "2001:200::1",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "2a00:1450::1",
        "3ffe::1",
        "::ffff:8.8.8.8",
    ] {
        assert!(is_public(ip(public)), "{public}");
    }
}

#[test]
fn every_class_is_in_a_run_and_says_where_it_comes_from() {
    for row in CLASSES {
        let network = row.network;
        let within = |(_, first, last, _): &(Option<&str>, &str, &str, Option<&str>)| {
            ip(first).is_ipv4() == network.first().is_ipv4()
                && (ip(first)..=ip(last)).contains(&network.first())
        };
        assert!(RUNS.iter().any(within), "{network} has no test");
        assert!(!row.name.is_empty() && !row.source.is_empty(), "{network}");
        // A row of which earlier ones hide both ends would hardly ever be told.
        let ends = [network.first(), inside(network.first(), network.prefix(), u128::MAX)];
        assert!(ends.iter().any(|end| class(*end) == Some(row)), "{network} is hidden");
    }
}

/// The address with the first bits of `network` and else those of `rest`.
fn inside(first: IpAddr, prefix: u8, rest: u128) -> IpAddr {
    let free = |width: u8| 1u128.checked_shl((width - prefix).into()).map_or(u128::MAX, |size| size - 1);
    match first {
        IpAddr::V4(first) => {
            let rest = u32::try_from(rest & free(32)).unwrap();
            Ipv4Addr::from_bits(first.to_bits() | rest).into()
        }
        IpAddr::V6(first) => Ipv6Addr::from_bits(first.to_bits() | (rest & free(128))).into(),
    }
}

fn neighbours(first: IpAddr, prefix: u8) -> Vec<IpAddr> {
    let last = inside(first, prefix, u128::MAX);
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let bits = [first.to_bits().checked_sub(1), last.to_bits().checked_add(1)];
            bits.into_iter().flatten().map(|bits| Ipv4Addr::from_bits(bits).into()).collect()
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let bits = [first.to_bits().checked_sub(1), last.to_bits().checked_add(1)];
            bits.into_iter().flatten().map(|bits| Ipv6Addr::from_bits(bits).into()).collect()
        }
        _ => unreachable!("one family"),
    }
}

#[test]
fn neighbours_are_judged_by_their_own_class() {
    for row in CLASSES {
        for neighbour in neighbours(row.network.first(), row.network.prefix()) {
            assert!(!row.network.contains(neighbour), "{neighbour} is not in {}", row.network);
            if let Some(own) = class(neighbour) {
                assert!(own.network.contains(neighbour) && own != row, "{neighbour}");
            }
        }
    }
}

proptest! {
    #![proptest_config(crate::support::seeded::config(1024))]

    #[test]
    fn every_address_of_a_class_is_denied(row in select(CLASSES), rest in any::<u128>()) {
        let address = inside(row.network.first(), row.network.prefix(), rest);
        prop_assert!(row.network.contains(address));
        prop_assert!(!is_public(address), "{} in {}", address, row.network);
    }

    #[test]
    fn every_address_between_two_ends_of_a_run_is_denied(
        (first, last) in select(RUNS).prop_map(|(_, first, last, _)| (ip(first), ip(last))),
        place in any::<u128>(),
    ) {
        let address: IpAddr = match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let size = u128::from(b.to_bits() - a.to_bits()) + 1;
                Ipv4Addr::from_bits(a.to_bits() + u32::try_from(place % size).unwrap()).into()
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let size = b.to_bits() - a.to_bits() + 1;
                Ipv6Addr::from_bits(a.to_bits() + place % size).into()
            }
            _ => unreachable!("one family"),
        };
        prop_assert!(!is_public(address), "{}", address);
    }

    /// A second opinion: what the standard library calls special is not public.
    #[test]
    fn what_the_standard_library_knows_is_denied(bits in any::<u32>(), long in any::<u128>()) {
        let v4 = Ipv4Addr::from_bits(bits);
        let special = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
            || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
        prop_assert!(!(special && is_public(v4.into())), "{}", v4);
        let v6 = Ipv6Addr::from_bits(long);
        let special = v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local();
        prop_assert!(!(special && is_public(v6.into())), "{}", v6);
    }

    #[test]
    fn an_embedded_address_never_helps_and_a_mapped_one_never_hurts(bits in any::<u32>()) {
        let v4 = Ipv4Addr::from_bits(bits);
        prop_assert_eq!(class(v4.to_ipv6_mapped().into()), class(v4.into()));
        let low = u128::from(bits);
        let nat64 = 0x0064_ff9b_u128 << 96;
        for embedded in [low, nat64 | low, nat64 | 1 << 80 | low, 0x2002 << 112 | low << 80, 0xffff << 48 | low] {
            let embedded = IpAddr::from(Ipv6Addr::from_bits(embedded));
            // `::ffff:0:a.b.c.d` is translated, not mapped; all of these are denied.
            prop_assert!(!is_public(embedded), "{}", embedded);
        }
    }
}
