//! Whether connections wait for others to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Whether an accepted connection waits for another one to end.
#[derive(Debug, Default)]
pub(super) struct Crowd(AtomicBool);

impl Crowd {
    /// How long a connection may be idle while another one waits.
    pub(super) const IDLE: Duration = Duration::from_secs(2);

    pub(super) fn set_waiting(&self, is_waiting: bool) {
        self.0.store(is_waiting, Ordering::Relaxed);
    }

    /// Whether one waits.
    pub(super) fn waits(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until one does. Checked now and then only, since there is no hurry.
    pub(super) async fn arrives(&self) {
        loop {
            tokio::time::sleep(Self::IDLE).await;
            if self.waits() {
                return;
            }
        }
    }
}
