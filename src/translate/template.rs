//! Templates of an account, from Cloud's form to 360dialog's.

use crate::cloud::template::Created;
use crate::onprem::templates::{NewTemplate, Template};
use crate::wire::{self, Object, Str};

/// A template of a list: the status in lower case and the namespace of the account beside it, everything else as it
/// came.
pub fn template_to_onprem<'a>(mut template: Object<'a>, namespace: &'a str) -> Template<'a> {
    let mut text = |key| wire::string(template.take(key)?);
    let (id, name, status) = (text("id"), text("name"), text("status"));
    let (category, language) = (text("category"), text("language"));
    Template {
        id,
        name,
        status: status.map(lower),
        category,
        language,
        namespace,
        rest: template.into_members().into_iter().filter(|(key, _)| &**key != "namespace").collect(),
    }
}

/// A template that was made: what the client sent, and what Cloud made of it.
pub fn created_to_onprem<'a>(new: NewTemplate<'a>, created: Created<'a>, namespace: &'a str) -> Template<'a> {
    let Created { id, status, category } = created;
    Template {
        id: Some(id),
        status: status.map(lower),
        category: category.or(Some(new.category)),
        ..template_to_onprem(new.members, namespace)
    }
}

fn lower(status: Str<'_>) -> String {
    status.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(template: &Template<'_>) -> serde_json::Value {
        serde_json::to_value(template).unwrap()
    }

    #[test]
    fn a_listed_template_keeps_what_nobody_knows() {
        let cloud = r#"{"name":"n","status":"APPROVED","category":"UTILITY","language":"en","id":"1","namespace":7,
            "components":[{"type":"BODY","text":"a"}],"quality_score":{"score":"GREEN"},"later":[1.50]}"#;
        let expected = serde_json::json!({
            "name": "n", "status": "approved", "category": "UTILITY", "language": "en", "id": "1",
            "namespace": "ns", "components": [{"type": "BODY", "text": "a"}],
            "quality_score": {"score": "GREEN"}, "later": [1.50],
        });
        assert_eq!(shown(&template_to_onprem(Object::parse(cloud).unwrap(), "ns")), expected);
        let odd = template_to_onprem(Object::parse(r#"{"name":1,"status":null}"#).unwrap(), "ns");
        assert_eq!(shown(&odd), serde_json::json!({"namespace": "ns"}));
    }

    #[test]
    fn cloud_says_what_became_of_a_new_one() {
        let sent = br#"{"name":"n","category":"UTILITY","language":"en","components":[{"type":"BODY"}],
            "allow_category_change":true,"status":"mine","id":"mine"}"#;
        let body = crate::onprem::message::Body::read(sent).unwrap();
        for (answer, status, category) in [
            (
                r#"{"id":"7","status":"PENDING","category":"MARKETING"}"#,
                serde_json::json!("pending"),
                "MARKETING",
            ),
            (r#"{"id":"7"}"#, serde_json::Value::Null, "UTILITY"),
        ] {
            let new = NewTemplate::parse(&body).unwrap();
            let made = created_to_onprem(new, Created::read(answer.as_bytes()).unwrap(), "ns");
            let shown = shown(&made);
            assert_eq!((&shown["id"], &shown["status"]), (&serde_json::json!("7"), &status), "{answer}");
            assert_eq!((&shown["category"], &shown["namespace"]), (&category.into(), &"ns".into()));
            assert_eq!(shown["components"], serde_json::json!([{"type": "BODY"}]));
        }
    }
}
