//! The media cache: `cargo bench --bench media_cache`.
//!
//! The freshness rules, beside `http-cache-semantics` doing the same; a message whose link is remembered and fresh,
//! beside a text; and a thousand sends of one link that is not remembered. The latter two go through the whole app,
//! with client, proxy, mock and provider in one process, so only the ratio between them says anything.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

#[path = "media_cache/scene.rs"]
mod scene;

use std::hint::black_box;
use std::time::{Duration, Instant, UNIX_EPOCH};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_cache_semantics::{CacheOptions, CachePolicy};
use prembridge::http_cache::{Policy, Profile};
use scene::Scene;
use tokio::runtime::Runtime;

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

/// What a fresh hit costs beyond a text.
fn end_to_end(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let scene = runtime.block_on(Scene::start());
    let (text, link) = (scene::text(), scene.image("/hit"));
    runtime.block_on(scene.send(1, &link));
    let mut group = criterion.benchmark_group("end_to_end");
    for concurrent in [1_usize, 64] {
        group.throughput(Throughput::Elements(concurrent as u64));
        for (name, body) in [("text", &text), ("fresh hit", &link)] {
            group.bench_with_input(BenchmarkId::new(name, concurrent), &concurrent, |bench, &concurrent| {
                bench.iter(|| runtime.block_on(scene.send(concurrent, body)));
            });
        }
    }
    group.finish();
    assert_eq!(scene.fetches(), 1, "every other send was a hit");
}

/// A thousand sends of one link that is not remembered make one fetch and one upload.
fn single_flight(criterion: &mut Criterion) {
    const SENDS: usize = 1000;
    let runtime = Runtime::new().unwrap();
    let scene = runtime.block_on(Scene::start());
    // Connections are there before the time starts.
    runtime.block_on(scene.send(SENDS, &scene::text()));
    let mut group = criterion.benchmark_group("single flight");
    group.sample_size(10).throughput(Throughput::Elements(SENDS as u64));
    let mut count = 0;
    group.bench_function("1000 sends of a new link", |bench| {
        bench.iter_custom(|rounds| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..rounds {
                count += 1;
                let link = scene.image(&format!("/{count}"));
                let (fetches, calls) = (scene.fetches(), scene.calls());
                let started = Instant::now();
                runtime.block_on(scene.send(SENDS, &link));
                elapsed += started.elapsed();
                assert_eq!(scene.fetches() - fetches, 1, "fetches");
                assert_eq!(scene.calls() - calls, SENDS as u64 + 1, "sends and one upload");
            }
            elapsed
        });
    });
    let text = scene::text();
    group.bench_function("1000 texts", |bench| bench.iter(|| runtime.block_on(scene.send(SENDS, &text))));
    group.finish();
}

criterion_group!(benches, freshness, end_to_end, single_flight);
criterion_main!(benches);
