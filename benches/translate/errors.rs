//! What Cloud refuses, in the ways in which it does.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use prembridge::onprem::error::ErrorBody;
use prembridge::translate::errors::{CloudFailure, Endpoint};
use prembridge::translate::{Options, error_to_onprem};

use crate::golden::Case;

/// A row of the table, one that names a limit, one that is read by its words, a code nobody knows, a page of HTML, and
/// a body that breaks off.
const CASES: [&str; 6] = [
    "errors/table/131047",
    "errors/table/130429_http_400",
    "errors/code_100/recipient",
    "errors/body/unknown_code_4xx",
    "errors/body/html_502",
    "errors/body/cut",
];

/// From Cloud's bytes to the client's.
pub fn errors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("errors");
    group.throughput(Throughput::Elements(1));
    for case in CASES.map(Case::named) {
        let body = case.first(&["cloud.json", "cloud.txt"]);
        let http = case.number("http").unwrap();
        let translate = || {
            let failure = CloudFailure {
                http,
                body: black_box(&body),
                retry_after: None,
                endpoint: Endpoint::Messages,
                phone_number_id: "106540352242922",
            };
            let error = error_to_onprem(&failure, &Options::default());
            serde_json::to_vec(&ErrorBody::new(error.code, &error.details, "v2.45.1")).unwrap()
        };
        group.bench_function(case.name.trim_start_matches("errors/"), |bench| bench.iter(translate));
    }
    group.finish();
}
