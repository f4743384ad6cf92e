use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn patch(body: &Value) -> Result<Patch, Invalid> {
    Patch::parse(body.to_string().as_bytes())
}

fn with(body: &Value) -> Application {
    Application::default().patched(&patch(body).unwrap()).unwrap()
}

fn shown(application: &Application) -> Value {
    let reply = application.to_reply(application.webhooks_url(), Some("16315551019"), Meta::stable("v1"));
    let mut reply: Value = serde_json::from_slice(&reply).unwrap();
    assert_eq!(reply["meta"], json!({"api_status": "stable", "version": "v1"}));
    reply["settings"]["application"].take()
}

/// Everything that has an effect.
fn effects(application: &Application) -> impl PartialEq + fmt::Debug {
    (
        application.webhooks_url().map(str::to_owned),
        application.max_concurrent_requests(),
        (application.backoff_step(), application.backoff_most()),
        StatusWord::ALL.map(|word| application.sends(word)),
        application.auto_download().to_vec(),
        application.notify_user_change_number(),
        application.show_security_notifications(),
    )
}

#[test]
fn without_a_word_everything_has_its_default() {
    let application = Application::default();
    assert_eq!(application.webhooks_url(), None);
    assert_eq!(application.max_concurrent_requests(), 6);
    assert_eq!(application.backoff_step(), Duration::from_secs(3));
    assert_eq!(application.backoff_most(), Duration::from_secs(900));
    assert_eq!(StatusWord::ALL.map(|word| application.sends(word)), [false, true, true, true, true, true]);
    assert_eq!(application.auto_download(), []);
    assert!(application.notify_user_change_number() && application.show_security_notifications());
    assert_eq!(application.to_stored(), b"{}");
    assert_eq!(Application::from_json(b"{}"), Some(application));
}

#[test]
fn the_newer_switch_of_sent_counts_once_it_was_set() {
    let sent = |body: Value| with(&body).sends(StatusWord::Sent);
    assert!(sent(json!({"sent_status": true})));
    assert!(sent(json!({"sent_status": false, "webhooks": {"message": {"sent": true}}})));
    assert!(!sent(json!({"sent_status": true, "webhooks": {"message": {"sent": false}}})));
    let both = with(&json!({"sent_status": true, "webhooks": {"message": {"sent": false, "read": false}}}));
    assert_eq!(shown(&both)["webhooks"]["message"], json!({"delivered": true, "read": false, "sent": false}));
    let older = both.patched(&patch(&json!({"webhooks": {"message": {"sent": null}}})).unwrap()).unwrap();
    assert!(older.sends(StatusWord::Sent) && !older.sends(StatusWord::Read));
    assert_eq!(shown(&older)["webhooks"]["message"]["sent"], true);
}

#[test]
fn a_group_that_is_null_goes_back_with_all_that_is_in_it() {
    let body =
        json!({"webhooks": {"url": "u", "x": 1, "message": {"read": false, "y": 2}}, "media": {"z": 3}});
    let application = with(&body).patched(&patch(&json!({"webhooks": null})).unwrap()).unwrap();
    assert_eq!(application, with(&json!({"media": {"z": 3}})));
    let body = json!({"webhooks": {"url": "", "x": null, "message": null}});
    assert_eq!(with(&body), Application::default());
}

#[test]
fn unknown_values_stay_as_they_came() {
    let text = br#"{"a":  {"b" : [1e400, 12345678901234567890123, null, "\u00e4"]}, "webhooks.url": 1}"#;
    let application = Application::default().patched(&Patch::parse(text).unwrap()).unwrap();
    assert_eq!(application.webhooks_url(), None, "a key with a dot is no path");
    let stored = application.to_stored();
    let expected = r#"{"a":{"b" : [1e400, 12345678901234567890123, null, "\u00e4"]},"webhooks.url":1}"#;
    assert_eq!(std::str::from_utf8(&stored).unwrap(), expected);
    assert_eq!(Application::from_json(&stored), Some(application));
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let mut application = Application::default();
    let keys = |range: std::ops::Range<usize>| {
        let members = range.map(|n| (format!("k{n}"), json!(n)));
        patch(&Value::Object(members.collect())).unwrap()
    };
    application = application.patched(&keys(0..200)).unwrap();
    let error = application.patched(&keys(200..201)).unwrap_err();
    assert!(error.code == ErrorCode::ParameterInvalid && error.details.contains("200 keys"), "{error:?}");
    assert!(application.patched(&keys(0..1)).is_ok());
    assert!(application.patched(&patch(&shown(&application)).unwrap()).is_ok());
    assert_eq!(Application::from_json(&application.to_stored()), Some(application));
    let long = |length: usize| json!({"long": "x".repeat(length)});
    let room = LARGEST - shown(&with(&long(0))).to_string().len() + r#","wa_id":"16315551019""#.len();
    let full = with(&long(room));
    assert_eq!(full.patched(&patch(&shown(&full)).unwrap()).map(|next| shown(&next)), Ok(shown(&full)));
    let error = Application::default().patched(&patch(&long(room + 1)).unwrap()).unwrap_err();
    assert!(error.code == ErrorCode::ParameterInvalid && error.details.contains("16384"), "{error:?}");
}

