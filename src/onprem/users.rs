//! Bodies of `/v1/users` and its login.

use serde::Serialize;

use super::Invalid;
use super::error::Meta;
use super::message::Body;
use super::read::{object_error, optional_string, required_string};
use crate::wire::{Object, Path};

/// The body of a login: empty, `{}`, or `{"new_password": …}`.
pub fn parse_login(bytes: &[u8]) -> Result<Option<String>, Invalid> {
    if bytes.iter().all(u8::is_ascii_whitespace) || bytes == b"null" {
        return Ok(None);
    }
    let body = Body::read(bytes)?;
    let mut object = root(&body)?;
    Ok(optional_string(&mut object, "new_password", Path::Root)?.map(|password| password.to_string()))
}

/// The body of `POST /v1/users`.
pub fn parse_new_user(bytes: &[u8]) -> Result<(String, String), Invalid> {
    let body = Body::read(bytes)?;
    let mut object = root(&body)?;
    let name = required_string(&mut object, "username", Path::Root)?.to_string();
    let password = required_string(&mut object, "password", Path::Root)?.to_string();
    Ok((name, password))
}

/// The body of `PUT /v1/users/{username}`.
pub fn parse_password(bytes: &[u8]) -> Result<String, Invalid> {
    let body = Body::read(bytes)?;
    Ok(required_string(&mut root(&body)?, "password", Path::Root)?.to_string())
}

fn root<'a>(body: &'a Body<'_>) -> Result<Object<'a>, Invalid> {
    Object::parse(body.json()).map_err(|error| object_error(&error, Path::Root))
}

/// `{"users":[…],"meta":…}`: clients take exactly one element.
#[derive(Debug, Serialize)]
pub struct UsersReply<'a> {
    /// One element.
    pub users: [UserItem<'a>; 1],
    /// `meta`
    pub meta: Meta<'a>,
}

/// One user, as each call shows it.
#[derive(Debug, Default, Serialize)]
pub struct UserItem<'a> {
    /// A bearer token (login).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a str>,
    /// `2018-03-01 15:29:26+00:00` (login).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<&'a str>,
    /// The name (user calls).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<&'a str>,
    /// `ROLE_ADMIN` or `ROLE_USER`; the key really is upper-case.
    #[serde(rename = "ROLES", skip_serializing_if = "Option::is_none")]
    pub roles: Option<&'a str>,
}
