//! The one test binary: its modules share a link step.
//!
//! `cfg(test)` is always true here; it is what tells clippy that helpers beside the tests may unwrap.

#[cfg(test)]
mod session;
#[cfg(test)]
mod store;
#[cfg(test)]
mod temp;
