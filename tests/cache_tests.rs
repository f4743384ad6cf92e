//! The public suite of tests for HTTP caches (npm `http-cache-tests`) against the freshness rules.
//!
//! `CACHE_TESTS_JSON` names its definitions as `tests/cache_tests/export.mjs` prints them. Without it
//! the test is not run, but under CI it fails. Time is simulated.
//!
//! A test applies if it is about a cache whose requests are all plain GETs for one URL and whose
//! answers are 200 or 304, since no other gets as far as these rules. What a cache replays to its own
//! clients is not looked at: we replay no headers. "cached" is no request to the provider.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderMap, HeaderName, HeaderValue};
use prembridge::http_cache::{Decision, Keep, Policy, Profile};
use serde::Deserialize;
use serde_json::Value;

use crate::freshness::START;
use crate::support::needs::not_run;

/// What the suite waits where it says `pause_after`.
const PAUSE: i64 = 3;

/// Where we deliberately go another way than the suite expects, with the reason. Most are of its kind
/// "check", which asks how a cache behaves without saying how it should.
const DEVIATIONS: &[(&str, &[&str])] = &[
    (
        "no heuristics: a lifetime is what the provider gives (RFC 9111 section 4.2.2 only allows them)",
        &[
            "heuristic-200-cached",
            "heuristic-delta-5",
            "heuristic-delta-10",
            "heuristic-delta-30",
            "heuristic-delta-60",
            "heuristic-delta-300",
            "heuristic-delta-600",
            "heuristic-delta-1200",
            "heuristic-delta-1800",
            "heuristic-delta-3600",
            "heuristic-delta-43200",
            "heuristic-delta-86400",
            "other-heuristic-content-disposition-attachment",
            "pragma-response-no-cache-heuristic",
        ],
    ),
    (
        "what is stale is never used unasked, not even while the provider fails",
        &["stale-close", "stale-sie-close", "stale-sie-503", "stale-warning-become", "stale-warning-stored"],
    ),
    (
        "a directive or header that is there twice is stale now (RFC 9111 section 4.2.1)",
        &[
            "freshness-max-age-multiple-directive",
            "freshness-max-age-multiple-line",
            "freshness-max-age-two-fresh-stale-sameline",
            "freshness-max-age-two-fresh-stale-sepline",
            "freshness-max-age-two-stale-fresh-sameline",
            "freshness-max-age-two-stale-fresh-sepline",
        ],
    ),
    (
        "a lifetime that is not digits alone is 0",
        &[
            "freshness-max-age-100a",
            "freshness-max-age-a100",
            "freshness-max-age-decimal-five",
            "freshness-max-age-decimal-zero",
        ],
    ),
    (
        "an `Age` that is a list is stale now; the suite wants its first number, and the opposite on two lines",
        &["age-parse-prefix"],
    ),
    (
        "an `Expires` that is not in one of the three date forms, to the letter, is in the past",
        &[
            "freshness-expires-32bit",
            "freshness-expires-far-future",
            "freshness-expires-invalid-1-digit-hour",
            "freshness-expires-invalid-2-digit-year",
            "freshness-expires-invalid-aest",
            "freshness-expires-invalid-date-dashes",
            "freshness-expires-invalid-multiple-lines",
            "freshness-expires-invalid-multiple-spaces",
            "freshness-expires-invalid-no-comma",
            "freshness-expires-invalid-time-periods",
            "freshness-expires-invalid-utc",
            "freshness-expires-wrong-case-month",
            "freshness-expires-wrong-case-tz",
            "freshness-expires-wrong-case-weekday",
        ],
    ),
    ("its asctime date names a Thursday that is a Monday", &["freshness-expires-ansi-c"]),
    (
        "`no-cache` for some fields is `no-cache` (RFC 9111 section 5.2.2.4 knows caches that do so)",
        &[
            "headers-omit-headers-listed-in-Cache-Control-no-cache",
            "headers-omit-headers-listed-in-Cache-Control-no-cache-single",
        ],
    ),
    ("an `ETag` without quotes is echoed without quotes", &["conditional-etag-strong-generate-unquoted"]),
    (
        "a 304 with another strong `ETag` confirms nothing (RFC 9111 section 4.3.4)",
        &["304-etag-update-response-ETag"],
    ),
];

#[derive(Deserialize)]
struct Suite {
    id: String,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    id: String,
    kind: Option<String>,
    #[serde(default)]
    browser_only: bool,
    requests: Vec<Step>,
}

/// One request of the client and how the server would answer it.
#[derive(Deserialize)]
struct Step {
    request_method: Option<String>,
    request_headers: Option<Value>,
    query_arg: Option<String>,
    filename: Option<String>,
    response_status: Option<(u16, String)>,
    #[serde(default)]
    response_headers: Vec<Vec<Value>>,
    expected_type: Option<String>,
    expected_request_headers: Option<Value>,
    #[serde(default)]
    pause_after: bool,
    #[serde(default)]
    disconnect: bool,
}

