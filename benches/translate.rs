//! Translation alone: `cargo bench --bench translate`, and a part of it with `-- '^errors/'` behind that.
//!
//! | group | |
//! |---|---|
//! | `translate` | a text of 258 bytes and an answer of 166 bytes, as in the figures of `benches/README.md`, and others |
//! | `messages` | one message of each type, from the golden cases |
//! | `replies` | Cloud's answers to them, from the golden cases |
//! | `errors` | what Cloud refuses, from the golden cases |
//! | `webhook` | what Cloud posts |

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot run should stop")]

#[path = "translate/errors.rs"]
mod errors;
#[path = "translate/golden.rs"]
mod golden;
#[path = "translate/messages.rs"]
mod messages;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prembridge::cloud::webhook::Webhook;
use prembridge::onprem::message::{Body, Request};
use prembridge::translate::webhook::NothingKnown;
use prembridge::translate::{
    Answered, MessageIds, Notes, Options, Sent, WebhookOptions, message_to_cloud, webhook_to_onprem,
};

const TEXT: &str = r#"{"recipient_type":"individual","to":"16505551234","type":"text","preview_url":true,"text":{"body":"Hello Jane, your order 0815 has been shipped and will arrive on Thursday. Follow it on https://example.com/track/0815 or answer this message if you have any questions."}}"#;
const HSM: &str = r#"{"to":"16505551234","type":"hsm","hsm":{"namespace":"cbd7_18f1","element_name":"order_shipped","language":{"policy":"deterministic","code":"en_US"},"localizable_params":[{"default":"Jane"},{"default":"$10","currency":{"currency_code":"USD","amount_1000":10000}},{"default":"January 26th 2017","date_time":{"unix_epoch":{"timestamp":1485470276}}}]}}"#;
const LIST: &str = r#"{"to":"16505551234","type":"interactive","interactive":{"type":"list","header":{"type":"text","text":"Menu"},"body":{"text":"What would you like?"},"footer":{"text":"Prices include tax"},"action":{"button":"Choose","sections":[{"title":"Hot","rows":[{"id":"1","title":"Soup","description":"of the day"},{"id":"2","title":"Stew"}]},{"title":"Cold","rows":[{"id":"3","title":"Salad"}]}]}}}"#;
const IMAGE: &str =
    r#"{"to":"16505551234","type":"image","image":{"id":"1037543291543636","caption":"Your order"}}"#;
const REPLY: &str = r#"{"messaging_product":"whatsapp","contacts":[{"input":"+16505551234","wa_id":"16505551234"}],"messages":[{"id":"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"}]}"#;

const STATUS: &str = r#"{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"statuses":[{"id":"wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA","status":"delivered","timestamp":"1750030073","recipient_id":"16505551234","pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}}]},"field":"messages"}]}]}"#;
const INBOUND: &str = r#"{"object":"whatsapp_business_account","entry":[{"id":"102290129340398","changes":[{"value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"15550783881","phone_number_id":"106540352242922"},"contacts":[{"profile":{"name":"Kerry Fisher"},"wa_id":"16505551234"}],"messages":[{"from":"16505551234","id":"wamid.HBgLMTY1MDU1NTEyMzQVAgASGCA5RDhBNENEMEQ3RENEOEEzMEI0RUExRDczN0I1NThFQwA=","timestamp":"1749416383","type":"text","text":{"body":"Does it come in another color?"}}]},"field":"messages"}]}]}"#;

fn request(text: &str) -> Vec<u8> {
    let body = Body::read(text.as_bytes()).unwrap();
    let Ok(Request::Message(message)) = Request::parse(&body) else {
        return Vec::new();
    };
    let cloud = message_to_cloud(&message, &body, &[], None, &mut Notes::brief()).unwrap();
    cloud.to_json(text.len() + 128)
}

fn reply(text: &str) -> Vec<u8> {
    let sent = Sent { input: "16505551234", digits: Some("16505551234") };
    let answered = Answered::read(text.as_bytes()).unwrap();
    answered.to_onprem(Some(sent), sent.digits, &Options::default(), "v2.45.1", &mut Notes::brief())
}

/// What most teams would write first: the same text message through `serde_json::Value`, for scale.
fn request_by_value(text: &str) -> Vec<u8> {
    let mut message: serde_json::Value = serde_json::from_str(text).unwrap();
    let object = message.as_object_mut().unwrap();
    object.insert("messaging_product".into(), "whatsapp".into());
    let to = format!("+{}", object.get("to").and_then(|to| to.as_str()).unwrap());
    object.insert("to".into(), to.into());
    if let (Some(preview), Some(text)) = (object.remove("preview_url"), object.get_mut("text")) {
        text.as_object_mut().unwrap().insert("preview_url".into(), preview);
    }
    serde_json::to_vec(&message).unwrap()
}

fn reply_by_value(text: &str) -> Vec<u8> {
    let mut reply: serde_json::Value = serde_json::from_str(text).unwrap();
    let object = reply.as_object_mut().unwrap();
    object.remove("messaging_product");
    object.insert("meta".into(), serde_json::json!({"api_status": "stable", "version": "v2.45.1"}));
    serde_json::to_vec(&reply).unwrap()
}

fn callbacks(text: &str, message_ids: MessageIds) -> usize {
    let webhook = Webhook::read(text.as_bytes()).unwrap();
    let options =
        WebhookOptions { compat: Options { message_ids, ..Options::default() }, received_at: 1_750_030_074 };
    let converted = webhook_to_onprem(&webhook, &options, &NothingKnown, &mut Notes::brief());
    converted.callbacks.iter().map(|callback| callback.body.len()).sum()
}

fn webhook(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("webhook");
    group.throughput(Throughput::Elements(1));
    for (name, text) in [("status", STATUS), ("inbound_text", INBOUND)] {
        group.bench_function(name, |bench| bench.iter(|| callbacks(black_box(text), MessageIds::Cloud)));
        group.bench_function(format!("{name}_onprem_ids"), |bench| {
            bench.iter(|| callbacks(black_box(text), MessageIds::Onprem));
        });
    }
    group.finish();
}

fn translate(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("translate");
    group.throughput(Throughput::Elements(1));
    group.bench_function("text_both_ways", |bench| {
        bench.iter(|| (request(black_box(TEXT)), reply(black_box(REPLY))));
    });
    group.bench_function("text_both_ways_by_value", |bench| {
        bench.iter(|| (request_by_value(black_box(TEXT)), reply_by_value(black_box(REPLY))));
    });
    for (name, text) in [("text", TEXT), ("image", IMAGE), ("hsm", HSM), ("list", LIST)] {
        group.bench_function(name, |bench| bench.iter(|| request(black_box(text))));
    }
    group.bench_function("reply", |bench| bench.iter(|| reply(black_box(REPLY))));
    group.finish();
}

criterion_group!(benches, translate, messages::requests, messages::replies, errors::errors, webhook);
criterion_main!(benches);
