//! The acceptance cases of the cache as far as headers and time decide them, numbered as there.

use http::StatusCode;
use prembridge::http_cache::{Decision, Keep, NotTheSame, Policy, Profile, Why};

use super::Answers::{NotModified, Whole};
use super::{Answers, START, Seen, headers, send};

const MONDAY: &str = "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT";
const TUESDAY: &str = "Last-Modified: Tue, 02 Jan 2024 00:00:00 GMT";
const DAY: i64 = 86_400;

struct Row {
    case: &'static str,
    lines: &'static [&'static str],
    answers: Answers,
    offsets: &'static [i64],
    /// Requests without and with conditions.
    documented: (usize, usize),
    rfc: (usize, usize),
}

const fn row(
    case: &'static str,
    lines: &'static [&'static str],
    answers: Answers,
    offsets: &'static [i64],
    documented: (usize, usize),
    rfc: (usize, usize),
) -> Row {
    Row { case, lines, answers, offsets, documented, rfc }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("1", &[], Whole, &[0, 0, 0], (3, 0), (3, 0)),
    row("3", &["Cache-Control: max-age=604800"], Whole, &[0, 1, 6 * DAY], (1, 0), (1, 0)),
    row("4", &["Cache-Control: max-age=60"], Whole, &[0, 59, 61], (2, 0), (2, 0)),
    row("4, to the second", &["Cache-Control: max-age=60"], Whole, &[0, 60], (2, 0), (2, 0)),
    row("4, with Last-Modified", &["Cache-Control: max-age=60", MONDAY], NotModified, &[0, 59, 61], (1, 1), (1, 1)),
    row("6", &["ETag: \"33a64df5\"", "Cache-Control: max-age=60"], NotModified, &[0, 61], (2, 0), (1, 1)),
    row("7", &["Cache-Control: max-age=60", "ETag: \"a\"", MONDAY], NotModified, &[0, 61, 62], (1, 1), (1, 1)),
    row("7, expired again", &["Cache-Control: max-age=60", "ETag: \"a\"", MONDAY], NotModified, &[0, 61, 122], (1, 2), (1, 2)),
    row("10", &["Cache-Control: no-cache", MONDAY], NotModified, &[0, 0, 0, 0], (1, 3), (1, 3)),
    row("10, beside max-age", &["Cache-Control: no-cache, max-age=60", MONDAY], NotModified, &[0, 1], (1, 1), (1, 1)),
    row("10, in any case", &["Cache-Control: max-age=60, No-CaChE", MONDAY], NotModified, &[0, 1], (1, 1), (1, 1)),
    row("11", &["Cache-Control: no-cache", MONDAY], Whole, &[0, 0, 0], (1, 2), (1, 2)),
    row("13", &["Cache-Control: no-cache"], NotModified, &[0, 0], (2, 0), (2, 0)),
    row("14", &["Cache-Control: no-cache", "ETag: \"a\""], NotModified, &[0, 0], (2, 0), (1, 1)),
    row("15", &["Cache-Control: no-store"], NotModified, &[0, 0, 0], (3, 0), (3, 0)),
    row("15, with everything", &["Cache-Control: max-age=9999, No-STORE", "ETag: \"a\"", MONDAY], NotModified, &[0, 0, 0], (3, 0), (3, 0)),
    row("15, must-understand", &["Cache-Control: no-store, must-understand, max-age=60"], Whole, &[0, 0, 0], (3, 0), (3, 0)),
    row("16", &["Cache-Control: private, max-age=3600"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("16, of a field", &["Cache-Control: private=\"x-a, x-b\", max-age=3600"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("17", &["Cache-Control: max-age=0"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("19", &["Cache-Control: max-age=3600", "Age: 7200"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("19, in part", &["Cache-Control: max-age=3600", "Age: 3590"], Whole, &[0, 9], (1, 0), (1, 0)),
    row("19, all of it", &["Cache-Control: max-age=3600", "Age: 3590"], Whole, &[0, 10], (2, 0), (2, 0)),
    row("19, a list", &["Cache-Control: max-age=3600", "Age: 7200, 0"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("19, two lines", &["Cache-Control: max-age=3600", "Age: 0", "Age: 0"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("19, junk", &["Cache-Control: max-age=3600", "Age: -1"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("19, huge", &["Cache-Control: max-age=99999999999", "Age: 99999999999999999999"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("20", &["Cache-Control: MAX-AGE=60"], Whole, &[0, 1], (1, 0), (1, 0)),
    row("20, quoted", &["cache-control: Max-Age=\"60\""], Whole, &[0, 1], (1, 0), (1, 0)),
    row("20, among others", &["Cache-Control: public,, x=\"no-store, max-age=1\" , max-age=60,immutable"], Whole, &[0, 59], (1, 0), (1, 0)),
    row("21", &["Cache-Control: max-age=1800, max-age=1"], Whole, &[0, 2], (2, 0), (2, 0)),
    row("21, reversed", &["Cache-Control: max-age=1, max-age=1800"], Whole, &[0, 2], (2, 0), (2, 0)),
    row("21, two lines", &["Cache-Control: max-age=1800", "Cache-Control: max-age=1"], Whole, &[0, 2], (2, 0), (2, 0)),
    row("21, two lines reversed", &["Cache-Control: max-age=1", "Cache-Control: max-age=1800"], Whole, &[0, 2], (2, 0), (2, 0)),
    row("22", &["Cache-Control: max-age=abc"], Whole, &[0, 1], (2, 0), (2, 0)),
    row("22, negative", &["Cache-Control: max-age=-1"], Whole, &[0, 1], (2, 0), (2, 0)),
    row("22, fraction", &["Cache-Control: max-age=3600.5"], Whole, &[0, 1], (2, 0), (2, 0)),
    row("22, single quotes", &["Cache-Control: max-age='3600'"], Whole, &[0, 1], (2, 0), (2, 0)),
    row("22, huge", &["Cache-Control: max-age=99999999999999999999"], Whole, &[0, 1], (1, 0), (1, 0)),
    row("24", &["Date: Wed, 01 Jan 2025 00:00:00 GMT", "Expires: Wed, 01 Jan 2025 01:00:00 GMT"], Whole, &[0, 3599], (2, 0), (1, 0)),
    row("24, over", &["Date: Wed, 01 Jan 2025 00:00:00 GMT", "Expires: Wed, 01 Jan 2025 01:00:00 GMT"], Whole, &[0, 3600], (2, 0), (2, 0)),
    row("24, RFC 850", &["Expires: Wednesday, 01-Jan-25 01:00:00 GMT"], Whole, &[0, 3599], (2, 0), (1, 0)),
    row("24, asctime", &["Expires: Wed Jan  1 01:00:00 2025"], Whole, &[0, 3599], (2, 0), (1, 0)),
    row("24, no date", &["Expires: 0"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("24, twice", &["Expires: Wed, 01 Jan 2025 01:00:00 GMT", "Expires: Wed, 01 Jan 2025 01:00:00 GMT"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("24, max-age goes first", &["Cache-Control: max-age=0", "Expires: Wed, 01 Jan 2025 01:00:00 GMT"], Whole, &[0, 1], (2, 0), (2, 0)),
    row("25", &["Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"], Whole, &[0, 0], (2, 0), (1, 1)),
    row("25, revalidated", &["Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"], NotModified, &[0, 0, 0], (3, 0), (1, 2)),
    row("25, ETag", &["ETag: \"a\""], NotModified, &[0, 0], (2, 0), (1, 1)),
    row("25, both", &["ETag: \"a\"", MONDAY], NotModified, &[0, 0], (2, 0), (1, 1)),
    row("50", &["Cache-Control: max-age=3600", "Vary: *", "ETag: \"a\"", MONDAY], NotModified, &[0, 0], (2, 0), (2, 0)),
    row("50, in a list", &["Cache-Control: max-age=3600", "Vary: Accept, *"], Whole, &[0, 0], (2, 0), (2, 0)),
    row("50, Accept", &["Cache-Control: max-age=3600", "Vary: Accept"], Whole, &[0, 0], (1, 0), (1, 0)),
    row("s-maxage alone", &["Cache-Control: s-maxage=3600"], Whole, &[0, 1], (2, 0), (1, 0)),
    row("s-maxage alone, validators", &["Cache-Control: s-maxage=1", "ETag: \"a\"", MONDAY], NotModified, &[0, 2], (2, 0), (1, 1)),
    row("s-maxage shorter", &["Cache-Control: max-age=3600, s-maxage=1"], Whole, &[0, 2], (2, 0), (2, 0)),
    row("s-maxage longer", &["Cache-Control: max-age=1, s-maxage=3600"], Whole, &[0, 2], (2, 0), (1, 0)),
    row("s-maxage junk", &["Cache-Control: max-age=3600, s-maxage=x"], Whole, &[0, 1], (2, 0), (2, 0)),
    row("Date long ago", &["Cache-Control: max-age=3600", "Date: Tue, 31 Dec 2024 22:00:00 GMT"], Whole, &[0, 1], (1, 0), (2, 0)),
    row("Date to come", &["Cache-Control: max-age=60", "Date: Wed, 01 Jan 2025 02:00:00 GMT"], Whole, &[0, 61], (2, 0), (2, 0)),
    row("Date junk", &["Cache-Control: max-age=60", "Date: soon"], Whole, &[0, 59], (1, 0), (1, 0)),
    row("Date twice", &["Cache-Control: max-age=60", "Date: soon", "Date: soon"], Whole, &[0, 59], (1, 0), (2, 0)),
    row("clock set back", &["Cache-Control: max-age=3600"], Whole, &[0, -1], (2, 0), (2, 0)),
    row("clock set back, validators", &["Cache-Control: max-age=3600", "ETag: \"a\"", MONDAY], NotModified, &[0, -1], (1, 1), (1, 1)),
    row("Cookies and Pragma", &["Cache-Control: max-age=60", "Set-Cookie: a=b", "Pragma: no-cache"], Whole, &[0, 1], (1, 0), (1, 0)),
    row("must-revalidate", &["Cache-Control: max-age=60, must-revalidate, proxy-revalidate, no-transform"], Whole, &[0, 59, 60], (2, 0), (2, 0)),
    row("immutable", &["Cache-Control: max-age=60, immutable", MONDAY], NotModified, &[0, 59, 60], (1, 1), (1, 1)),
    row("stale-if-error", &["Cache-Control: max-age=60, stale-if-error=600, stale-while-revalidate=600"], Whole, &[0, 60], (2, 0), (2, 0)),
];

#[test]
fn every_case() {
    for row in ROWS {
        for (profile, (gets, conditional)) in [(Profile::Documented, row.documented), (Profile::Rfc, row.rfc)]
        {
            let seen = send(row.lines, row.answers, row.offsets, profile);
            let unread = if row.answers == Whole { conditional } else { 0 };
            assert_eq!(seen, Seen { gets, conditional, unread }, "case {} {profile:?}", row.case);
        }
    }
}

#[test]
fn every_reason() {
    let never = |why| (Keep::Never(why), Decision::Refetch(why));
    let unusable = |why| (Keep::Unusable(why), Decision::Refetch(why));
    let revalidate = |why| (Keep::Yes, Decision::Revalidate(why));
    for (lines, documented, rfc) in [
        (&[][..], unusable(Why::NoHeaders), unusable(Why::NoHeaders)),
        (&["Expires: soon"], unusable(Why::NoHeaders), unusable(Why::Unparsable)),
        (&["Cache-Control: public"], unusable(Why::NoLifetime), unusable(Why::NoLifetime)),
        (&[MONDAY], unusable(Why::NoLifetime), revalidate(Why::NoLifetime)),
        (&["ETag: a"], unusable(Why::NoHeaders), revalidate(Why::NoLifetime)),
        (&["Cache-Control: no-store, private"], never(Why::NoStore), never(Why::NoStore)),
        (&["Cache-Control: private", MONDAY], never(Why::Private), never(Why::Private)),
        (&["Cache-Control: no-cache"], unusable(Why::NoLastModified), unusable(Why::NoCache)),
        (&["Cache-Control: no-cache", "ETag: a"], unusable(Why::NoLastModified), revalidate(Why::NoCache)),
        (&["Cache-Control: no-cache", MONDAY], revalidate(Why::NoCache), revalidate(Why::NoCache)),
        (&["Cache-Control: max-age=0"], unusable(Why::ZeroLifetime), unusable(Why::ZeroLifetime)),
        (&["Cache-Control: max-age=9", "Age: 9"], unusable(Why::OldOnArrival), unusable(Why::OldOnArrival)),
        (&["Cache-Control: max-age=9", "Age: x"], unusable(Why::Unparsable), unusable(Why::Unparsable)),
        (&["Cache-Control: max-age=9, private; x"], unusable(Why::Unparsable), unusable(Why::Unparsable)),
        (&["Cache-Control: max-age=9, max-age=9"], unusable(Why::Repeated), unusable(Why::Repeated)),
        (&["Cache-Control: max-age=9", "Vary: *"], unusable(Why::VaryStar), unusable(Why::VaryStar)),
    ] {
        for (profile, expected) in [(Profile::Documented, documented), (Profile::Rfc, rfc)] {
            let policy = Policy::of(&headers(lines), START, profile);
            assert_eq!((policy.keep(), policy.decide(START)), expected, "{lines:?} {profile:?}");
        }
    }
    let policy = Policy::of(&headers(&["Expires: Tue, 31 Dec 2024 00:00:00 GMT"]), START, Profile::Rfc);
    assert_eq!(policy.keep(), Keep::Unusable(Why::Expired));
    let policy = Policy::of(&headers(&["Cache-Control: max-age=9"]), START, Profile::Rfc);
    assert_eq!(policy.decide(START - 1), Decision::Refetch(Why::ClockWentBack));
    assert_eq!(policy.decide(START + 8), Decision::Fresh);
    assert_eq!(policy.decide(START + 9), Decision::Refetch(Why::Expired));
}

#[test]
fn reasons_have_names_of_their_own() {
    let all = [
        Why::NoHeaders,
        Why::NoLifetime,
        Why::NoStore,
        Why::Private,
        Why::NoCache,
        Why::NoLastModified,
        Why::ZeroLifetime,
        Why::Expired,
        Why::OldOnArrival,
        Why::Unparsable,
        Why::Repeated,
        Why::VaryStar,
        Why::Redirect,
        Why::ClockWentBack,
    ];
    for (index, why) in all.into_iter().enumerate() {
        assert!(why.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", why.name());
        assert_eq!(serde_json::to_value(why).unwrap(), why.name());
        for other in &all[..index] {
            assert!(why != *other && why.name() != other.name());
        }
    }
}

/// Case 46 and its relatives.
#[test]
fn the_shortest_hop_decides() {
    let temporary = [StatusCode::FOUND, StatusCode::SEE_OTHER, StatusCode::TEMPORARY_REDIRECT];
    let permanent = [StatusCode::MOVED_PERMANENTLY, StatusCode::PERMANENT_REDIRECT];
    let fresh_for = |status, hop: &[&str], profile| {
        let policy = Policy::of(&headers(&["Cache-Control: max-age=3600"]), START, profile);
        let policy = policy.after_redirect(status, &headers(hop), START, profile);
        let fresh = (0..=3600).take_while(|age| policy.decide(START + age) == Decision::Fresh).count();
        (fresh, policy.keep())
    };
    let stale = (0, Keep::Unusable(Why::Redirect));
    for profile in [Profile::Documented, Profile::Rfc] {
        for status in temporary {
            assert_eq!(fresh_for(status, &[], profile), stale);
            assert_eq!(fresh_for(status, &["ETag: \"a\"", MONDAY], profile), stale);
        }
        for status in permanent {
            assert_eq!(fresh_for(status, &[], profile), (3600, Keep::Yes));
            assert_eq!(fresh_for(status, &["Cache-Control: public"], profile), (3600, Keep::Yes));
        }
        for status in temporary.into_iter().chain(permanent) {
            assert_eq!(fresh_for(status, &["Cache-Control: max-age=60"], profile), (60, Keep::Yes));
            assert_eq!(fresh_for(status, &["Cache-Control: max-age=9999"], profile), (3600, Keep::Yes));
            for hop in ["no-cache", "max-age=0", "max-age=x", "max-age=60, max-age=60", "max-age=60 private"]
            {
                assert_eq!(fresh_for(status, &[&format!("Cache-Control: {hop}")], profile), stale, "{hop}");
            }
            assert_eq!(fresh_for(status, &["Cache-Control: max-age=60", "Age: 61"], profile), stale);
            assert_eq!(fresh_for(status, &["Cache-Control: max-age=60", "Vary: *"], profile), stale);
            for (hop, why) in [("no-store", Why::NoStore), ("max-age=60, private", Why::Private)] {
                let (_, keep) = fresh_for(status, &[&format!("Cache-Control: {hop}")], profile);
                assert_eq!(keep, Keep::Never(why));
            }
        }
    }
    let expires = ["Expires: Wed, 01 Jan 2025 00:01:00 GMT"];
    assert_eq!(fresh_for(StatusCode::FOUND, &expires, Profile::Rfc), (60, Keep::Yes));
    assert_eq!(fresh_for(StatusCode::FOUND, &expires, Profile::Documented), stale);
}

#[test]
fn a_stale_hop_leaves_the_validators() {
    let policy = Policy::of(&headers(&["Cache-Control: max-age=60", MONDAY]), START, Profile::Rfc);
    let policy = policy.after_redirect(StatusCode::FOUND, &headers(&[]), START, Profile::Rfc);
    assert_eq!(policy.decide(START), Decision::Revalidate(Why::Redirect));
}

#[test]
fn a_304_brings_new_headers_and_keeps_the_rest() {
    let of = |lines: &[&str]| Policy::of(&headers(lines), START, Profile::Rfc);
    let old = of(&["Cache-Control: max-age=60", "ETag: \"a\"", MONDAY, "Age: 50"]);
    let at = |lines: &[&str]| old.refreshed(&headers(lines), START + 100, Profile::Rfc).unwrap();
    let fresh_at = |policy: &Policy, age: i64| policy.decide(START + 100 + age) == Decision::Fresh;
    // Nothing new: the lifetime begins again, and the age of the old message is gone.
    assert!(fresh_at(&at(&[]), 59) && !fresh_at(&at(&[]), 60));
    let aged = at(&["Age: 50"]);
    assert!(fresh_at(&aged, 9) && !fresh_at(&aged, 10));
    let longer = at(&["Cache-Control: max-age=600"]);
    assert!(fresh_at(&longer, 599));
    // Directives are replaced together.
    let gone = at(&["Cache-Control: public"]);
    assert_eq!(gone.decide(START + 100), Decision::Revalidate(Why::NoLifetime));
    assert_eq!(at(&["Cache-Control: no-store"]).keep(), Keep::Never(Why::NoStore));
    assert_eq!(at(&["Vary: *"]).keep(), Keep::Unusable(Why::VaryStar));
    // The ETag stays the one of the bytes, Last-Modified follows.
    let weaker = at(&["ETag: W/\"a\"", TUESDAY]);
    assert_eq!(weaker.validators().etag, old.validators().etag);
    assert_eq!(weaker.validators().last_modified.as_ref().unwrap(), "Tue, 02 Jan 2024 00:00:00 GMT");
    // An `Expires` that the 304 does not repeat is not prolonged.
    let expires = of(&["Expires: Wed, 01 Jan 2025 00:02:00 GMT", "ETag: \"a\""]);
    let expires = expires.refreshed(&headers(&[]), START + 100, Profile::Rfc).unwrap();
    assert!(fresh_at(&expires, 19) && !fresh_at(&expires, 20));
}

#[test]
fn a_304_about_something_else_is_refused() {
    let cache = "Cache-Control: max-age=60";
    for (old, new, documented, rfc) in [
        (&[cache, "ETag: \"a\"", MONDAY][..], &["ETag: \"b\""][..], false, false),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: W/\"b\"", MONDAY], false, false),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: W/\"a\"", MONDAY], true, true),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: \"a\"", TUESDAY], false, true),
        (&[cache, "ETag: \"a\"", MONDAY], &[TUESDAY], false, false),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: \"a\"", "ETag: \"a\""], false, false),
        (&[cache, MONDAY], &[], true, true),
        (&[cache, MONDAY], &[TUESDAY], false, false),
        (&[cache, MONDAY], &["ETag: \"a\"", MONDAY], true, true),
        (&[cache, MONDAY], &["ETag: \"a\""], false, false),
        (&[cache, MONDAY], &["ETag: W/\"a\""], true, true),
        (&[cache, "ETag: \"a\""], &["ETag: \"a\""], false, true),
        (&[cache], &[], false, false),
    ] {
        for (profile, expected) in [(Profile::Documented, documented), (Profile::Rfc, rfc)] {
            let policy = Policy::of(&headers(old), START, profile);
            let refreshed = policy.refreshed(&headers(new), START + 60, profile);
            assert_eq!(refreshed.is_ok(), expected, "{old:?} {new:?} {profile:?}");
            assert!(refreshed.is_ok() || refreshed == Err(NotTheSame));
        }
    }
}

/// Cases 9 and 11.
#[test]
fn a_200_may_be_what_is_remembered() {
    let cache = "Cache-Control: no-cache";
    for (old, new, documented, rfc) in [
        (&[cache, MONDAY][..], &[MONDAY][..], true, true),
        (&[cache, MONDAY], &[TUESDAY], false, false),
        (&[cache, MONDAY], &[], false, false),
        (&[cache, MONDAY], &["ETag: \"a\"", MONDAY], true, true),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: \"a\"", MONDAY], true, true),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: \"a\"", TUESDAY], false, true),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: \"b\"", MONDAY], false, false),
        (&[cache, "ETag: W/\"a\"", MONDAY], &["ETag: W/\"a\"", MONDAY], true, false),
        (&[cache, "ETag: \"a\"", MONDAY], &["ETag: \"a\"", "ETag: \"b\"", MONDAY], false, false),
        (&[cache, "ETag: \"a\""], &["ETag: \"a\""], false, true),
        (&[cache], &[], false, false),
    ] {
        for (profile, expected) in [(Profile::Documented, documented), (Profile::Rfc, rfc)] {
            let policy = Policy::of(&headers(old), START, profile);
            assert_eq!(policy.is_same(&headers(new)), expected, "{old:?} {new:?} {profile:?}");
        }
    }
}

#[test]
fn a_policy_survives_a_restart() {
    for row in ROWS {
        for profile in [Profile::Documented, Profile::Rfc] {
            let policy = Policy::of(&headers(row.lines), START, profile);
            let json = serde_json::to_string(&policy).unwrap();
            assert!(json.len() < 1024, "{json}");
            assert_eq!(serde_json::from_str::<Policy>(&json).unwrap(), policy, "{json}");
        }
    }
}
