//! All integration tests in one binary, which keeps link time down.

// `cfg(test)` tells clippy that helpers in these modules may unwrap, as tests may.
#[cfg(test)]
mod account;
#[cfg(test)]
mod admin;
#[cfg(test)]
mod architecture;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod cache_tests;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod config;
#[cfg(test)]
mod contacts;
#[cfg(test)]
mod courier;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod dialog360;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod freshness;
#[cfg(test)]
mod generated;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod health;
#[cfg(test)]
mod http;
#[cfg(test)]
mod http1;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod login;
#[cfg(test)]
mod media;
// Resident memory and open files are read from /proc.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod memory;
#[cfg(test)]
mod message_ids;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod mock;
#[cfg(test)]
mod never_twice;
#[cfg(test)]
mod pacing;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod profile;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod schemathesis;
#[cfg(test)]
mod script;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod session;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod stats;
#[cfg(test)]
mod stickers;
#[cfg(test)]
mod store;
#[cfg(test)]
mod stub;
#[cfg(test)]
mod support;
#[cfg(test)]
mod temp;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod tock;
#[cfg(test)]
mod upstream;
#[cfg(test)]
mod webhooks;
