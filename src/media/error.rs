//! Why a file cannot be had or sent. The texts go to clients: they name hosts, never whole URLs, which may hold
//! tokens, and never credentials.

use std::sync::Arc;

use super::kinds::Unfit;
use crate::store;
use crate::upstream::{Answer, CallError};

/// Why a file cannot be had or sent.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// The client's link must not or cannot be followed; trying again cannot help.
    #[error("{0}")]
    Link(String),
    /// The place that a link leads to does not give the file.
    #[error("the file could not be fetched from {host}: {reason}")]
    Origin {
        /// Without path and query.
        host: String,
        /// What happened.
        reason: String,
    },
    /// What a link gave cannot be sent as this kind of message.
    #[error("the file from {host} cannot be sent: {unfit}")]
    LinkUnfit {
        /// The host.
        host: String,
        /// What is wrong with the file.
        unfit: Unfit,
    },
    /// An uploaded file cannot be sent as this kind of message.
    #[error("the uploaded file cannot be sent: {0}")]
    FileUnfit(#[from] Unfit),
    /// It is still on its way.
    #[error("the file is still on its way; nothing was sent, send the message again (media.wait_timeout)")]
    Late,
    /// Nobody was given this id.
    #[error("no file has this id; upload it with POST /v1/media, or send a link")]
    Unknown,
    /// The id was given, but its bytes are kept neither here nor at Cloud.
    #[error("this file is not kept any more; upload it again")]
    Gone,
    /// Cloud refused the file.
    #[error("the Cloud API refused the file")]
    Refused(Answer),
    /// Cloud gave no whole answer about the file.
    #[error("the Cloud API cannot be reached: {0}")]
    Unreachable(#[from] CallError),
    /// Cloud took the file and gave an answer without an id, or described it without a URL.
    #[error("the Cloud API gave an unusable answer about the file")]
    Unusable,
    /// Nobody can say which app the token belongs to.
    #[error("the id of the Meta app is not known; set app_id of this [[number]] in the configuration")]
    NoApp,
    /// The folder for files does not take it.
    #[error("the file could not be stored: {0}")]
    Disk(#[from] std::io::Error),
    /// The folder for files is full of files that nothing else has.
    #[error("the folder of uploaded files is full (media.keep)")]
    Full,
    /// The folder for files is another store's.
    #[error("{} belongs to another store", .0.display())]
    Foreign(std::path::PathBuf),
    /// The store does not answer.
    #[error("{0}")]
    Store(#[from] store::Error),
    /// A secret in the store is not what we put there.
    #[error("a secret in the store has the wrong length: restore the store from a backup")]
    Secret,
    /// The error of another send that waited for the same file.
    #[error("{0}")]
    Shared(SharedError),
    /// The work ended without an answer.
    #[error("the proxy failed on this file")]
    Lost,
}

/// The error of every send that waited for the same file.
pub type SharedError = Arc<MediaError>;

impl MediaError {
    /// The error itself, however many sends share it.
    pub fn innermost(&self) -> &Self {
        if let Self::Shared(shared) = self { shared.innermost() } else { self }
    }
}
