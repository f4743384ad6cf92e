//! prembridge answers the WhatsApp On-Premises API and speaks the Cloud API.

pub mod app;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod config;
pub mod mock;
pub mod net;
pub mod onprem;
pub mod server;
pub mod session;
pub mod store;
pub mod telemetry;
pub mod translate;
pub mod upstream;
pub mod wire;
