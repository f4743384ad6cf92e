//! Media objects: in messages, in interactive headers, in template parameters.

use super::{at_most, missing, object, optional_string, string, wrong};
use crate::onprem::Invalid;
use crate::wire::{self, Kind, Member, Object, Path, Raw, Str};

/// "For v2.41.2 or newer, this field is limited to 1024 characters."
const CAPTION_LENGTH: usize = 1024;

/// The kinds of media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// `audio`
    Audio,
    /// `document`
    Document,
    /// `image`
    Image,
    /// `sticker`
    Sticker,
    /// `video`
    Video,
}

impl MediaKind {
    /// The kind whose field is called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Audio, Self::Document, Self::Image, Self::Sticker, Self::Video]
            .into_iter()
            .find(|kind| kind.name() == name)
    }

    /// The same, in capitals or not.
    pub fn from_any_case(name: &str) -> Option<Self> {
        [Self::Audio, Self::Document, Self::Image, Self::Sticker, Self::Video]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// The name of its field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Image => "image",
            Self::Sticker => "sticker",
            Self::Video => "video",
        }
    }

    /// "Do not use with audio or sticker media."
    pub fn takes_caption(self) -> bool {
        match self {
            Self::Document | Self::Image | Self::Video => true,
            Self::Audio | Self::Sticker => false,
        }
    }

    /// "Use only with document media."
    pub fn takes_filename(self) -> bool {
        self == Self::Document
    }
}

/// A media object.
#[derive(Debug)]
pub struct Media<'a> {
    /// Its kind.
    pub kind: MediaKind,
    /// Where the bytes are.
    pub source: Source<'a>,
    /// `caption`
    pub caption: Option<Str<'a>>,
    /// `filename`
    pub filename: Option<Str<'a>>,
    /// Whether a provider was named although there is no link for it to open.
    pub has_idle_provider: bool,
    /// Names of fields that were given as empty strings, which mean "not given".
    pub empty: Vec<&'static str>,
    /// Members that nobody here knows.
    pub rest: Vec<Member<'a>>,
}

/// Where the bytes of a media object are.
#[derive(Debug)]
pub enum Source<'a> {
    /// Uploaded before.
    Id(Str<'a>),
    /// At a URL.
    Link(Link<'a>),
}

/// A URL, and the provider whose credentials open it.
#[derive(Debug)]
pub struct Link<'a> {
    /// The link as the client wrote it.
    pub written: Str<'a>,
    /// The name of the provider, if any.
    pub provider: Option<Str<'a>>,
}

impl Link<'_> {
    /// The URL without the `provider-name/` in front.
    pub fn url(&self) -> &str {
        strip_provider(&self.written).1
    }
}

/// The documented members of a media object, each of the right type.
pub(super) struct Fields<'a> {
    pub(super) id: Option<Str<'a>>,
    pub(super) link: Option<Str<'a>>,
    pub(super) provider: Option<Str<'a>>,
    pub(super) caption: Option<Str<'a>>,
    pub(super) filename: Option<Str<'a>>,
}

impl<'a> Fields<'a> {
    fn take(object: &mut Object<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            id: optional_string(object, "id", path)?,
            link: optional_string(object, "link", path)?,
            provider: match object.take("provider") {
                Some(raw) => Self::provider(raw, path)?,
                None => None,
            },
            caption: optional_string(object, "caption", path)?,
            filename: optional_string(object, "filename", path)?,
        })
    }

    /// `provider` is a string in the parameter table and `{"name": …}` in every example: both are
    /// read. An empty name means none.
    pub(super) fn provider(raw: Raw<'a>, path: Path<'_>) -> Result<Option<Str<'a>>, Invalid> {
        let here = path.key("provider");
        let name = match wire::kind(raw) {
            Kind::String => Some(string(raw, here)?),
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array | Kind::Object => {
                optional_string(&mut object(raw, here)?, "name", here)?
            }
        };
        Ok(name.filter(|name| !name.is_empty()))
    }
}

