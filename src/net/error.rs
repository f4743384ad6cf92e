//! Why a connection did not come about.

use std::error::Error;
use std::io;

use http::Uri;
use thiserror::Error;

use super::egress::Denial;

/// Why no connection came about. Nothing was sent in any of these cases.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL names no host, or a scheme that we do not speak.
    #[error("{0} is not an http or https URL with a host")]
    Url(Uri),
    /// The name does not resolve.
    #[error("{host} does not resolve: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// A client's link must not lead there; nothing was dialled.
    #[error("{host} is denied: {reason}")]
    Denied {
        /// The name.
        host: String,
        /// Which rule says so.
        reason: Denial,
    },
    /// No address answered.
    #[error("{host} cannot be reached: {source}")]
    Connect {
        /// The name.
        host: String,
        /// What the last address said.
        source: io::Error,
    },
    /// The peer is not who it should be, or speaks no TLS that we accept.
    #[error("TLS with {host} failed: {source}")]
    Tls {
        /// The name.
        host: String,
        /// What the handshake said.
        source: io::Error,
    },
}

impl ConnectError {
    /// The one behind `error`, such as that of a client which uses our connector.
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = error.source();
        }
        None
    }
}
