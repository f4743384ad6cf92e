//! Requests of many kinds: what the codec accepts, hyper reads in the same way.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::{oracle, pieces, slipped, slips};

/// A request of one of many kinds, most of which are usual.
fn any_request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop_oneof![8 => select(vec!["GET", "POST", "PATCH", "BREW"]), 1 => select(vec!["HEAD", "CONNECT", "get"])];
    let target = prop_oneof![
        10 => select(vec!["/", "/v1/messages", "/v1/media/a-b_c?x=1&y", "/a?", "//a//?//", "/%2f~(*)"]),
        1 => select(vec!["*", "http://a/", "/#a", "/\u{e4}", "/\"", "", "/a b"]),
    ];
    let version = prop_oneof![20 => Just("HTTP/1.1"), 1 => select(vec!["HTTP/1.0", "HTTP/2.0", "http/1.1"])];
    let field = select(vec![
        "Host: proxy",
        "host:other",
        "Authorization:  Bearer t ",
        "D360-API-KEY: k",
        "X-Request-Id:\tb",
        "x-request-id: c",
        "Content-Type: application/json",
        "X-Hub-Signature-256: sha256=0",
        "x-odd:\t \u{fc}, \"a\": ",
        "X-Empty:",
        "Connection: keep-alive",
        "Connection: Close",
    ]);
    let unusual = select(vec![
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Upgrade: h2c",
        "Connection: upgrade",
        "Content-Encoding: gzip",
        "A : b",
        " folded",
    ]);
    let fields = (vec(field, 0..8), prop_oneof![10 => vec(unusual.clone(), 0..1), 1 => vec(unusual, 1..2)]);
    let filler = prop_oneof![30 => Just(0), 1 => 85..105usize];
    let length = prop_oneof![
        12 => Just("Content-Length: N"),
        1 => select(vec!["", "content-length: +N", "Content-Length: N, N", "Content-Length: 0N", "Content-Length: M"]),
    ];
    let line_end = prop_oneof![20 => Just("\r\n"), 1 => Just("\n")];
    let start = prop_oneof![20 => Just(""), 1 => select(vec!["\r\n", "\n\r\n", " "])];
    let body = (vec(any::<u8>(), 0..60), vec(any::<u8>(), 0..20));
    ((method, target, version, start), fields, filler, length, line_end, body).prop_map(
        |((method, target, version, start), (fields, unusual), filler, length, line_end, (body, more))| {
            let length =
                length.replace('N', &body.len().to_string()).replace('M', &(body.len() + 1).to_string());
            let filler: Vec<_> = (0..filler).map(|number| format!("X-{number}: y")).collect();
            let fields = fields.into_iter().chain(unusual).chain(filler.iter().map(String::as_str));
            let mut text = format!("{start}{method} {target} {version}{line_end}");
            for field in fields.chain([length.as_str()]).filter(|field| !field.is_empty()) {
                text.push_str(&format!("{field}{line_end}"));
            }
            [text.as_bytes(), line_end.as_bytes(), &body, &more].concat()
        },
    )
}

proptest! {
    #![proptest_config(crate::support::seeded::config(1024))]

    #[test]
    fn requests_are_what_hyper_reads(bytes in any_request(), slips in slips(), cuts in vec(any::<Index>(), 0..6)) {
        let bytes = slipped(bytes, &slips);
        prop_assert_eq!(oracle::our_request(pieces(&bytes, &cuts)), oracle::our_request([&bytes[..]]));
        oracle::request(&bytes);
    }
}

/// The comparison is one of requests: of those that were made as they should be, most are accepted.
#[test]
fn most_requests_are_accepted() {
    let mut runner = TestRunner::new(crate::support::seeded::config(500));
    let accepted = (0..500).filter(|_| {
        let bytes = any_request().new_tree(&mut runner).unwrap().current();
        oracle::request(&bytes)
    });
    let accepted = accepted.count();
    assert!((150..450).contains(&accepted), "{accepted} of 500");
}
