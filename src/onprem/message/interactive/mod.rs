//! The `interactive` object.
//!
//! The six kinds that on-prem documents are checked against its reference; later kinds are Cloud's
//! own business and pass through.

mod checks;

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{
    CONTENT_FIELDS, ErrorCode, Invalid, Media, MediaKind, at_most, missing, object, optional_string,
    required_string, string, wrong,
};
use crate::wire::{self, Kind, Member, Object, Path, Raw, Removed, Str};

/// An interactive message.
#[derive(Debug)]
pub struct Interactive<'a> {
    /// `list`, `button`, `product`, …
    pub kind: Str<'a>,
    /// The header.
    pub header: Option<Header<'a>>,
    /// Names of content of the header of another type than the header's.
    pub other_header: Vec<Str<'a>>,
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
    /// The same, without content of other types.
    Members(Vec<Member<'a>>),
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
    /// What of it was sent as a string that holds JSON, and the members that were taken out of each such string.
    pub unpacked: Vec<(&'static str, Removed)>,
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
        let (read, other_header) = match header {
            Some(raw) => {
                Header::parse(raw, path.key("header")).map(|(header, other)| (Some(header), other))?
            }
            None => (None, Vec::new()),
        };
        let interactive = Self {
            header: read,
            other_header,
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
    /// Reads a header, of whose contents it keeps the one that its type names. Gives the names of the others.
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<(Self, Vec<Str<'a>>), Invalid> {
        let object = object(raw, path)?;
        let kind = match object.get("type") {
            Some(raw) => string(raw, path.key("type"))?,
            None => return Ok((Self::Raw(raw), Vec::new())),
        };
        let is_other = |(name, _): &Member<'a>| *name != kind && CONTENT_FIELDS.contains(&&**name);
        let (other, mut rest): (Vec<_>, Vec<_>) = object.into_members().into_iter().partition(is_other);
        let header = match (&*kind, MediaKind::from_name(&kind)) {
            ("image" | "video" | "document", Some(kind)) => {
                let here = path.key(kind.name());
                let at = rest.iter().position(|(name, _)| &**name == kind.name());
                let raw = at.map(|at| rest.remove(at).1).ok_or_else(|| missing(here))?;
                Self::Media { media: Media::parse(kind, raw, here)?, rest }
            }
            _ if other.is_empty() => Self::Raw(raw),
            _ => Self::Members(rest),
        };
        Ok((header, other.into_iter().map(|(name, _)| name).collect()))
    }
}

impl<'a> Action<'a> {
    /// Some clients send the action as a string with JSON in it, or the parameters in it, where `null` means
    /// "not given" as it does elsewhere.
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut unpacked = Vec::new();
        let mut object = match wire::kind(raw) {
            Kind::Object => Cow::Borrowed(raw),
            Kind::String => {
                let (object, unset) = unpack(raw)
                    .ok_or_else(|| wrong(path, "must be a JSON object, or a string that holds one"))?;
                unpacked.push(("action", unset));
                Cow::Owned(object)
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array => {
                return Err(wrong(path, "must be a JSON object"));
            }
        };
        if let Some((whole, unset)) = with_parameters(&object) {
            unpacked.push(("action.parameters", unset));
            object = Cow::Owned(whole);
        }
        Ok(Self { object, unpacked })
    }
}

/// The object that the string in `raw` holds, and what was taken out of it.
fn unpack(raw: Raw<'_>) -> Option<(Box<RawValue>, Removed)> {
    let text = wire::string(raw)?;
    let text = text.trim();
    if wire::too_deep(text) {
        return None;
    }
    let mut unset = Removed::default();
    let text = wire::without_unset(text, &mut unset).unwrap_or_else(|| text.to_owned());
    let object = RawValue::from_string(text).ok().filter(|inner| wire::kind(inner) == Kind::Object)?;
    Some((object, unset))
}

/// The action with its `parameters` unpacked, if they are a string that holds an object. Another string stays, and is
/// refused by whoever looks at the parameters.
fn with_parameters(action: &RawValue) -> Option<(Box<RawValue>, Removed)> {
    let members = Object::parse(action.get()).ok()?;
    let packed = members.get("parameters").filter(|raw| wire::kind(raw) == Kind::String)?;
    let (parameters, unset) = unpack(packed)?;
    let mut out = Vec::with_capacity(action.get().len());
    for (key, value) in members.members() {
        out.push(if out.is_empty() { b'{' } else { b',' });
        wire::write_string(&mut out, key);
        out.push(b':');
        let value = if &**key == "parameters" { &*parameters } else { *value };
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    let action = RawValue::from_string(String::from_utf8(out).ok()?).ok()?;
    Some((action, unset))
}
