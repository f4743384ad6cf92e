//! Why the proxy cannot start.

use std::io;

use thiserror::Error;

use crate::config::in_words;
use crate::media::MediaError;
use crate::net::TlsError;
use crate::number;
use crate::session;
use crate::store;
use crate::upstream::CallError;

/// Why the proxy cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] store::Error),
    /// The logins cannot be set up.
    #[error("logins cannot be set up: {0}")]
    Sessions(#[from] session::Error),
    /// A number cannot be set up.
    #[error(transparent)]
    Number(#[from] number::Error),
    /// The folder of files cannot be used.
    #[error("the folder of files cannot be used: {0}; see media.folder")]
    Media(#[from] MediaError),
    /// The client for files at Graph.
    #[error("the client for files cannot be made: {0}")]
    MediaClient(CallError),
    /// Certificates or keys.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// A listener cannot be bound.
    #[error("{what} cannot listen on {address}: {}", in_words(source))]
    Bind {
        /// The key of the configuration.
        what: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The threads that serve clients cannot be started.
    #[error("{0}; lower server.workers, or raise the limit of threads")]
    Workers(io::Error),
    /// A bound listener has no address.
    #[error("a listener has no address: {0}")]
    Listener(io::Error),
    /// The system has no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

impl StartError {
    /// Whether the configuration, or a file that it names, has to be changed. Validation finds such
    /// things first, unless a file changed after it.
    pub fn is_bad_config(&self) -> bool {
        match self {
            Self::Tls(_) | Self::Number(number::Error::Invalid { .. }) => true,
            Self::Store(_)
            | Self::Sessions(_)
            | Self::Number(_)
            | Self::Media(_)
            | Self::MediaClient(_)
            | Self::Bind { .. }
            | Self::Workers(_)
            | Self::Listener(_)
            | Self::Random(_) => false,
        }
    }
}
