//! The freshness rules, beside `http-cache-semantics` doing the same: `cargo bench --bench media_cache`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_cache_semantics::{CacheOptions, CachePolicy};
use prembridge::media::freshness::{Policy, Profile};

/// Wed, 01 Jan 2025 00:00:00 GMT.
const NOW: i64 = 1_735_689_600;

/// What a file server behind a content delivery network sends.
const LINES: [(&str, &str); 10] = [
    ("content-type", "image/png"),
    ("content-length", "48213"),
    ("date", "Wed, 01 Jan 2025 00:00:00 GMT"),
    ("server", "nginx"),
    ("last-modified", "Tue, 22 Feb 2022 22:22:22 GMT"),
    ("etag", "\"33a64df5\""),
    ("cache-control", "public, max-age=604800"),
    ("age", "120"),
    ("vary", "Accept-Encoding"),
    ("accept-ranges", "bytes"),
];

fn headers() -> HeaderMap {
    let header = |(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    LINES.into_iter().map(header).collect()
}

fn freshness(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("freshness");
    let headers = headers();
    let request = Request::get("http://media.example/a.png").body(()).unwrap();
    let mut response = Response::new(());
    *response.headers_mut() = headers.clone();
    let now = UNIX_EPOCH + Duration::from_secs(1_735_689_660);
    let options = CacheOptions { cache_heuristic: 0.0, ..CacheOptions::default() };
    let theirs = || CachePolicy::new_options(&request, black_box(&response), now, options);

    for (name, profile) in [("rfc", Profile::Rfc), ("documented", Profile::Documented)] {
        let policy = Policy::of(&headers, NOW, profile);
        group.bench_function(format!("decide/{name}"), |bench| {
            bench.iter(|| black_box(&policy).decide(black_box(NOW + 60)));
        });
        group.bench_function(format!("of/{name}"), |bench| {
            bench.iter(|| Policy::of(black_box(&headers), black_box(NOW), profile));
        });
    }
    let policy = theirs();
    group.bench_function("decide/http-cache-semantics", |bench| {
        bench.iter(|| black_box(&policy).is_stale(black_box(now)));
    });
    group.bench_function("decide/http-cache-semantics, whole", |bench| {
        bench.iter(|| black_box(&policy).before_request(&request, black_box(now)));
    });
    group.bench_function("of/http-cache-semantics", |bench| bench.iter(theirs));
    group.finish();
}

criterion_group!(benches, freshness);
criterion_main!(benches);
