//! The templates of the mock's account: `message_templates`, and the namespace on the account's node.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::Method;
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::errors::GraphError;
use super::graph::query;
use super::state::State;
use super::wamid::Ids;

/// What templates of the account may be named with.
const NAMESPACE: &str = "ba30dd89_2ebd_41e4_b805_f2c05ae04cc9";
/// "Template" node, fields that a client may name.
const FIELDS: &[&str] = &[
    "id",
    "name",
    "status",
    "category",
    "sub_category",
    "previous_category",
    "language",
    "components",
    "parameter_format",
    "quality_score",
    "rejected_reason",
    "message_send_ttl_seconds",
];
/// What Graph gives when no fields are named.
const USUAL_FIELDS: &str = "name,parameter_format,components,language,status,category,id";
/// How many Graph gives when nobody says.
const USUAL_LIMIT: usize = 25;
/// The most letters of a name.
const LONGEST_NAME: usize = 512;
/// "Message template not found".
const NOT_FOUND: u32 = 2_593_002;
/// "Content in this language already exists".
const EXISTS: u32 = 2_388_024;

/// The templates, in the order in which they were made.
#[derive(Debug)]
pub(super) struct Shelf {
    ids: Ids,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    made: u64,
    templates: BTreeMap<u64, Map<String, Value>>,
}

/// What a call does to the templates, once it is certain that no fault rule stands in the way.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Create(Map<String, Value>),
    Delete(String),
}

impl Shelf {
    pub(super) fn new(ids: Ids) -> Self {
        Self { ids, inner: Mutex::default() }
    }

    /// Keeps a template under a new id, which it gives.
    pub(super) fn add(&self, mut template: Map<String, Value>) -> String {
        let mut inner = self.inner();
        inner.made += 1;
        let place = inner.made;
        let id = self.ids.template(place);
        template.insert("id".to_owned(), id.as_str().into());
        for (key, value) in [
            ("status", json!("PENDING")),
            ("parameter_format", json!("POSITIONAL")),
            ("rejected_reason", json!("NONE")),
            ("quality_score", json!({"score": "UNKNOWN"})),
        ] {
            template.entry(key).or_insert(value);
        }
        inner.templates.insert(place, template);
        id
    }

