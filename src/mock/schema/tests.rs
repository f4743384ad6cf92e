//! Meta's samples are accepted without a word; one bad payload per strict rule is refused in Cloud's words.

use serde_json::{Value, json};

use super::super::messages::{Verdict, inspect};

/// A message of `kind` around its object.
fn message(kind: &str, object: Value) -> Value {
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": "+16505551234",
           "type": kind, kind: object})
}

fn interactive(object: Value) -> Value {
    message("interactive", object)
}

fn template(components: Value) -> Value {
    message("template", json!({"name": "n", "language": {"code": "en_US"}, "components": components}))
}

/// The samples of the messages reference, the sending guide and the template guide.
fn samples() -> Vec<Value> {
    [simple_samples(), interactive_samples(), template_samples()].concat()
}

fn simple_samples() -> Vec<Value> {
    let media = json!({"id": "1037543291543636"});
    let link = json!({"link": "https://example.com/a.png", "caption": "a"});
    vec![
        message("text", json!({"preview_url": false, "body": "MESSAGE_CONTENT"})),
        json!({"messaging_product": "whatsapp", "context": {"message_id": "wamid.HBgL"}, "to": "+16505551234",
               "text": {"body": "no type means text"}, "biz_opaque_callback_data": "tag"}),
        message("reaction", json!({"message_id": "wamid.HBgL", "emoji": "\u{1F600}"})),
        message("reaction", json!({"message_id": "wamid.HBgL", "emoji": ""})),
        message("image", media.clone()),
        message("image", link.clone()),
        message("video", link),
        message("audio", json!({"id": "1", "voice": true})),
        message("sticker", media),
        message("document", json!({"link": "http://example.com/a.pdf", "filename": "a.pdf", "caption": "c"})),
        message("location", json!({"longitude": -122.1, "latitude": 37.4, "name": "N", "address": "A"})),
        message(
            "contacts",
            json!([{
            "addresses": [{"street": "S", "city": "C", "state": "S", "zip": "Z", "country": "C",
                           "country_code": "US", "type": "HOME"}],
            "birthday": "2000-01-31",
            "emails": [{"email": "a@example.com", "type": "WORK"}],
            "name": {"formatted_name": "N", "first_name": "F", "last_name": "L", "middle_name": "M",
                     "suffix": "S", "prefix": "P"},
            "org": {"company": "C", "department": "D", "title": "T"},
            "phones": [{"phone": "1", "type": "HOME"}, {"phone": "1", "type": "WORK", "wa_id": "1"}],
            "urls": [{"url": "https://example.com", "type": "WORK"}]}]),
        ),
        json!({"messaging_product": "whatsapp", "recipient": "US.13491208655302741918", "type": "text",
               "text": {"body": "b"}}),
        json!({"messaging_product": "whatsapp", "recipient_type": "group", "to": "Y2FwaV9ncm91cA",
               "text": {"body": "b"}}),
        json!({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.HBgL",
               "typing_indicator": {"type": "text"}}),
    ]
}

fn interactive_samples() -> Vec<Value> {
    let section = |n: u8| {
        json!({"title": format!("section {n}"), "rows": [
            {"id": format!("{n}-1"), "title": "row", "description": "text"},
            {"id": format!("{n}-2"), "title": "row"}]})
    };
    vec![
        interactive(json!({"type": "product", "body": {"text": "b"}, "footer": {"text": "f"},
            "action": {"catalog_id": "C", "product_retailer_id": "P"}})),
        interactive(json!({"type": "product_list", "header": {"type": "text", "text": "h"},
            "body": {"text": "b"}, "footer": {"text": "f"}, "action": {"catalog_id": "C", "sections": [
                {"title": "s", "product_items": [{"product_retailer_id": "P"}]},
                {"title": "t", "product_items": [{"product_retailer_id": "Q"}]}]}})),
        interactive(json!({"type": "catalog_message", "body": {"text": "Thanks"}, "action":
            {"name": "catalog_message", "parameters": {"thumbnail_product_retailer_id": "P"}}})),
        interactive(json!({"type": "flow", "header": {"type": "text", "text": "h"}, "body": {"text": "b"},
            "footer": {"text": "f"}, "action": {"name": "flow", "parameters": {"flow_message_version": "3",
                "flow_token": "T", "flow_id": "1", "flow_cta": "Book!", "flow_action": "navigate",
                "flow_action_payload": {"screen": "S", "data": {"user_age": 25}}}}})),
        interactive(json!({"type": "list", "header": {"type": "text", "text": "h"},
            "body": {"text": "b".repeat(4096)}, "footer": {"text": "f"},
            "action": {"button": "B", "sections": [section(1), section(2)]}})),
        interactive(json!({"type": "button", "header": {"type": "image", "image": {"id": "1"}},
            "body": {"text": "b"}, "action": {"buttons": [
                {"type": "reply", "reply": {"id": "1", "title": "One"}},
                {"type": "reply", "reply": {"id": "2", "title": "Two"}}]}})),
        interactive(json!({"type": "address_message", "body": {"text": "b"}, "action":
            {"name": "address_message", "parameters": {"country": "IN", "values": {"name": "N"},
                "saved_addresses": [{"id": "a", "value": {"city": "Mumbai"}}],
                "validation_errors": {"in_pin_code": "no"}}}})),
        interactive(json!({"type": "location_request_message", "body": {"text": "b"},
            "action": {"name": "send_location"}})),
    ]
}

