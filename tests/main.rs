//! The one test binary; each module is one subject.

// Marked as tests, or clippy takes their helpers for code that must not unwrap.
#[cfg(test)]
mod mock;
