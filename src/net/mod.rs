//! Connections that we open: resolve, dial, TLS, each under its own deadline; and what both sides of the
//! proxy do with bytes.

mod collect;
mod connector;
mod tls;

pub use collect::Collected;
pub use connector::{ConnectError, Connector, Deadlines};
pub use tls::{TlsError, client_config, self_signed, server_config, server_config_from_files};
