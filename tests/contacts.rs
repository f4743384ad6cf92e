//! `/v1/contacts` and `/v1/services`, through the whole app.

use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};
use serde_json::{Value, json};

use crate::stub::Take;
use crate::support::{ADMIN_KEY, Client, KEY, NOW, PHONE_NUMBER_ID, Proxy, Reply, TO, config, number};
use crate::temp::TempDir;
use crate::webhooks::scene::{OTHER, Scene};

const PATH: &str = "/v1/contacts";
const IDENTITY: &str = "/v1/contacts/16315551234/identity";
const GC: &str = "/v1/services/message/gc";

fn meta() -> Value {
    json!({"api_status": "stable", "version": "v2.45.1"})
}

#[track_caller]
fn assert_results(reply: &Reply, contacts: &Value) {
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(
        (reply.status, reply.json()),
        (200, json!({"contacts": contacts, "meta": meta()})),
        "{reply:?}"
    );
}

#[track_caller]
fn assert_begun(reply: &Reply) {
    let begun = json!({"services": {"message": {"gc": {"status": "processing"}}}, "meta": meta()});
    assert_eq!((reply.status, reply.json()), (200, begun), "{reply:?}");
}

#[tokio::test]
async fn every_number_is_valid_and_the_rest_is_not() {
    let proxy = Proxy::start().await;
    let asked = json!([
        "+1 631 555 1001",
        "16315551234",
        "1-631-555-1005",
        16_315_551_002_u64,
        "US.13491208655302741918",
        "+1 631 555 1001",
        "nobody",
        "",
        "0049171",
        "16315551000-1387429853",
        "12",
        "6315551002\u{e9}",
    ]);
    let valid = |input: &str, wa_id: &str| json!({"input": input, "status": "valid", "wa_id": wa_id});
    let invalid = |input: &str| json!({"input": input, "status": "invalid"});
    let expected = json!([
        valid("+1 631 555 1001", "16315551001"),
        valid("16315551234", "16315551234"),
        valid("1-631-555-1005", "16315551005"),
        valid("16315551002", "16315551002"),
        valid("US.13491208655302741918", "US.13491208655302741918"),
        valid("+1 631 555 1001", "16315551001"),
        invalid("nobody"),
        invalid(""),
        invalid("0049171"),
        invalid("16315551000-1387429853"),
        invalid("12"),
        invalid("6315551002\u{e9}"),
    ]);
    for more in [
        json!({}),
        json!({"blocking": "wait", "force_check": true}),
        json!({"blocking": "no_wait", "force_check": false}),
        json!({"blocking": null, "force_check": null, "something": ["else"]}),
    ] {
        let mut body = more;
        body["contacts"] = asked.clone();
        for path in [PATH, "/v1/contacts/", "/contacts", "/v1/contacts?retry=1"] {
            assert_results(&proxy.call("POST", path, &body.to_string()).await, &expected);
        }
    }
    assert_eq!(proxy.mock.seen(), 0, "nobody is asked");
}

