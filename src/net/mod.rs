//! Connections that we open: resolve, dial, TLS, each under its own deadline; and what both sides of the
//! proxy do with bytes.

mod ca_bundle;
mod coding;
mod collect;
mod connector;
pub mod egress;
mod error;
mod peer;
mod recent;
mod stream;
mod tls;
mod within;
mod worker;

pub use ca_bundle::{BadBundle, ca_bundle};
pub use coding::is_coded;
pub use collect::Collected;
pub use connector::{Connector, Deadlines};
pub use error::ConnectError;
pub use peer::peer_network;
pub use recent::Recent;
pub use stream::Stream;
pub use tls::{
    TlsError, certificate_pem, client_config, client_config_with, offering_http2, self_signed, server_config,
    server_config_from_files,
};
pub use within::within;
pub use worker::{become_worker, this_worker};
