//! Why a file was or was not fetched, uploaded and remembered: a closed set, the same in metrics, log lines and
//! the demo.

use std::fmt;

use crate::http_cache::Why;

/// How the file of a link was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Remembered, and fresh.
    Fresh,
    /// Remembered; the provider confirmed it with a 304.
    NotModified(Why),
    /// Remembered; the provider answered with the same validators, so the body was not read.
    SameValidators(Why),
    /// Fetched: nothing was remembered.
    First,
    /// Fetched, because what was remembered could not be used.
    Stale(Why),
    /// Fetched: the provider was asked whether it changed, and it had.
    Changed(Why),
    /// Fetched: still fresh, but Cloud has no usable copy under this number (any more).
    NoUpload,
    /// A client had uploaded it here.
    Uploaded,
}

impl Lookup {
    /// `hit`, `revalidated` or `miss`.
    pub fn result(self) -> &'static str {
        match self {
            Self::Fresh | Self::Uploaded => "hit",
            Self::NotModified(_) | Self::SameValidators(_) => "revalidated",
            Self::First | Self::Stale(_) | Self::Changed(_) | Self::NoUpload => "miss",
        }
    }

    /// Its metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::NotModified(_) => "not_modified",
            Self::SameValidators(_) => "same_validators",
            Self::First => "first",
            Self::Stale(why) => why.name(),
            Self::Changed(_) => "changed",
            Self::NoUpload => "no_upload",
            Self::Uploaded => "uploaded_here",
        }
    }
}

/// How Cloud came to have the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upload {
    /// It had it already, under this number.
    Known,
    /// It had the same bytes already, from elsewhere or from before.
    SameBytes,
    /// It was uploaded now.
    New,
}

impl Upload {
    /// `hit` or `miss`.
    pub fn result(self) -> &'static str {
        match self {
            Self::Known | Self::SameBytes => "hit",
            Self::New => "miss",
        }
    }

    /// Its metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::SameBytes => "same_bytes",
            Self::New => "uploaded",
        }
    }
}

/// Everything about one file of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// How it was found.
    pub lookup: Lookup,
    /// How Cloud came to have it.
    pub upload: Upload,
    /// Why it is not remembered for the next send.
    pub forgotten: Option<Why>,
}

impl Event {
    /// What was remembered and fresh, whose bytes Cloud has: the commonest.
    pub const HIT: Self = Self { lookup: Lookup::Fresh, upload: Upload::Known, forgotten: None };
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.lookup.result(), self.lookup.name())?;
        write!(f, " upload:{}", self.upload.name())?;
        match self.forgotten {
            Some(why) => write!(f, " forgotten:{}", why.name()),
            None => Ok(()),
        }
    }
}