#[test]
fn what_is_not_ours_is_nothing() {
    for stored in ["", "null", "[1]", "{", r#"{"callback_persist":"canary"}"#, r#"{"a":1,"a":2}"#] {
        assert_eq!(Application::from_json(stored.as_bytes()), None, "{stored}");
    }
    assert_eq!(Application::from_json(b"{\"a\":\"\xff\"}"), None);
}

#[test]
fn nothing_shows_in_debug_output() {
    let body = json!({"webhooks": {"url": "https://h/?canary"}, "on_call_pager": "canary", "x": "canary"});
    let text = format!("{:?} {:?}", patch(&body).unwrap(), with(&body));
    assert_eq!(text, "Patch { changes: 3, .. } Application { set: 3, .. }");
}

/// A value that the field takes.
fn value(field: &Field) -> BoxedStrategy<Value> {
    let number = |least: u64| {
        (least..=86_400_000, any::<bool>())
            .prop_map(|(number, quoted)| if quoted { json!(number.to_string()) } else { json!(number) })
            .boxed()
    };
    match field.form {
        field::Form::Flag(_) => {
            prop::sample::select(vec![json!(true), json!("true"), json!(false), json!("false")]).boxed()
        }
        field::Form::Seconds(_) => number(0),
        field::Form::Millis(_) => number(1),
        field::Form::Concurrency => {
            prop::sample::select(vec![json!(6), json!("12"), json!(18), json!("24")]).boxed()
        }
        field::Form::Text(_) => any::<String>().prop_map(Value::String).boxed(),
        field::Form::Downloads => {
            let name = prop::sample::select(AutoDownload::ALL.map(AutoDownload::name).to_vec());
            prop::collection::vec(name, 0..8).prop_map(|names| json!(names)).boxed()
        }
    }
}

/// Some known fields with fit values, `null` among them, and some unknown ones, as paths.
fn changes() -> impl Strategy<Value = Vec<(Group, String, Value)>> {
    let known = (0..FIELDS.len()).prop_flat_map(|at| {
        let field = &FIELDS[at];
        prop_oneof![1 => Just(Value::Null).boxed(), 6 => value(field)]
            .prop_map(move |value| (field.group, field.key.to_owned(), value))
    });
    let groups = [Group::Top, Group::GarbageCollector, Group::Media, Group::Webhooks, Group::Message];
    let other = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        Just(json!({"a": [null, {"b": 1.5}]})),
    ];
    let unknown = (prop::sample::select(groups.to_vec()), "x[.a-z\"\\\\]{0,3}|wa_ids", other);
    prop::collection::vec(prop_oneof![3 => known, 1 => unknown], 1..20)
}

/// The body of these changes; of two with one path the later counts.
fn body(changes: &[(Group, String, Value)]) -> Value {
    let mut body = Map::new();
    for (group, key, value) in changes {
        let mut at = &mut body;
        let path: &[&str] = match group {
            Group::Top => &[],
            Group::GarbageCollector => &["garbagecollector_enable"],
            Group::Media => &["media"],
            Group::Webhooks => &["webhooks"],
            Group::Message => &["webhooks", "message"],
        };
        for step in path {
            at = at.entry(*step).or_insert_with(|| json!({})).as_object_mut().unwrap();
        }
        at.insert(key.clone(), value.clone());
    }
    Value::Object(body)
}

