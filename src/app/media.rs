//! From the configuration to what files need.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::egress;
use super::error::StartError;
use super::upstream::{connect_deadlines, deadlines};
use crate::clock::Clock;
use crate::config::{Config, Store};
use crate::media::{Folder, MediaParts};
use crate::net::{self, Connector};
use crate::telemetry::MediaMetrics;
use crate::upstream::MediaUpstream;

/// By default `prembridge.db-media` beside `prembridge.db`. What a store in memory knows is forgotten at the end, so
/// its files go too.
fn folder(config: &Config) -> Folder {
    let chosen = config.media.folder.clone();
    match &config.store {
        Store::Memory => Folder::Temporary(chosen),
        Store::Sqlite(path) => Folder::Lasting(chosen.unwrap_or_else(|| {
            let mut name = OsString::from(path);
            name.push("-media");
            PathBuf::from(name)
        })),
    }
}

/// Connections for files: to where links lead, through the guard that also keeps them away from `own`, our
/// listeners; to Cloud; and to where Cloud says that a file is.
pub fn parts(
    config: &Config,
    own: Vec<SocketAddr>,
    clock: Clock,
    metrics: MediaMetrics,
) -> Result<MediaParts, StartError> {
    let connect = connect_deadlines(&config.cloud);
    let guard = || Arc::new(egress::guard(&config.egress, own.clone()));
    let links = Connector::guarded(net::client_config(config.egress.ca_file.as_deref())?, connect, guard());
    // Guards of their own, so that slow names in links do not hold up Cloud's. Whoever answers for Cloud answers for the
    // places that it names, an intercepting relay for one.
    let tls = net::client_config(config.cloud.ca_file.as_deref())?;
    let upload = config.media.upload_timeout;
    let upstream = MediaUpstream::new(&tls, connect, guard(), deadlines(&config.cloud), upload)
        .map_err(StartError::MediaClient)?;
    Ok(MediaParts { folder: folder(config), upstream, links, clock, metrics })
}