    /// Makes a change and gives the answer to it.
    pub(super) fn change(&self, change: &Change) -> Value {
        match change {
            Change::Create(template) => {
                let id = self.add(template.clone());
                json!({"id": id, "status": "PENDING", "category": template.get("category")})
            }
            Change::Delete(name) => {
                self.inner().templates.retain(|_, template| !is(template, "name", name));
                json!({"success": true})
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is(template: &Map<String, Value>, key: &str, wanted: &str) -> bool {
    template.get(key).and_then(Value::as_str) == Some(wanted)
}

/// What `message_templates` is asked for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Page(Value),
    Change(Change),
}

/// Looks at a call of `message_templates`.
pub(super) fn examine(state: &State, head: &Parts, id: &str, body: &[u8]) -> Result<Asked, GraphError> {
    if id != state.options.waba_id {
        return Err(GraphError::no_such_object(head.method.as_str(), id));
    }
    match head.method {
        Method::GET => page(state, head).map(Asked::Page),
        Method::POST => template(state, body).map(Change::Create).map(Asked::Change),
        Method::DELETE => {
            let name = parameter(head, "name")
                .filter(|name| !name.is_empty())
                .ok_or_else(|| GraphError::parameter(format_args!("The parameter name is required.")))?;
            if !state.templates.inner().templates.values().any(|template| is(template, "name", &name)) {
                let text = format!("The message template {name} wasn't found for this account.");
                return Err(told(NOT_FOUND, "Message template not found", text));
            }
            Ok(Asked::Change(Change::Delete(name)))
        }
        _ => Err(GraphError::no_such_object(head.method.as_str(), id)),
    }
}

/// The account's own node.
pub(super) fn account(state: &State, asked: Option<&str>) -> Result<Value, GraphError> {
    let fields = query(asked, "fields").unwrap_or("id,name,timezone_id,message_template_namespace");
    let mut answer = Map::new();
    for field in fields.replace("%2C", ",").split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let value = match field {
            "id" => continue,
            "name" => state.options.verified_name.as_str().into(),
            "timezone_id" => "1".into(),
            "message_template_namespace" => NAMESPACE.into(),
            "account_review_status" => "APPROVED".into(),
            other => return Err(no_field(other, "WhatsAppBusinessAccount")),
        };
        answer.insert(field.to_owned(), value);
    }
    answer.insert("id".to_owned(), state.options.waba_id.as_str().into());
    Ok(Value::Object(answer))
}

fn no_field(field: &str, node: &str) -> GraphError {
    GraphError::parameter(format_args!("Tried accessing nonexisting field ({field}) on node type ({node})"))
}

/// One page: `fields`, `limit`, `after`, and what chooses.
fn page(state: &State, head: &Parts) -> Result<Value, GraphError> {
    let fields = parameter(head, "fields").unwrap_or_else(|| USUAL_FIELDS.to_owned());
    let fields: Vec<_> = fields.split(',').map(str::trim).filter(|field| !field.is_empty()).collect();
    if let Some(other) = fields.iter().find(|field| !FIELDS.contains(field)) {
        return Err(no_field(other, "WhatsAppMessageTemplate"));
    }
    let bad = |name: &str| GraphError::parameter(format_args!("Param {name} must be a positive integer"));
    let limit =
        parameter(head, "limit").map_or(Ok(USUAL_LIMIT), |text| text.parse().map_err(|_| bad("limit")))?;
    if limit == 0 {
        return Err(bad("limit"));
    }
    let after = match parameter(head, "after") {
        None => 0,
        Some(cursor) => {
            place(&cursor).ok_or_else(|| GraphError::parameter(format_args!("Invalid cursor")))?
        }
    };
    let choices = ["name", "status", "category", "language"];
    let choices: Vec<_> = choices.iter().filter_map(|key| Some((*key, parameter(head, key)?))).collect();
    let inner = state.templates.inner();
    let mut found = inner
        .templates
        .range(after + 1..)
        .filter(|(_, template)| choices.iter().all(|(key, wanted)| is(template, key, wanted)));
    let shown: Vec<_> = found.by_ref().take(limit).collect();
    let data: Vec<_> = shown.iter().map(|(_, template)| chosen(template, &fields)).collect();
    let mut answer = json!({"data": data});
    if let (Some((first, _)), Some((last, _))) = (shown.first(), shown.last()) {
        let mut paging = json!({"cursors": {"before": cursor(**first), "after": cursor(**last)}});
        if found.next().is_some() {
            let path = head.uri.path();
            let next = format!("http://{}{path}?limit={limit}&after={}", state.addr, cursor(**last));
            if let Some(paging) = paging.as_object_mut() {
                paging.insert("next".to_owned(), next.into());
            }
        }
        if let Some(answer) = answer.as_object_mut() {
            answer.insert("paging".to_owned(), paging);
        }
    }
    Ok(answer)
}

/// The id comes along whatever is asked for; what a template does not have is left out.
fn chosen(template: &Map<String, Value>, fields: &[&str]) -> Value {
    let has = |key: &str| key == "id" || fields.contains(&key);
    template.iter().filter(|(key, _)| has(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Nothing that a client should take apart.
fn cursor(place: u64) -> String {
    format!("MAZDZD{place:x}")
}

fn place(cursor: &str) -> Option<u64> {
    u64::from_str_radix(cursor.strip_prefix("MAZDZD")?, 16).ok()
}

/// A new template, as strictly as Graph looks at its frame. What stands in components is not looked into.
fn template(state: &State, body: &[u8]) -> Result<Map<String, Value>, GraphError> {
    let Ok(Value::Object(template)) = serde_json::from_slice(body) else {
        return Err(GraphError::parameter(format_args!("The parameter name is required.")));
    };
    let text = |key: &str| {
        let text = template.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| GraphError::parameter(format_args!("The parameter {key} is required.")))
    };
    let (name, language, category) = (text("name")?, text("language")?, text("category")?);
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.len() > LONGEST_NAME || !name.bytes().all(is_name) {
        let rule = "can only have lowercase letters, digits and underscores, and at most 512 of them";
        return Err(GraphError::parameter(format_args!("Param name {rule}")));
    }
    let categories = ["AUTHENTICATION", "MARKETING", "UTILITY"];
    if !categories.contains(&category.to_ascii_uppercase().as_str()) {
        let words = categories.join(", ");
        return Err(GraphError::parameter(format_args!("Param category must be one of {{{words}}}")));
    }
    let components = template.get("components").and_then(Value::as_array);
    if components.is_none_or(Vec::is_empty) {
        return Err(GraphError::parameter(format_args!("The parameter components is required.")));
    }
    let inner = state.templates.inner();
    let mut others = inner.templates.values();
    if others.any(|other| is(other, "name", name) && is(other, "language", language)) {
        let text =
            format!("There is already {language} content for this template. You can create a new template.");
        return Err(told(EXISTS, "Content in this language already exists", text));
    }
    drop(inner);
    Ok(template)
}

/// Management calls tell people more than programs.
fn told(subcode: u32, title: &'static str, text: String) -> GraphError {
    GraphError {
        subcode: Some(subcode),
        user: Some((title, text)),
        ..GraphError::worded(100, "Invalid parameter")
    }
}

fn parameter(head: &Parts, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(head.uri.query()?.as_bytes());
    pairs.into_iter().find_map(|(key, value)| (key == name).then(|| value.into_owned()))
}
