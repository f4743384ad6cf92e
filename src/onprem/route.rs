//! The closed list of on-prem endpoints that this version answers.

use std::borrow::Cow;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'p> {
    /// `GET /`, which official deployment templates probe.
    Root,
    /// `POST /v1/users/login`
    Login,
    /// `POST /v1/users/logout`
    Logout,
    /// `POST /v1/users`
    CreateUser,
    /// `GET /v1/users/{username}`
    GetUser(Cow<'p, str>),
    /// `PUT /v1/users/{username}`
    UpdateUser(Cow<'p, str>),
    /// `DELETE /v1/users/{username}`
    DeleteUser(Cow<'p, str>),
    /// `POST /v1/messages`
    SendMessage,
    /// `PUT /v1/messages/{message-id}`
    UpdateMessage(Cow<'p, str>),
    /// `POST /v1/media`
    UploadMedia,
    /// `GET /v1/media/{media-id}`
    GetMedia(Cow<'p, str>),
    /// `DELETE /v1/media/{media-id}`
    DeleteMedia(Cow<'p, str>),
    /// `GET /v1/settings/application/media/providers`
    ListProviders,
    /// `POST /v1/settings/application/media/providers`
    SetProviders,
    /// `DELETE /v1/settings/application/media/providers/{name}`
    DeleteProvider(Cow<'p, str>),
    /// `GET /v1/settings/application`
    ShowSettings,
    /// `PATCH /v1/settings/application`
    UpdateSettings,
    /// `DELETE /v1/settings/application`
    ResetSettings,
    /// `GET /v1/certificates/webhooks/ca`
    ShowWebhooksCa,
    /// `POST /v1/certificates/webhooks/ca`
    SetWebhooksCa,
    /// `DELETE /v1/certificates/webhooks/ca`
    DeleteWebhooksCa,
}

/// Why a request has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No endpoint has this path.
    UnknownPath,
    /// The endpoint exists, with these verbs.
    WrongVerb {
        /// The endpoint as a template.
        endpoint: &'static str,
        /// Its verbs.
        verbs: &'static str,
    },
}

impl<'p> Route<'p> {
    /// Finds the endpoint for a verb and a path. Trailing slashes are normal; a query is not part
    /// of `path`.
    pub fn parse(verb: &str, path: &'p str) -> Result<Self, NoRoute> {
        if path == "/" {
            return match verb {
                "GET" | "HEAD" => Ok(Self::Root),
                _ => Err(NoRoute::WrongVerb { endpoint: "/", verbs: "GET, HEAD" }),
            };
        }
        let path = path.trim_end_matches('/').strip_prefix("/v1/").ok_or(NoRoute::UnknownPath)?;
        let only = |verbs: &'static str, route: Self| {
            if verb == verbs {
                Ok(route)
            } else {
                Err(NoRoute::WrongVerb { endpoint: route.endpoint(), verbs })
            }
        };
        match path {
            "messages" => only("POST", Self::SendMessage),
            "users/login" => only("POST", Self::Login),
            "users/logout" => only("POST", Self::Logout),
            "users" => only("POST", Self::CreateUser),
            "media" => only("POST", Self::UploadMedia),
            "settings/application/media/providers" => match verb {
                "GET" => Ok(Self::ListProviders),
                "POST" => Ok(Self::SetProviders),
                _ => Err(NoRoute::WrongVerb { endpoint: Self::ListProviders.endpoint(), verbs: "GET, POST" }),
            },
            "settings/application" => match verb {
                "GET" => Ok(Self::ShowSettings),
                "PATCH" => Ok(Self::UpdateSettings),
                "DELETE" => Ok(Self::ResetSettings),
                _ => Err(NoRoute::WrongVerb {
                    endpoint: Self::ShowSettings.endpoint(),
                    verbs: "GET, PATCH, DELETE",
                }),
            },
            "certificates/webhooks/ca" => match verb {
                "GET" => Ok(Self::ShowWebhooksCa),
                "POST" => Ok(Self::SetWebhooksCa),
                "DELETE" => Ok(Self::DeleteWebhooksCa),
                _ => Err(NoRoute::WrongVerb {
                    endpoint: Self::ShowWebhooksCa.endpoint(),
                    verbs: "GET, POST, DELETE",
                }),
            },
            _ => {
                if let Some(id) = path.strip_prefix("messages/") {
                    return only("PUT", Self::UpdateMessage(id_of(id, "._=+/-:")?));
                }
                if let Some(id) = path.strip_prefix("media/") {
                    let id = id_of(id, "-")?;
                    return match verb {
                        "GET" => Ok(Self::GetMedia(id)),
                        "DELETE" => Ok(Self::DeleteMedia(id)),
                        _ => Err(NoRoute::WrongVerb {
                            endpoint: Self::GetMedia(id).endpoint(),
                            verbs: "GET, DELETE",
                        }),
                    };
                }
                if let Some(name) = path.strip_prefix("settings/application/media/providers/") {
                    return only("DELETE", Self::DeleteProvider(id_of(name, "-_")?));
                }
                let name = path.strip_prefix("users/").ok_or(NoRoute::UnknownPath)?;
                let name = id_of(name, "._-@+")?;
                match verb {
                    "GET" => Ok(Self::GetUser(name)),
                    "PUT" => Ok(Self::UpdateUser(name)),
                    "DELETE" => Ok(Self::DeleteUser(name)),
                    _ => Err(NoRoute::WrongVerb {
                        endpoint: Self::GetUser(name).endpoint(),
                        verbs: "GET, PUT, DELETE",
                    }),
                }
            }
        }
    }

    /// The endpoint as a template, for metrics and logs.
    pub fn endpoint(&self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Login => "/v1/users/login",
            Self::Logout => "/v1/users/logout",
            Self::CreateUser => "/v1/users",
            Self::GetUser(_) | Self::UpdateUser(_) | Self::DeleteUser(_) => "/v1/users/{username}",
            Self::SendMessage => "/v1/messages",
            Self::UpdateMessage(_) => "/v1/messages/{message-id}",
            Self::UploadMedia => "/v1/media",
            Self::GetMedia(_) | Self::DeleteMedia(_) => "/v1/media/{media-id}",
            Self::ListProviders | Self::SetProviders => "/v1/settings/application/media/providers",
            Self::DeleteProvider(_) => "/v1/settings/application/media/providers/{name}",
            Self::ShowSettings | Self::UpdateSettings | Self::ResetSettings => "/v1/settings/application",
            Self::ShowWebhooksCa | Self::SetWebhooksCa | Self::DeleteWebhooksCa => {
                "/v1/certificates/webhooks/ca"
            }
        }
    }
}

/// The last part of a path: letters, digits and `marks`, percent-encoded or not. No dot segments,
/// no control characters: what is not an id has no route.
fn id_of<'p>(text: &'p str, marks: &str) -> Result<Cow<'p, str>, NoRoute> {
    let id = decode(text).ok_or(NoRoute::UnknownPath)?;
    let is_id = !id.is_empty()
        && id.len() <= 256
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte))
        && !id.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    if is_id { Ok(id) } else { Err(NoRoute::UnknownPath) }
}

