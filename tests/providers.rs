//! Media providers over the API and from the configuration.

use prembridge::app::App;
use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, Client, KEY, PHONE_NUMBER_ID, Proxy, Reply, lasting, number};
use crate::temp::TempDir;

mod registry;

const PATH: &str = "/v1/settings/application/media/providers";
const SALES_ID: &str = "204561782290018";

/// Behind what tests look for where no secret belongs.
const CDN: &str = "[[number.provider]]\nname = \"cdn\"\nbearer = \"canary-configured\"\n";

const SHOWN: &str = "[compat]\nshow_provider_secrets = true\n";

async fn admin(proxy: &Proxy, method: &str, path: &str, body: &Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    proxy.call_as(&format!("Bearer {ADMIN_KEY}"), method, path, &body).await
}

async fn set(proxy: &Proxy, body: &Value) {
    let reply = admin(proxy, "POST", PATH, body).await;
    let meta = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (200, meta), "{reply:?}");
}

async fn listed(proxy: &Proxy) -> Value {
    let reply = admin(proxy, "GET", PATH, &Value::Null).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["settings"]["application"]["media"]["providers"].take()
}

fn bearer(name: &str, token: &str) -> Value {
    json!({"name": name, "type": "www", "config": {"bearer": token}})
}

fn basic(name: &str, username: &str, password: &str) -> Value {
    json!({"name": name, "type": "www", "config": {"basic": {"username": username, "password": password}}})
}

#[tokio::test]
async fn providers_are_set_and_shown_as_on_prem_did() {
    let proxy = Proxy::start().await;
    let reply = admin(&proxy, "GET", PATH, &Value::Null).await;
    let meta = json!({"api_status": "stable", "version": "v2.45.1"});
    let body =
        |providers| json!({"settings": {"application": {"media": {"providers": providers}}}, "meta": meta});
    assert_eq!((reply.status, reply.json()), (200, body(json!([]))));
    set(&proxy, &json!([basic("p2", "user", "word"), bearer("p1", "token")])).await;
    set(&proxy, &json!([{"name": "P-3_x", "config": {}}])).await;
    set(&proxy, &bearer("alone", "token")).await;
    let reply = admin(&proxy, "GET", &format!("{PATH}/"), &Value::Null).await;
    let expected = json!([
        {"name": "P-3_x", "type": "www", "config": {}},
        bearer("alone", "***"),
        bearer("p1", "***"),
        basic("p2", "user", "***"),
    ]);
    assert_eq!((reply.status, reply.json()), (200, body(expected)));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_last_word_on_a_name_counts() {
    let proxy = Proxy::with(SHOWN).await;
    set(&proxy, &json!([bearer("p", "one"), bearer("q", "other")])).await;
    set(&proxy, &json!([basic("p", "user", "pass:word \u{e4}")])).await;
    let secrets = json!([basic("p", "user", "pass:word \u{e4}"), bearer("q", "other")]);
    assert_eq!(listed(&proxy).await, secrets, "shown, since the configuration says so");
    set(&proxy, &listed(&proxy).await).await;
    assert_eq!(listed(&proxy).await, secrets, "what was read can be sent back");
}

#[tokio::test]
async fn a_deleted_provider_is_gone() {
    let proxy = Proxy::start().await;
    set(&proxy, &json!([bearer("p", "one"), bearer("q", "two")])).await;
    let reply = admin(&proxy, "DELETE", &format!("{PATH}/p"), &Value::Null).await;
    let meta = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (200, meta));
    assert_eq!(listed(&proxy).await, json!([bearer("q", "***")]));
    for name in ["p", "Q", "never", "a.b", "%2e%2e"] {
        let reply = admin(&proxy, "DELETE", &format!("{PATH}/{name}"), &Value::Null).await;
        assert_eq!((reply.status, reply.code()), (404, 1006), "{name}");
    }
    for (method, path, allow) in [("PUT", PATH, "GET, HEAD, POST"), ("GET", &format!("{PATH}/q"), "DELETE")] {
        let reply = admin(&proxy, method, path, &Value::Null).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
    }
    assert_eq!(listed(&proxy).await, json!([bearer("q", "***")]));
    let metrics = proxy.metrics().await;
    let label = format!("endpoint=\"{PATH}/{{name}}\",method=\"DELETE\",code=\"404\"");
    assert!(metrics.contains(&label), "{metrics}");
}