#[test]
fn the_public_suite_for_caches() {
    let Some(path) = std::env::var_os("CACHE_TESTS_JSON") else {
        return not_run("CACHE_TESTS_JSON names no export of http-cache-tests; see .ci/run");
    };
    let suites: Vec<Suite> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut failed = BTreeMap::new();
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (suite, test) in suites.iter().flat_map(|suite| suite.tests.iter().map(move |test| (suite, test))) {
        if !applies(suite, test) {
            continue;
        }
        let outcome = run(test);
        let (passed, all) = kinds.entry(test.kind.as_deref().unwrap_or("required")).or_default();
        *passed += usize::from(outcome.is_ok());
        *all += 1;
        if let Err(problem) = outcome {
            failed.insert(test.id.as_str(), problem);
        }
    }
    println!("passed of applicable: {kinds:?}");
    let applicable: usize = kinds.values().map(|(_, all)| all).sum();
    assert!(applicable >= 100, "only {applicable} tests apply: is this the suite?");
    let known: BTreeSet<&str> = DEVIATIONS.iter().flat_map(|(_, ids)| *ids).copied().collect();
    let new: Vec<_> = failed.iter().filter(|(id, _)| !known.contains(*id)).collect();
    let gone: Vec<_> = known.iter().filter(|id| !failed.contains_key(*id)).collect();
    assert!(new.is_empty() && gone.is_empty(), "new: {new:#?}\nno deviations any longer: {gone:#?}");
}

fn applies(suite: &Suite, test: &Test) -> bool {
    // What the server is told to say in these suites is about caches that replay headers or send parts.
    let is_elsewhere = matches!(suite.id.as_str(), "headers" | "partial" | "updateHEAD" | "invalidation");
    let is_plain = |step: &Step| {
        step.request_method.as_deref().is_none_or(|method| method == "GET")
            && step.request_headers.is_none()
            && step.query_arg.is_none()
            && step.filename.is_none()
            && step.response_status.as_ref().is_none_or(|(status, _)| *status == 200)
    };
    let is_checked = test.requests.iter().any(|step| step.expected_type.is_some());
    !is_elsewhere && !test.browser_only && is_checked && test.requests.iter().all(is_plain)
}

/// Plays one test; says where it went another way than expected.
fn run(test: &Test) -> Result<(), String> {
    let mut now = START;
    let mut entry: Option<Policy> = None;
    for (index, step) in test.requests.iter().enumerate() {
        let decision = entry.as_ref().map_or("nothing", |policy| match policy.decide(now) {
            Decision::Fresh => "cached",
            Decision::Revalidate(_) => "revalidate",
            Decision::Refetch(_) => "nothing",
        });
        check(step, decision, entry.as_ref())
            .map_err(|problem| format!("request {}: {problem}", index + 1))?;
        let answer = headers(step, now);
        // The server of the suite answers 304 exactly where it expects a revalidation.
        let is_304 = step.expected_type.as_deref().is_some_and(|expected| expected.ends_with("_validated"));
        let new = match (decision, &entry) {
            ("cached", _) => entry,
            ("revalidate", Some(policy)) if is_304 => policy.refreshed(&answer, now, Profile::Rfc).ok(),
            _ if step.disconnect => entry,
            _ => Some(Policy::of(&answer, now, Profile::Rfc)),
        };
        entry = new.filter(|policy| policy.keep() == Keep::Yes);
        now += if step.pause_after { PAUSE } else { 0 };
    }
    Ok(())
}

fn check(step: &Step, decision: &str, policy: Option<&Policy>) -> Result<(), String> {
    let asks_with = |name: &str| {
        let mut conditions = policy.into_iter().flat_map(|policy| policy.validators().headers());
        decision == "revalidate" && conditions.any(|(condition, _)| condition == name)
    };
    let is_as_expected = match step.expected_type.as_deref() {
        None => true,
        Some("cached") => decision == "cached",
        Some("not_cached") => decision != "cached",
        Some("etag_validated") => asks_with("if-none-match"),
        Some("lm_validated") => asks_with("if-modified-since"),
        Some(other) => return Err(format!("{other}?")),
    };
    if !is_as_expected {
        let why = policy.map(Policy::keep);
        return Err(format!("{:?} expected, {decision} done, {why:?}", step.expected_type));
    }
    for expected in step.expected_request_headers.iter().flat_map(|all| all.as_array().into_iter().flatten())
    {
        let (Some(name), Some(value)) = (expected[0].as_str(), expected[1].as_str()) else {
            return Err(format!("{expected}?"));
        };
        let sent = policy.into_iter().flat_map(|policy| policy.validators().headers());
        let is_sent = |(sent, with): (HeaderName, HeaderValue)| {
            name.eq_ignore_ascii_case(sent.as_str()) && with == value
        };
        if !sent.into_iter().any(is_sent) {
            return Err(format!("{name}: {value} expected"));
        }
    }
    Ok(())
}

/// The server's headers; a number in the place of a date is seconds from now.
fn headers(step: &Step, now: i64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for header in &step.response_headers {
        let name: HeaderName = header[0].as_str().unwrap().parse().unwrap();
        let is_date = ["date", "expires", "last-modified"].contains(&name.as_str());
        let value = match header[1].as_i64() {
            Some(seconds) if is_date => {
                let at = u64::try_from(now + seconds).unwrap();
                httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(at))
            }
            Some(number) => number.to_string(),
            None => header[1].as_str().unwrap().to_owned(),
        };
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}
