//! A second opinion: on plain headers profile `rfc` agrees with `http-cache-semantics`, and where it
//! does not, the reason is one of [`Disagreement`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{Request, Response};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use prembridge::http_cache::{Decision, Keep, Policy, Profile};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{START, headers};

/// What either side makes of an answer some time later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Opinion {
    may_be_stored: bool,
    is_fresh: bool,
    /// `If-None-Match` and `If-Modified-Since` would be sent.
    conditions: (bool, bool),
}

/// Where we differ on purpose. `sample` is an answer that shows it, `age` the time after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disagreement {
    /// The crate takes `proxy-revalidate` as a lifetime of 0. RFC 9111 section 5.2.2.8: once stale.
    ProxyRevalidate,
    /// The crate has no apparent age. RFC 9111 section 4.2.3.
    ApparentAge,
    /// The crate takes an answer from the future for new. We do not know its age then.
    ClockWentBack,
    /// The crate keeps nothing with a cookie. RFC 9111 section 7.3 does not ask for that, and no header
    /// of the answer is ever passed on.
    SetCookie,
    /// The crate compares names of directives by case. RFC 9111 section 5.2.
    LetterCase,
    /// The crate reads `Expires` as RFC 2822 has dates. RFC 9110 section 5.6.7.
    OldDates,
    /// The crate ignores an `Age` that is no number. RFC 9111 section 5.1 lets us call it stale.
    JunkAge,
    /// The crate takes one of several equal numbers. RFC 9111 section 4.2.1 lets us call it stale.
    Repeated,
    /// The crate does not know quoted-strings. RFC 9111 section 5.2.
    QuotedCommas,
    /// The crate honours `Pragma` in answers. RFC 9111 section 5.4: it is for requests.
    Pragma,
}

impl Disagreement {
    const ALL: [Self; 10] = [
        Self::ProxyRevalidate,
        Self::ApparentAge,
        Self::ClockWentBack,
        Self::SetCookie,
        Self::LetterCase,
        Self::OldDates,
        Self::JunkAge,
        Self::Repeated,
        Self::QuotedCommas,
        Self::Pragma,
    ];

    fn sample(self) -> (&'static [&'static str], i64) {
        match self {
            Self::ProxyRevalidate => (&["cache-control: max-age=60, proxy-revalidate"], 1),
            Self::ApparentAge => (&["cache-control: max-age=60", "date: Tue, 31 Dec 2024 23:59:00 GMT"], 1),
            Self::ClockWentBack => (&["cache-control: max-age=60"], -1),
            Self::SetCookie => (&["cache-control: max-age=60", "set-cookie: a=b"], 1),
            Self::LetterCase => (&["cache-control: max-age=60, No-Cache"], 1),
            Self::OldDates => (&["expires: Wednesday, 01-Jan-25 01:00:00 GMT"], 1),
            Self::JunkAge => (&["cache-control: max-age=60", "age: 7200, 0"], 1),
            Self::Repeated => (&["cache-control: max-age=60, max-age=60"], 1),
            Self::QuotedCommas => (&["cache-control: max-age=60, x=\"a, no-cache, b\""], 1),
            Self::Pragma => (&["expires: Wed, 01 Jan 2025 01:00:00 GMT", "pragma: no-cache"], 1),
        }
    }

    /// Whether it can be why the two differ about generated headers, which show only the first three.
    fn explains(self, lines: &[String], age: i64, ours: Opinion, theirs: Opinion) -> bool {
        let same_but_fresh =
            Opinion { is_fresh: theirs.is_fresh, conditions: theirs.conditions, ..ours } == theirs;
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        same_but_fresh
            && match self {
                Self::ProxyRevalidate => has("proxy-revalidate") && ours.is_fresh && !theirs.is_fresh,
                Self::ApparentAge => has("date: Tue, 31 Dec 2024") && !ours.is_fresh && theirs.is_fresh,
                Self::ClockWentBack => age < 0 && !ours.is_fresh && theirs.is_fresh,
                Self::SetCookie
                | Self::LetterCase
                | Self::OldDates
                | Self::JunkAge
                | Self::Repeated
                | Self::QuotedCommas
                | Self::Pragma => false,
            }
    }
}

