//! Which Graph call a request is, before its body is read.

use http::Method;

use super::errors::GraphError;
use super::faults::{Op, Subject};

/// The newest version and the oldest that is still served (Graph API changelog, November 2026).
const NEWEST: u32 = 26;
const OLDEST: u32 = 21;

/// Where files are downloaded. Graph's are on another host, `lookaside.fbsbx.com`.
pub(super) const DOWNLOADS: &str = "/_media/";

/// Where the photos of profiles are. Cloud's are on another host, `pps.whatsapp.net`.
pub(super) const PHOTOS: &str = "/_photo/";
/// How the ids of uploads begin.
const UPLOADS: &str = "upload:";
/// The edge that can be read and posted to.
const PROFILE: &str = "whatsapp_business_profile";
/// The edges that can only be posted to.
const EDGES: &[&str] = &["messages", "media", "request_code", "verify_code", "register", "uploads"];

/// A call, its object and the version it is answered in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call<'a> {
    /// What is called; an error when there is no such thing.
    pub(super) target: Result<Target, GraphError>,
    /// The object's id.
    pub(super) id: Option<&'a str>,
    /// The version that answers.
    pub(super) version: u32,
    /// What is odd about the path.
    pub(super) note: Option<String>,
}

/// The calls the mock knows. A further one needs an arm in [`Call::parse`] and one in `graph::examine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `POST /{phone-number-id}/messages`.
    Messages,
    /// `GET /{phone-number-id}`.
    Number,
    /// `POST /{phone-number-id}/media`.
    Upload,
    /// `GET /{media-id}`.
    Media,
    /// `DELETE /{media-id}`.
    Delete,
    /// `GET` of the address that `GET /{media-id}` tells.
    Download,
    /// `GET /{phone-number-id}/whatsapp_business_profile`.
    Profile,
    /// `POST` of the same.
    SetProfile,
    /// `GET` of the address that a profile tells.
    Photo,
    /// `POST /{phone-number-id}/request_code`.
    RequestCode,
    /// `POST /{phone-number-id}/verify_code`.
    VerifyCode,
    /// `POST /{phone-number-id}/register`.
    Register,
    /// `POST /{phone-number-id}`.
    SetPin,
    /// `GET /debug_token`.
    DebugToken,
    /// `POST /{app-id}/uploads`.
    OpenUpload,
    /// `POST /upload:…`.
    SendUpload,
    /// `GET`, `POST` or `DELETE /{waba-id}/message_templates`.
    Templates,
}

impl<'a> Call<'a> {
    /// Only `is_media` can tell a file's id from a number's.
    pub(super) fn parse(
        method: &Method,
        path: &'a str,
        check_version: bool,
        is_media: impl Fn(&str) -> bool,
    ) -> Self {
        if let Some(id) = path.strip_prefix(DOWNLOADS) {
            let target = if method == Method::GET { Ok(Target::Download) } else { Err(unknown_path(path)) };
            return Self { target, id: Some(id), version: NEWEST, note: None };
        }
        if let Some(id) = path.strip_prefix(PHOTOS) {
            let target = if method == Method::GET { Ok(Target::Photo) } else { Err(unknown_path(path)) };
            return Self { target, id: Some(id), version: NEWEST, note: None };
        }
        let mut segments = path.split('/').filter(|segment| !segment.is_empty()).peekable();
        let asked = segments.next_if(|segment| is_version(segment));
        let (version, note) = served(asked);
        let id = segments.next();
        let (edge, more) = (segments.next(), segments.next());
        let target = match (id, edge, more) {
            _ if check_version && version > NEWEST => Err(unknown_path(&after(path, asked))),
            (Some("debug_token"), None, None) if method == Method::GET => Ok(Target::DebugToken),
            (Some(id), None, None) if id.starts_with(UPLOADS) && method == Method::POST => {
                Ok(Target::SendUpload)
            }
            (Some(id), edge, None) if is_id(id) => match (method, edge) {
                (&Method::POST, Some("request_code")) => Ok(Target::RequestCode),
                (&Method::POST, Some("verify_code")) => Ok(Target::VerifyCode),
                (&Method::POST, Some("register")) => Ok(Target::Register),
                (&Method::POST, Some("uploads")) => Ok(Target::OpenUpload),
                (&Method::POST, None) if !is_media(id) => Ok(Target::SetPin),
                (&Method::GET, Some(PROFILE)) => Ok(Target::Profile),
                (&Method::POST, Some(PROFILE)) => Ok(Target::SetProfile),
                (&Method::POST, Some("messages")) => Ok(Target::Messages),
                (&Method::POST, Some("media")) => Ok(Target::Upload),
                (_, Some("message_templates")) => Ok(Target::Templates),
                (&Method::GET, None) if is_media(id) => Ok(Target::Media),
                (&Method::GET, None) => Ok(Target::Number),
                // Nothing but files can be deleted here, so an id that is none is no such object.
                (&Method::DELETE, None) => Ok(Target::Delete),
                (&Method::GET, Some(edge)) if EDGES.contains(&edge) => Err(no_field(edge)),
                (_, None) => Err(GraphError::no_such_object(method.as_str(), id)),
                (_, Some(edge)) if EDGES.contains(&edge) || edge == PROFILE => {
                    Err(GraphError::no_such_object(method.as_str(), id))
                }
                (_, Some(edge)) => Err(unknown_path(&format!("/{edge}"))),
            },
            (Some(id), None | Some("messages" | "media"), None) => {
                Err(GraphError::no_such_object(method.as_str(), id))
            }
            (_, _, _) => Err(unknown_path(&after(path, asked))),
        };
        Self { target, id, version, note }
    }

