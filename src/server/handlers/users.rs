//! `/v1/users`: logins and the accounts behind them.

use std::time::Duration;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;

use super::{Call, auth};
use crate::onprem::ErrorCode;
use crate::onprem::users::{UserItem, UsersReply, parse_login, parse_new_user, parse_password};
use crate::relay::Failure;
use crate::server::request::{Fields, Name, visible};
use crate::server::respond::{self, Reply};
use crate::session::{LoginError, Role, UserError};
use crate::telemetry::OutcomeLabel;

/// Base64 as clients write it: padded or not.
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// `POST /v1/users/login`
pub(super) async fn login(call: &Call<'_>) -> Result<Reply, Failure> {
    let (user, password) =
        basic(call.fields).ok_or_else(|| Failure::unauthenticated("a login needs Authorization: Basic"))?;
    let new_password = parse_login(&call.body)?;
    let outcome = call
        .state
        .sessions
        .login(
            &call.number.phone_number_id,
            &user,
            &password,
            new_password.as_deref(),
            call.context.peer.ip(),
        )
        .await;
    let word = match &outcome {
        Ok(_) => "ok",
        Err(LoginError::Throttled { .. }) => "throttled",
        Err(LoginError::Store(_)) => "error",
        Err(_) => "refused",
    };
    call.state.metrics.logins.get_or_create(&OutcomeLabel { outcome: word }).inc();
    let login = outcome.map_err(login_failure)?;
    let expires_after = login.expires_after();
    let item =
        UserItem { token: Some(&login.token), expires_after: Some(&expires_after), ..UserItem::default() };
    Ok(reply(call, StatusCode::OK, item))
}

/// `POST /v1/users/logout`
pub(super) async fn logout(call: &Call<'_>) -> Result<Reply, Failure> {
    let principal = call.principal.as_ref().ok_or_else(|| Failure::unauthenticated("nobody is asking"))?;
    call.state.sessions.logout(principal).await.map_err(|error| Failure::store(&error))?;
    Ok(call.done())
}

/// `POST /v1/users`
pub(super) async fn create(call: &Call<'_>) -> Result<Reply, Failure> {
    let (name, password) = parse_new_user(&call.body)?;
    call.state
        .sessions
        .create_user(&call.number.phone_number_id, &name, &password)
        .await
        .map_err(user_failure)?;
    Ok(reply(call, StatusCode::CREATED, UserItem { username: Some(&name), ..UserItem::default() }))
}

/// `GET /v1/users/{username}`
pub(super) fn show(call: &Call<'_>, name: &str) -> Result<Reply, Failure> {
    // Users may look at themselves; only an administrator sees others.
    let may_look =
        call.principal.as_ref().is_some_and(|asking| *asking.user == *name || asking.role == Role::Admin);
    if !may_look {
        return Err(auth::not_admin());
    }
    let user = call
        .state
        .sessions
        .user(&call.number.phone_number_id, name)
        .ok_or_else(|| user_failure(UserError::NotFound))?;
    let item =
        UserItem { username: Some(&user.name), roles: Some(user.role.as_str()), ..UserItem::default() };
    Ok(reply(call, StatusCode::OK, item))
}

/// `PUT /v1/users/{username}`
pub(super) async fn update(call: &Call<'_>, name: &str) -> Result<Reply, Failure> {
    let password = parse_password(&call.body)?;
    call.state
        .sessions
        .set_password(&call.number.phone_number_id, name, &password)
        .await
        .map_err(user_failure)?;
    Ok(reply(call, StatusCode::OK, UserItem { username: Some(name), ..UserItem::default() }))
}

/// `DELETE /v1/users/{username}`
pub(super) async fn delete(call: &Call<'_>, name: &str) -> Result<Reply, Failure> {
    call.state.sessions.delete_user(&call.number.phone_number_id, name).await.map_err(user_failure)?;
    Ok(reply(call, StatusCode::OK, UserItem { username: Some(name), ..UserItem::default() }))
}

fn reply(call: &Call<'_>, status: StatusCode, user: UserItem<'_>) -> Reply {
    respond::json(status, &UsersReply { users: [user], meta: call.meta() })
}

/// Name and password of `Authorization: Basic …`.
fn basic(fields: &Fields) -> Option<(String, String)> {
    let value = fields.once(Name::Authorization).ok()?.and_then(visible)?;
    let (scheme, rest) = value.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASIC.decode(rest.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn login_failure(error: LoginError) -> Failure {
    match error {
        LoginError::InvalidCredentials => Failure::unauthenticated("wrong user or password"),
        LoginError::PasswordChangeRequired => Failure::client(
            ErrorCode::PasswordChangeRequired,
            "log in once with {\"new_password\":\"…\"} in the body to replace the default password",
        ),
        LoginError::BadPassword(reason) => {
            Failure::client(ErrorCode::ParameterInvalid, format!("new_password: {reason}"))
        }
        LoginError::Forbidden(reason) => Failure::client(ErrorCode::AccessDenied, reason),
        LoginError::Throttled { retry_after } => {
            throttled("too many logins; wait before the next", retry_after)
        }
        LoginError::Store(error) => Failure::store(&error),
        LoginError::Internal(reason) => Failure::internal(reason),
    }
}

fn user_failure(error: UserError) -> Failure {
    match error {
        // On-prem's own words and code for this.
        UserError::Exists => {
            Failure::client(ErrorCode::InternalError, "Unable to create user. Already exist?")
        }
        UserError::NotFound => Failure::client(ErrorCode::ResourceNotFound, "no user has this name"),
        UserError::BadName(reason) => {
            Failure::client(ErrorCode::ParameterInvalid, format!("username: {reason}"))
        }
        UserError::BadPassword(reason) => {
            Failure::client(ErrorCode::ParameterInvalid, format!("password: {reason}"))
        }
        UserError::Forbidden(reason) => Failure::client(ErrorCode::AccessDenied, reason),
        UserError::Throttled { retry_after } => throttled("too many logins at once; try again", retry_after),
        UserError::Store(error) => Failure::store(&error),
        UserError::Internal(reason) => Failure::internal(reason),
    }
}

/// 429, with the wait in whole seconds, a part of one counting as a whole.
fn throttled(details: &str, retry_after: Duration) -> Failure {
    let mut failure = Failure::client(ErrorCode::TooManyRequests, details);
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    failure.retry_after = Some(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX));
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients pause for as long as they are told.
    #[test]
    fn every_throttling_says_for_how_long() {
        for (wait, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            let retry_after = Duration::from_millis(wait);
            let failures = [
                login_failure(LoginError::Throttled { retry_after }),
                user_failure(UserError::Throttled { retry_after }),
            ];
            for failure in failures {
                assert_eq!((failure.http, failure.retry_after), (429, Some(seconds)), "{failure:?}");
            }
        }
    }
}
