//! 360dialog's templates over the templates of the account.

use prembridge::mock::{self, MockCloud};
use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, KEY, PHONE_NUMBER_ID, Proxy, Reply, number};

const PATH: &str = "/v1/configs/templates";
const WABA: &str = "102290129340398";
const GRAPH: &str = "/v26.0/102290129340398/message_templates";
/// The mock's.
const NAMESPACE: &str = "ba30dd89_2ebd_41e4_b805_f2c05ae04cc9";

async fn start() -> Proxy {
    Proxy::numbers("", &number("support", PHONE_NUMBER_ID, &format!("waba_id = \"{WABA}\""))).await
}

async fn admin(proxy: &Proxy, method: &str, path: &str, body: &str) -> Reply {
    proxy.call_as(&format!("Bearer {ADMIN_KEY}"), method, path, body).await
}

fn add(mock: &MockCloud, name: &str, language: &str, status: &str) -> String {
    let template = json!({"name": name, "language": language, "status": status, "category": "UTILITY",
        "components": [{"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["you"]]}}]});
    let Value::Object(template) = template else { panic!("an object") };
    mock.add_template(template)
}

fn new() -> Value {
    json!({"name": "order_shipped", "category": "UTILITY", "language": "en_US", "allow_category_change": true,
        "components": [{"type": "BODY", "text": "It left."}]})
}

/// Method and path, with the query, of what the mock got.
fn asked(proxy: &Proxy) -> Vec<String> {
    let asked = |request: mock::Recorded| {
        format!("{} {}?{}", request.method, request.path, request.query.unwrap_or_default())
    };
    proxy.mock.recorded().into_iter().map(asked).collect()
}

#[tokio::test]
async fn a_list_has_the_form_that_clients_read() {
    let proxy = start().await;
    let id = add(&proxy.mock, "hello", "en_US", "APPROVED");
    let reply = proxy.call("GET", PATH, "").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
    let expected = json!({
        "waba_templates": [{
            "id": id, "name": "hello", "status": "approved", "category": "UTILITY", "language": "en_US",
            "namespace": NAMESPACE, "rejected_reason": "NONE", "quality_score": {"score": "UNKNOWN"},
            "components": [{"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["you"]]}}],
        }],
        "count": 1, "total": 1, "limit": 1000, "offset": 0, "sort": ["name"], "filters": {},
    });
    assert_eq!(reply.json(), expected);
    for path in ["/configs/templates", "/v1/configs/templates/", "/v1/configs/templates/?retry=1"] {
        assert_eq!(proxy.call("GET", path, "{}").await.json(), expected, "{path}");
    }
    assert_eq!(admin(&proxy, "GET", PATH, "").await.json(), expected);
    let recorded = proxy.mock.recorded();
    assert_eq!(recorded.len(), 6, "the namespace once, the list five times");
    assert!(
        recorded
            .iter()
            .all(|request| request.authorization.as_deref() == Some("Bearer EAAG-canary-access-token"))
    );
    assert!(recorded.iter().all(|request| request.status == Some(200)), "{recorded:#?}");
}

#[tokio::test]
async fn pages_of_cloud_are_put_together() {
    let proxy = start().await;
    for at in 0..450 {
        add(&proxy.mock, &format!("t{:03}", (at * 7) % 450), "en", "APPROVED");
    }
    let reply = proxy.call("GET", &format!("{PATH}?limit=3&offset=200"), "").await.json();
    let names: Vec<_> = (0..3).map(|at| reply["waba_templates"][at]["name"].clone()).collect();
    assert_eq!(json!(names), json!(["t200", "t201", "t202"]));
    assert_eq!((&reply["count"], &reply["total"]), (&json!(3), &json!(450)));
    let asked = asked(&proxy);
    assert_eq!(asked.len(), 4, "{asked:#?}");
    assert!(asked[1].contains("limit=200") && !asked[1].contains("after="), "{asked:#?}");
    assert!(asked[2].contains("&after=") && asked[3].contains("&after="), "{asked:#?}");
}

#[tokio::test]
async fn a_very_long_list_ends() {
    let proxy = start().await;
    for at in 0..1_001 {
        add(&proxy.mock, &format!("t{at:04}"), "en", "APPROVED");
    }
    let reply = proxy.call("GET", PATH, "").await.json();
    assert_eq!((&reply["count"], &reply["total"]), (&json!(1000), &json!(1000)));
    assert_eq!(proxy.mock.seen(), 6);
    let query = "?filters=%7B%22business_templates.name%22%3A%22t1000%22%7D";
    let reply = proxy.call("GET", &format!("{PATH}{query}"), "").await.json();
    assert_eq!(reply["waba_templates"][0]["name"], "t1000", "a name is found anywhere");
    assert_eq!(
        (&reply["total"], &reply["filters"]),
        (&json!(1), &json!({"business_templates.name": "t1000"}))
    );
    assert!(asked(&proxy).last().unwrap().contains("name=t1000"));
    assert_eq!(proxy.mock.seen(), 7);
}

#[tokio::test]
async fn a_template_is_made_and_deleted() {
    let proxy = start().await;
    let reply = admin(&proxy, "POST", PATH, &new().to_string()).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let mut expected = new();
    expected["id"] = reply.json()["id"].clone();
    expected["status"] = json!("pending");
    expected["namespace"] = json!(NAMESPACE);
    assert!(expected["id"].is_string());
    assert_eq!(reply.json(), expected);
    assert_eq!(proxy.last_body(), new(), "Cloud gets what the client sent");
    assert_eq!(proxy.call("GET", PATH, "").await.json()["waba_templates"][0]["status"], "pending");

    let again = admin(&proxy, "POST", PATH, &new().to_string()).await;
    let (code, _, details) = again.error();
    assert_eq!((again.status, code), (400, 1004), "{again:?}");
    assert!(details.contains("already en_US content"), "{details}");

    let path = format!("{PATH}/order_shipped/");
    let reply = admin(&proxy, "DELETE", &path, "").await;
    let done = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (200, done), "{reply:?}");
    assert_eq!(asked(&proxy).last().unwrap(), &format!("DELETE {GRAPH}?name=order_shipped"));
    let reply = admin(&proxy, "DELETE", "/configs/templates/order_shipped", "").await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (404, 1006), "{reply:?}");
    assert!(details.contains("wasn't found"), "{details}");
    assert_eq!(proxy.call("GET", PATH, "").await.json()["total"], 0);
    // The other way to say it.
    proxy.mock.fault("132001@any".parse().unwrap());
    let reply = admin(&proxy, "DELETE", "/configs/templates/order_shipped", "").await;
    assert_eq!((reply.status, reply.code()), (404, 1006), "{reply:?}");
}

#[tokio::test]
async fn only_administrators_change_templates() {
    let proxy = start().await;
    let one = format!("{PATH}/order_shipped");
    for (method, path, user) in [("GET", PATH, 200), ("POST", PATH, 403), ("DELETE", &one, 403)] {
        let body = new().to_string();
        let reply = proxy.call_as(&format!("Bearer {KEY}"), method, path, &body).await;
        assert_eq!(reply.status, user, "{method} {path}: {reply:?}");
        for reply in [
            proxy.call_as("Bearer x", method, path, &body).await,
            proxy.connect().await.call(method, path, &[], body.as_bytes()).await,
        ] {
            assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
        }
    }
    for (method, path, allow) in [("PUT", PATH, "GET, HEAD, POST"), ("GET", &one, "DELETE")] {
        let reply = admin(&proxy, method, path, "").await;
        assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some(allow)), "{path}");
    }
    assert_eq!(proxy.mock.seen(), 2, "the namespace and one list");
}

#[tokio::test]
async fn bad_input_never_reaches_cloud() {
    let proxy = start().await;
    let mut nameless = new();
    nameless["name"] = Value::Null;
    for (method, path, body, code) in [
        ("POST", PATH.to_owned(), String::new(), 1025),
        ("POST", PATH.to_owned(), "[]".to_owned(), 1008),
        ("POST", PATH.to_owned(), nameless.to_string(), 1008),
        ("POST", PATH.to_owned(), new().to_string().replace("[{", "{\"x\":[{").replace("}]", "}]}"), 1009),
        ("GET", format!("{PATH}?limit=x"), String::new(), 1009),
        ("GET", format!("{PATH}?sort=colour"), String::new(), 1009),
        ("GET", format!("{PATH}?filters=x"), String::new(), 1009),
    ] {
        let reply = admin(&proxy, method, &path, &body).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{method} {path} {body}: {reply:?}");
    }
    let reply = admin(&proxy, "DELETE", &format!("{PATH}/a.b"), "").await;
    assert_eq!((reply.status, reply.code()), (404, 1006));
    assert_eq!(proxy.mock.seen(), 0);
    // What only Cloud can judge comes back as its 4xx.
    let mut capital = new();
    capital["name"] = json!("Order Shipped");
    let reply = admin(&proxy, "POST", PATH, &capital.to_string()).await;
    assert_eq!((reply.status, reply.code()), (400, 1009), "{reply:?}");
}

#[tokio::test]
async fn without_the_account_the_operator_is_told() {
    let proxy = Proxy::start().await;
    for (method, path) in [("GET", PATH), ("POST", PATH), ("DELETE", "/v1/configs/templates/x")] {
        let reply = admin(&proxy, method, path, &new().to_string()).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (503, 1011), "{method}");
        assert!(details.contains("waba_id"), "{details}");
    }
    assert_eq!(proxy.mock.seen(), 0);
    let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, "waba_id = \"999\"")).await;
    let reply = admin(&proxy, "DELETE", "/v1/configs/templates/x", "").await;
    assert_eq!((reply.status, reply.code()), (503, 1011), "an account that is not there: {reply:?}");
}

