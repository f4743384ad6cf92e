//! Why a connection is not made.

use std::fmt;

use super::addresses::Class;

/// Why a host may not be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// Its address is not public.
    NotPublic(&'static Class),
    /// Its address is one of our own listeners.
    Own,
    /// Its address is public, but links must not name this port.
    Port(u16),
    /// Its address is public, but what is sent there must be encrypted.
    Plain,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPublic(Class { network, name, source }) => write!(
                f,
                "its address is not public ({name}: {network}, {source}); [egress] allow permits it when it lists the host or its network"
            ),
            Self::Own => f.write_str("it leads back to this proxy, which nothing permits"),
            Self::Port(port) => write!(
                f,
                "port {port} is not one of [egress] ports; add it there, or list the host in [egress] allow"
            ),
            Self::Plain => f.write_str(
                "http goes only to what [egress] allow lists; use https, or list the host or its network there",
            ),
        }
    }
}
