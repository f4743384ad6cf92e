//! Who is asking.

use crate::number::Number;
use crate::onprem::ErrorCode;
use crate::relay::Failure;
use crate::server::request::{Fields, Name, visible};
use crate::server::state::State;
use crate::session::{Credential, Principal, Role};

/// Any user of the number.
pub(super) fn user(state: &State, number: &Number, fields: &Fields) -> Result<Principal, Failure> {
    let credential = credential(fields)
        .ok_or_else(|| Failure::unauthenticated("no Authorization: Bearer, Apikey or D360-API-KEY header"))?;
    state
        .sessions
        .authenticate(&number.phone_number_id, credential)
        .map_err(|denied| Failure::unauthenticated(denied.to_string()))
}

/// An administrator of the number.
pub(super) fn admin(state: &State, number: &Number, fields: &Fields) -> Result<Principal, Failure> {
    let principal = user(state, number, fields)?;
    match principal.role {
        Role::Admin => Ok(principal),
        Role::User => Err(not_admin()),
    }
}

/// What a user is told on an administrator's call.
pub(super) fn not_admin() -> Failure {
    Failure::client(ErrorCode::AccessDenied, "this call needs an administrator: log in as admin")
}

/// Two of a kind are none: two readers could see two users. What is not for us in `Authorization`, as proxies and HTTP libraries leave it there, does not hide a key beside it.
fn credential(fields: &Fields) -> Option<Credential<'_>> {
    let authorization = fields.once(Name::Authorization).ok()?.and_then(visible);
    match authorization.and_then(|value| value.trim().split_once(' ')) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => {
            return Some(Credential::Bearer(rest.trim()));
        }
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("apikey") => {
            return Some(Credential::ApiKey(rest.trim()));
        }
        Some(_) | None => {}
    }
    let key = fields.once(Name::D360ApiKey).ok()?.and_then(visible)?;
    Some(Credential::ApiKey(key.trim()))
}