fn template_samples() -> Vec<Value> {
    vec![
        template(json!([
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://URL"}}]},
            {"type": "body", "parameters": [
                {"type": "text", "text": "T"},
                {"type": "currency", "currency": {"fallback_value": "V", "code": "USD", "amount_1000": 1000}},
                {"type": "date_time", "date_time": {"fallback_value": "MONTH DAY, YEAR"}}]},
            {"type": "button", "sub_type": "quick_reply", "index": "0",
             "parameters": [{"type": "payload", "payload": "P"}]},
            {"type": "BUTTON", "sub_type": "URL", "index": "1", "parameters": [{"type": "text", "text": "P"}]}])),
        template(json!([{"type": "header", "parameters": [{"type": "location", "location": {
            "latitude": "37.483307", "longitude": "122.148981", "name": "Pablo", "address": "1 Hacker Way"}}]}])),
        template(json!([
            {"type": "limited_time_offer", "parameters": [
                {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1209600000}}]},
            {"type": "button", "sub_type": "copy_code", "index": "0",
             "parameters": [{"type": "coupon_code", "coupon_code": "SAVE"}]},
            {"type": "button", "sub_type": "mpm", "index": "1", "parameters": [{"type": "action", "action": {
                "thumbnail_product_retailer_id": "P",
                "sections": [{"title": "s", "product_items": [{"product_retailer_id": "P"}]}]}}]},
            {"type": "button", "sub_type": "catalog", "index": "2"},
            {"type": "button", "sub_type": "flow", "index": "3", "parameters": [{"type": "action", "action": {
                "flow_token": "T", "flow_action_data": {"k": "v"}}}]}])),
        template(json!([{"type": "carousel", "cards": [{"card_index": 0, "components": [
            {"type": "header", "parameters": [{"type": "video", "video": {"id": "1"}}]},
            {"type": "body", "parameters": [{"type": "text", "parameter_name": "who", "text": "P"}]}]}]}])),
        message("template", json!({"name": "n", "language": {"code": "en", "policy": "deterministic"}})),
    ]
}

#[test]
fn metas_samples_are_accepted_without_a_note() {
    for sample in samples() {
        let found = inspect(sample.to_string().as_bytes(), "");
        assert!(found.verdict.is_ok(), "{sample}\n{:?}", found.verdict);
        assert_eq!(found.notes, Vec::<String>::new(), "{sample}");
    }
}

#[test]
fn what_is_odd_but_accepted_is_noted() {
    let header = json!({"type": "cta_url", "header": {"text": "Dates"}, "body": {"text": "b"}, "action":
        {"name": "cta_url", "parameters": {"display_text": "See", "url": "https://example.com?a=b"}}});
    let text = |extra: Value| {
        let mut message = message("text", json!({"body": "b"}));
        message.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        message
    };
    for (message, note) in [
        (text(json!({"to": "16505551234"})), "digits without +"),
        (text(json!({"to": 16505551234_u64})), "to is a number, not a string"),
        (text(json!({"preview_url": true})), "ignored top-level key \"preview_url\""),
        (text(json!({"ttl": 5})), "ignored top-level key \"ttl\""),
        (text(json!({"image": {}})), "ignored object \"image\" in a message of type text"),
        (interactive(header), "interactive['header']['type'] is missing, taken as \"text\""),
        (
            interactive(json!({"type": "hologram"})),
            "unknown interactive['type'] \"hologram\" was accepted unchecked",
        ),
        (
            template(json!([{"type": "button", "sub_type": "quick_reply", "index": 0,
                             "parameters": [{"type": "payload", "payload": "P"}]}])),
            "template['components'][0]['index'] is a number, Meta's samples send a string",
        ),
        (
            template(json!([{"type": "button", "sub_type": "voice_call", "index": "0"}])),
            "unknown template['components'][0]['sub_type'] \"voice_call\" was accepted unchecked",
        ),
    ] {
        let found = inspect(message.to_string().as_bytes(), "");
        assert!(matches!(found.verdict, Ok(Verdict::Send(_))), "{message}\n{:?}", found.verdict);
        assert!(found.notes.iter().any(|found| found == note), "{message}\n{:?}", found.notes);
    }
}