#[tokio::test]
async fn a_configured_namespace_is_not_asked_for() {
    let more = format!("waba_id = \"{WABA}\"\nnamespace = \"mine\"");
    let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, &more)).await;
    add(&proxy.mock, "hello", "en", "APPROVED");
    let reply = proxy.call("GET", PATH, "").await.json();
    assert_eq!(reply["waba_templates"][0]["namespace"], "mine");
    assert_eq!(proxy.mock.seen(), 1);
}

#[tokio::test]
async fn numbers_ask_for_their_own_account_with_their_own_token() {
    let more = |host: &str, waba: &str| {
        format!("waba_id = \"{waba}\"\nhosts = [\"{host}\"]\nnamespace = \"{host}\"")
    };
    let support = number("support", PHONE_NUMBER_ID, &more("support", WABA));
    let sales = number("sales", "204561782290018", &more("sales", "777"));
    let proxy = Proxy::numbers("", &format!("{support}\n{sales}")).await;
    let key = format!("Bearer {KEY}-sales");
    let headers = [("Host", "sales"), ("Authorization", key.as_str())];
    let reply = proxy.connect().await.call("GET", PATH, &headers, b"").await;
    assert_eq!((reply.status, reply.code()), (503, 1011), "the mock has one account");
    let recorded = proxy.mock.recorded();
    assert_eq!(recorded[0].path, "/v26.0/777/message_templates");
    assert_eq!(recorded[0].authorization.as_deref(), Some("Bearer EAAG-canary-access-token-sales"));
}

