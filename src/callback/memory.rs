//! Bodies of callbacks that are kept in memory until they are delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes of bodies that all queues together keep in memory; what is beyond is read from the store when it is delivered.
const CAPACITY: usize = 32 * 1024 * 1024;

/// How many bytes are in memory. Clones count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<AtomicUsize>);

/// A body in memory, counted for as long as it is there.
#[derive(Clone)]
pub struct Kept(Arc<Counted>);

struct Counted {
    body: Bytes,
    memory: Memory,
}

impl Memory {
    /// Keeps `body`, unless there is too much already.
    pub(super) fn keep(&self, body: Bytes) -> Option<Kept> {
        let held = self.0.fetch_add(body.len(), Ordering::Relaxed);
        let counted = Counted { body, memory: self.clone() };
        (held < CAPACITY).then(|| Kept(Arc::new(counted)))
    }
}

impl Kept {
    pub(super) fn body(&self) -> Bytes {
        self.0.body.clone()
    }
}

/// Leaves the body out: it is what people wrote.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.body.len(), Ordering::Relaxed);
    }
}