/// Asserts the code and the words, which stand in the message or in the details.
fn refused(cases: Vec<(Value, u32, &str)>) {
    for (message, code, words) in cases {
        let found = inspect(message.to_string().as_bytes(), "");
        let error = found.verdict.expect_err(&message.to_string());
        let said = error.details.as_ref().unwrap_or(&error.message);
        assert_eq!((error.code, said.as_str()), (code, words), "{message}");
    }
}

#[test]
fn the_envelope_is_checked() {
    let without = |key: &str| {
        let mut message = message("text", json!({"body": "b"}));
        message.as_object_mut().unwrap().remove(key);
        message
    };
    let with = |key: &str, value: Value| {
        let mut message = message("text", json!({"body": "b"}));
        message[key] = value;
        message
    };
    let types = "(#100) Param type must be one of {AUDIO, CONTACTS, DOCUMENT, IMAGE, INTERACTIVE, LOCATION, \
                 REACTION, STICKER, TEMPLATE, TEXT, VIDEO} - got \"hsm\".";
    refused(vec![
        (without("messaging_product"), 100, "(#100) The parameter messaging_product is required."),
        (
            with("messaging_product", json!("sms")),
            100,
            "(#100) Param messaging_product must be one of {WHATSAPP} - got \"sms\".",
        ),
        (without("to"), 100, "(#100) The parameter to is required."),
        (with("to", json!("+1555x")), 100, "Param to is not a valid phone number: \"+1555x\""),
        (with("to", json!("1234")), 100, "Param to is not a valid phone number: \"1234\""),
        (
            with("to", json!("+1234567890123456")),
            100,
            "Param to is not a valid phone number: \"+1234567890123456\"",
        ),
        (with("type", json!("hsm")), 100, types),
        (without("text"), 131008, "Parameter 'text' is mandatory for type 'text'"),
        (with("text", Value::Null), 131008, "Parameter 'text' is mandatory for type 'text'"),
        (
            with("biz_opaque_callback_data", json!("x".repeat(513))),
            100,
            "(#100) Param biz_opaque_callback_data must be at most 512 characters long.",
        ),
        (with("context", json!({"id": "1"})), 100, "(#100) Unexpected key \"id\" on param \"context\"."),
        (with("status", json!("seen")), 100, "(#100) Param status must be one of {READ} - got \"seen\"."),
        (with("status", json!("read")), 100, "(#100) The parameter message_id is required."),
        (json!([]), 100, "Body is not a JSON object"),
    ]);
    let error = inspect(b"{\"to\":", "").verdict.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (100, "(#100) Invalid parameter"));
}