#[tokio::test]
async fn failures_of_cloud_come_in_the_dialect() {
    for (fault, get, post) in [
        ("190@any", (500, 1014), (500, 1014)),
        ("4@any", (429, 1015), (429, 1015)),
        ("200@any", (403, 1005), (403, 1005)),
        ("2388093@any", (400, 1009), (400, 1009)),
        ("2388093/500@any", (500, 1000), (500, 1000)),
        ("http 502 html@any", (500, 1014), (500, 1014)),
        ("http 200 garbage@any", (500, 1014), (500, 1014)),
        ("http 200 empty@any", (500, 1014), (500, 1014)),
        ("reset-after-read@any", (500, 1014), (500, 1014)),
    ] {
        let more = format!("waba_id = \"{WABA}\"\nnamespace = \"mine\"");
        let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, &more)).await;
        proxy.mock.fault(fault.parse().unwrap());
        for (method, path, expected) in
            [("GET", PATH, get), ("POST", PATH, post), ("DELETE", "/v1/configs/templates/x", post)]
        {
            let before = proxy.mock.seen();
            let reply = admin(&proxy, method, path, &new().to_string()).await;
            let (code, _, details) = reply.error();
            assert_eq!((reply.status, code), expected, "{fault} {method}: {reply:?}");
            assert!(!details.contains("message may have been sent"), "{fault} {method}: {details}");
            assert_eq!(reply.header("retry-after").is_some(), reply.status == 429);
            assert_eq!(proxy.mock.seen() - before, 1, "{fault} {method}: asked once");
        }
    }
}

#[tokio::test]
async fn a_namespace_that_cannot_be_had_is_asked_for_again() {
    let proxy = start().await;
    proxy.mock.fault("http 500@any:once".parse().unwrap());
    let reply = admin(&proxy, "POST", PATH, &new().to_string()).await;
    assert_eq!((reply.status, reply.code()), (500, 1014), "nothing was made");
    assert_eq!(proxy.mock.seen(), 1);
    assert_eq!(admin(&proxy, "POST", PATH, &new().to_string()).await.status, 201);
}
