//! A text message through the whole app against the in-process mock, beside a direct call to the
//! mock: `cargo bench --bench end_to_end`.
//!
//! Everything runs in one process on one machine, so only the ratio between the two says anything.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use prembridge::mock::{MockCloud, Options};
use prembridge::net::{Connector, Deadlines, client_config};
use tokio::runtime::Runtime;

const ONPREM: &str = r#"{"recipient_type":"individual","to":"16505551234","type":"text","preview_url":false,"text":{"body":"Hello Jane, your order 0815 has been shipped."}}"#;
const CLOUD: &str = r#"{"messaging_product":"whatsapp","recipient_type":"individual","to":"+16505551234","type":"text","text":{"body":"Hello Jane, your order 0815 has been shipped.","preview_url":false}}"#;
const KEY: &str = "bench-key-0123456789";

type Http = Client<Connector, Full<Bytes>>;

async fn start() -> (MockCloud, App) {
    let options = Options { record: false, ..Options::default() };
    let mock = MockCloud::start(([127, 0, 0, 1], 0).into(), options).await.unwrap();
    let text = format!(
        r#"
        [listen]
        api = "127.0.0.1:0"
        admin = "127.0.0.1:0"
        [cloud]
        base_url = "{}"
        [store]
        url = "memory:"
        [log]
        requests = false
        [pacing]
        enabled = false
        [[number]]
        phone_number_id = "106540352242922"
        access_token = {{ env = "TOKEN" }}
        [[number.api_key]]
        key = {{ env = "KEY" }}
        "#,
        mock.base_url()
    );
    let env = Env::from([("TOKEN", "EAAB"), ("KEY", KEY)]);
    let config = Config::parse(&text, &env).unwrap().config;
    let app = App::start(config, Clock::system()).await.unwrap();
    (mock, app)
}

async fn post(http: &Http, url: &str, token: &str, body: &'static str) {
    let request = Request::post(url)
        .header("authorization", token)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap();
    let response = http.request(request).await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.windows(6).any(|window| window == b"wamid."), "an answer without an id");
}

fn end_to_end(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (mock, app) = runtime.block_on(start());
    let second = Duration::from_secs(1);
    let connector = Connector::new(client_config(None).unwrap(), Deadlines { connect: second, tls: second });
    let http: Http = Client::builder(TokioExecutor::new()).build(connector);
    let direct = format!("{}/v26.0/106540352242922/messages", mock.base_url());
    let proxied = format!("http://{}/v1/messages", app.addresses().api);
    let bearer = format!("Bearer {KEY}");
    let mut group = criterion.benchmark_group("end_to_end");
    for concurrent in [1_u64, 16, 64, 256] {
        group.throughput(Throughput::Elements(concurrent));
        for (name, url, body) in [("direct", &direct, CLOUD), ("proxied", &proxied, ONPREM)] {
            group.bench_with_input(BenchmarkId::new(name, concurrent), &concurrent, |bench, &concurrent| {
                bench.iter(|| {
                    runtime.block_on(join_all((0..concurrent).map(|_| post(&http, url, &bearer, body))))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, end_to_end);
criterion_main!(benches);