#[test]
fn simple_types_are_checked() {
    refused(vec![
        (message("text", json!({})), 100, "(#100) The parameter text['body'] is required."),
        (message("text", json!({"body": ""})), 100, "(#100) Param text['body'] must be a non-empty string."),
        (
            message("text", json!({"body": "ä".repeat(4097)})),
            100,
            "(#100) Param text['body'] must be at most 4096 characters long.",
        ),
        (message("text", json!("b")), 100, "(#100) Param text must be a JSON object."),
        (message("text", json!({"body": 1})), 100, "(#100) Param text['body'] must be a string."),
        (
            message("audio", json!({"id": "1", "caption": "c"})),
            100,
            "(#100) Unexpected key \"caption\" on param \"audio\".",
        ),
        (
            message("sticker", json!({"id": "1", "caption": "c"})),
            100,
            "(#100) Unexpected key \"caption\" on param \"sticker\".",
        ),
        (
            message("image", json!({"link": "https://a", "provider": "p"})),
            100,
            "(#100) Unexpected key \"provider\" on param \"image\".",
        ),
        (
            message("image", json!({"id": "1", "caption": "c".repeat(1025)})),
            100,
            "(#100) Param image['caption'] must be at most 1024 characters long.",
        ),
        (message("image", json!({})), 131008, "Param image needs one of id, link"),
        (
            message("image", json!({"id": "1", "link": "https://a"})),
            100,
            "Param image must not have both id and link",
        ),
        (
            message("video", json!({"link": "provider/https://a"})),
            100,
            "(#100) Param video['link'] must be a valid URI starting with http:// or https://.",
        ),
        (
            message("contacts", json!([{"name": {"formatted_name": "N"}}])),
            131008,
            "Param contacts[0]['name'] needs at least one of first_name, last_name, middle_name, suffix, prefix",
        ),
        (
            message(
                "contacts",
                json!([{"name": {"formatted_name": "N", "first_name": "N"},
                                        "phones": [{"phone": "1", "wa-id": "1"}]}]),
            ),
            100,
            "(#100) Unexpected key \"wa-id\" on param \"contacts[0]['phones'][0]\".",
        ),
        (
            message("location", json!({"latitude": "north", "longitude": 1})),
            100,
            "(#100) Param location['latitude'] must be a number.",
        ),
        (
            message("reaction", json!({"emoji": ""})),
            100,
            "(#100) The parameter reaction['message_id'] is required.",
        ),
    ]);
}

