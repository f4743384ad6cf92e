//! The `interactive` object.
//!
//! The six kinds that on-prem documents are checked against its reference; later kinds are Cloud's
//! own business and pass through.

mod checks;

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::value::RawValue;

use super::{
    Branches, ErrorCode, Found, Invalid, MediaKind, Tree, at_most, missing, object, optional_string,
    required_string, wrong,
};
use crate::wire::{self, Kind, Object, Path, Raw, Removed, Str};

/// An interactive message.
#[derive(Debug)]
pub struct Interactive<'a> {
    /// `list`, `button`, `product`, …
    pub kind: Str<'a>,
    /// The header.
    pub header: Option<Tree<'a>>,
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
    pub rest: Branches<'a>,
}

/// What became of a `Header`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capitalised {
    /// It is the header.
    Taken,
    /// There was a `header` beside it, which wins.
    Idle,
}

/// The action.
#[derive(Debug)]
pub struct Action<'a> {
    /// The JSON object.
    pub object: Tree<'a>,
    /// What of it was sent as a string that holds JSON, and the members that were taken out of each such string.
    pub unpacked: Unpacked,
}

/// The names of members that were unpacked, each with what was taken out of it.
pub type Unpacked = Vec<(&'static str, Removed)>;

impl<'a> Interactive<'a> {
    /// Reads the interactive object in `raw`. In a Cloud-shaped message the limits are Cloud's, some
    /// of which are wider, and Cloud itself checks them. An action that is a string is unpacked into `room`.
    pub(super) fn parse(
        raw: Raw<'a>,
        path: Path<'_>,
        is_cloud_shaped: bool,
        room: &'a OnceLock<Box<RawValue>>,
    ) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let kind = required_string(&mut object, "type", path)?;
        let (small, large) = (object.take("header"), object.take("Header"));
        let header = small.or(large);
        let body = object.take("body");
        let footer = object.take("footer");
        let here = path.key("action");
        let unpacked = object.take("action").map(|raw| unpack(raw, here, room)).transpose()?;
        let text = unpacked.as_ref().map(|(text, _)| *text);
        let action = match unpacked {
            Some((text, unpacked)) => Some(Action { object: Tree::parse(text, here)?, unpacked }),
            None => None,
        };
        let (read, other_header) = match header {
            Some(raw) => {
                let (header, other) = Tree::header(raw, path.key("header"))?;
                (Some(header), other)
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
            rest: Branches::of(object, path)?,
        };
        if !is_cloud_shaped {
            checks::check(&interactive, header, text, path)?;
        }
        Ok(interactive)
    }

    /// Tells each of its files, in order.
    pub fn each_file(&'a self, path: Path<'_>, found: Found<'_, 'a>) {
        if let Some(header) = &self.header {
            header.each_file(path.key("header"), found);
        }
        if let Some(action) = &self.action {
            action.object.each_file(path.key("action"), found);
        }
        self.rest.each_file(path, found);
    }
}

/// Some clients send the action as a string with JSON in it, or the parameters in it, where `null` means "not given" as
/// it does elsewhere. Gives the action, and of each such string what was taken out.
fn unpack<'a>(
    raw: Raw<'a>,
    path: Path<'_>,
    room: &'a OnceLock<Box<RawValue>>,
) -> Result<(Raw<'a>, Unpacked), Invalid> {
    let mut unpacked = Unpacked::new();
    let mut action = match wire::kind(raw) {
        Kind::Object => Cow::Borrowed(raw),
        Kind::String => {
            let (object, unset) = packed(raw)
                .ok_or_else(|| wrong(path, "must be a JSON object, or a string that holds one"))?;
            unpacked.push(("action", unset));
            Cow::Owned(object)
        }
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => {
            return Err(wrong(path, "must be a JSON object"));
        }
    };
    if let Some((whole, unset)) = with_parameters(&action) {
        unpacked.push(("action.parameters", unset));
        action = Cow::Owned(whole);
    }
    let action = match action {
        Cow::Borrowed(raw) => raw,
        Cow::Owned(object) => room.get_or_init(|| object),
    };
    Ok((action, unpacked))
}

/// The object that the string in `raw` holds, and what was taken out of it.
fn packed(raw: Raw<'_>) -> Option<(Box<RawValue>, Removed)> {
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
    let parameters = members.get("parameters").filter(|raw| wire::kind(raw) == Kind::String)?;
    let (parameters, unset) = packed(parameters)?;
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
