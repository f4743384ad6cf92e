//! Connections that we open: resolve, dial, TLS, each under its own deadline.

mod ca_bundle;
mod client;
mod coding;
mod connector;
pub mod egress;
mod error;
mod peer;
mod stream;
mod tls;

pub use ca_bundle::{BadBundle, ca_bundle};
pub use client::{AGENT, ByteStream, innermost, user_agent};
pub use coding::is_coded;
pub use connector::{Connector, Deadlines};
pub use error::ConnectError;
pub use peer::peer_network;
pub use stream::Stream;
pub use tls::{
    TlsError, certificate_pem, client_config, client_config_with, offering_http2, self_signed, server_config,
    server_config_from_files,
};
