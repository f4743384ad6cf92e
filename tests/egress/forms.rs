//! S1 to S12: every way to write an address that is not public.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prembridge::net::ConnectError;
use prembridge::net::egress::{Denial, vet_url};

use super::{Door, by_system, connect, connector, has_ipv6, reason, rules};

/// Hosts that lead to this machine's IPv4 loopback when nobody looks.
const LOOPBACK: [&str; 14] = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "127.0.0.1.",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "0",
];

/// Hosts that lead, or could lead, anywhere else that is not public.
const ELSEWHERE: [&str; 25] = [
    "10.0.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "168.63.129.16",
    "255.255.255.255",
    "224.0.0.1",
    "0xa9fea9fe",
    "2852039166",
    "[::1]",
    "[::]",
    "[::ffff:10.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::808:808]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::808:808]",
    "[2002:808:808::1]",
    "[2001:0::1]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
];

#[tokio::test]
async fn no_spelling_of_loopback_reaches_a_listener() {
    let door = Door::on("0.0.0.0");
    let guard = Arc::new(by_system(rules([])));
    for host in LOOPBACK {
        let link = format!("http://{host}:{}/file", door.port());
        assert!(matches!(reason(connect(&guard, &link).await), Denial::NotPublic(_)), "{link}");
        let vetted = vet_url(&link).unwrap();
        assert!(matches!(reason(connect(&guard, vetted.as_str()).await), Denial::NotPublic(_)), "{vetted}");
        assert_eq!(door.count(), 0, "{link}");
    }
}

/// So that the count of 0 above means something.
#[tokio::test]
async fn the_same_spellings_reach_it_when_loopback_is_allowed() {
    let door = Door::on("0.0.0.0");
    let guard = Arc::new(by_system(rules(["127.0.0.0/8", "0.0.0.0/32"])));
    for host in LOOPBACK {
        let link = vet_url(&format!("http://{host}:{}/file", door.port())).unwrap();
        connect(&guard, link.as_str()).await.unwrap_or_else(|error| panic!("{link}: {error}"));
        assert_eq!(door.count(), 1, "{link}");
    }
}

#[tokio::test]
async fn no_spelling_of_another_private_place_is_dialled() {
    let guard = Arc::new(by_system(rules([])));
    for host in ELSEWHERE {
        let link = vet_url(&format!("http://{host}/file")).unwrap();
        assert!(matches!(reason(connect(&guard, link.as_str()).await), Denial::NotPublic(_)), "{link}");
    }
}

#[tokio::test]
async fn ipv6_loopback_is_not_reached_either() {
    if !has_ipv6() {
        return;
    }
    let door = Door::on("::1");
    let links = [
        format!("http://[::1]:{}/", door.port()),
        format!("http://[0:0:0:0:0:0:0:1]:{}/", door.port()),
        format!("http://[::]:{}/", door.port()),
    ];
    let (shut, open) = (Arc::new(by_system(rules([]))), Arc::new(by_system(rules(["::1/128", "::/128"]))));
    for link in &links {
        assert!(matches!(reason(connect(&shut, link).await), Denial::NotPublic(_)), "{link}");
        assert_eq!(door.count(), 0, "{link}");
        connect(&open, link).await.unwrap_or_else(|error| panic!("{link}: {error}"));
        assert_eq!(door.count(), 1, "{link}");
    }
}

/// A listener for both families takes IPv4 connections under mapped addresses.
#[tokio::test]
async fn a_mapped_address_is_judged_and_dialled_as_ipv4() {
    let door = Door::on("127.0.0.1");
    let link = format!("http://[::ffff:127.0.0.1]:{}/", door.port());
    assert!(matches!(reason(connect(&Arc::new(by_system(rules([]))), &link).await), Denial::NotPublic(_)));
    // An allowed IPv6 network is about IPv6.
    let guard = Arc::new(by_system(rules(["::/0"])));
    assert!(matches!(reason(connect(&guard, &link).await), Denial::NotPublic(_)));
    assert_eq!(door.count(), 0);
    for allowed in ["127.0.0.1/32", "::ffff:127.0.0.0/104"] {
        connect(&Arc::new(by_system(rules([allowed]))), &link).await.unwrap();
        assert_eq!(door.count(), 1, "{allowed}");
    }
}

#[tokio::test]
async fn public_neighbours_of_private_networks_are_let_through() {
    let guard = by_system(rules([]));
    for host in ["100.63.255.254", "100.128.0.1", "2606:4700::1", "8.8.8.8", "::ffff:8.8.8.8"] {
        let expected = host.parse::<std::net::IpAddr>().unwrap().to_canonical();
        let found = guard.addresses(host, 443, false).await.unwrap();
        assert_eq!(found, [(expected, 443).into()], "{host}");
    }
}

/// A caller sees only what its HTTP client reports, and has to tell a denial from a failure.
#[tokio::test]
async fn a_denial_is_found_behind_the_error_of_a_client() {
    let door = Door::on("127.0.0.1");
    let port = door.port();
    let client = |allowed: bool| {
        let rules = if allowed { rules(["127.0.0.0/8"]) } else { rules([]) };
        let connector = connector(&Arc::new(by_system(rules)));
        Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector)
    };
    let link = format!("http://127.0.0.1:{port}/file?secret");
    let error = client(false).get(link.parse().unwrap()).await.unwrap_err();
    let found = ConnectError::find(&error).unwrap();
    assert!(matches!(found, ConnectError::Denied { host, .. } if host == "127.0.0.1"), "{found}");
    let text = found.to_string();
    for part in ["127.0.0.1 is denied", "loopback", "127.0.0.0/8", "RFC 1122", "[egress] allow"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(door.count(), 0);
    drop(door);
    let error = client(true).get(link.parse().unwrap()).await.unwrap_err();
    let found = ConnectError::find(&error).unwrap();
    assert!(matches!(found, ConnectError::Connect { .. }), "{found}");
    assert!(ConnectError::find(&std::io::Error::other("something else")).is_none());
}

#[test]
fn the_lists_say_what_they_claim() {
    assert_eq!(vet_url("http://0x7f.1/").unwrap().host_str(), Some("127.0.0.1"));
    assert_eq!(Ipv4Addr::from(2_852_039_166), Ipv4Addr::new(169, 254, 169, 254));
    let embedded: Ipv6Addr = "64:ff9b::808:808".parse().unwrap();
    assert_eq!(embedded.segments()[6..], [0x808, 0x808]);
}
