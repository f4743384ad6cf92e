//! Why an answer is not simply reused.

use serde::{Deserialize, Serialize};

/// Why a provider's answer may not be kept, or has to be asked for again.
///
/// A closed set, whose names are metric labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// None of the headers that the profile looks at was there.
    NoHeaders,
    /// Headers were there, but none that gives a lifetime.
    NoLifetime,
    /// `no-store`.
    NoStore,
    /// `private`.
    Private,
    /// `no-cache`.
    NoCache,
    /// `no-cache` without the `Last-Modified` that profile `documented` requires beside it.
    NoLastModified,
    /// `max-age=0` or `s-maxage=0`.
    ZeroLifetime,
    /// The lifetime is over, or `Expires` was in the past from the start.
    Expired,
    /// The lifetime was used up before the answer came (`Age`, or `Date` long ago).
    OldOnArrival,
    /// A header that decides does not follow its grammar.
    Unparsable,
    /// A header or directive that decides was there more than once.
    Repeated,
    /// `Vary: *`.
    VaryStar,
    /// A redirect on the way to the answer may not be reused, or not any longer.
    Redirect,
    /// The answer came later than now: the clock was set back.
    ClockWentBack,
}

impl Why {
    /// A short fixed name, for metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoHeaders => "no_headers",
            Self::NoLifetime => "no_lifetime",
            Self::NoStore => "no_store",
            Self::Private => "private",
            Self::NoCache => "no_cache",
            Self::NoLastModified => "no_last_modified",
            Self::ZeroLifetime => "zero_lifetime",
            Self::Expired => "expired",
            Self::OldOnArrival => "old_on_arrival",
            Self::Unparsable => "unparsable",
            Self::Repeated => "repeated",
            Self::VaryStar => "vary_star",
            Self::Redirect => "redirect",
            Self::ClockWentBack => "clock_went_back",
        }
    }
}
