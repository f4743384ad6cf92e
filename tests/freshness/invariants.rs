//! What must hold for whatever headers a provider sends; shared by the property tests and the fuzz
//! target.

use http::header::{AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use prembridge::http_cache::{Decision, Keep, Policy, Profile};

/// Wed, 01 Jan 2025 00:00:00 GMT.
const NOW: i64 = 1_735_689_600;
/// The longest lifetime there is.
const LONGEST: i64 = 1 << 31;
const PROFILES: [Profile; 2] = [Profile::Rfc, Profile::Documented];

/// Checks up to three blocks of header lines, with an empty line between them: an answer, what
/// answered its revalidation, and a redirect.
pub fn answers(bytes: &[u8]) {
    let mut blocks = [HeaderMap::new(), HeaderMap::new(), HeaderMap::new()];
    let mut block = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            block = (block + 1).min(2);
        }
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value.trim_ascii()).ok());
        if let (Some(name), Some(value)) = (name, value) {
            blocks[block].append(name, value);
        }
    }
    let [answer, second, hop] = blocks;
    for profile in PROFILES {
        for received_at in [NOW, 0, i64::MIN, i64::MAX] {
            let policy = Policy::of(&answer, received_at, profile);
            consistent(&policy, received_at);
            revalidated(&policy, &second, profile);
            redirected(&policy, &hop, received_at, profile);
        }
        restricted(&answer, profile);
    }
    without_date(answer);
}

/// For how long it is fresh.
fn fresh_for(policy: &Policy, received_at: i64) -> i64 {
    let is_fresh = |age: i64| policy.decide(received_at.saturating_add(age)) == Decision::Fresh;
    let (mut fresh, mut stale) = (-1, LONGEST);
    while stale - fresh > 1 {
        let middle = fresh + (stale - fresh) / 2;
        if is_fresh(middle) {
            fresh = middle;
        } else {
            stale = middle;
        }
    }
    stale
}

fn consistent(policy: &Policy, received_at: i64) {
    let fresh_for = fresh_for(policy, received_at);
    for age in [0, 1, 60, 3600, fresh_for - 1, fresh_for, fresh_for + 1, LONGEST, i64::MAX] {
        let decision = policy.decide(received_at.saturating_add(age));
        let expected = age >= 0 && received_at.saturating_add(age) < received_at.saturating_add(fresh_for);
        assert_eq!(decision == Decision::Fresh, expected, "stale, then fresh: {age} {policy:?}");
        match (policy.keep(), decision) {
            (Keep::Yes, Decision::Fresh) => {}
            (Keep::Yes, Decision::Revalidate(_)) => assert!(!policy.validators().is_empty(), "{policy:?}"),
            (Keep::Yes, Decision::Refetch(_)) => assert!(fresh_for > 0, "of no use: {policy:?}"),
            (Keep::Never(kept) | Keep::Unusable(kept), Decision::Refetch(why)) => assert_eq!(kept, why),
            (Keep::Never(_) | Keep::Unusable(_), Decision::Fresh | Decision::Revalidate(_)) => {
                panic!("used and not kept: {policy:?}")
            }
        }
    }
    if received_at > i64::MIN {
        assert_ne!(policy.decide(received_at - 1), Decision::Fresh, "from the future: {policy:?}");
    }
    let json = serde_json::to_string(policy).unwrap();
    assert_eq!(&serde_json::from_str::<Policy>(&json).unwrap(), policy, "{json}");
}

