//! The templates of the mock's account.

use super::*;

const WABA: &str = "/v26.0/102290129340398";
const TEMPLATES: &str = "/v26.0/102290129340398/message_templates";

impl Client {
    async fn about(&mut self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call(method, path, "Bearer token", body.as_bytes()).await.unwrap()
    }

    async fn list(&mut self, query: &str) -> Value {
        let reply = self.about("GET", &format!("{TEMPLATES}?{query}"), &Value::Null).await;
        assert_eq!(reply.status, 200, "{query}: {reply:?}");
        reply.json()
    }
}

fn new(name: &str, language: &str) -> Value {
    json!({"name": name, "language": language, "category": "UTILITY", "components": [{"type": "BODY", "text": "x"}]})
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn templates_are_made_listed_and_deleted() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    assert_eq!(client.list("").await, json!({"data": []}));
    for (name, language) in [("a", "en"), ("a", "de"), ("b", "en")] {
        let reply = client.about("POST", TEMPLATES, &new(name, language)).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let id = reply.json()["id"].clone();
        assert_eq!(reply.json(), json!({"id": id, "status": "PENDING", "category": "UTILITY"}));
    }
    let whole = client.list("").await;
    assert_eq!(names(&whole), ["a", "a", "b"]);
    assert!(whole["paging"]["cursors"]["after"].is_string() && whole["paging"].get("next").is_none());
    assert_eq!(whole["data"][0].get("quality_score"), None, "not among the usual fields");
    let first = client.list("fields=name,status,quality_score&limit=2").await;
    let id = &first["data"][0]["id"];
    assert_eq!(
        first["data"][0],
        json!({"name": "a", "status": "PENDING", "quality_score": {"score": "UNKNOWN"}, "id": id})
    );
    assert!(first["paging"]["next"].is_string());
    let after = first["paging"]["cursors"]["after"].as_str().unwrap();
    assert_eq!(names(&client.list(&format!("limit=2&after={after}")).await), ["b"]);
    assert_eq!(names(&client.list("name=a&language=de").await), ["a"]);
    let reply = client.about("DELETE", &format!("{TEMPLATES}?name=a"), &Value::Null).await;
    assert_eq!((reply.status, reply.json()), (200, json!({"success": true})));
    assert_eq!(names(&client.list("").await), ["b"], "all languages go");
}

#[tokio::test]
async fn what_graph_would_refuse_is_refused() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    assert_eq!(client.about("POST", TEMPLATES, &new("a", "en")).await.status, 200);
    let with = |key: &str, value: Value| {
        let mut body = new("c", "en");
        body[key] = value;
        body
    };
    for (method, query, body, words) in [
        ("POST", "", new("a", "en"), "Invalid parameter"),
        ("POST", "", json!([]), "name is required"),
        ("POST", "", with("name", json!("Capital")), "lowercase"),
        ("POST", "", with("language", Value::Null), "language is required"),
        ("POST", "", with("category", json!("NEWS")), "must be one of"),
        ("POST", "", with("components", json!([])), "components is required"),
        ("GET", "?fields=name,colour", Value::Null, "nonexisting field (colour)"),
        ("GET", "?limit=0", Value::Null, "limit"),
        ("GET", "?after=x", Value::Null, "Invalid cursor"),
        ("DELETE", "", Value::Null, "name is required"),
        ("DELETE", "?name=nobody", Value::Null, "Invalid parameter"),
        ("PUT", "", Value::Null, "Unsupported put request"),
    ] {
        let reply = client.about(method, &format!("{TEMPLATES}{query}"), &body).await;
        assert_eq!((reply.status, reply.code()), (400, 100), "{method} {query} {body}: {reply:?}");
        let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(words), "{method} {query} {body}: {message}");
    }
    let reply = client.about("DELETE", &format!("{TEMPLATES}?name=nobody"), &Value::Null).await.json();
    assert_eq!(reply["error"]["error_subcode"], 2_593_002);
    assert_eq!(reply["error"]["error_user_title"], "Message template not found");
    for (method, path) in [("GET", "/v26.0/1/message_templates"), ("POST", "/v26.0/1/message_templates")] {
        let reply = client.about(method, path, &new("z", "en")).await;
        assert!(
            reply.json()["error"]["message"].as_str().unwrap().contains("ID '1' does not exist"),
            "{reply:?}"
        );
    }
    assert_eq!(client.call("GET", TEMPLATES, "", b"").await.unwrap().code(), 104, "not without a token");
    assert_eq!(names(&client.list("").await), ["a"]);
}

#[tokio::test]
async fn a_fault_leaves_the_templates_as_they_are() {
    let mock = with_fault("http 500@any:next 2").await;
    let mut client = Client::to(&mock).await;
    for (method, path) in [("POST", TEMPLATES.to_owned()), ("DELETE", format!("{TEMPLATES}?name=a"))] {
        assert_eq!(client.about(method, &path, &new("a", "en")).await.status, 500);
    }
    assert_eq!(client.list("").await["data"], json!([]));
}

#[tokio::test]
async fn the_account_tells_its_namespace() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let reply =
        client.about("GET", &format!("{WABA}?fields=message_template_namespace"), &Value::Null).await.json();
    assert_eq!(reply.as_object().unwrap().len(), 2, "{reply}");
    assert!(reply["message_template_namespace"].as_str().is_some_and(|text| text.len() == 36));
    assert_eq!(reply["id"], "102290129340398");
    for (path, node) in [
        (format!("{WABA}?fields=colour"), "WhatsAppBusinessAccount"),
        ("/v26.0/1?fields=message_template_namespace".to_owned(), "WhatsAppBusinessPhoneNumber"),
    ] {
        let reply = client.about("GET", &path, &Value::Null).await;
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(node), "{reply:?}");
    }
}
