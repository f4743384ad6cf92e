use std::collections::BTreeSet;

use super::*;

/// `path verb` of every operation of the document.
fn operations(document: &Value) -> Vec<(String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, item) in paths {
        for (verb, operation) in item.as_object().unwrap() {
            if verb != "parameters" {
                found.push((format!("{} {path}", verb.to_ascii_uppercase()), operation.clone()));
            }
        }
    }
    found
}

#[test]
fn every_row_is_an_operation_and_nothing_else_is() {
    let found: BTreeSet<_> = operations(&document()).into_iter().map(|(name, _)| name).collect();
    let rows: BTreeSet<_> = ENDPOINTS.iter().map(|row| format!("{} {}", row.verb, row.path)).collect();
    assert_eq!(found, rows);
}

#[test]
fn operation_ids_are_different_words() {
    let mut seen = BTreeSet::new();
    for (name, operation) in operations(&document()) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric()), "{id}");
        assert!(seen.insert(id), "{name}");
    }
}

/// A misspelt name would leave an endpoint without its schema.
#[test]
fn the_schemas_belong_to_the_table() {
    let schemas: Schemas = serde_json::from_str(include_str!("schemas.json")).unwrap();
    let takes_json = |row: &&Endpoint| matches!(row.body, Body::Json | Body::OptionalJson);
    let json: BTreeSet<_> = ENDPOINTS.iter().filter(takes_json).map(|row| name(row.action)).collect();
    assert_eq!(schemas.bodies.keys().cloned().collect::<BTreeSet<_>>(), json);
    let actions: BTreeSet<_> = ENDPOINTS.iter().map(|row| name(row.action)).collect();
    assert!(schemas.queries.keys().chain(schemas.answers.keys()).all(|action| actions.contains(action)));
    let parts: BTreeSet<_> = ENDPOINTS
        .iter()
        .flat_map(|row| row.path.split('{').skip(1))
        .map(|rest| rest.split('}').next().unwrap().to_owned())
        .collect();
    assert_eq!(schemas.parts.keys().cloned().collect::<BTreeSet<_>>(), parts);
}

#[test]
fn references_lead_somewhere() {
    let document = document();
    let mut waiting = vec![&document];
    let mut references = 0;
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(members) => {
                if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(target.strip_prefix('#').unwrap()).is_some(), "{target}");
                    references += 1;
                }
                waiting.extend(members.values());
            }
            Value::Array(elements) => waiting.extend(elements),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    assert!(references > ENDPOINTS.len());
}
