//! The freshness rules from outside: acceptance cases as rows, properties, and a second opinion.

mod invariants;
mod oracle;
mod properties;
mod rows;

use http::{HeaderMap, HeaderName, HeaderValue};
use prembridge::http_cache::{Decision, Keep, Policy, Profile};

/// Wed, 01 Jan 2025 00:00:00 GMT, when the first request is made.
pub const START: i64 = 1_735_689_600;

/// Headers from lines such as `Cache-Control: max-age=60`.
pub fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.trim().as_bytes()).unwrap());
    }
    headers
}

/// How a provider answers a request with conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// With a 304 that repeats the headers.
    NotModified,
    /// As if there were none.
    Whole,
}

/// What the provider saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests without conditions.
    pub gets: usize,
    /// Requests with conditions.
    pub conditional: usize,
    /// Answers whose body need not be read.
    pub unread: usize,
}

/// Sends one link at `offsets` seconds, with one source entry as the cache has it.
pub fn send(lines: &[&str], answers: Answers, offsets: &[i64], profile: Profile) -> Seen {
    let headers = headers(lines);
    let mut seen = Seen::default();
    let mut entry: Option<Policy> = None;
    for offset in offsets {
        let now = START + offset;
        let decision = entry.as_ref().map(|policy| policy.decide(now));
        let mut new = Policy::of(&headers, now, profile);
        match (decision, &entry) {
            (Some(Decision::Fresh), _) => continue,
            (Some(Decision::Revalidate(_)), Some(policy)) => {
                assert!(policy.validators().headers().next().is_some(), "conditions without a condition");
                seen.conditional += 1;
                if answers == Answers::NotModified {
                    new = policy.refreshed(&headers, now, profile).unwrap();
                } else {
                    seen.unread += usize::from(policy.is_same(&headers));
                }
            }
            (Some(Decision::Refetch(_)) | None, _) => seen.gets += 1,
            (Some(Decision::Revalidate(_)), None) => unreachable!(),
        }
        entry = (new.keep() == Keep::Yes).then_some(new);
    }
    seen
}
