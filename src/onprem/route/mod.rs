//! The closed list of on-prem endpoints, and how a request finds its own.

mod resources;
mod table;

pub use resources::{RESOURCES, Resource};
pub use table::ENDPOINTS;

use std::borrow::Cow;

/// What a request is about. Several endpoints may share one.
#[expect(missing_docs, reason = "the table says what each does")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Root,
    SendMessage,
    UpdateMessage,
    UploadMedia,
    GetMedia,
    DeleteMedia,
    CheckContacts,
    ShowIdentity,
    AcknowledgeIdentity,
    Login,
    Logout,
    CreateUser,
    ShowUser,
    UpdateUser,
    DeleteUser,
    ShowSettings,
    UpdateSettings,
    ResetSettings,
    ListProviders,
    SetProviders,
    DeleteProvider,
    ShowBusinessProfile,
    UpdateBusinessProfile,
    ShowAbout,
    UpdateAbout,
    ShowPhoto,
    SetPhoto,
    DeletePhoto,
    SetPin,
    RemovePin,
    Backup,
    Restore,
    Register,
    Verify,
    ShowShards,
    SetShards,
    Health,
    ShowMetrics,
    ShowAppStats,
    ShowDbStats,
    Support,
    CollectMessages,
    SetExternalCertificate,
    ShowExternalCa,
    ShowWebhooksCa,
    SetWebhooksCa,
    DeleteWebhooksCa,
    ListStickerpacks,
    CreateStickerpack,
    ShowStickerpack,
    UpdateStickerpack,
    DeleteStickerpack,
    ListStickers,
    CreateSticker,
    ShowSticker,
    UpdateSticker,
    DeleteSticker,
    Groups,
    ShowWebhookUrl,
    SetWebhookUrl,
    ListTemplates,
    CreateTemplate,
    DeleteTemplate,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Without a token.
    Everybody,
    /// Any user of the number.
    User,
    /// An administrator of the number.
    Admin,
}

impl Access {
    /// As the compatibility matrix writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::User => "user",
            Self::Admin => "admin",
        }
    }
}

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None; one that is sent all the same is read and forgotten.
    Nothing,
    /// A JSON object or array.
    Json,
    /// The same, or nothing.
    OptionalJson,
    /// The bytes of a file, of any length that `limits.max_media` allows.
    Upload,
    /// The bytes of a picture, as they are or as a form's field.
    Photo,
    /// PEM text.
    Pem,
}

/// How a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// By calls to Cloud.
    Translated,
    /// Here.
    Emulated,
    /// By an error that says why: Cloud has no counterpart.
    Refused,
}

impl Means {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Translated, Self::Emulated, Self::Refused];

    /// As the compatibility matrix writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Translated => "translated",
            Self::Emulated => "emulated",
            Self::Refused => "refused",
        }
    }
}

/// One endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// The verb.
    pub verb: &'static str,
    /// The path as a template, which is also its label in metrics and logs.
    pub path: &'static str,
    /// What it is about.
    pub action: Action,
    /// Who may call it.
    pub access: Access,
    /// What is sent.
    pub body: Body,
    /// How it is answered.
    pub means: Means,
    /// What it does, as the end of "it …".
    pub summary: &'static str,
    /// By which means, or why not; may be empty.
    pub note: &'static str,
}

/// A request's endpoint, and the variable parts of its path.
#[derive(Clone, Debug)]
pub struct Route<'p> {
    /// Which one.
    pub endpoint: &'static Endpoint,
    parts: [Cow<'p, str>; 2],
}

impl Route<'_> {
    /// The first variable part, such as an id; empty when there is none.
    pub fn id(&self) -> &str {
        let [id, _] = &self.parts;
        id
    }

    /// The second variable part.
    pub fn second(&self) -> &str {
        let [_, second] = &self.parts;
        second
    }
}

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// No endpoint has this path.
    UnknownPath,
    /// The endpoint exists, with these verbs.
    WrongVerb {
        /// The path as a template.
        path: &'static str,
        /// The verbs.
        verbs: String,
    },
}

impl<'p> Route<'p> {
    /// Finds the endpoint for a verb and a path, which has no query and no empty segments.
    ///
    /// 360dialog's base URL comes with `/v1` or without it, so both are understood. HEAD is answered wherever GET is
    /// (RFC 9110 section 9.1): by the same endpoint.
    pub fn parse(verb: &str, path: &'p str) -> Result<Self, NoRoute> {
        let verb = if verb == "HEAD" { "GET" } else { verb };
        let bare = path.strip_prefix(VERSION).filter(|rest| rest.starts_with('/')).unwrap_or(path);
        // The first path that fits is the one that is meant: `users/login` is no user.
        let mut meant = None;
        for endpoint in ENDPOINTS {
            if meant.is_some_and(|path| path != endpoint.path) {
                continue;
            }
            let Some(parts) = match_path(endpoint.path, bare) else { continue };
            if endpoint.verb == verb {
                return Ok(Self { endpoint, parts });
            }
            meant = Some(endpoint.path);
        }
        match meant {
            None => Err(NoRoute::UnknownPath),
            Some(path) => {
                let same = ENDPOINTS.iter().filter(|endpoint| endpoint.path == path);
                let verbs: Vec<_> = same
                    .map(|endpoint| if endpoint.verb == "GET" { "GET, HEAD" } else { endpoint.verb })
                    .collect();
                Err(NoRoute::WrongVerb { path, verbs: verbs.join(", ") })
            }
        }
    }
}

/// What every path of the table but the root begins with.
const VERSION: &str = "/v1";

/// The variable parts of `path`, which has no version, if it is an instance of `template`, which has one.
fn match_path<'p>(template: &str, path: &'p str) -> Option<[Cow<'p, str>; 2]> {
    let mut parts = [Cow::Borrowed(""), Cow::Borrowed("")];
    let mut free = parts.iter_mut();
    let (mut template, mut path) = (template.strip_prefix(VERSION).unwrap_or(template), path);
    while let Some((before, rest)) = template.split_once('{') {
        let (name, after) = rest.split_once('}')?;
        path = path.strip_prefix(before)?;
        // An id at the end may hold slashes; one in the middle ends at the next.
        let (part, remains) = match path.find('/') {
            Some(at) if !after.is_empty() => path.split_at(at),
            Some(_) | None => (path, ""),
        };
        *free.next()? = if name == "wa-id" { number_of(part)? } else { id_of(part, marks(name))? };
        (template, path) = (after, remains);
    }
    (template == path).then_some(parts)
}

/// What an id may have beside letters and digits.
fn marks(name: &str) -> &'static str {
    match name {
        // Base64, as in a wamid, which clients write with or without percent-encoding.
        "message-id" => "._=+/-:",
        "username" => "._-@+",
        "name" | "template-name" => "-_",
        _ => "-",
    }
}

/// A part of a path: letters, digits and `marks`, percent-encoded or not. No dot segments, no control characters:
/// what is not an id has no route.
fn id_of<'p>(text: &'p str, marks: &str) -> Option<Cow<'p, str>> {
    let id = decode(text)?;
    let is_id = !id.is_empty()
        && id.len() <= 256
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte))
        && !id.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    is_id.then_some(id)
}

/// A number in whatever spelling, or what may be one: who reads it knows better.
fn number_of(text: &str) -> Option<Cow<'_, str>> {
    decode(text).filter(|number| {
        let is_segment = !matches!(&**number, "" | "." | "..") && !number.contains('/');
        is_segment && number.len() <= 256 && !number.contains(char::is_control)
    })
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
mod tests;
