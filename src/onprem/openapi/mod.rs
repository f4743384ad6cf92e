//! The API as an OpenAPI 3.1 document: the table of endpoints, with the schemas of `schemas.json`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::route::{Access, Action, Body, ENDPOINTS, Endpoint, Means, RESOURCES};

/// What the table does not say, under the names that it uses.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schemas {
    /// `components.schemas`
    schemas: Map<String, Value>,
    /// The JSON that an action takes.
    bodies: Map<String, Value>,
    /// The parameters in an action's query.
    queries: Map<String, Value>,
    /// What a success of an action holds, where it is not a JSON object.
    answers: Map<String, Value>,
    /// The variable parts of paths.
    parts: Map<String, Value>,
}

impl Schemas {
    /// A test holds that the file can be read.
    fn read() -> Self {
        serde_json::from_str(include_str!("schemas.json")).unwrap_or_default()
    }
}

/// The document.
pub fn document() -> Value {
    let schemas = Schemas::read();
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths.entry(endpoint.path).or_insert_with(|| path_item(endpoint, &schemas));
        if let Some(verbs) = path.as_object_mut() {
            verbs.insert(endpoint.verb.to_ascii_lowercase(), operation(endpoint, &schemas));
        }
    }
    let tags: Vec<_> =
        RESOURCES.iter().map(|tag| json!({"name": tag.name, "description": tag.summary})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "prembridge",
            "description": "The WhatsApp On-Premises API in front of the Cloud API.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        // The document is served by another listener than the API, which may have any number of names.
        "servers": [{
            "url": "{origin}",
            "description": "listen.api",
            "variables": {"origin": {"default": "http://127.0.0.1:9090"}},
        }],
        // Any of them will do.
        "security": [{"bearer": []}, {"apikey": []}, {"d360": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token of a login, or a key."},
                "apikey": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "The word Apikey, a blank, and a key of [[number.api_key]].",
                },
                "d360": {
                    "type": "apiKey", "in": "header", "name": "D360-API-KEY",
                    "description": "A key of [[number.api_key]].",
                },
                "basic": {"type": "http", "scheme": "basic", "description": "The name and password of a user."},
            },
            "responses": {
                "Error": {
                    "description": "What went wrong, as the on-prem API says it.",
                    "content": json_of(&json!({"$ref": "#/components/schemas/Error"})),
                },
            },
            "schemas": schemas.schemas,
        },
    })
}

/// What all verbs of a path share: its variable parts.
fn path_item(endpoint: &Endpoint, schemas: &Schemas) -> Value {
    let parts: Vec<_> = endpoint
        .path
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .map(|name| {
            let schema = schemas.parts.get(name).cloned().unwrap_or_else(|| json!({"type": "string"}));
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    if parts.is_empty() { json!({}) } else { json!({"parameters": parts}) }
}

fn operation(endpoint: &Endpoint, schemas: &Schemas) -> Value {
    let action = name(endpoint.action);
    let who = match endpoint.access {
        Access::Everybody => "",
        Access::User => "For users.",
        Access::Admin => "For administrators.",
    };
    let note = if endpoint.note.is_empty() { String::new() } else { capital(endpoint.note) + "." };
    let description: Vec<_> = [&*note, who].into_iter().filter(|words| !words.is_empty()).collect();
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "tags": endpoint.resource().map(|resource| resource.name).into_iter().collect::<Vec<_>>(),
        "summary": capital(endpoint.summary),
        "description": description.join(" "),
        "responses": responses(endpoint, schemas),
        "x-means": endpoint.means.name(),
    });
    let Some(members) = operation.as_object_mut() else { return operation };
    if let Some(query) = schemas.queries.get(&action) {
        members.insert("parameters".to_owned(), query.clone());
    }
    if let Some(body) = request_body(endpoint.body, schemas.bodies.get(&action)) {
        members.insert("requestBody".to_owned(), body);
    }
    match (endpoint.access, endpoint.action) {
        (Access::Everybody, Action::Login) => {
            members.insert("security".to_owned(), json!([{"basic": []}]));
        }
        (Access::Everybody, _) => {
            members.insert("security".to_owned(), json!([]));
        }
        (Access::User | Access::Admin, _) => {}
    }
    operation
}

fn request_body(body: Body, schema: Option<&Value>) -> Option<Value> {
    let anything = json!({"type": "object"});
    let schema = schema.unwrap_or(&anything);
    match body {
        Body::Nothing => None,
        Body::Json => Some(json!({"required": true, "content": json_of(schema)})),
        Body::OptionalJson => Some(json!({"content": json_of(schema)})),
        // OpenAPI 3.1 leaves the schema of raw bytes out ("Considerations for File Uploads").
        Body::Upload => Some(json!({"required": true, "content": {"*/*": {}}})),
        Body::Photo => Some(json!({
            "required": true,
            "content": {
                "image/jpeg": {},
                "image/png": {},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "contentMediaType": "image/jpeg"}},
                    },
                },
            },
        })),
        Body::Pem => {
            Some(json!({"required": true, "content": {"text/plain": {"schema": {"type": "string"}}}}))
        }
    }
}

fn responses(endpoint: &Endpoint, schemas: &Schemas) -> Value {
    let default = json!({"$ref": "#/components/responses/Error"});
    if endpoint.means == Means::Refused {
        return json!({"501": default.clone(), "default": default});
    }
    if endpoint.verb == "HEAD" {
        return json!({"2XX": {"description": "It is there."}});
    }
    let object = || json_of(&json!({"type": "object"}));
    let content = schemas.answers.get(&name(endpoint.action)).cloned().unwrap_or_else(object);
    let mut responses =
        json!({"2XX": {"description": "It was done.", "content": content}, "default": default});
    if is_empty_when_missing(endpoint.action)
        && let Some(members) = responses.as_object_mut()
    {
        members.insert("404".to_owned(), json!({"description": "There is none; the body is empty."}));
    }
    responses
}

/// Whether what is not there is answered by an empty 404, because clients would take any body for it.
fn is_empty_when_missing(action: Action) -> bool {
    matches!(action, Action::GetMedia | Action::ShowPhoto | Action::ShowExternalCa | Action::ShowWebhooksCa)
}

fn json_of(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

/// The action's name in `schemas.json`.
fn name(action: Action) -> String {
    format!("{action:?}")
}

/// Verb and path in one word, as `getUsersUsername`: actions may have several endpoints.
fn operation_id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.strip_prefix("/v1").unwrap_or("/root");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).map(capital);
    endpoint.verb.to_ascii_lowercase() + &words.collect::<String>()
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests;
