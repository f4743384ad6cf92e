//! The `interactive` object.
//!
//! The six kinds that on-prem documents are checked against its reference; later kinds are Cloud's
//! own business and pass through.

mod checks;

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    ErrorCode, Invalid, Media, MediaKind, at_most, missing, object, optional_string, required_string, string,
    wrong,
};
use crate::wire::{self, Kind, Member, Path, Raw, Removed, Str};

/// An interactive message.
#[derive(Debug)]
pub struct Interactive<'a> {
    /// `list`, `button`, `product`, …
    pub kind: Str<'a>,
    /// The header.
    pub header: Option<Header<'a>>,
    /// What became of a `Header` spelt as in Meta's own sample, if there was one.
    pub capitalised: Option<Capitalised>,
    /// The body, equal on both sides.
    pub body: Option<Raw<'a>>,
    /// The footer, equal on both sides.
    pub footer: Option<Raw<'a>>,
    /// The action.
    pub action: Option<Action<'a>>,
    /// Members that nobody here knows.
    pub rest: Vec<Member<'a>>,
}

/// What became of a `Header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capitalised {
    /// It is the header.
    Taken,
    /// There was a `header` beside it, which wins.
    Idle,
}

/// The header.
#[derive(Debug)]
pub enum Header<'a> {
    /// Text, or a kind that nobody here knows.
    Raw(Raw<'a>),
    /// A file.
    Media {
        /// The file.
        media: Media<'a>,
        /// The other members.
        rest: Vec<Member<'a>>,
    },
}

/// The action.
#[derive(Debug)]
pub struct Action<'a> {
    /// The JSON object.
    pub object: Cow<'a, RawValue>,
    /// Whether it was sent as a string that holds JSON.
    pub was_string: bool,
    /// Paths of the `null` members that were taken out of such a string.
    pub nulls: Removed,
}

impl<'a> Interactive<'a> {
    /// Reads the interactive object in `raw`. In a Cloud-shaped message the limits are Cloud's, some
    /// of which are wider, and Cloud itself checks them.
    pub(super) fn parse(raw: Raw<'a>, path: Path<'_>, is_cloud_shaped: bool) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let kind = required_string(&mut object, "type", path)?;
        let (small, large) = (object.take("header"), object.take("Header"));
        let header = small.or(large);
        let body = object.take("body");
        let footer = object.take("footer");
        let action = object.take("action").map(|raw| Action::parse(raw, path.key("action"))).transpose()?;
        let interactive = Self {
            header: header.map(|raw| Header::parse(raw, path.key("header"))).transpose()?,
            capitalised: large.map(|_| if small.is_some() { Capitalised::Idle } else { Capitalised::Taken }),
            kind,
            body,
            footer,
            action,
            rest: object.into_members(),
        };
        if !is_cloud_shaped {
            checks::check(&interactive, header, path)?;
        }
        Ok(interactive)
    }
}

impl<'a> Header<'a> {
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let kind = match object.get("type") {
            Some(raw) => string(raw, path.key("type"))?,
            None => return Ok(Self::Raw(raw)),
        };
        match (&*kind, MediaKind::from_name(&kind)) {
            ("image" | "video" | "document", Some(kind)) => {
                let here = path.key(kind.name());
                let raw = object.take(kind.name()).ok_or_else(|| missing(here))?;
                Ok(Self::Media { media: Media::parse(kind, raw, here)?, rest: object.into_members() })
            }
            _ => Ok(Self::Raw(raw)),
        }
    }
}

impl<'a> Action<'a> {
    /// Some clients send the action as a string with JSON in it, where `null` means "not given" as
    /// it does elsewhere.
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        match wire::kind(raw) {
            Kind::Object => {
                Ok(Self { object: Cow::Borrowed(raw), was_string: false, nulls: Removed::default() })
            }
            Kind::String => {
                let text = string(raw, path)?;
                let text = text.trim();
                let mut nulls = Removed::default();
                let object = if wire::too_deep(text) {
                    None
                } else {
                    let text = wire::without_unset(text, &mut nulls).unwrap_or_else(|| text.to_owned());
                    RawValue::from_string(text).ok().filter(|inner| wire::kind(inner) == Kind::Object)
                };
                let object =
                    object.ok_or_else(|| wrong(path, "must be a JSON object, or a string that holds one"))?;
                Ok(Self { object: Cow::Owned(object), was_string: true, nulls })
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array => Err(wrong(path, "must be a JSON object")),
        }
    }
}
