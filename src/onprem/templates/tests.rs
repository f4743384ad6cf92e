use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::onprem::ErrorCode;

fn template<'a>(name: &'a str, status: &str, language: &'a str) -> Template<'a> {
    Template {
        name: Some(name.into()),
        status: Some(status.to_owned()),
        category: Some("UTILITY".into()),
        language: Some(language.into()),
        namespace: "ns",
        ..Template::default()
    }
}

fn answered(query: &str) -> Value {
    let all = vec![
        template("b", "approved", "en"),
        template("a", "rejected", "de"),
        template("a", "approved", "en"),
        Template::default(),
    ];
    let query = Query::parse(query).unwrap();
    serde_json::to_value(TemplatesReply::new(&query, all)).unwrap()
}

/// Name and language of what is shown.
fn names(query: &str) -> Vec<String> {
    let answer = answered(query);
    let shown = answer["waba_templates"].as_array().unwrap().iter();
    let name = |item: &Value| {
        let text = |key: &str| item[key].as_str().unwrap_or("?").to_owned();
        format!("{}-{}", text("name"), text("language"))
    };
    shown.map(name).collect()
}

#[test]
fn without_a_query_all_come_by_name() {
    let mut answer = answered("");
    assert_eq!(answer["waba_templates"].take().as_array().unwrap().len(), 4);
    let rest = json!({"waba_templates": null, "count": 4, "total": 4, "limit": 1000, "offset": 0, "sort": ["name"],
        "filters": {}});
    assert_eq!(answer, rest);
    assert_eq!(names(""), ["?-?", "a-de", "a-en", "b-en"]);
    assert_eq!(names("retry=1&limit=&sort=&filters=&x"), names(""));
}

#[test]
fn a_query_chooses_sorts_and_cuts() {
    for (query, expected) in [
        ("limit=2&offset=1", &["a-de", "a-en"][..]),
        ("limit=0", &[]),
        ("offset=9", &[]),
        ("sort=-name,language", &["b-en", "a-de", "a-en", "?-?"]),
        ("sort=-business_templates.name,-language", &["b-en", "a-en", "a-de", "?-?"]),
        ("filters=%7B%22business_templates.name%22%3A%22a%22%7D", &["a-de", "a-en"]),
        ("filters={\"name\":\"a\",\"status\":\"APPROVED\"}", &["a-en"]),
        ("filters={\"category\":\"utility\",\"language\":\"en\"}&sort=name", &["a-en", "b-en"]),
        ("filters={\"id\":\"1\"}", &[]),
        ("filters={\"name\":\"A\"}", &[]),
        ("filters={}", &["?-?", "a-de", "a-en", "b-en"]),
    ] {
        assert_eq!(names(query), expected, "{query}");
    }
    let answer = answered("limit=5000&offset=1&sort=-status&filters={\"business_templates.name\":\"a\"}");
    let told = json!([1, 2, 1000, 1, ["-status"], {"business_templates.name": "a"}]);
    let found = ["count", "total", "limit", "offset", "sort", "filters"].map(|key| answer[key].clone());
    assert_eq!(json!(found), told, "{answer}");
    assert_eq!(Query::parse("filters={\"business_templates.name\":\"a\"}").unwrap().name(), Some("a"));
}

#[test]
fn queries_that_cannot_be() {
    for (query, words) in [
        ("limit=x", "limit must be a whole number"),
        ("limit=-1", "limit must be"),
        ("limit=%2B1", "limit must be"),
        ("offset=1.5", "offset must be"),
        ("offset=99999999999999999999", "offset must be"),
        ("sort=colour", "sort cannot be by \"colour\""),
        ("sort=name,,", "sort cannot be by \"\""),
        ("filters=name", "filters must be a JSON object"),
        ("filters={\"colour\":\"red\"}", "filters cannot be by \"colour\""),
        ("filters={\"name\":1}", "filters.name must be a string"),
        ("filters=[1]", "filters must be a JSON object"),
    ] {
        let invalid = Query::parse(query).unwrap_err();
        assert_eq!(invalid.code, ErrorCode::ParameterInvalid, "{query}");
        assert!(invalid.details.contains(words), "{query}: {}", invalid.details);
    }
    let deep = format!("filters={}{}", "[".repeat(200), "]".repeat(200));
    assert!(Query::parse(&deep).is_err());
    assert_eq!(
        Query::parse("filters={\"name\":\"a\",\"name\":\"b\"}").unwrap_err().code,
        ErrorCode::InvalidRequest
    );
}

#[test]
fn a_new_template_has_a_frame() {
    let parse = |body: &Value| {
        let text = body.to_string();
        let body = Body::read(text.as_bytes()).unwrap();
        NewTemplate::parse(&body).map(|new| serde_json::to_value(&new.members).unwrap())
    };
    let whole = json!({"name": "n", "category": "UTILITY", "language": "en", "components": [{"type": "BODY"}],
        "allow_category_change": true});
    assert_eq!(parse(&whole).unwrap(), whole);
    for key in ["name", "category", "language", "components"] {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(key);
        let invalid = parse(&body).unwrap_err();
        assert_eq!(
            (invalid.code, invalid.details.contains(key)),
            (ErrorCode::ParameterMissing, true),
            "{key}"
        );
        body[key] = json!({"x": 1});
        let invalid = parse(&body).unwrap_err();
        assert_eq!(
            (invalid.code, invalid.details.contains(key)),
            (ErrorCode::ParameterInvalid, true),
            "{key}"
        );
    }
    for (key, value) in [("name", json!("")), ("components", json!([]))] {
        let mut body = whole.clone();
        body[key] = value;
        assert_eq!(parse(&body).unwrap_err().code, ErrorCode::ParameterMissing, "{key}");
    }
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    /// Pages of any size, put together, are the whole.
    #[test]
    fn pages_make_the_whole(size in 1_usize..6, count in 0_usize..12, descending: bool) {
        let names: Vec<_> = (0..count).map(|at| format!("t{at:02}")).collect();
        let sort = if descending { "-name" } else { "name" };
        let mut together = Vec::new();
        for offset in (0..=count).step_by(size) {
            let query = Query::parse(&format!("limit={size}&offset={offset}&sort={sort}")).unwrap();
            let all = names.iter().rev().map(|name| template(name, "approved", "en")).collect();
            let answer = serde_json::to_value(TemplatesReply::new(&query, all)).unwrap();
            prop_assert_eq!(&answer["total"], &json!(count));
            let shown = answer["waba_templates"].as_array().unwrap();
            prop_assert_eq!(&answer["count"], &json!(shown.len()));
            together.extend(shown.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        }
        let mut expected = names;
        if descending {
            expected.reverse();
        }
        prop_assert_eq!(together, expected);
    }

    /// Nothing that a client writes makes it panic.
    #[test]
    fn any_query_is_read_or_refused(query in "(limit|offset|sort|filters|x)=.{0,20}(&(limit|filters)=.{0,20})?") {
        let _ = Query::parse(&query);
    }
}
