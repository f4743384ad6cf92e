//! Bodies of `/v1/users` and its login.

use serde::Serialize;

use super::Invalid;
use super::error::Meta;
use super::message::Body;
use super::read::{optional_string, required_string};
use crate::wire::Path;

/// The body of a login: empty, `{}`, or `{"new_password": …}`.
pub fn parse_login(bytes: &[u8]) -> Result<Option<String>, Invalid> {
    if matches!(Body::content(bytes), b"" | b"null") {
        return Ok(None);
    }
    let body = Body::read(bytes)?;
    let mut object = body.object()?;
    Ok(optional_string(&mut object, "new_password", Path::Root)?.map(|password| password.to_string()))
}

/// The body of `POST /v1/users`.
pub fn parse_new_user(bytes: &[u8]) -> Result<(String, String), Invalid> {
    let body = Body::read(bytes)?;
    let mut object = body.object()?;
    let name = required_string(&mut object, "username", Path::Root)?.to_string();
    let password = required_string(&mut object, "password", Path::Root)?.to_string();
    Ok((name, password))
}

/// The body of `PUT /v1/users/{username}`.
pub fn parse_password(bytes: &[u8]) -> Result<String, Invalid> {
    let body = Body::read(bytes)?;
    Ok(required_string(&mut body.object()?, "password", Path::Root)?.to_string())
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

#[cfg(test)]
mod tests {
    use super::parse_login;

    #[test]
    fn a_login_says_nothing_in_many_ways() {
        for body in [
            "",
            " \n",
            "\u{feff}",
            "null",
            " null\r\n",
            "{}",
            "[]",
            " [ ] ",
            "\u{feff}[]",
            "{\"new_password\":null}",
        ] {
            assert_eq!(parse_login(body.as_bytes()), Ok(None), "{body:?}");
        }
        let body = "\u{feff}{\"new_password\":\"x\",\"new_password\":\"x\"}";
        assert_eq!(parse_login(body.as_bytes()).unwrap().as_deref(), Some("x"));
        for (body, code) in [("[1]", 1025), ("[[]]", 1025), ("\"\"", 1025), ("{\"new_password\":[]}", 1009)] {
            assert_eq!(parse_login(body.as_bytes()).unwrap_err().code.code(), code, "{body}");
        }
    }
}
