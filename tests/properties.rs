//! Property tests: what holds for every input, tried on bytes, on JSON, and on golden cases with
//! something broken in them.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;

use crate::invariants;

/// The inputs of the golden cases.
static MESSAGES: LazyLock<Vec<Node>> = LazyLock::new(|| inputs("messages", "onprem.json"));
static ERRORS: LazyLock<Vec<Node>> = LazyLock::new(|| inputs("errors", "cloud.json"));
static WEBHOOKS: LazyLock<Vec<Node>> = LazyLock::new(|| inputs("webhooks", "cloud.json"));

/// JSON that may have duplicate keys.
#[derive(Clone, Debug)]
enum Node {
    Leaf(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// One thing that is broken: where, how, and what is put there.
#[derive(Clone, Debug)]
struct Damage {
    place: Index,
    kind: Kind,
    leaf: String,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Takes the place out of its parent.
    Delete,
    /// Puts a leaf there.
    Replace,
    /// Puts the place into an array.
    Wrap,
    /// Writes the place twice.
    Duplicate,
    /// Adds a member that only on-prem or nobody knows.
    Add,
}

proptest! {
    #![proptest_config(crate::support::seeded::config(512))]

    #[test]
    fn any_bytes_are_read(bytes in vec(any::<u8>(), 0..200), http in any::<u16>()) {
        invariants::message(&bytes);
        invariants::error(http, &bytes);
        invariants::webhook(&bytes);
    }

    #[test]
    fn any_json_is_read(node in json(), http in 400..600u16) {
        let text = node.text();
        invariants::message(text.as_bytes());
        invariants::error(http, text.as_bytes());
        invariants::error(http, format!(r#"{{"error":{text}}}"#).as_bytes());
        invariants::webhook(text.as_bytes());
        invariants::webhook(event(&text, "").as_bytes());
    }

    #[test]
    fn any_event_is_read(kind in events(), content in json(), with in json(), ids in user_ids()) {
        let message = format!(
            r#"{{"id":"wamid.x","type":"{kind}","status":"{kind}",{ids},"{kind}":{},"context":{},"pricing":{},"errors":[{}]}}"#,
            content.text(), with.text(), with.text(), with.text()
        );
        invariants::webhook(event(&message, &content.text()).as_bytes());
    }

    #[test]
    fn damaged_webhooks_are_read(at in any::<Index>(), damages in vec(damage(), 1..6)) {
        let mut node = at.get(&WEBHOOKS).clone();
        for damage in damages {
            node.take_damage(damage);
        }
        invariants::webhook(node.text().as_bytes());
    }

    #[test]
    fn any_content_is_read(kind in kinds(), content in json(), to in recipients()) {
        let text = format!(r#"{{"to":{to},"type":"{kind}","{kind}":{}}}"#, content.text());
        invariants::message(text.as_bytes());
    }

    #[test]
    fn a_recipient_stays_who_it_is(to in "[+]?[ ().\\-0-9]{0,24}|[A-Z]{2}[.](ENT[.])?[0-9]{1,20}|\\PC{0,12}") {
        let to = serde_json::to_string(&to).unwrap();
        invariants::message(format!(r#"{{"to":{to},"text":{{"body":"a"}}}}"#).as_bytes());
    }

    #[test]
    fn any_text_arrives_as_it_was(body in "\\PC{1,60}|[\\s\\S]{1,60}", preview_url in any::<Option<bool>>()) {
        let input = serde_json::json!({"to": "16505551234", "text": {"body": body}, "preview_url": preview_url});
        let cloud = invariants::message(input.to_string().as_bytes()).unwrap();
        let cloud: Value = serde_json::from_str(&cloud).unwrap();
        prop_assert_eq!(cloud["text"]["body"].as_str(), Some(&*body));
        prop_assert_eq!(cloud["text"]["preview_url"].as_bool(), preview_url);
    }

    #[test]
    fn damaged_messages_are_read(at in any::<Index>(), damages in vec(damage(), 1..5)) {
        let mut node = at.get(&MESSAGES).clone();
        for damage in damages {
            node.take_damage(damage);
        }
        invariants::message(node.text().as_bytes());
    }

    #[test]
    fn damaged_errors_are_read(at in any::<Index>(), damages in vec(damage(), 1..4), http in 400..600u16) {
        let mut node = at.get(&ERRORS).clone();
        for damage in damages {
            node.take_damage(damage);
        }
        invariants::error(http, node.text().as_bytes());
    }

    #[test]
    fn cut_messages_are_read(at in any::<Index>(), cut in any::<Index>()) {
        let text = at.get(&MESSAGES).text();
        invariants::message(&text.as_bytes()[..cut.index(text.len())]);
    }
}

#[test]
fn golden_inputs_hold_the_invariants() {
    for message in MESSAGES.iter() {
        invariants::message(message.text().as_bytes());
    }
    for webhook in WEBHOOKS.iter() {
        invariants::webhook(webhook.text().as_bytes());
    }
    for error in ERRORS.iter() {
        for http in [400, 401, 403, 404, 429, 500, 502, 503] {
            invariants::error(http, error.text().as_bytes());
        }
    }
}

/// A webhook with this element in every place.
fn event(element: &str, contact: &str) -> String {
    let contacts = if contact.is_empty() { element } else { contact };
    format!(
        r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"1"}},
        "contacts":[{contacts}],"messages":[{element}],"statuses":[{element}],"errors":[{element}]}}}}]}}]}}"#
    )
}