    pub(super) fn subject<'s>(&self, kind: Option<&'s str>, to: Option<&'s str>) -> Subject<'s> {
        let op = self.target.as_ref().ok().and_then(|target| match target {
            Target::Messages => Some(Op::Messages),
            Target::Upload => Some(Op::MediaUpload),
            Target::Media => Some(Op::MediaGet),
            Target::Delete => Some(Op::MediaDelete),
            Target::Download => Some(Op::MediaDownload),
            Target::Number
            | Target::Templates
            | Target::Profile
            | Target::SetProfile
            | Target::Photo
            | Target::RequestCode
            | Target::VerifyCode
            | Target::Register
            | Target::SetPin
            | Target::DebugToken
            | Target::OpenUpload
            | Target::SendUpload => None,
        });
        Subject { op, kind, to }
    }
}

/// "Tried accessing nonexisting field", Graph's answer to a GET of what can only be posted.
pub(super) fn no_field(field: &str) -> GraphError {
    GraphError::parameter(format_args!(
        "Tried accessing nonexisting field ({field}) on node type (WhatsAppBusinessPhoneNumber)"
    ))
}

fn unknown_path(rest: &str) -> GraphError {
    GraphError::worded(2500, format!("Unknown path components: {rest}"))
}

fn after(path: &str, version: Option<&str>) -> String {
    let path = path.trim_start_matches('/');
    format!("/{}", path.strip_prefix(version.unwrap_or_default()).unwrap_or(path).trim_start_matches('/'))
}

/// Unversioned and expired paths are served by the oldest live version.
fn served(asked: Option<&str>) -> (u32, Option<String>) {
    let major = asked.and_then(|text| text.trim_start_matches('v').split('.').next()?.parse().ok());
    match (asked, major) {
        (Some(asked), Some(major)) if major < OLDEST => {
            (OLDEST, Some(format!("version {asked} has ended, served as v{OLDEST}.0")))
        }
        (_, Some(major)) => (major, None),
        (_, None) => (OLDEST, Some(format!("no version in the path, served as v{OLDEST}.0"))),
    }
}

