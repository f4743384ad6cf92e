//! A request body that is fit to be read.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::value::RawValue;

use crate::onprem::{ErrorCode, Invalid};
use crate::wire::{Removed, too_deep, without_nulls};

/// The JSON text of a request, usually without `null` members.
#[derive(Debug)]
pub struct Body<'a> {
    json: Cow<'a, str>,
    nulls: Removed,
    unpacked: OnceLock<Box<RawValue>>,
}

impl<'a> Body<'a> {
    /// Checks encoding and depth, and takes out `null` members: on-prem clients serialise unset
    /// options as `null` and mean "not given".
    pub fn read(bytes: &'a [u8]) -> Result<Self, Invalid> {
        let mut body = Self::verbatim(bytes)?;
        if let Some(json) = without_nulls(&body.json, &mut body.nulls) {
            body.json = Cow::Owned(json);
        }
        Ok(body)
    }

    /// Checks the same and leaves `null` members where they are, for bodies in which they mean something.
    pub fn verbatim(bytes: &'a [u8]) -> Result<Self, Invalid> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Invalid::new(ErrorCode::InvalidRequest, "the body is empty; send a JSON object"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Invalid::new(ErrorCode::InvalidRequest, "the body is not UTF-8; send JSON in UTF-8"));
        };
        if text.starts_with('\u{feff}') {
            return Err(Invalid::new(
                ErrorCode::InvalidRequest,
                "the body starts with a byte order mark; send JSON in UTF-8 without one",
            ));
        }
        if too_deep(text) {
            return Err(Invalid::new(ErrorCode::InvalidRequest, "the body nests deeper than 128 levels"));
        }
        Ok(Self { json: Cow::Borrowed(text), nulls: Removed::default(), unpacked: OnceLock::new() })
    }

    /// The text to parse.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Room for the one value that clients send as a string with JSON in it, so that a message can borrow from it as from
    /// the text itself.
    pub(super) fn unpacked(&self) -> &OnceLock<Box<RawValue>> {
        &self.unpacked
    }

    /// The `null` members that were taken out.
    pub fn nulls(&self) -> &Removed {
        &self.nulls
    }
}