#[test]
fn reply_buttons_are_checked() {
    let button = |id: &str, title: &str| json!({"type": "reply", "reply": {"id": id, "title": title}});
    let buttons = |buttons: Value| {
        interactive(json!({"type": "button", "body": {"text": "b"}, "action": {"buttons": buttons}}))
    };
    refused(vec![
        (buttons(json!([])), 131009, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3"),
        (
            buttons(json!([button("1", "x".repeat(21).as_str())])),
            100,
            "(#100) Param interactive['action']['buttons'][0]['reply']['title'] must be at most 20 characters long.",
        ),
        (
            buttons(json!([button("1", "A"), button("1", "B")])),
            131009,
            "interactive['action']: button id \"1\" is not unique",
        ),
        (
            buttons(json!([button(" 1", "A")])),
            131009,
            "interactive['action']: button id must not have leading or trailing spaces",
        ),
        (
            interactive(json!({"type": "button", "body": {"text": "b"}, "action": {"buttons": [], "x": 1}})),
            131009,
            "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3",
        ),
        (
            interactive(json!({"type": "button", "body": {"text": "b"}, "action": {"button": "B"}})),
            100,
            "(#100) Unexpected key \"button\" on param \"interactive['action']\".",
        ),
        (
            interactive(json!({"type": "button", "body": {"text": "b".repeat(1025)}, "action": {}})),
            100,
            "(#100) The parameter interactive['action']['buttons'] is required.",
        ),
    ]);
}

#[test]
fn lists_products_and_flows_are_checked() {
    let rows = |n: usize| (0..n).map(|n| json!({"id": n.to_string(), "title": "t"})).collect::<Vec<_>>();
    let list = |sections: Value| {
        interactive(
            json!({"type": "list", "body": {"text": "b"}, "action": {"button": "B", "sections": sections}}),
        )
    };
    let items = |n: usize| vec![json!({"product_retailer_id": "P"}); n];
    refused(vec![
        (
            list(json!([{"rows": rows(11)}])),
            131009,
            "Invalid rows count. Min allowed rows: 1, Max allowed rows: 10",
        ),
        (
            list(json!([{"title": "a", "rows": rows(6)}, {"title": "b", "rows": rows(5)}])),
            131009,
            "Invalid rows count. Min allowed rows: 1, Max allowed rows: 10",
        ),
        (
            list(json!([{"rows": rows(1)}, {"rows": rows(1)}])),
            131009,
            "interactive['action']: a section needs a title when there is more than one section",
        ),
        (
            list(json!(vec![json!({"title": "a", "rows": rows(1)}); 11])),
            131009,
            "Invalid sections count. Min allowed sections: 1, Max allowed sections: 10",
        ),
        (
            interactive(json!({"type": "list", "header": {"type": "image", "image": {"id": "1"}}})),
            100,
            "(#100) Param interactive['header']['type'] must be one of {TEXT} - got \"image\".",
        ),
        (
            interactive(json!({"type": "list", "body": {"text": "b".repeat(4097)}})),
            100,
            "(#100) Param interactive['body']['text'] must be at most 4096 characters long.",
        ),
        (
            interactive(json!({"type": "button", "footer": {"text": "f".repeat(61)}})),
            100,
            "(#100) Param interactive['footer']['text'] must be at most 60 characters long.",
        ),
        (
            interactive(json!({"type": "product", "header": {"type": "text", "text": "h"}})),
            100,
            "(#100) Unexpected key \"header\" on param \"interactive\".",
        ),
        (
            interactive(
                json!({"type": "product_list", "header": {"type": "text", "text": "h"}, "body": {"text": "b"},
                "action": {"catalog_id": "C", "sections": [
                    {"title": "a", "product_items": items(20)}, {"title": "b", "product_items": items(11)}]}}),
            ),
            131009,
            "Invalid product_items count. Min allowed product_items: 1, Max allowed product_items: 30",
        ),
        (
            interactive(
                json!({"type": "flow", "body": {"text": "b"}, "action": {"name": "flow", "parameters":
                {"flow_message_version": "3", "flow_id": "1", "flow_name": "n", "flow_cta": "Go"}}}),
            ),
            100,
            "Param interactive['action']['parameters'] must not have both flow_id and flow_name",
        ),
        (
            interactive(json!({"body": {"text": "b"}})),
            100,
            "(#100) The parameter interactive['type'] is required.",
        ),
    ]);
}

#[test]
fn templates_are_checked() {
    let body = |parameter: Value| template(json!([{"type": "body", "parameters": [parameter]}]));
    let mut namespaced = template(json!([]));
    namespaced["template"]["namespace"] = json!("n");
    let language = |language: Value| message("template", json!({"name": "n", "language": language}));
    refused(vec![
        (namespaced, 100, "(#100) Unexpected key \"namespace\" on param \"template\"."),
        (
            message("template", json!({"name": "n"})),
            131008,
            "Parameter 'language' is mandatory for type 'template'",
        ),
        (
            language(json!({"code": "en", "policystring": "p"})),
            100,
            "(#100) Unexpected key \"policystring\" on param \"template['language']\".",
        ),
        (
            language(json!({"code": "en", "policy": "fallback"})),
            100,
            "(#100) Param template['language']['policy'] must be one of {DETERMINISTIC} - got \"fallback\".",
        ),
        (
            body(json!({"type": "date_time", "date_time": {"fallback_value": "f", "timestamp": 1}})),
            100,
            "(#100) Unexpected key \"timestamp\" on param \
             \"template['components'][0]['parameters'][0]['date_time']\".",
        ),
        (
            body(json!({"type": "image", "image": {"id": "1"}})),
            100,
            "(#100) Param template['components'][0]['parameters'][0]['type'] must be one of \
             {TEXT, CURRENCY, DATE_TIME} - got \"image\".",
        ),
        (
            template(json!([{"type": "header", "parameters": [
                {"type": "document", "document": {"id": "1", "caption": "c"}}]}])),
            100,
            "(#100) Unexpected key \"caption\" on param \"template['components'][0]['parameters'][0]['document']\".",
        ),
        (
            template(json!([{"type": "header"},
                            {"type": "body", "parameters": [{"type": "text", "text": "t".repeat(1025)}]}])),
            100,
            "(#100) Param template['components'][1]['parameters'][0]['text'] must be at most 1024 characters long.",
        ),
        (
            template(
                json!([{"type": "button", "sub_type": "url", "parameters": [{"type": "text", "text": "t"}]}]),
            ),
            100,
            "(#100) The parameter template['components'][0]['index'] is required.",
        ),
        (
            template(json!([{"type": "button", "sub_type": "url", "index": "x",
                             "parameters": [{"type": "text", "text": "t"}]}])),
            100,
            "(#100) Param template['components'][0]['index'] must be an index from 0 to 9.",
        ),
        (
            template(
                json!([{"type": "carousel", "cards": [{"card_index": 0, "components": [{"type": "hologram"}]}]}]),
            ),
            100,
            "(#100) Param template['components'][0]['cards'][0]['components'][0]['type'] must be one of \
             {HEADER, BODY, FOOTER, BUTTON, LIMITED_TIME_OFFER, CAROUSEL, TAP_TARGET_CONFIGURATION} \
             - got \"hologram\".",
        ),
    ]);
}
