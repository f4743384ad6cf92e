//! Who may send webhooks, and what they may cost.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::room::Room;
use crate::config::Secret;
use crate::webhook::{Intake, Secrets};

/// Who may call.
#[derive(Debug)]
pub struct Access {
    /// What webhooks are signed with.
    pub secrets: Secrets,
    /// What the subscription has to name.
    pub verify_tokens: Vec<Secret>,
    /// Where they go.
    pub intake: Intake,
    /// Whether Cloud calls the address of the on-prem API.
    pub is_on_api: bool,
    /// Memory for bodies.
    pub room: Room,
    /// Turns for large bodies to be verified.
    pub turns: Turns,
}

/// Whose turn it is to have a large body verified.
#[derive(Debug)]
pub struct Turns(pub(super) Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}
