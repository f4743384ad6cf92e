//! A request body that is fit to be read.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::value::RawValue;

use crate::onprem::read::object_of;
use crate::onprem::{ErrorCode, Invalid};
use crate::wire::{Object, Path, Removed, too_deep, without_unset};

/// The JSON text of a request, usually without members that say nothing.
#[derive(Debug)]
pub struct Body<'a> {
    json: Cow<'a, str>,
    unset: Removed,
    unpacked: OnceLock<Box<RawValue>>,
}

impl<'a> Body<'a> {
    /// Checks encoding and depth, and takes out members that are `null`, or `[]` in place of an object:
    /// on-prem clients serialise unset options that way and mean "not given".
    pub fn read(bytes: &'a [u8]) -> Result<Self, Invalid> {
        let mut body = Self::verbatim(bytes)?;
        if let Some(json) = without_unset(&body.json, &mut body.unset) {
            body.json = Cow::Owned(json);
        }
        Ok(body)
    }

    /// Checks the same and leaves such members where they are, for bodies in which they mean something.
    pub fn verbatim(bytes: &'a [u8]) -> Result<Self, Invalid> {
        let bytes = Self::content(bytes);
        if bytes.is_empty() {
            return Err(Invalid::new(ErrorCode::InvalidRequest, "the body is empty; send a JSON object"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(Invalid::new(ErrorCode::InvalidRequest, "the body is not UTF-8; send JSON in UTF-8"));
        };
        if too_deep(text) {
            return Err(Invalid::new(ErrorCode::InvalidRequest, "the body nests deeper than 128 levels"));
        }
        Ok(Self { json: Cow::Borrowed(text), unset: Removed::default(), unpacked: OnceLock::new() })
    }

    /// What is in `bytes` without white space around it, and without the byte order mark that some writers put in
    /// front ("may ignore the presence of a byte order mark", RFC 8259 section 8.1).
    pub fn content(bytes: &[u8]) -> &[u8] {
        bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii()
    }

    /// The object that the body is.
    pub fn object(&self) -> Result<Object<'_>, Invalid> {
        object_of(&self.json, Path::Root)
    }

    /// The text to parse.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// Room for an action with strings that hold JSON, once they are unpacked, so that a message can borrow from it as
    /// from the text itself.
    pub(super) fn unpacked(&self) -> &OnceLock<Box<RawValue>> {
        &self.unpacked
    }

    /// The members that were taken out.
    pub fn unset(&self) -> &Removed {
        &self.unset
    }
}
