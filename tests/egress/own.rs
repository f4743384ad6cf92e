//! Our own listeners stay out of reach, whatever is allowed.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use prembridge::net::egress::{Denial, Guard, SystemResolver};

use super::{Door, Script, connect, has_ipv6, reason, rules};
use crate::support::needs::not_run;

/// Everything is allowed but what is our own.
fn guard(own: &[SocketAddr]) -> Arc<Guard> {
    let rules = rules(["0.0.0.0/0", "::/0", "media.internal"]);
    Arc::new(Guard::new(rules, own.to_vec(), Arc::new(SystemResolver::default())))
}

/// An address of this machine that is not loopback, if it has one. Sends nothing.
fn interface(target: &str) -> Option<SocketAddr> {
    let any = if target.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    socket.local_addr().ok().filter(|address| !address.ip().is_loopback())
}

#[tokio::test]
async fn a_listener_is_not_reached_but_its_neighbour_is() {
    let (own, other) = (Door::on("127.0.0.1"), Door::on("127.0.0.1"));
    let guard = guard(&[own.address()]);
    for host in ["127.0.0.1", "0.0.0.0", "localhost", "[::ffff:127.0.0.1]", "127.1", "2130706433"] {
        let link = |door: &Door| format!("http://{host}:{}/", door.port());
        // The name may also have an IPv6 address, at which nobody listens.
        let denied = connect(&guard, &link(&own)).await;
        assert!(denied.is_err() && own.count() == 0, "{host}");
        connect(&guard, &link(&other)).await.unwrap();
        assert_eq!(other.count(), 1, "{host}");
    }
    // Somebody else's listener on another address, with our port.
    if let Ok(other) = Door::at(([127, 0, 0, 2], own.port())) {
        connect(&guard, &format!("http://{}/", other.address())).await.unwrap();
        assert_eq!(other.count(), 1);
    }
}

#[tokio::test]
async fn an_allowed_name_does_not_lead_home() {
    let own = Door::on("127.0.0.1");
    let script = Script::new([&[own.address()]]);
    let guard = Arc::new(Guard::new(rules(["media.internal"]), vec![own.address()], script));
    let error = connect(&guard, "http://media.internal/").await.unwrap_err();
    assert!(error.to_string().contains("leads back to this proxy"), "{error}");
    assert_eq!(reason(Err::<(), _>(error)), Denial::Own);
    assert_eq!(own.count(), 0);
}

#[tokio::test]
async fn an_unspecified_listener_is_at_every_address_of_this_machine() {
    let (own, other) = (Door::on("0.0.0.0"), Door::on("0.0.0.0"));
    let guard = guard(&[own.address()]);
    let mut hosts = ["127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0"].map(str::to_owned).to_vec();
    match interface("192.0.2.1:9") {
        Some(address) => hosts.push(address.ip().to_string()),
        None => not_run("in part: this machine has no IPv4 address but loopback"),
    }
    for host in hosts {
        let denied = connect(&guard, &format!("http://{host}:{}/", own.port())).await;
        assert_eq!(reason(denied), Denial::Own, "{host}");
        connect(&guard, &format!("http://{host}:{}/", other.port())).await.unwrap();
        assert_eq!((own.count(), other.count()), (0, 1), "{host}");
    }
}

#[tokio::test]
async fn an_unspecified_ipv6_listener_counts_for_both_families() {
    if !has_ipv6() {
        return;
    }
    let own = Door::on("::");
    let guard = guard(&[own.address()]);
    let mut hosts = ["[::1]", "[::]", "127.0.0.1", "0.0.0.0"].map(str::to_owned).to_vec();
    match interface("[2001:db8::1]:9") {
        Some(address) => hosts.push(format!("[{}]", address.ip())),
        None => not_run("in part: this machine has no IPv6 address but loopback"),
    }
    for host in hosts {
        let denied = connect(&guard, &format!("http://{host}:{}/", own.port())).await;
        assert_eq!(reason(denied), Denial::Own, "{host}");
        assert_eq!(own.count(), 0, "{host}");
    }
}

/// A proxy on port 443 of every address must still reach media servers on port 443 of other machines.
#[tokio::test]
async fn the_port_of_an_unspecified_listener_is_free_on_other_machines() {
    let guard = guard(&["0.0.0.0:443".parse().unwrap(), "[::]:443".parse().unwrap()]);
    for host in ["198.51.100.7", "192.0.2.77", "8.8.8.8", "2001:db8::77", "64:ff9c::1"] {
        let expected = SocketAddr::new(host.parse().unwrap(), 443);
        assert_eq!(guard.addresses(host, 443, false).await.unwrap(), [expected], "{host}");
    }
}
