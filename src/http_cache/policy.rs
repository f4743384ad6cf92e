//! What to do with an answer that is remembered.

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::lifetime::{Arrival, Profile, Stored};
use super::validators::Validators;
use super::why::Why;

/// Whether an answer may be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Both the source and its digest and upload.
    Yes,
    /// The digest and the upload only: the source can neither be reused nor be revalidated.
    Unusable(Why),
    /// Nothing, and nothing may be shared between sends that wait for the same download.
    Never(Why),
}

/// What to do about a source that is needed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Use what is remembered.
    Fresh,
    /// Ask with [`Validators::headers`] of [`Policy::validators`].
    Revalidate(Why),
    /// Download it without a condition.
    Refetch(Why),
}

/// A 304 that is about something else than what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider confirmed another representation than the one that is remembered")]
pub struct NotTheSame;

/// What an answer said about keeping it.
///
/// It keeps what it was made from, in parsed form, so that a 304 can update it. What it decides stays
/// that of the profile that it was made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    profile: Profile,
    stored: Stored,
    validators: Validators,
    received_at: i64,
    /// At this second it is not fresh any longer.
    fresh_until: i64,
    /// Why it is not fresh at `fresh_until`.
    stale_because: Why,
    can_revalidate: bool,
    keep: Keep,
}

impl Policy {
    /// Of a 200 answer that came at `received_at`. The moment of the request is as good: that is how
    /// RFC 9111 section 4.2.3 counts the time on the way.
    pub fn of(headers: &HeaderMap, received_at: i64, profile: Profile) -> Self {
        let stored = Stored::of(headers);
        Self::new(stored, Validators::of(headers), &Arrival::of(headers, received_at), profile)
    }

    fn new(stored: Stored, mut validators: Validators, arrival: &Arrival, profile: Profile) -> Self {
        // Meta: the ETag is ignored unless both others are there; without Cache-Control nothing is reused.
        if profile == Profile::Documented && !(stored.has_directives() && validators.last_modified.is_some())
        {
            validators.etag = None;
        }
        let can_revalidate = !stored.vary_star
            && match profile {
                Profile::Rfc => !validators.is_empty(),
                Profile::Documented => validators.last_modified.is_some() && stored.has_documented_rule(),
            };
        let (fresh_for, stale_because) = match stored.remaining(arrival, profile, &validators) {
            Ok(seconds) => (seconds, Why::Expired),
            Err(why) => (0, why),
        };
        let fresh_until = arrival.received_at.saturating_add(fresh_for);
        let keep = match stored.forbidden() {
            Some(why) => Keep::Never(why),
            None => Keep::Yes,
        };
        Self {
            profile,
            stored,
            validators,
            received_at: arrival.received_at,
            fresh_until,
            stale_because,
            can_revalidate,
            keep,
        }
        .settled()
    }

    /// What can be neither reused nor revalidated is not worth an entry.
    fn settled(mut self) -> Self {
        if self.keep == Keep::Yes && !self.can_revalidate && self.fresh_until <= self.received_at {
            self.keep = Keep::Unusable(self.stale_because);
        }
        self
    }

    /// Whether the answer may be remembered, and why not.
    pub fn keep(&self) -> Keep {
        self.keep
    }

    /// What to do at `now`, which must have been read after the entry: an earlier time means that the
    /// clock was set back, and then nothing is known about the age.
    pub fn decide(&self, now: i64) -> Decision {
        let why = match self.keep {
            Keep::Never(why) | Keep::Unusable(why) => return Decision::Refetch(why),
            Keep::Yes if now < self.received_at => Why::ClockWentBack,
            Keep::Yes if now < self.fresh_until => return Decision::Fresh,
            Keep::Yes => self.stale_because,
        };
        if self.can_revalidate { Decision::Revalidate(why) } else { Decision::Refetch(why) }
    }

    /// What to revalidate with, as the profile lets us use it.
    pub fn validators(&self) -> &Validators {
        &self.validators
    }

    /// With a redirect that led to this answer; where there were several, in any order.
    ///
    /// The answer stays fresh only as long as every hop. A permanent redirect (301, 308) without a
    /// lifetime does not limit it, any other makes it stale now. Validators belong to the URL that
    /// gave the answer: they must not go to another one when the redirects have changed.
    #[must_use]
    pub fn after_redirect(
        mut self,
        status: StatusCode,
        hop_headers: &HeaderMap,
        received_at: i64,
        profile: Profile,
    ) -> Self {
        let hop = Stored::of(hop_headers);
        if let (Some(why), Keep::Yes | Keep::Unusable(_)) = (hop.forbidden(), self.keep) {
            self.keep = Keep::Never(why);
        }
        let is_permanent = matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
        let arrival = Arrival::of(hop_headers, received_at);
        let fresh_for = match hop.remaining(&arrival, profile, &Validators::default()) {
            Ok(seconds) => seconds,
            Err(Why::NoHeaders | Why::NoLifetime) if is_permanent => return self,
            Err(_) => 0,
        };
        let fresh_until = received_at.saturating_add(fresh_for);
        if fresh_until < self.fresh_until {
            self.fresh_until = fresh_until;
            self.stale_because = Why::Redirect;
        }
        self.settled()
    }

    /// After a 304 to a revalidation: its headers take the place of the remembered ones (RFC 9111
    /// section 4.3.4); redirects in front of it are to be added anew.
    ///
    /// `Age` and `Date` are those of the 304, which says that the answer is good now. The `ETag` stays
    /// the one that came with the bytes.
    ///
    /// # Errors
    ///
    /// The 304 names another `ETag` or `Last-Modified`, or there was nothing to ask with: ask once
    /// more without a condition.
    pub fn refreshed(
        &self,
        headers_of_304: &HeaderMap,
        received_at: i64,
        profile: Profile,
    ) -> Result<Self, NotTheSame> {
        let named = Validators::clear(headers_of_304).ok_or(NotTheSame)?;
        let is_modified = named.last_modified.is_some() && !self.validators.same_last_modified(&named);
        // Meta: update when Last-Modified differs.
        if !self.can_revalidate
            || !self.validators.confirmed_by(&named)
            || (profile == Profile::Documented && is_modified)
        {
            return Err(NotTheSame);
        }
        let validators = Validators {
            etag: self.validators.etag.clone(),
            last_modified: named.last_modified.or_else(|| self.validators.last_modified.clone()),
        };
        let stored = self.stored.updated(headers_of_304);
        Ok(Self::new(stored, validators, &Arrival::of(headers_of_304, received_at), profile))
    }

    /// Whether a 200 that answered a revalidation is what is remembered, so that its body need not be
    /// read; then [`Policy::of`] its headers replaces this policy.
    ///
    /// The same strong `ETag` says so or, where not both have one, the same `Last-Modified`. Under
    /// [`Profile::Documented`] the `Last-Modified` must be the same, whatever the `ETag`, which may not differ.
    pub fn is_same(&self, headers_of_200: &HeaderMap) -> bool {
        let Some(theirs) = Validators::clear(headers_of_200) else {
            return false;
        };
        match self.profile {
            Profile::Rfc => self.validators.same_bytes(&theirs),
            Profile::Documented => {
                self.validators.same_last_modified(&theirs) && !self.validators.other_etag(&theirs)
            }
        }
    }
}