fn events() -> impl Strategy<Value = &'static str> {
    select(vec![
        "text",
        "image",
        "audio",
        "voice",
        "contacts",
        "reaction",
        "interactive",
        "system",
        "revoke",
        "edit",
        "request_welcome",
        "unsupported",
        "later",
        "sent",
        "failed",
        "deleted",
        "played",
    ])
}

fn user_ids() -> impl Strategy<Value = &'static str> {
    select(vec![
        r#""from":"1650","recipient_id":"1650""#,
        r#""from_user_id":"US.1","recipient_user_id":"US.1""#,
        r#""from":"+1650","from_user_id":"US.1","timestamp":5"#,
        r#""from":null,"timestamp":"5","recipient_id":7"#,
    ])
}

fn kinds() -> impl Strategy<Value = &'static str> {
    select(vec![
        "text",
        "image",
        "audio",
        "document",
        "location",
        "contacts",
        "hsm",
        "template",
        "interactive",
        "reaction",
        "later",
        "type",
        "to",
        "context",
        "preview_url",
        "messaging_product",
    ])
}

fn recipients() -> impl Strategy<Value = &'static str> {
    select(vec![r#""16505551234""#, r#""+1 650""#, r#""US.1""#, "null", "5", r#""""#])
}

/// Leaves that mean something to one reader or another.
fn leaf() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec![
            "null",
            "true",
            "false",
            "0",
            "-1.5e3",
            "1e999",
            r#""""#,
            r#"" ""#,
            r#""text""#,
            r#""image""#,
            r#""hsm""#,
            r#""list""#,
            r#""group""#,
            r#""3""#,
            r#""read""#,
            r#""\ud800""#,
            r#""a\u0000b\nc""#,
            r#""p/https://h/x""#,
            r#""https://h/x""#,
            r#""{\"a\":null}""#,
            "{}",
            "[]",
            "[null]",
            "131047",
            "100",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,20}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        any::<i64>().prop_map(|number| number.to_string()),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![
            "to", "type", "text", "body", "id", "link", "name", "code", "header", "Header", "action",
            "components", "parameters", "language", "namespace", "provider", "default", "error",
            "message", "error_data", "details", "fbtrace_id", "status", "recipient", "sha256", "voice",
            "url", "wa_id", "new_wa_id", "user_id", "profile", "message_id", "original_message_id",
        ])
        .prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ]
}

