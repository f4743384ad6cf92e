//! prembridge answers the WhatsApp On-Premises API and speaks the Cloud API.

pub mod clock;
pub mod session;
pub mod store;
pub mod translate;
