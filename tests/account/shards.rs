//! The number of shards, which is kept and means nothing.

use prembridge::app::App;
use prembridge::clock::Clock;
use prembridge::config::{Config, Env};

use super::*;
use crate::support::{NOW, config};
use crate::temp::TempDir;

const SHARDS: &str = "/v1/account/shards";
const SALES_ID: &str = "204561782290018";

fn shown(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["meta"], json!({"api_status": "stable", "version": "v2.45.1"}));
    reply.json()["account"]["shards"].clone()
}

#[tokio::test]
async fn one_until_somebody_sets_another() {
    let proxy = Proxy::start().await;
    assert_eq!(shown(&admin(&proxy, "GET", SHARDS, &json!(null)).await), 1);
    let full = json!({"cc": "1", "phone_number": "5550123456", "shards": 32, "pin": "123456", "cert": "x"});
    for (body, shards) in [(full, 32), (json!({"shards": "8"}), 8), (json!({"shards": 1}), 1)] {
        for path in [SHARDS, "/account/shards/"] {
            assert_done(&post(&proxy, path, &body).await, 201);
            assert_eq!(shown(&admin(&proxy, "GET", path, &json!(null)).await), shards);
        }
    }
    for (body, code) in [
        (json!({}), 1008),
        (json!({"shards": 3}), 1009),
        (json!({"shards": 64}), 1009),
        (json!({"shards": "08"}), 1009),
        (json!({"shards": 8.0}), 1009),
        (json!({"shards": true}), 1009),
        (json!({"shards": [8]}), 1009),
        (json!({"shards": 8, "x": 1}), 1010),
        (json!(8), 1025),
    ] {
        assert_refused(&post(&proxy, SHARDS, &body).await, 400, code);
    }
    assert_eq!(shown(&admin(&proxy, "GET", SHARDS, &json!(null)).await), 1);
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn each_number_has_its_own() {
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support.wa.internal\"]");
    let sales = number("sales", SALES_ID, "hosts = [\"sales.wa.internal\"]");
    let proxy = Proxy::numbers("", &format!("{support}\n{sales}")).await;
    let call = async |name: &str, key: &str, method: &str, body: &str| {
        let (host, key) = (format!("{name}.wa.internal"), format!("Bearer {key}"));
        let headers = [("Host", host.as_str()), ("Authorization", &key)];
        proxy.connect().await.call(method, SHARDS, &headers, body.as_bytes()).await
    };
    assert_done(&call("support", ADMIN_KEY, "POST", r#"{"shards":4}"#).await, 201);
    assert_eq!(shown(&call("support", ADMIN_KEY, "GET", "").await), 4);
    assert_eq!(shown(&call("sales", &format!("{ADMIN_KEY}-sales"), "GET", "").await), 1);
    assert_eq!(call("sales", ADMIN_KEY, "GET", "").await.status, 401, "another number's key");
}

async fn start(folder: &TempDir) -> Result<App, String> {
    let text = config(
        "http://127.0.0.1:9",
        "[shutdown]\nlame_duck = \"0s\"\n",
        &number("support", PHONE_NUMBER_ID, ""),
    );
    let store = format!("url = \"sqlite:{}\"", folder.join("prembridge.db").display());
    let parsed = Config::parse(&text.replace("url = \"memory:\"", &store), &Env::default()).unwrap();
    App::start(parsed.config, Clock::fixed(NOW)).await.map_err(|error| error.to_string())
}

async fn call(app: &App, method: &str, path: &str, body: &str) -> Reply {
    let key = format!("Bearer {ADMIN_KEY}");
    let mut client = Client::connect(app.addresses().api).await;
    client.call(method, path, &[("Authorization", &key)], body.as_bytes()).await
}

#[tokio::test]
async fn a_restart_keeps_them_and_so_does_a_reset_of_the_settings() {
    let folder = TempDir::new();
    let app = start(&folder).await.unwrap();
    assert_done(&call(&app, "POST", SHARDS, r#"{"shards":16}"#).await, 201);
    assert_done(&call(&app, "DELETE", "/v1/settings/application", "").await, 200);
    assert_eq!(shown(&call(&app, "GET", SHARDS, "").await), 16);
    assert!(app.drain().await);
    let app = start(&folder).await.unwrap();
    assert_eq!(shown(&call(&app, "GET", SHARDS, "").await), 16);
    assert!(app.drain().await);
    let store = rusqlite::Connection::open(folder.join("prembridge.db")).unwrap();
    store.execute("UPDATE documents SET content = ?1 WHERE name = 'shards'", [b"3".as_slice()]).unwrap();
    let refused = start(&folder).await.map(drop).unwrap_err();
    assert!(refused.contains("the document shards"), "{refused}");
}

#[tokio::test]
async fn when_the_store_fails_nothing_changes() {
    let folder = TempDir::new();
    let app = start(&folder).await.unwrap();
    assert_done(&call(&app, "POST", SHARDS, r#"{"shards":2}"#).await, 201);
    let other = rusqlite::Connection::open(folder.join("prembridge.db")).unwrap();
    let failing = "CREATE TRIGGER no_update BEFORE UPDATE ON documents
                       BEGIN SELECT RAISE(ABORT, 'on purpose'); END;";
    other.execute_batch(failing).unwrap();
    let reply = call(&app, "POST", SHARDS, r#"{"shards":4}"#).await;
    assert_refused(&reply, 500, 1023);
    assert!(reply.error().2.contains("nothing was changed"), "{reply:?}");
    assert_eq!(shown(&call(&app, "GET", SHARDS, "").await), 2);
}