/// `value` with the members of all objects the other way round, as text.
fn backwards(value: &Value) -> String {
    match value.as_object() {
        Some(members) => {
            let members =
                members.iter().rev().map(|(key, value)| format!("{}:{}", json!(key), backwards(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        None => value.to_string(),
    }
}

#[test]
fn a_url_alone_is_a_patch_too() {
    for (body, ignored) in [
        (json!({"url": "https://a"}), 0),
        (json!({"url": "https://a", "headers": {}}), 0),
        (json!({"url": "https://a", "headers": null}), 0),
        (json!({"url": "https://a", "headers": {"a": "b", "c": "d"}, "x": 1}), 3),
    ] {
        let (patch, found) = Patch::parse_webhook(body.to_string().as_bytes()).unwrap();
        assert_eq!((patch.webhooks_url(), found), (Some("https://a"), ignored), "{body}");
    }
    let set = with(&json!({"webhooks": {"url": "https://a"}, "log_level": "debug"}));
    let (unset, _) = Patch::parse_webhook(br#"{"url":""}"#).unwrap();
    assert_eq!(set.patched(&unset).unwrap(), with(&json!({"log_level": "debug"})));
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    #[test]
    fn no_body_is_a_panic(bytes in any::<Vec<u8>>(), text in "[{}\\[\\]\",:a-z0-9_ ]{0,60}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(patch) = Patch::parse(bytes) {
                let _ = Application::default().patched(&patch);
            }
            let _ = Application::from_json(bytes);
        }
    }

    #[test]
    fn values_of_any_kind_are_no_panic(at in 0..FIELDS.len(), text in "[-+0-9.e\"]{1,12}|null|\\{\\}|\\[1\\]") {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let field = &FIELDS[at];
            match patch(&body(&[(field.group, field.key.to_owned(), value)])) {
                Ok(patch) => { Application::default().patched(&patch).unwrap(); }
                Err(error) => {
                    prop_assert_eq!(error.code, ErrorCode::ParameterInvalid);
                    prop_assert!(error.details.contains(field.key), "{}", error.details);
                }
            }
        }
    }

    #[test]
    fn what_is_shown_can_be_sent_back(first in changes(), second in changes()) {
        let application = with(&body(&first)).patched(&patch(&body(&second)).unwrap()).unwrap();
        let seen = shown(&application);
        let again = application.patched(&patch(&seen).unwrap()).unwrap();
        prop_assert_eq!(shown(&again), seen);
        prop_assert_eq!(effects(&again), effects(&application));
    }

    #[test]
    fn the_store_keeps_everything(changes in changes()) {
        let application = with(&body(&changes));
        prop_assert_eq!(Application::from_json(&application.to_stored()), Some(application));
    }

    #[test]
    fn the_order_of_keys_does_not_matter(first in changes(), second in changes()) {
        let (before, body) = (with(&body(&first)), body(&second));
        let other = Patch::parse(backwards(&body).as_bytes()).unwrap();
        prop_assert_eq!(before.patched(&patch(&body).unwrap()), before.patched(&other));
    }

    #[test]
    fn what_was_set_is_shown(changes in changes()) {
        let body = body(&changes);
        let seen = shown(&with(&body));
        for (group, key, _) in &changes {
            let of = |whole: &Value| match group {
                Group::Top => whole[key].clone(),
                Group::GarbageCollector => whole["garbagecollector_enable"][key].clone(),
                Group::Media => whole["media"][key].clone(),
                Group::Webhooks => whole["webhooks"][key].clone(),
                Group::Message => whole["webhooks"]["message"][key].clone(),
            };
            let (sent, found) = (of(&body), of(&seen));
            match Field::find(*group, key) {
                None => prop_assert_eq!(found, sent),
                Some(field) => match field.form.default() {
                    Some(default) if sent.is_null() || sent == json!("") => {
                        // The older switch stands in for the newer one.
                        let default = if key == "sent" { seen["sent_status"].clone() } else { json!(default) };
                        prop_assert_eq!(found, default);
                    }
                    None if sent.is_null() || sent == json!("") => {
                        prop_assert_eq!(found, if key == "url" { json!("") } else { Value::Null });
                    }
                    _ if key == "auto_download" => {
                        let once = found.as_array().unwrap();
                        for name in sent.as_array().unwrap() {
                            prop_assert_eq!(once.iter().filter(|other| *other == name).count(), 1);
                        }
                    }
                    Some(Setting::Text(_)) | None => prop_assert_eq!(found, sent),
                    Some(_) => {
                        prop_assert_eq!(found.to_string(), sent.to_string().replace('"', ""));
                        prop_assert!(!found.is_string());
                    }
                },
            }
        }
    }
}

#[test]
fn a_number_may_have_a_fraction_of_nothing() {
    for body in [r#"{"callback_backoff_delay_ms":5e3}"#, r#"{"callback_backoff_delay_ms":"5000.0"}"#] {
        let application = Application::default().patched(&Patch::parse(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(application.backoff_step(), std::time::Duration::from_secs(5), "{body}");
    }
}
