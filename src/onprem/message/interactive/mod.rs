//! The `interactive` object.
//!
//! The six kinds that on-prem documents are checked against its reference; later kinds are Cloud's
//! own business and pass through.

mod checks;

use std::sync::OnceLock;

use serde_json::value::RawValue;

use super::{
    Branches, ErrorCode, Found, Invalid, MediaKind, Tree, at_most, missing, object, optional_string,
    required_string, string, wrong,
};
use crate::wire::{self, Kind, Path, Raw, Removed, Str};

/// An interactive message.
#[derive(Debug)]
pub struct Interactive<'a> {
    /// `list`, `button`, `product`, …
    pub kind: Str<'a>,
    /// The header.
    pub header: Option<Tree<'a>>,
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
    /// Whether it was sent as a string that holds JSON.
    pub was_string: bool,
    /// Paths of the `null` members that were taken out of such a string.
    pub nulls: Removed,
}

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
        let unpacked = object.take("action").map(|raw| Action::unpack(raw, here, room)).transpose()?;
        let text = unpacked.as_ref().map(|(text, _)| *text);
        let action = match unpacked {
            Some((text, nulls)) => Some(Action {
                object: Tree::parse(text, here)?,
                was_string: nulls.is_some(),
                nulls: nulls.unwrap_or_default(),
            }),
            None => None,
        };
        let interactive = Self {
            header: header.map(|raw| Tree::typed(raw, path.key("header"))).transpose()?,
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

impl Action<'_> {
    /// Some clients send the action as a string with JSON in it, where `null` means "not given" as
    /// it does elsewhere: then what was taken out is given, too.
    fn unpack<'a>(
        raw: Raw<'a>,
        path: Path<'_>,
        room: &'a OnceLock<Box<RawValue>>,
    ) -> Result<(Raw<'a>, Option<Removed>), Invalid> {
        match wire::kind(raw) {
            Kind::Object => Ok((raw, None)),
            Kind::String => {
                let text = string(raw, path)?;
                let text = text.trim();
                let mut nulls = Removed::default();
                let object = if wire::too_deep(text) {
                    None
                } else {
                    let text = wire::without_nulls(text, &mut nulls).unwrap_or_else(|| text.to_owned());
                    RawValue::from_string(text).ok().filter(|inner| wire::kind(inner) == Kind::Object)
                };
                let object =
                    object.ok_or_else(|| wrong(path, "must be a JSON object, or a string that holds one"))?;
                Ok((&**room.get_or_init(|| object), Some(nulls)))
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::Array => Err(wrong(path, "must be a JSON object")),
        }
    }
}