fn revalidated(policy: &Policy, second: &HeaderMap, profile: Profile) {
    let ours = policy.validators();
    if policy.is_same(second) {
        assert!(!ours.is_empty());
        if let (Some(ours), Some(theirs)) = (&ours.etag, second.get(ETAG)) {
            let weak =
                |etag: &HeaderValue| etag.to_str().unwrap_or_default().trim_start_matches("W/").to_owned();
            assert!(ours == theirs || weak(ours) == weak(theirs), "{policy:?} {second:?}");
        }
    }
    for received_at in [NOW + 100, i64::MIN, i64::MAX] {
        if let Ok(new) = policy.refreshed(second, received_at, profile) {
            consistent(&new, received_at);
            assert!(ours.etag.is_some() || ours.last_modified.is_some(), "nothing was asked: {policy:?}");
            if profile == Profile::Rfc {
                assert_eq!(new.validators().etag, ours.etag, "the bytes have another ETag");
            }
            if !second.contains_key(CACHE_CONTROL) && !second.contains_key(EXPIRES) {
                let again = fresh_for(&new, received_at);
                assert!(again == 0 || policy.keep() == Keep::Yes, "fresh out of nothing: {policy:?} {new:?}");
            }
        }
    }
}

fn redirected(policy: &Policy, hop: &HeaderMap, received_at: i64, profile: Profile) {
    let before = fresh_for(policy, received_at);
    for status in [301, 302, 303, 307, 308] {
        let status = StatusCode::from_u16(status).unwrap();
        let after = policy.clone().after_redirect(status, hop, received_at, profile);
        consistent(&after, received_at);
        assert!(fresh_for(&after, received_at) <= before, "prolonged: {policy:?} {hop:?}");
        assert_eq!(after.clone().after_redirect(status, hop, received_at, profile), after);
        assert_eq!(after.validators(), policy.validators());
        if matches!(policy.keep(), Keep::Never(_)) {
            assert_eq!(after.keep(), policy.keep());
        }
    }
}

/// One more header that restricts never makes it last longer.
fn restricted(answer: &HeaderMap, profile: Profile) {
    let before = fresh_for(&Policy::of(answer, NOW, profile), NOW);
    let with = |name: HeaderName, value: &'static str| {
        let mut headers = answer.clone();
        headers.append(name, HeaderValue::from_static(value));
        let policy = Policy::of(&headers, NOW, profile);
        (fresh_for(&policy, NOW), policy)
    };
    for directive in ["no-store", "PRIVATE", "Private=\"x, y\"", ", no-store ,"] {
        let (_, policy) = with(CACHE_CONTROL, directive);
        assert!(matches!(policy.keep(), Keep::Never(_)), "{directive}: {policy:?}");
    }
    for directive in ["no-cache", "No-Cache=\"x\"", "a b", "a=\"", "max-age=x"] {
        let (after, policy) = with(CACHE_CONTROL, directive);
        let is_decided = directive == "max-age=x" && profile == Profile::Rfc;
        assert!(after == 0 || is_decided && after <= before, "{directive}: {policy:?}");
    }
    for (name, value) in
        [(AGE, "0"), (AGE, "9"), (CACHE_CONTROL, "public"), (LAST_MODIFIED, "0"), (DATE, "x")]
    {
        assert!(with(name.clone(), value).0 <= before, "{name} prolongs: {answer:?}");
    }
    let (after, policy) = with(VARY, "*");
    assert!(after == 0 && policy.keep() != Keep::Yes, "{policy:?}");
    let mut bare = answer.clone();
    bare.remove(CACHE_CONTROL);
    if profile == Profile::Documented {
        assert_ne!(Policy::of(&bare, NOW, profile).keep(), Keep::Yes, "without Cache-Control: {bare:?}");
    }
    bare.remove(EXPIRES);
    assert_eq!(fresh_for(&Policy::of(&bare, NOW, profile), NOW), 0, "a guess: {bare:?}");
}

/// Only `Date` makes an answer older for the RFC than for Meta; else the RFC never has less time.
fn without_date(mut answer: HeaderMap) {
    answer.remove(DATE);
    let [rfc, documented] = PROFILES.map(|profile| fresh_for(&Policy::of(&answer, NOW, profile), NOW));
    assert!(documented <= rfc, "{documented} {rfc} {answer:?}");
}