#[tokio::test]
async fn only_administrators_see_or_change_them() {
    let proxy = Proxy::start().await;
    let body = json!([bearer("p", "token")]).to_string();
    for (method, path) in [("GET", PATH), ("POST", PATH), ("DELETE", &format!("{PATH}/p"))] {
        for (authorization, status) in [(format!("Bearer {KEY}"), 403), ("Bearer x".to_owned(), 401)] {
            let reply = proxy.call_as(&authorization, method, path, &body).await;
            assert_eq!((reply.status, reply.code()), (status, 1005), "{method} {path}");
        }
        let reply = proxy.connect().await.call(method, path, &[], body.as_bytes()).await;
        assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
    }
    assert_eq!(listed(&proxy).await, json!([]));
}

#[tokio::test]
async fn bodies_that_cannot_be() {
    let proxy = Proxy::start().await;
    set(&proxy, &json!([bearer("kept", "token")])).await;
    let with = |config: Value| json!([{"name": "p", "config": config}]);
    let pair = |pair: Value| with(json!({"basic": pair}));
    let named = |name: &str| json!([bearer(name, "token")]);
    let many: Vec<_> = (0..257).map(|n| bearer(&format!("p{n}"), "token")).collect();
    for (body, code, words) in [
        (json!([]), 1009, "1 to 256 providers"),
        (json!(many), 1009, "1 to 256 providers"),
        (json!("p"), 1025, "array of providers"),
        (json!(null), 1025, "empty"),
        (json!(["p"]), 1009, "[0] must be a JSON object"),
        (json!([bearer("fine", "token"), null]), 1009, "[1] must be"),
        (json!([{"config": {}}]), 1008, "[0].name"),
        (json!({"config": {}}), 1008, "name is missing"),
        (json!([{"name": 7, "config": {}}]), 1009, "[0].name must be a string"),
        (named(""), 1009, "[0].name"),
        (named("a b"), 1009, "[0].name"),
        (named("a/b"), 1009, "[0].name"),
        (named("\u{e4}"), 1009, "[0].name"),
        (named(&"x".repeat(201)), 1009, "[0].name"),
        (json!([{"name": "p", "type": "ftp", "config": {}}]), 1009, "[0].type must be \"www\""),
        (json!([{"name": "p", "type": 1, "config": {}}]), 1009, "[0].type"),
        (json!([{"name": "p"}]), 1008, "[0].config"),
        (json!([{"name": "p", "config": null}]), 1008, "[0].config"),
        (with(json!("x")), 1009, "[0].config must be a JSON object"),
        (with(json!({"token": "x"})), 1009, "neither basic nor bearer"),
        (with(json!({"bearer": "x", "basic": {"username": "u", "password": "p"}})), 1009, "both"),
        (with(json!({"bearer": ""})), 1009, "[0].config.bearer"),
        (with(json!({"bearer": "a b"})), 1009, "[0].config.bearer"),
        (with(json!({"bearer": "a\nb"})), 1009, "[0].config.bearer"),
        (with(json!({"bearer": 1})), 1009, "[0].config.bearer must be a string"),
        (with(json!({"bearer": "x".repeat(8193)})), 1009, "at most 8192"),
        (pair(json!("x")), 1009, "[0].config.basic must be"),
        (pair(json!({"password": "p"})), 1008, "[0].config.basic.username"),
        (pair(json!({"username": "u"})), 1008, "[0].config.basic.password"),
        (pair(json!({"username": "", "password": "p"})), 1009, "[0].config.basic.username"),
        (pair(json!({"username": "a:b", "password": "p"})), 1009, "[0].config.basic.username"),
        (pair(json!({"username": "a\u{7f}", "password": "p"})), 1009, "[0].config.basic.username"),
        (pair(json!({"username": "u", "password": "a\r\nb"})), 1009, "[0].config.basic.password"),
        (json!([bearer("p", "a"), bearer("q", "b"), bearer("p", "c")]), 1009, "[2].name is there twice"),
        (json!([bearer("kept", "***")]), 1009, "stands for a hidden secret"),
        (json!([basic("new", "user", "***")]), 1009, "stands for a hidden secret"),
    ] {
        let reply = admin(&proxy, "POST", PATH, &body).await;
        let (found, _, details) = reply.error();
        assert_eq!((reply.status, found), (400, code), "{body}: {reply:?}");
        assert!(details.contains(words), "{body}: {details}");
    }
    for body in ["{", "[", "[{},]", r#"[{"name":"a","name":"b","config":{}}]"#, "[NaN]"] {
        let reply = proxy.call_as(&format!("Bearer {ADMIN_KEY}"), "POST", PATH, body).await;
        assert_eq!((reply.status, reply.code()), (400, 1025), "{body}");
    }
    assert_eq!(listed(&proxy).await, json!([bearer("kept", "***")]), "all or nothing");
}

