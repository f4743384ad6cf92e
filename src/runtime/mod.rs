//! What the rooms above share around tokio: the worker threads, what each thread keeps for itself, and small helpers
//! for bodies and deadlines.

mod collect;
mod recent;
mod within;
mod workers;

pub use collect::Collected;
pub use recent::Recent;
pub use within::within;
pub use workers::{Slot, Workers, become_worker, this_worker};