#[tokio::test]
async fn bodies_that_cannot_be() {
    let proxy = Proxy::start().await;
    for (body, status, code, words) in [
        ("", 400, 1025, "empty"),
        ("{", 400, 1025, "not a JSON object"),
        ("[]", 400, 1008, "contacts is missing"),
        ("[1]", 400, 1025, "must be a JSON object"),
        ("{}", 400, 1008, "contacts is missing"),
        (r#"{"contacts":[]}"#, 400, 1008, "contacts is missing"),
        (r#"{"contacts":"16315551234"}"#, 400, 1009, "must be an array"),
        (r#"{"contacts":[{}]}"#, 400, 1009, "contacts[0] must be a string"),
        (r#"{"contacts":["1"],"contacts":["2"]}"#, 400, 1025, "given twice"),
        (r#"{"contacts":["1"],"blocking":"maybe"}"#, 400, 1009, "blocking must be"),
        (r#"{"contacts":["1"],"force_check":1}"#, 400, 1009, "force_check must be"),
        (&format!(r#"{{"contacts":["{}"]}}"#, "1".repeat(2 << 20)), 413, 1025, "larger than"),
    ] {
        let reply = proxy.call("POST", PATH, body).await;
        let (found, _, details) = reply.error();
        assert_eq!((reply.status, found), (status, code), "{}: {reply:?}", &body[..body.len().min(80)]);
        assert!(details.contains(words), "{details}");
    }
}

#[tokio::test]
async fn users_may_ask_and_only_administrators_delete() {
    let proxy = Proxy::start().await;
    let contacts = json!({"contacts": [TO]}).to_string();
    let hash = r#"{"hash":"x"}"#;
    for (method, path, body, for_user) in [
        ("POST", PATH, contacts.as_str(), 200),
        ("GET", IDENTITY, "", 200),
        ("PUT", IDENTITY, hash, 200),
        ("PUT", GC, "", 403),
    ] {
        for (key, status) in [(format!("Bearer {KEY}"), for_user), (format!("Apikey {ADMIN_KEY}"), 200)] {
            for path in [path, &format!("{path}/"), path.strip_prefix("/v1").unwrap()] {
                let reply = proxy.call_as(&key, method, path, body).await;
                assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
                assert_eq!(reply.json().get("errors").is_some(), status != 200, "{reply:?}");
            }
        }
        let reply = proxy.connect().await.call(method, path, &[], body.as_bytes()).await;
        assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
    }
    for (method, path, allow) in
        [("GET", PATH, "POST"), ("POST", IDENTITY, "GET, HEAD, PUT"), ("POST", GC, "PUT")]
    {
        let reply = proxy.call(method, path, "{}").await;
        assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some(allow)), "{path}");
    }
}

#[tokio::test]
async fn an_identity_is_stable_and_acknowledged() {
    let proxy = Proxy::numbers(
        "",
        &format!(
            "{}{}",
            number("support", PHONE_NUMBER_ID, "hosts = [\"support\"]"),
            number("sales", OTHER, "hosts = [\"sales\"]")
        ),
    )
    .await;
    let get = async |number: &str, key: &str, id: &str| {
        let (path, key) = (format!("/v1/contacts/{id}/identity"), format!("Bearer {key}"));
        let headers = [("Host", number), ("Authorization", &key)];
        let reply = proxy.connect().await.call("GET", &path, &headers, b"").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let json = reply.json();
        let identity = json["identity"].clone();
        assert_eq!(json, json!({"identity": identity, "contacts": identity, "meta": meta()}));
        assert_eq!(identity["acknowledged"], true);
        assert_eq!(identity["created_timestamp"], 0);
        let hash = identity["hash"].as_str().unwrap().to_owned();
        assert_eq!((hash.len(), hash.ends_with('=')), (12, true), "{hash}");
        hash
    };
    let sales_key = format!("{KEY}-sales");
    let hash = get("support", KEY, TO).await;
    assert_eq!(get("support", KEY, TO).await, hash);
    assert_eq!(get("support", KEY, "+16315551234").await, hash, "another spelling of the same user");
    assert_eq!(get("support", KEY, "%2B16315551234").await, hash);
    assert_ne!(get("support", KEY, "16315551235").await, hash, "another user");
    assert_ne!(get("support", KEY, "US.13491208655302741918").await, hash);
    assert_ne!(get("sales", &sales_key, TO).await, hash, "the same user under another number");
}

#[tokio::test]
async fn any_hash_is_acknowledged_and_nobody_else_s() {
    let proxy = Proxy::start().await;
    for body in [r#"{"hash":"Rc/eg9RQ0JA="}"#, r#"{"hash":"Cloud's own","x":1}"#] {
        let reply = proxy.call("PUT", IDENTITY, body).await;
        assert_eq!((reply.status, reply.json()), (200, json!({"meta": meta()})), "{reply:?}");
    }
    for (body, code) in [
        ("", 1008),
        ("{}", 1008),
        (r#"{"hash":""}"#, 1008),
        (r#"{"hash":null}"#, 1008),
        (r#"{"hash":["x"]}"#, 1009),
        ("[]", 1008),
        ("{", 1025),
        ("[1]", 1025),
    ] {
        let reply = proxy.call("PUT", IDENTITY, body).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{body}");
    }
    for id in ["nobody", "12", "016315551234", "1631555123416315551234", "US.", "1.2.3"] {
        for method in ["GET", "PUT"] {
            let reply = proxy.call(method, &format!("/v1/contacts/{id}/identity"), r#"{"hash":"x"}"#).await;
            let (code, _, details) = reply.error();
            assert_eq!((reply.status, code), (404, 1006), "{method} {id}");
            assert_ne!(details, "unknown contact", "these words make clients send again");
        }
    }
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn who_does_not_wait_is_called_back() {
    let scene = Scene::new().await;
    let body = json!({"contacts": ["+1 631 555 1234", "nobody"]});
    let results = json!([
        {"input": "+1 631 555 1234", "status": "valid", "wa_id": TO},
        {"input": "nobody", "status": "invalid"},
    ]);
    assert_results(&scene.proxy.call("POST", PATH, &body.to_string()).await, &results);
    assert_eq!(scene.sink.take(1).await, [json!({"contacts": results})]);
    let mut waiting = body;
    waiting["blocking"] = json!("wait");
    assert_results(&scene.proxy.call("POST", PATH, &waiting.to_string()).await, &results);
    let admin = format!("Bearer {ADMIN_KEY}");
    assert_begun(&scene.proxy.call_as(&admin, "PUT", GC, "not even JSON").await);
    let done = json!({"services": [{"message": {"gc": {"messages_deleted": 0, "status": "complete"}}}]});
    assert_eq!(scene.sink.take(2).await[1], done, "nothing in between for who waited");
}

/// A client that is slow with one of them gets the others.
#[tokio::test]
async fn results_do_not_wait_for_each_other() {
    let scene = Scene::new().await;
    scene.sink.rule(
        |body| {
            if body["contacts"][0]["input"] == "held" { Take::Hold } else { Take::Status(200) }
        },
    );
    for input in ["held", "second", "third"] {
        let body = json!({"contacts": [input]}).to_string();
        assert_eq!(scene.proxy.call("POST", PATH, &body).await.status, 200);
    }
    let taken = scene.sink.take(2).await;
    assert!(taken.iter().all(|callback| callback["contacts"][0]["input"] != "held"), "{taken:?}");
    // It arrives before the release, or the release would miss it.
    scene.sink.arrived(3).await;
    scene.sink.release();
    scene.sink.take(3).await;
}

#[tokio::test]
async fn without_an_address_nobody_is_called_back() {
    let scene = Scene::silent("").await;
    let body = json!({"contacts": [TO]}).to_string();
    assert_eq!(scene.proxy.call("POST", PATH, &body).await.status, 200);
    assert_begun(&scene.proxy.call_as(&format!("Bearer {ADMIN_KEY}"), "PUT", GC, "").await);
    assert_eq!(scene.proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().callbacks.depth(), 0);
}

/// The callback is lost with the store, the answer is not.
#[tokio::test]
async fn when_the_store_fails_the_answer_is_still_given() {
    let folder = TempDir::new();
    let url = "callback_url = \"https://127.0.0.1:9/\"";
    let text = config("http://127.0.0.1:9", "", &number("support", PHONE_NUMBER_ID, url));
    let store = format!("url = \"sqlite:{}\"", folder.join("prembridge.db").display());
    let parsed = Config::parse(&text.replace("url = \"memory:\"", &store), &Env::default()).unwrap();
    let app = App::start(parsed.config, Clock::fixed(NOW)).await.unwrap();
    rusqlite::Connection::open(folder.join("prembridge.db"))
        .unwrap()
        .execute_batch(
            "CREATE TRIGGER no_insert BEFORE INSERT ON callbacks BEGIN SELECT RAISE(ABORT, 'on purpose'); END;",
        )
        .unwrap();
    let key = format!("Bearer {ADMIN_KEY}");
    let call = async |method: &str, path: &str, body: &str| {
        let mut client = Client::connect(app.addresses().api).await;
        client.call(method, path, &[("Authorization", &key)], body.as_bytes()).await
    };
    let results = json!([{"input": TO, "status": "valid", "wa_id": TO}]);
    assert_results(&call("POST", PATH, &json!({"contacts": [TO]}).to_string()).await, &results);
    assert_begun(&call("PUT", GC, "").await);
    assert_eq!(app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().callbacks.depth(), 0);
}

/// Only the body limits how many; each callback has a thousand at most.
#[tokio::test]
async fn as_many_are_answered_as_fit_into_the_body() {
    let scene = Scene::new().await;
    let many: Vec<_> = (0..20_000_u64).map(|at| (16_315_550_000 + at).to_string()).collect();
    for blocking in ["wait", "no_wait"] {
        let body = json!({"blocking": blocking, "contacts": many, "force_check": "true"}).to_string();
        let reply = scene.proxy.call("POST", PATH, &body).await;
        assert_eq!(reply.status, 200);
        let results = reply.json()["contacts"].as_array().unwrap().len();
        assert_eq!(results, many.len(), "{blocking}");
    }
    let told = scene.sink.take(20).await;
    let told: Vec<_> = told.iter().map(|callback| callback["contacts"].as_array().unwrap()).collect();
    assert!(told.iter().all(|results| results.len() == 1000));
    let inputs: Vec<_> =
        told.iter().flat_map(|results| results.iter().map(|result| &result["input"])).collect();
    assert_eq!(inputs, many.iter().collect::<Vec<_>>(), "in their order");
}