fn ours(lines: &[&str], age: i64) -> Opinion {
    let policy = Policy::of(&headers(lines), START, Profile::Rfc);
    let decision = policy.decide(START + age);
    let asks = matches!(decision, Decision::Revalidate(_));
    let validators = policy.validators();
    Opinion {
        may_be_stored: !matches!(policy.keep(), Keep::Never(_)),
        is_fresh: decision == Decision::Fresh,
        conditions: (asks && validators.etag.is_some(), asks && validators.last_modified.is_some()),
    }
}

fn theirs(lines: &[&str], age: i64) -> Opinion {
    let request = Request::get("http://media.example/a.png").body(()).unwrap();
    let mut response = Response::new(());
    *response.headers_mut() = headers(lines);
    // No guesses: neither from Last-Modified nor from `immutable`.
    let options = CacheOptions {
        shared: true,
        cache_heuristic: 0.0,
        immutable_min_time_to_live: Duration::ZERO,
        ignore_cargo_cult: false,
    };
    let policy = CachePolicy::new_options(&request, &response, moment(START), options);
    let (is_fresh, conditions) = match policy.before_request(&request, moment(START + age)) {
        BeforeRequest::Fresh(_) => (true, (false, false)),
        BeforeRequest::Stale { request, .. } => {
            let has = |name| request.headers.contains_key(name);
            (false, (has("if-none-match"), has("if-modified-since")))
        }
    };
    Opinion { may_be_stored: policy.is_storable(), is_fresh, conditions }
}

fn moment(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap())
}

proptest! {
    #![proptest_config(crate::support::seeded::config(4096))]

    #[test]
    fn we_agree_on_plain_headers(lines in plain(), age in select(vec![-1, 0, 1, 29, 30, 31, 59, 60, 61, 3600])) {
        let text: Vec<_> = lines.iter().map(String::as_str).collect();
        let (ours, theirs) = (ours(&text, age), theirs(&text, age));
        let is_known = || Disagreement::ALL.iter().any(|known| known.explains(&lines, age, ours, theirs));
        prop_assert!(ours == theirs || is_known(), "{:?} {} ours {:?} theirs {:?}", lines, age, ours, theirs);
    }
}

/// A disagreement that has gone must leave the list.
#[test]
fn every_disagreement_is_real() {
    for known in Disagreement::ALL {
        let (lines, age) = known.sample();
        assert_ne!(ours(lines, age), theirs(lines, age), "{known:?}");
    }
}

/// Lower-case names, dates as they should be, nothing twice.
fn plain() -> impl Strategy<Value = Vec<String>> {
    const FLAGS: &[&str] = &[
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "no-transform",
        "immutable",
        "x=1",
        "no-cache",
        "no-store",
        "private",
    ];
    let seconds = || option::of(select(vec![0, 30, 60, 3600]));
    let flags = prop_oneof![3 => subsequence(FLAGS[..6].to_vec(), 0..3), 1 => subsequence(FLAGS, 0..4)];
    let directives = (seconds(), seconds(), flags).prop_map(|(max_age, s_maxage, flags)| {
        let mut all: Vec<_> = flags.into_iter().map(str::to_owned).collect();
        all.extend(max_age.map(|seconds| format!("max-age={seconds}")));
        all.extend(s_maxage.map(|seconds| format!("s-maxage={seconds}")));
        (!all.is_empty()).then(|| format!("cache-control: {}", all.join(", ")))
    });
    let fields = vec![
        "expires: Wed, 01 Jan 2025 00:00:30 GMT",
        "date: Wed, 01 Jan 2025 00:00:00 GMT",
        "etag: \"a\"",
        "last-modified: Mon, 01 Jan 2024 00:00:00 GMT",
        "age: 30",
        "vary: accept",
    ];
    let odd = option::weighted(
        0.3,
        select(vec![
            "date: Tue, 31 Dec 2024 23:59:30 GMT",
            "expires: Tue, 31 Dec 2024 00:00:00 GMT",
            "expires: 0",
            "etag: W/\"a\"",
            "age: 0",
            "age: 7200",
            "vary: *",
            "content-type: image/png",
        ]),
    );
    (directives, subsequence(fields, 0..6), odd).prop_map(|(directives, fields, odd)| {
        let name = |line: &str| line.split(':').next().map(str::to_owned);
        let mut lines: Vec<String> = directives.into_iter().collect();
        let is_new = |line: &&str| odd.is_none_or(|odd| name(odd) != name(line));
        lines.extend(fields.into_iter().filter(is_new).map(str::to_owned));
        lines.extend(odd.map(str::to_owned));
        lines
    })
}
