//! From `[cloud]` to the client of Graph.

use super::error::StartError;
use crate::config::{self, Config, HttpVersion};
use crate::net::{self, Connector};
use crate::upstream::{Deadlines, Upstream};

/// The pooled client.
pub(super) fn upstream(config: &Config) -> Result<Upstream, StartError> {
    let config::Cloud { ca_file, http, .. } = &config.cloud;
    let tls = net::client_config(ca_file.as_deref())?;
    let tls = if *http == HttpVersion::Http2 { net::offering_http2(&tls) } else { tls };
    let connector = Connector::new(tls, connect_deadlines(&config.cloud));
    Ok(Upstream::new(&connector, *http, deadlines(&config.cloud), config.server.workers))
}

pub(super) fn connect_deadlines(cloud: &config::Cloud) -> net::Deadlines {
    net::Deadlines { connect: cloud.connect_timeout, tls: cloud.tls_timeout }
}

pub(super) fn deadlines(cloud: &config::Cloud) -> Deadlines {
    Deadlines {
        first_byte: cloud.first_byte_timeout,
        total: cloud.total_timeout,
        pool_idle: cloud.pool_idle_timeout,
    }
}
