//! Who is asking.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Call;
use crate::onprem::ErrorCode;
use crate::server::respond::Failure;
use crate::session::{Credential, Principal, Role};

/// 360dialog's header for API keys.
const D360_API_KEY: &str = "d360-api-key";

/// Any user of the number.
pub(super) fn user(call: &Call<'_>) -> Result<Principal, Failure> {
    let credential = credential(call.headers)
        .ok_or_else(|| Failure::unauthenticated("no Authorization: Bearer, Apikey or D360-API-KEY header"))?;
    call.state
        .sessions
        .authenticate(&call.number.name, credential)
        .map_err(|denied| Failure::unauthenticated(denied.to_string()))
}

/// An administrator of the number.
pub(super) fn admin(call: &Call<'_>) -> Result<Principal, Failure> {
    let principal = user(call)?;
    match principal.role {
        Role::Admin => Ok(principal),
        Role::User => {
            Err(Failure::client(ErrorCode::AccessDenied, "this call needs an administrator: log in as admin"))
        }
    }
}

fn credential(headers: &HeaderMap) -> Option<Credential<'_>> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, rest) = value.to_str().ok()?.trim().split_once(' ')?;
        let rest = rest.trim();
        return match scheme {
            _ if scheme.eq_ignore_ascii_case("bearer") => Some(Credential::Bearer(rest)),
            _ if scheme.eq_ignore_ascii_case("apikey") => Some(Credential::ApiKey(rest)),
            _ => None,
        };
    }
    headers.get(D360_API_KEY)?.to_str().ok().map(|key| Credential::ApiKey(key.trim()))
}
