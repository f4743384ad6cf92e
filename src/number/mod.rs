//! Everything of one business phone number, and the registry of all of them.
//!
//! A number behaves like one on-prem deployment. Whoever has begun to answer a request keeps the [`Number`] that it
//! began with, whatever becomes of the registry meanwhile.

mod build;
mod registry;

pub use build::{Error, Parts, build, target};
pub use registry::Registry;

use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

use crate::callback::{Aliases, Queue};
use crate::config::Compat;
use crate::media::Account;
use crate::settings::{Settings, Stickers};
use crate::telemetry::Ledger;
use crate::upstream::pacing::Pacer;
use crate::upstream::{Health, Target};

/// One business phone number.
#[derive(Debug)]
pub struct Number {
    /// Its name in the configuration and the log.
    pub name: String,
    /// Its Cloud id.
    pub phone_number_id: String,
    /// Choices that change what its clients see.
    pub compat: Arc<Compat>,
    /// One registration at a time: a client that gave up begins another while the first is still under way.
    pub registering: Mutex<()>,
    /// Its messages edge.
    pub messages: Target,
    /// Holds its messages back where they are too fast; none where pacing is switched off.
    pub pacer: Option<Arc<Pacer>>,
    /// Its files.
    pub account: Arc<Account>,
    /// The namespace that its templates must name, if the operator set one.
    pub namespace: Option<String>,
    /// The account that its templates belong to, if the operator named it.
    pub waba: Option<Waba>,
    /// Its callbacks.
    pub callbacks: Arc<Queue>,
    /// What its clients set.
    pub settings: Settings,
    /// Their sticker packs.
    pub stickers: Stickers,
    /// Under which ids its client knows users.
    pub aliases: Arc<Aliases>,
    /// Its node, asked for as little as there is.
    pub node: Target,
    /// Whether its calls reach Cloud.
    pub health: Arc<Health>,
    /// What was asked of it.
    pub ledger: Ledger,
}

/// A WhatsApp Business Account.
#[derive(Debug)]
pub struct Waba {
    /// Its Cloud id.
    pub id: String,
    /// Its node.
    pub node: Target,
    /// What its templates are to be called with, once Cloud has told it: it never changes.
    pub namespace: OnceCell<String>,
}