fn is_version(segment: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.len() < 4 && text.bytes().all(|b| b.is_ascii_digit());
    segment
        .strip_prefix('v')
        .and_then(|version| version.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

fn is_id(segment: &str) -> bool {
    segment.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(method: &Method, path: &'a str, check_version: bool) -> Call<'a> {
        Call::parse(method, path, check_version, |id| id == "77")
    }

    #[test]
    fn knows_its_calls() {
        let call = parse(&Method::POST, "/v26.0/106540352242922/messages", true);
        assert_eq!(
            (call.target, call.id, call.version, call.note),
            (Ok(Target::Messages), Some("106540352242922"), 26, None)
        );
        let call = parse(&Method::GET, "/v19.0/1", true);
        assert_eq!((call.target, call.version), (Ok(Target::Number), 21));
        assert!(call.note.unwrap().contains("v19.0 has ended"));
        assert_eq!(parse(&Method::GET, "/1", true).version, 21);
        assert_eq!(parse(&Method::POST, "/v99.0/1/messages", false).target, Ok(Target::Messages));
    }

    #[test]
    fn knows_what_is_about_files_and_templates() {
        for (method, path, target, id) in [
            (Method::POST, "/v26.0/1/media", Target::Upload, "1"),
            (Method::GET, "/v26.0/77", Target::Media, "77"),
            (Method::GET, "/v26.0/78", Target::Number, "78"),
            (Method::DELETE, "/v26.0/77", Target::Delete, "77"),
            (Method::DELETE, "/v26.0/78", Target::Delete, "78"),
            (Method::GET, "/_media/77", Target::Download, "77"),
            (Method::GET, "/v26.0/5/message_templates", Target::Templates, "5"),
            (Method::DELETE, "/v26.0/5/message_templates", Target::Templates, "5"),
        ] {
            let call = parse(&method, path, true);
            assert_eq!((call.target, call.id, call.note), (Ok(target), Some(id), None), "{method} {path}");
        }
    }

    #[test]
    fn knows_what_is_about_numbers() {
        for (method, path, target, id) in [
            (Method::GET, "/v26.0/1/whatsapp_business_profile", Target::Profile, "1"),
            (Method::POST, "/v26.0/1/whatsapp_business_profile", Target::SetProfile, "1"),
            (Method::POST, "/v26.0/1/request_code", Target::RequestCode, "1"),
            (Method::POST, "/v26.0/1/verify_code", Target::VerifyCode, "1"),
            (Method::POST, "/v26.0/1/register", Target::Register, "1"),
            (Method::POST, "/v26.0/1", Target::SetPin, "1"),
            (Method::POST, "/v26.0/5/uploads", Target::OpenUpload, "5"),
            (Method::POST, "/v26.0/upload:abc=", Target::SendUpload, "upload:abc="),
            (Method::GET, "/v26.0/debug_token", Target::DebugToken, "debug_token"),
            (Method::GET, "/_photo/1", Target::Photo, "1"),
        ] {
            let call = parse(&method, path, true);
            assert_eq!((call.target, call.id, call.note), (Ok(target), Some(id), None), "{method} {path}");
        }
    }

    #[test]
    fn refuses_the_rest_as_graph_does() {
        for (method, path, code, message) in [
            (Method::POST, "/v26.0/1/nonsense", 2500, "Unknown path components: /nonsense"),
            (Method::POST, "/v26.0/1/messages/2", 2500, "Unknown path components: /1/messages/2"),
            (Method::POST, "/v99.0/1/messages", 2500, "Unknown path components: /1/messages"),
            (Method::GET, "/", 2500, "Unknown path components: /"),
            (Method::POST, "/v26.0/abc/messages", 100, "Unsupported post request. Object with ID 'abc' does"),
            (Method::PUT, "/v26.0/1", 100, "Unsupported put request."),
            (Method::GET, "/v26.0/1/messages", 100, "(#100) Tried accessing nonexisting field (messages)"),
            (Method::GET, "/v26.0/1/media", 100, "(#100) Tried accessing nonexisting field (media)"),
            (Method::POST, "/v26.0/abc/media", 100, "Unsupported post request. Object with ID 'abc' does"),
            (Method::DELETE, "/v26.0/1/media", 100, "Unsupported delete request."),
            (Method::POST, "/v26.0/77", 100, "Unsupported post request."),
            (Method::GET, "/v26.0/1/register", 100, "(#100) Tried accessing nonexisting field (register)"),
            (Method::DELETE, "/v26.0/1/whatsapp_business_profile", 100, "Unsupported delete request."),
            (Method::POST, "/_photo/1", 2500, "Unknown path components: /_photo/1"),
            (Method::POST, "/_media/77", 2500, "Unknown path components: /_media/77"),
        ] {
            let error = parse(&method, path, true).target.unwrap_err();
            assert_eq!(error.code, code, "{path}");
            assert!(error.message.starts_with(message), "{path}: {}", error.message);
        }
    }
}
