//! What the headers of an answer say about its lifetime and its age.

use http::header::{AGE, DATE, EXPIRES, VARY};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use super::cache_control::{CacheControl, MAX_SECONDS, Stated, digits};
use super::validators::{Validators, date};
use super::why::Why;

/// Whose rules decide how long an answer may be reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// RFC 9111 as a shared cache, with lifetimes that the provider gave and validators always used.
    Rfc,
    /// Meta's documented link cache to the letter.
    Documented,
}

impl Profile {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rfc => "rfc",
            Self::Documented => "documented",
        }
    }
}

/// The headers that a 304 may update and that outlive their message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    cache_control: CacheControl,
    /// Seconds since the Unix epoch.
    expires: Stated,
    pub(super) vary_star: bool,
}

impl Stored {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            cache_control: CacheControl::of(headers),
            expires: stated(headers, EXPIRES, date),
            vary_star: has_star(headers),
        }
    }

    /// With the headers of a 304 in the place of these.
    pub(super) fn updated(&self, headers: &HeaderMap) -> Self {
        let new = Self::of(headers);
        Self {
            cache_control: if new.cache_control.present {
                new.cache_control
            } else {
                self.cache_control.clone()
            },
            expires: if new.expires == Stated::Nothing { self.expires } else { new.expires },
            vary_star: if headers.contains_key(VARY) { new.vary_star } else { self.vary_star },
        }
    }

    /// Whether there is a `Cache-Control`.
    pub(super) fn has_directives(&self) -> bool {
        self.cache_control.present
    }

    /// Whether there is a directive by which Meta reuses an answer.
    pub(super) fn has_documented_rule(&self) -> bool {
        self.cache_control.no_cache || self.cache_control.max_age != Stated::Nothing
    }

    /// Why not even the bytes may be remembered.
    pub(super) fn forbidden(&self) -> Option<Why> {
        if self.cache_control.no_store {
            return Some(Why::NoStore);
        }
        self.cache_control.private.then_some(Why::Private)
    }

    /// How many seconds it is fresh after its arrival, or why it is not.
    pub(super) fn remaining(
        &self,
        arrival: &Arrival,
        profile: Profile,
        validators: &Validators,
    ) -> Result<i64, Why> {
        let directives = &self.cache_control;
        if self.vary_star {
            return Err(Why::VaryStar);
        }
        if directives.no_cache {
            let lacks_date = profile == Profile::Documented && validators.last_modified.is_none();
            return Err(if lacks_date { Why::NoLastModified } else { Why::NoCache });
        }
        if directives.malformed {
            return Err(Why::Unparsable);
        }
        let lifetime = match profile {
            Profile::Rfc => self.lifetime(arrival),
            Profile::Documented => self.documented_lifetime(),
        };
        let has_headers = directives.present || !validators.is_empty();
        let lifetime = lifetime?.ok_or(if has_headers { Why::NoLifetime } else { Why::NoHeaders })?;
        match lifetime - arrival.age(profile)? {
            remaining @ 1.. => Ok(remaining),
            _ => Err(Why::OldOnArrival),
        }
    }

    /// RFC 9111 section 4.2.1, without heuristics.
    fn lifetime(&self, arrival: &Arrival) -> Result<Option<i64>, Why> {
        let CacheControl { s_maxage, max_age, .. } = self.cache_control;
        if let Some(seconds) = once(s_maxage)?.map_or_else(|| once(max_age), |seconds| Ok(Some(seconds)))? {
            return positive(seconds, Why::ZeroLifetime).map(Some);
        }
        let Some(expires) = once(self.expires)? else {
            return Ok(None);
        };
        let lifetime = expires.saturating_sub(arrival.date()?.unwrap_or(arrival.received_at));
        positive(lifetime.min(MAX_SECONDS), Why::Expired).map(Some)
    }

    /// Meta knows `max-age` alone; where there is `s-maxage` too, the shorter one harms nobody.
    fn documented_lifetime(&self) -> Result<Option<i64>, Why> {
        let Some(max_age) = once(self.cache_control.max_age)? else {
            return Ok(None);
        };
        let shared = once(self.cache_control.s_maxage)?.unwrap_or(max_age);
        positive(max_age.min(shared), Why::ZeroLifetime).map(Some)
    }
}

/// How old an answer was when it came; part of the message, not of what it carries.
pub(super) struct Arrival {
    pub(super) received_at: i64,
    age: Stated,
    date: Stated,
}

impl Arrival {
    pub(super) fn of(headers: &HeaderMap, received_at: i64) -> Self {
        let date = stated(headers, DATE, date);
        Self { received_at, age: stated(headers, AGE, digits), date }
    }

    /// When the answer was made, if it says so. RFC 9110 section 6.6.1 has a recipient put its own
    /// time in the place of a `Date` that is none.
    fn date(&self) -> Result<Option<i64>, Why> {
        match self.date {
            Stated::Once(date) => Ok(Some(date)),
            Stated::Nothing | Stated::Junk => Ok(None),
            Stated::Repeated => Err(Why::Repeated),
        }
    }

    /// RFC 9111 section 4.2.3, `corrected_initial_age`.
    fn age(&self, profile: Profile) -> Result<i64, Why> {
        let age = once(self.age)?.unwrap_or(0);
        match profile {
            Profile::Rfc => {
                let apparent = self.date()?.map_or(0, |date| self.received_at.saturating_sub(date));
                Ok(age.max(apparent))
            }
            Profile::Documented => Ok(age),
        }
    }
}

/// The number, if it is stated; why it cannot be relied on, if so.
fn once(stated: Stated) -> Result<Option<i64>, Why> {
    match stated {
        Stated::Nothing => Ok(None),
        Stated::Once(number) => Ok(Some(number)),
        Stated::Junk => Err(Why::Unparsable),
        Stated::Repeated => Err(Why::Repeated),
    }
}

fn positive(seconds: i64, otherwise: Why) -> Result<i64, Why> {
    if seconds > 0 { Ok(seconds) } else { Err(otherwise) }
}

fn stated(headers: &HeaderMap, name: HeaderName, read: fn(&[u8]) -> Option<i64>) -> Stated {
    let lines = headers.get_all(name);
    lines.iter().fold(Stated::Nothing, |stated, line| stated.and(read(line.as_bytes().trim_ascii())))
}

/// `Vary: *`, alone or in a list (RFC 9111 section 4.1).
fn has_star(headers: &HeaderMap) -> bool {
    let mut names = headers.get_all(VARY).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii() == b"*")
}