#[tokio::test]
async fn a_number_has_room_for_so_many() {
    let proxy = Proxy::start().await;
    let many: Vec<_> = (0..256).map(|n| bearer(&format!("p{n}"), "token")).collect();
    set(&proxy, &json!(many)).await;
    let reply = admin(&proxy, "POST", PATH, &json!([bearer("p1", "other"), bearer("more", "token")])).await;
    assert_eq!((reply.status, reply.code()), (400, 1009));
    set(&proxy, &json!([bearer("p1", "other"), bearer("p255", "other")])).await;
    assert_eq!(admin(&proxy, "DELETE", &format!("{PATH}/p0"), &Value::Null).await.status, 200);
    set(&proxy, &json!([bearer("more", "token")])).await;
    assert_eq!(listed(&proxy).await.as_array().unwrap().len(), 256);
}

#[tokio::test]
async fn the_api_stands_in_front_of_the_configuration() {
    let proxy = Proxy::numbers(SHOWN, &number("support", PHONE_NUMBER_ID, CDN)).await;
    assert_eq!(listed(&proxy).await, json!([bearer("cdn", "***")]), "never shown");
    let reply = admin(&proxy, "DELETE", &format!("{PATH}/cdn"), &Value::Null).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (400, 1009));
    assert!(details.contains("[[number.provider]]"), "{details}");
    set(&proxy, &json!([basic("cdn", "user", "word"), bearer("archive", "token")])).await;
    let both = json!([bearer("archive", "token"), basic("cdn", "user", "word")]);
    assert_eq!(listed(&proxy).await, both);
    assert_eq!(admin(&proxy, "DELETE", &format!("{PATH}/cdn"), &Value::Null).await.status, 200);
    assert_eq!(listed(&proxy).await, json!([bearer("archive", "token"), bearer("cdn", "***")]));
}

#[tokio::test]
async fn numbers_do_not_see_each_others() {
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support.wa.internal\"]");
    let sales = number("sales", SALES_ID, &format!("hosts = [\"sales.wa.internal\"]\n{CDN}"));
    let proxy = Proxy::numbers("", &format!("{support}\n{sales}")).await;
    let call = async |name: &str, key: &str, method: &str, path: &str, body: &str| {
        let (host, key) = (format!("{name}.wa.internal"), format!("Bearer {key}"));
        let headers = [("Host", host.as_str()), ("Authorization", &key)];
        proxy.connect().await.call(method, path, &headers, body.as_bytes()).await
    };
    let sales_key = format!("{ADMIN_KEY}-sales");
    let names = async |name: &str, key: &str| {
        let json = call(name, key, "GET", PATH, "").await.json();
        let list = json["settings"]["application"]["media"]["providers"].as_array().unwrap().clone();
        list.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (name, key, body) in [
        ("support", ADMIN_KEY, json!([bearer("both", "one"), bearer("ours", "one")])),
        ("sales", &sales_key, json!([bearer("both", "two")])),
    ] {
        assert_eq!(call(name, key, "POST", PATH, &body.to_string()).await.status, 200);
    }
    assert_eq!(names("support", ADMIN_KEY).await, ["both", "ours"]);
    assert_eq!(names("sales", &sales_key).await, ["both", "cdn"]);
    assert_eq!(call("sales", &sales_key, "DELETE", &format!("{PATH}/ours"), "").await.status, 404);
    assert_eq!(call("support", ADMIN_KEY, "DELETE", &format!("{PATH}/cdn"), "").await.status, 404);
    assert_eq!(call("support", ADMIN_KEY, "DELETE", &format!("{PATH}/both"), "").await.status, 200);
    assert_eq!(names("support", ADMIN_KEY).await, ["ours"]);
    assert_eq!(names("sales", &sales_key).await, ["both", "cdn"]);
    assert_eq!(call("sales", ADMIN_KEY, "GET", PATH, "").await.status, 401, "another number's key");
}

/// The app alone, with its store in a file.
async fn start(folder: &TempDir, name: &str) -> App {
    lasting(folder, &number(name, PHONE_NUMBER_ID, CDN)).await
}

