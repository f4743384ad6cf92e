//! `/v1/certificates/external`: what clients see of our own certificate.

use super::Call;
use crate::server::respond::{self, Reply};

/// `GET /v1/certificates/external/ca`
pub(super) fn show_ca(call: &Call<'_>) -> Reply {
    match &call.state.own_certificate {
        Some(pem) => respond::text(pem.clone()),
        None => respond::nothing_there(),
    }
}
