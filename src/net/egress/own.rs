//! Our own listeners, which a link must never reach: a request from ourselves would pass every rule that
//! trusts this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whether a connection to `address` ends at one of `listeners`. Both are unwrapped.
///
/// A way back to us over another machine, such as a published port of a container's host, cannot be seen
/// from here.
pub(super) fn is_own(listeners: &[SocketAddr], address: SocketAddr) -> bool {
    let ip = address.ip();
    listeners.iter().filter(|own| own.port() == address.port()).any(|own| {
        // Systems take a connection to the unspecified address as one to loopback.
        own.ip() == ip
            || ip.is_unspecified()
            || (own.ip().is_unspecified() && (ip.is_loopback() || is_of_this_machine(address)))
    })
}

/// Asked of the system each time, because interfaces come and go. Sends nothing.
fn is_of_this_machine(address: SocketAddr) -> bool {
    is_own_source(address) || (can_bind(address) && !can_bind_anything(address.ip()))
}

/// A machine talks to its own address from that very address (RFC 6724 section 5, rule 1), except to
/// further IPv4 addresses of an interface, to which Linux talks from the first one.
fn is_own_source(address: SocketAddr) -> bool {
    let any = unspecified(address.ip());
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(address)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == address.ip())
}

/// Only addresses of this machine can be bound, unless the system was told otherwise.
fn can_bind(mut address: SocketAddr) -> bool {
    address.set_port(0);
    UdpSocket::bind(address).is_ok()
}

/// Whether the system was told otherwise (`ip_nonlocal_bind` on Linux), seen by an address that nobody has.
fn can_bind_anything(like: IpAddr) -> bool {
    let nobody = match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    };
    can_bind(SocketAddr::new(nobody, 0))
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}
