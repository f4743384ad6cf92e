//! Pure translation between the on-prem and the cloud wire formats.

mod options;

pub use options::{Options, UndeliverableAs, WaId};
