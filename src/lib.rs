//! prembridge answers the WhatsApp On-Premises API and speaks the Cloud API.

pub mod clock;
pub mod cloud;
pub mod config;
pub mod mock;
pub mod onprem;
pub mod translate;
pub mod wire;
