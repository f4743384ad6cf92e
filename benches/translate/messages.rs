//! One message of each type, and the answers to them.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use prembridge::onprem::message::{Body, Request};
use prembridge::translate::{
    Answered, MessageIds, Notes, Options, Resolved, Sent, message_to_cloud, receipt_message_to_cloud,
};

use crate::golden::Case;

/// From the client's bytes to Cloud's; the types are the folders of `tests/golden/messages`.
pub fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("messages");
    group.throughput(Throughput::Elements(1));
    let accepted = Case::one_of_each("messages", "cloud.json").into_iter().map(|case| (case, true));
    let refused = Case::one_of_each("messages", "onprem_error.json").into_iter();
    // What is refused has a folder of its own.
    let refused = refused.filter(|case| case.name.starts_with("messages/refused/")).map(|case| (case, false));
    for (case, is_accepted) in accepted.chain(refused) {
        let bytes = case.json("onprem.json");
        let (resolved, namespace) = (case.resolved(), case.text("namespace"));
        let translate = || request(black_box(&bytes), &resolved, namespace);
        assert_eq!(translate().is_some(), is_accepted, "{}", case.name);
        group.bench_function(name(&case), |bench| bench.iter(translate));
    }
    group.finish();
}

/// None when it is refused.
fn request(bytes: &[u8], resolved: &[Resolved], namespace: Option<&str>) -> Option<Vec<u8>> {
    let body = Body::read(bytes).ok()?;
    match Request::parse(&body).ok()? {
        Request::Message(message) => {
            let cloud = message_to_cloud(&message, &body, resolved, namespace, &mut Notes::brief()).ok()?;
            Some(cloud.to_json(bytes.len() + 128))
        }
        Request::Receipt(receipt) => Some(receipt_message_to_cloud(&receipt, &mut Notes::brief()).to_json()),
    }
}

/// From Cloud's bytes to the client's; the answers are the cases of `tests/golden/replies/sent`.
pub fn replies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replies");
    group.throughput(Throughput::Elements(1));
    for case in Case::all("replies/sent") {
        let bytes = case.json("cloud.json");
        let to = case.text("to");
        let digits: Option<String> = to.map(|to| to.chars().filter(char::is_ascii_digit).collect());
        let is_number = !to.unwrap_or_default().contains(char::is_alphabetic);
        let sent = to.map(|input| Sent { input, digits: digits.as_deref().filter(|_| is_number) });
        let options = options(&case);
        let known_as = case.text("known_as");
        let translate = || {
            let answered = Answered::read(black_box(&bytes)).ok()?;
            Some(answered.to_onprem(sent, known_as, &options, "v2.45.1", &mut Notes::brief()))
        };
        assert!(translate().is_some(), "{}", case.name);
        group.bench_function(name(&case), |bench| bench.iter(translate));
    }
    group.finish();
}

fn options(case: &Case) -> Options {
    let is = |key: &str, value: &str| case.text(key) == Some(value);
    Options {
        message_ids: if is("message_ids", "onprem") { MessageIds::Onprem } else { MessageIds::Cloud },
        ..Options::default()
    }
}

/// Without the resource, which the group is called.
fn name(case: &Case) -> &str {
    case.name.split_once('/').map_or(&case.name, |(_, name)| name)
}