/// Undoes percent-encoding; `None` when it is malformed.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
        decoded.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_endpoint_with_or_without_a_slash() {
        assert_eq!(Route::parse("POST", "/v1/messages"), Ok(Route::SendMessage));
        assert_eq!(Route::parse("POST", "/v1/messages/"), Ok(Route::SendMessage));
        assert_eq!(Route::parse("GET", "/v1/users/app/"), Ok(Route::GetUser("app".into())));
        assert_eq!(
            Route::parse("PUT", "/v1/messages/wamid.HBgL%2FQ%3D%3D"),
            Ok(Route::UpdateMessage("wamid.HBgL/Q==".into()))
        );
        assert_eq!(
            Route::parse("GET", "/v1/messages"),
            Err(NoRoute::WrongVerb { endpoint: "/v1/messages", verbs: "POST" })
        );
        assert_eq!(Route::parse("GET", "/"), Ok(Route::Root));
        let providers = "/v1/settings/application/media/providers";
        assert_eq!(Route::parse("GET", providers), Ok(Route::ListProviders));
        assert_eq!(Route::parse("POST", &format!("{providers}/")), Ok(Route::SetProviders));
        assert_eq!(
            Route::parse("PUT", providers),
            Err(NoRoute::WrongVerb { endpoint: providers, verbs: "GET, POST" })
        );
        let cdn = format!("{providers}/cdn-1");
        assert_eq!(Route::parse("DELETE", &cdn), Ok(Route::DeleteProvider("cdn-1".into())));
        assert!(matches!(Route::parse("GET", &cdn), Err(NoRoute::WrongVerb { verbs: "DELETE", .. })));
        assert_eq!(Route::parse("PATCH", "/v1/settings/application/"), Ok(Route::UpdateSettings));
        assert_eq!(Route::parse("DELETE", "/v1/certificates/webhooks/ca"), Ok(Route::DeleteWebhooksCa));
    }

    #[test]
    fn what_is_no_id_has_no_route() {
        for path in [
            "/v1/users/..",
            "/v1/users/%2e%2e",
            "/v1/users/a%00b",
            "/v1/users/a/b",
            "/v1/users/%zz",
            "/v1/messages/../users/login",
            "/v1/messages/%2e%2e/x",
            "//v1/messages",
            "/v1",
            "/v2/messages",
            "/v1/users/ä",
            "/v1/settings/application/media/providers/a.b",
            "/v1/settings/application/media/providers/a/b",
            "/v1/settings/application/media",
        ] {
            assert_eq!(Route::parse("PUT", path), Err(NoRoute::UnknownPath), "{path}");
        }
    }
}