impl<'a> Media<'a> {
    /// Reads the media object in `raw`.
    pub(super) fn parse(kind: MediaKind, raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let fields = Fields::take(&mut object, path)?;
        Self::of(kind, fields, object.into_members(), path)
    }

    /// Checks the fields of a media object.
    pub(super) fn of(
        kind: MediaKind,
        fields: Fields<'a>,
        rest: Vec<Member<'a>>,
        path: Path<'_>,
    ) -> Result<Self, Invalid> {
        let Fields { id, link, provider, caption, filename } = fields;
        let mut empty = Vec::new();
        // An empty string counts as not given.
        let mut given = |text: Option<Str<'a>>, key| match text {
            Some(text) if text.is_empty() => {
                empty.push(key);
                None
            }
            text => text,
        };
        let (id, link) = (given(id, "id"), given(link, "link"));
        let (caption, filename) = (given(caption, "caption"), given(filename, "filename"));
        if let Some(caption) = caption.as_ref().filter(|_| kind.takes_caption()) {
            at_most(caption, CAPTION_LENGTH, path.key("caption"))?;
        }
        let has_idle_provider = provider.is_some() && link.is_none();
        let source = match (id, link) {
            (Some(id), None) => Source::Id(id),
            (None, Some(link)) => Source::Link(read_link(link, provider, path.key("link"))?),
            (Some(_), Some(_)) => {
                return Err(wrong(path, "has both id and link; send the one that is meant"));
            }
            (None, None) => {
                let mut invalid = missing(path.key("id"));
                invalid.details.push_str(": give the id of an uploaded file, or a link");
                return Err(invalid);
            }
        };
        Ok(Self { kind, source, caption, filename, has_idle_provider, empty, rest })
    }
}

/// "Use only with HTTP/HTTPS URLs", plain or as `provider-name/protocol://the-url`. Where both
/// name a provider, the field wins.
fn read_link<'a>(written: Str<'a>, provider: Option<Str<'a>>, path: Path<'_>) -> Result<Link<'a>, Invalid> {
    let (prefix, url) = strip_provider(&written);
    let has_host = ["https://", "http://"].into_iter().any(|scheme| {
        url.split_at_checked(scheme.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(scheme) && !rest.is_empty() && !rest.starts_with(['/', '?', '#', ':'])
        })
    });
    if !has_host || has_blank(url) {
        return Err(wrong(path, "must be an http or https URL, without blanks"));
    }
    let provider = provider.or_else(|| prefix.map(|name| Str(name.to_owned().into())));
    Ok(Link { written, provider })
}

/// Whether there is a blank or a control character in `url`.
fn has_blank(url: &str) -> bool {
    // No early exit: this way the compiler looks at many bytes at once, and most links have nothing to look closer at.
    let is_odd = url.bytes().fold(false, |odd, byte| odd | (byte <= b' ') | (byte >= 0x7f));
    is_odd && url.chars().any(|c| c.is_control() || c == ' ')
}

/// Splits `provider-name/https://…` into the name and the URL.
pub fn strip_provider(link: &str) -> (Option<&str>, &str) {
    // A name has no colon, so these have none in front.
    if link.starts_with("https://") || link.starts_with("http://") {
        return (None, link);
    }
    match link.split_once('/') {
        Some((name, url))
            if !name.is_empty()
                && !name.contains(':')
                && url
                    .split_once("://")
                    .is_some_and(|(scheme, _)| scheme.bytes().all(|b| b.is_ascii_alphanumeric())) =>
        {
            (Some(name), url)
        }
        _ => (None, link),
    }
}

#[cfg(test)]
mod tests {
    use super::strip_provider;

    #[test]
    fn a_provider_in_front_of_the_link() {
        assert_eq!(strip_provider("cdn/https://h/x.pdf"), (Some("cdn"), "https://h/x.pdf"));
        assert_eq!(strip_provider("https://h/x?u=https://other"), (None, "https://h/x?u=https://other"));
        assert_eq!(strip_provider("cdn/path/x.pdf"), (None, "cdn/path/x.pdf"));
    }
}
