//! What holds for every answer, tried on bytes, on header lines that mean something, and on
//! directives whose lifetime is known.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use prembridge::http_cache::{Decision, Policy, Profile};

use super::{START, headers, invariants};

proptest! {
    #![proptest_config(crate::support::seeded::config(512))]

    #[test]
    fn any_bytes_are_read(bytes in vec(any::<u8>(), 0..200)) {
        invariants::answers(&bytes);
    }

    #[test]
    fn any_cache_control_is_read(value in vec(any::<u8>(), 0..60), more in vec(line(), 0..3)) {
        let mut bytes = b"Cache-Control: ".to_vec();
        bytes.extend(value.into_iter().filter(|byte| *byte != b'\n'));
        invariants::answers(&[&bytes, more.join("\n").as_bytes()].join(&b'\n'));
    }

    #[test]
    fn any_lines_are_read(lines in vec(line(), 0..12)) {
        invariants::answers(lines.join("\n").as_bytes());
    }

    /// Of several numbers never the longer, except that `s-maxage` goes before `max-age` in the RFC.
    #[test]
    fn no_directive_is_outlived(
        max_age in vec(0..100i64, 0..3),
        s_maxage in vec(0..100i64, 0..3),
        age in option::of(0..100i64),
        others in vec(select(vec!["public", "immutable", "x=\"max-age=99, s-maxage=99\"", ""]), 0..3),
        on_lines in any::<bool>(),
    ) {
        let mut directives: Vec<_> = max_age.iter().map(|seconds| format!("max-age={seconds}")).collect();
        directives.extend(s_maxage.iter().map(|seconds| format!("S-MaxAge=\"{seconds}\"")));
        directives.extend(others.into_iter().map(str::to_owned));
        if !on_lines {
            directives = vec![directives.join(", ")];
        }
        let mut lines: Vec<_> =
            directives.iter().map(|directive| format!("Cache-Control: {directive}")).collect();
        lines.extend(age.map(|age| format!("Age: {age}")));
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        for profile in [Profile::Rfc, Profile::Documented] {
            let policy = Policy::of(&headers(&lines), START, profile);
            let fresh = (0..200).take_while(|age| policy.decide(START + age) == Decision::Fresh).count();
            let lifetime = match (profile, &max_age[..], &s_maxage[..]) {
                (Profile::Rfc, _, [seconds]) | (_, [seconds], []) => *seconds,
                (Profile::Documented, [one], [other]) => *one.min(other),
                _ => 0,
            };
            prop_assert_eq!(fresh as i64, (lifetime - age.unwrap_or(0)).max(0), "{:?} {:?}", profile, lines);
        }
    }
}

/// A header line, an empty one now and then.
fn line() -> impl Strategy<Value = String> {
    let directive = select(vec![
        "max-age=60",
        "MAX-AGE=\"60\"",
        "max-age=0",
        "max-age=99999999999999999999",
        "max-age=-1",
        "s-maxage=30",
        "s-maxage=",
        "no-cache",
        "no-cache=\"a, b\"",
        "no-store",
        "private",
        "public",
        "must-revalidate",
        "immutable",
        "x=\"a, no-store",
        "x=\"\\\", private\"",
        "",
    ]);
    let date = select(vec![
        "Wed, 01 Jan 2025 00:00:00 GMT",
        "Wed, 01 Jan 2025 00:01:00 GMT",
        "Wednesday, 01-Jan-25 01:00:00 GMT",
        "Wed Jan  1 00:30:00 2025",
        "Tue, 31 Dec 2024 23:59:30 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "0",
        "",
    ]);
    prop_oneof![
        4 => vec(directive, 0..4).prop_map(|all| format!("Cache-Control: {}", all.join(", "))),
        4 => (select(vec!["Date", "Expires", "Last-Modified"]), date).prop_map(|(name, date)| format!("{name}: {date}")),
        2 => select(vec!["\"a\"", "W/\"a\"", "\"b\"", "a", "*", "\"a\", \"b\""]).prop_map(|etag| format!("ETag: {etag}")),
        1 => select(vec!["0", "30", "7200, 0", "x", "99999999999999999999"]).prop_map(|age| format!("Age: {age}")),
        1 => select(vec!["Vary: *", "Vary: Accept"]).prop_map(str::to_owned),
        3 => Just(String::new()),
    ]
}