fn json() -> impl Strategy<Value = Node> {
    leaf().prop_map(Node::Leaf).prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            1 => vec(inner.clone(), 0..4).prop_map(Node::Array),
            3 => vec((key(), inner), 0..6).prop_map(Node::Object),
        ]
    })
}

fn damage() -> impl Strategy<Value = Damage> {
    let kind =
        select(vec![Kind::Delete, Kind::Replace, Kind::Replace, Kind::Wrap, Kind::Duplicate, Kind::Add]);
    (any::<Index>(), kind, leaf()).prop_map(|(place, kind, leaf)| Damage { place, kind, leaf })
}

impl Node {
    fn of(value: &Value) -> Self {
        match value {
            Value::Array(list) => Self::Array(list.iter().map(Self::of).collect()),
            Value::Object(map) => {
                Self::Object(map.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Self::Leaf(value.to_string())
            }
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Leaf(text) => text.clone(),
            Self::Array(list) => {
                format!("[{}]", list.iter().map(Self::text).collect::<Vec<_>>().join(","))
            }
            Self::Object(members) => {
                let member = |(key, value): &(String, Node)| {
                    format!("{}:{}", serde_json::to_string(key).unwrap(), value.text())
                };
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
        }
    }

    fn size(&self) -> usize {
        1 + match self {
            Self::Leaf(_) => 0,
            Self::Array(list) => list.iter().map(Self::size).sum(),
            Self::Object(members) => members.iter().map(|(_, value)| value.size()).sum(),
        }
    }

    fn take_damage(&mut self, damage: Damage) {
        let mut place = damage.place.index(self.size());
        self.walk(&mut place, &damage);
    }

    /// Counts `place` down to the node that is meant.
    fn walk(&mut self, place: &mut usize, damage: &Damage) {
        if *place == 0 {
            *place = usize::MAX;
            return self.replace(damage);
        }
        *place -= 1;
        match self {
            Self::Leaf(_) => {}
            Self::Array(list) => {
                for at in 0..list.len() {
                    match (*place, damage.kind) {
                        (0, Kind::Delete) => drop(list.remove(at)),
                        (0, Kind::Duplicate) => list.insert(at, list[at].clone()),
                        _ => {
                            list[at].walk(place, damage);
                            if *place == usize::MAX {
                                return;
                            }
                            continue;
                        }
                    }
                    *place = usize::MAX;
                    return;
                }
            }
            Self::Object(members) => {
                for at in 0..members.len() {
                    match (*place, damage.kind) {
                        (0, Kind::Delete) => drop(members.remove(at)),
                        (0, Kind::Duplicate) => members.insert(at, members[at].clone()),
                        _ => {
                            members[at].1.walk(place, damage);
                            if *place == usize::MAX {
                                return;
                            }
                            continue;
                        }
                    }
                    *place = usize::MAX;
                    return;
                }
            }
        }
    }

    fn replace(&mut self, damage: &Damage) {
        match (damage.kind, &mut *self) {
            (Kind::Wrap, _) => *self = Self::Array(vec![self.clone()]),
            (Kind::Add, Self::Object(members)) => {
                for key in ["provider", "namespace", "ttl", "caption", "later"] {
                    members.push((key.to_owned(), Self::Leaf(damage.leaf.clone())));
                }
            }
            (Kind::Add, Self::Array(list)) => list.push(Self::Leaf(damage.leaf.clone())),
            (Kind::Delete | Kind::Replace | Kind::Duplicate | Kind::Add, _) => {
                *self = Self::Leaf(damage.leaf.clone());
            }
        }
    }
}

fn inputs(resource: &str, name: &str) -> Vec<Node> {
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(resource), name, &mut found);
    assert!(found.len() > 50, "golden cases of {resource} not found");
    found
}

fn walk(folder: &Path, name: &str, found: &mut Vec<Node>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, name, found);
        } else if path.file_name().is_some_and(|file| file == name)
            && let Ok(value) = serde_json::from_slice::<Value>(&fs::read(&path).unwrap())
        {
            found.push(Node::of(&value));
        }
    }
}