async fn call(app: &App, key: &str, method: &str, path: &str, body: &Value) -> Reply {
    let key = format!("Bearer {key}");
    let mut client = Client::connect(app.addresses().api).await;
    client.call(method, path, &[("Authorization", &key)], body.to_string().as_bytes()).await
}

#[tokio::test]
async fn a_restart_keeps_them_under_any_name_of_the_number() {
    let folder = TempDir::new();
    let app = start(&folder, "support").await;
    let body = json!([basic("p", "user", "word"), bearer("q", "token")]);
    assert_eq!(call(&app, ADMIN_KEY, "POST", PATH, &body).await.status, 200);
    let facts = |app: &App| {
        let all = app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().account.providers.list();
        let fact = |provider: &prembridge::media::providers::Provider| {
            (provider.name.clone(), provider.generation, provider.authorization.clone())
        };
        all.iter().map(|provider| fact(provider)).collect::<Vec<_>>()
    };
    let before = facts(&app);
    assert_eq!(before.len(), 3);
    assert!(app.drain().await);
    let app = start(&folder, "renamed").await;
    assert_eq!(facts(&app), before);
}

#[tokio::test]
async fn when_the_store_fails_nothing_changes() {
    let folder = TempDir::new();
    let app = start(&folder, "support").await;
    let token = |token: &str| json!([bearer("p", token), bearer("q", token)]);
    assert_eq!(call(&app, ADMIN_KEY, "POST", PATH, &token("one")).await.status, 200);
    let other = rusqlite::Connection::open(folder.join("prembridge.db")).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER no_update BEFORE UPDATE ON providers WHEN new.name = 'q'
                 BEGIN SELECT RAISE(ABORT, 'on purpose'); END;
             CREATE TRIGGER no_delete BEFORE DELETE ON providers
                 BEGIN SELECT RAISE(ABORT, 'on purpose'); END;",
        )
        .unwrap();
    let provider = |name| {
        app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().account.providers.find(name).unwrap()
    };
    let before = ["p", "q"].map(|name| provider(name).generation);
    for (method, path, body) in [("POST", PATH, token("two")), ("DELETE", &format!("{PATH}/p"), Value::Null)]
    {
        let reply = call(&app, ADMIN_KEY, method, path, &body).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (500, 1023), "{method}");
        assert!(details.contains("nothing was changed") && !details.contains("purpose"), "{details}");
    }
    assert_eq!(["p", "q"].map(|name| provider(name).generation), before);
    other.execute_batch("DROP TRIGGER no_update; DROP TRIGGER no_delete;").unwrap();
    assert!(app.drain().await);
    let app = start(&folder, "support").await;
    let kept = ["p", "q"].map(|name| {
        app.state()
            .numbers
            .load()
            .by_id(PHONE_NUMBER_ID)
            .unwrap()
            .account
            .providers
            .find(name)
            .unwrap()
            .generation
    });
    assert_eq!(kept, before, "the first of the two was not stored either");
}

/// Logs of a whole process are looked through in `tests/serve.rs`.
#[tokio::test]
async fn secrets_do_not_show() {
    let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, CDN)).await;
    set(&proxy, &json!([bearer("p", "canary-token"), basic("q", "user", "canary-password")])).await;
    let mut replies = vec![admin(&proxy, "GET", PATH, &Value::Null).await];
    for body in [
        json!([bearer("p", "canary token")]),
        json!([bearer("canary/name", "canary-token")]),
        json!([basic("p", "canary:user", "canary-password")]),
        json!([{"name": "p", "config": {"token": "canary"}}]),
        json!([{"name": "p", "config": "canary"}]),
        json!(["canary"]),
        json!("canary"),
    ] {
        replies.push(admin(&proxy, "POST", PATH, &body).await);
    }
    let encoded = "dXNlcjpjYW5hcnktcGFzc3dvcmQ=";
    let providers = proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().account.providers.list();
    assert_eq!(providers[2].authorization.as_ref().unwrap(), &format!("Basic {encoded}"));
    let shown = format!("{providers:?} {providers:#?} {replies:?} {}", proxy.metrics().await);
    assert!(shown.contains("\"cdn\"") && shown.contains("\"user\""), "the rest does show: {shown}");
    for secret in ["canary", encoded] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let texts: String = replies.iter().map(Reply::text).collect();
    assert!(!texts.contains("canary"), "{texts}");
}
