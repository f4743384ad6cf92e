//! All integration tests in one binary, which keeps link time down.

// `cfg(test)` tells clippy that helpers in these modules may unwrap, as tests may.
#[cfg(test)]
mod config;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod never_twice;
#[cfg(test)]
mod session;
#[cfg(test)]
mod store;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod temp;
