//! Sticker packs, through the whole app: kept and given back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prembridge::app::App;
use prembridge::onprem::stickers::NewPack;
use prembridge::settings::{Documents, OpenError, SettingsError, Stickers};
use prembridge::store::{DocumentRow, Error, Sqlite, Store};
use serde_json::{Value, json};

use crate::support::faulty::Faulty;
use crate::support::{ADMIN_KEY, Client, KEY, PHONE_NUMBER_ID, Proxy, Reply, lasting, number};
use crate::temp::TempDir;

const PATH: &str = "/v1/stickerpacks";

fn meta() -> Value {
    json!({"api_status": "stable", "version": "v2.45.1"})
}

/// The one id of an answer.
#[track_caller]
fn id(reply: &Reply) -> String {
    let json = reply.json();
    let id = json["stickerpacks"][0]["id"].as_str().unwrap_or_else(|| panic!("{reply:?}"));
    assert_eq!(json, json!({"stickerpacks": [{"id": id}], "meta": meta()}));
    id.to_owned()
}

#[track_caller]
fn assert_shown(reply: &Reply, key: &str, expected: &Value) {
    assert_eq!((reply.status, &reply.json()[key]), (200, expected), "{reply:?}");
    assert_eq!(reply.json()["meta"], meta());
    assert!(reply.json().get("errors").is_none());
}

#[track_caller]
fn assert_done(reply: &Reply) {
    assert_eq!((reply.status, reply.json()), (200, json!({"meta": meta()})), "{reply:?}");
}

#[tokio::test]
async fn packs_and_stickers_come_and_go() {
    let proxy = Proxy::start().await;
    assert_shown(&proxy.call("GET", PATH, "").await, "stickerpacks", &json!([]));
    let body = json!({"publisher": "Shop", "name": "Cats", "ios_app_store_link": "https://a", "android_app_store_link": null});
    let made = proxy.call("POST", PATH, &body.to_string()).await;
    assert_eq!(made.status, 201);
    let pack = id(&made);
    let other = id(&proxy.call("POST", "/stickerpacks/", &body.to_string()).await);
    assert_ne!(pack, other);
    assert_shown(
        &proxy.call("GET", &format!("{PATH}/?retry=1"), "{}").await,
        "stickerpacks",
        &json!([{"id": pack}, {"id": other}]),
    );
    assert_shown(
        &proxy.call("GET", &format!("{PATH}?namespace=whatsapp"), "").await,
        "stickerpacks",
        &json!([]),
    );
    let path = format!("{PATH}/{pack}");
    let mut expected =
        json!([{"id": pack, "publisher": "Shop", "name": "Cats", "ios_app_store_link": "https://a"}]);
    assert_shown(&proxy.call("GET", &path, "").await, "stickerpacks", &expected);
    assert_eq!(id(&proxy.call("PATCH", &path, r#"{"name":"Dogs"}"#).await), pack);
    expected[0]["name"] = json!("Dogs");
    assert_shown(&proxy.call("GET", &format!("/stickerpacks/{pack}/"), "").await, "stickerpacks", &expected);

    let stickers = format!("{path}/stickers");
    for index in ["0", "1"] {
        let body = json!({"image_data_id": format!("image-{index}"), "emojis": ["🐱"]});
        let made = proxy.call("POST", &stickers, &body.to_string()).await;
        assert_eq!((made.status, &made.json()["stickers"]), (201, &json!([{"index": index}])), "{made:?}");
    }
    assert_shown(
        &proxy.call("GET", &stickers, "").await,
        "stickers",
        &json!([{"index": "0"}, {"index": "1"}]),
    );
    assert_shown(
        &proxy.call("PATCH", &format!("{stickers}/1"), r#"{"emojis":[]}"#).await,
        "stickers",
        &json!([{"index": "1"}]),
    );
    let sticker = json!([{"id": "image-1", "image_data_id": "image-1", "emojis": []}]);
    assert_shown(&proxy.call("GET", &format!("{stickers}/1/"), "").await, "stickers", &sticker);
    assert_done(&proxy.call("DELETE", &format!("{stickers}/0"), "").await);
    let made = proxy.call("POST", &stickers, r#"{"image_data_id":"x"}"#).await;
    assert_eq!(made.json()["stickers"], json!([{"index": "2"}]), "no place comes twice");
    assert_done(&proxy.call("DELETE", &path, "").await);
    assert_shown(&proxy.call("GET", PATH, "").await, "stickerpacks", &json!([{"id": other}]));
    assert_eq!(proxy.mock.seen(), 0, "Cloud hears nothing of it");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let proxy = Proxy::start().await;
    let pack = id(&proxy.call("POST", PATH, r#"{"publisher":"p","name":"n"}"#).await);
    let own = format!("{PATH}/{pack}/stickers/0");
    for (method, path, body) in [
        ("GET", "/v1/stickerpacks/x", ""),
        ("PATCH", "/v1/stickerpacks/x", r#"{"name":"n"}"#),
        ("DELETE", "/v1/stickerpacks/x", ""),
        ("GET", "/v1/stickerpacks/x/stickers", ""),
        ("POST", "/v1/stickerpacks/x/stickers", r#"{"image_data_id":"i"}"#),
        ("GET", "/v1/stickerpacks/x/stickers/0", ""),
        ("GET", &own, ""),
        ("PATCH", &own, r#"{"emojis":[]}"#),
        ("DELETE", &own, ""),
    ] {
        let reply = proxy.call(method, path, body).await;
        assert_eq!((reply.status, reply.code()), (404, 1006), "{method} {path}: {reply:?}");
    }
    for (method, path, allow) in [
        ("DELETE", PATH.to_owned(), "GET, HEAD, POST"),
        ("PUT", format!("{PATH}/{pack}"), "GET, HEAD, PATCH, DELETE"),
        ("POST", own, "GET, HEAD, PATCH, DELETE"),
    ] {
        let reply = proxy.call(method, &path, "").await;
        assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some(allow)), "{path}");
    }
}

#[tokio::test]
async fn bad_bodies_and_strangers_are_refused() {
    let proxy = Proxy::start().await;
    let pack = id(&proxy
        .call_as(&format!("Bearer {ADMIN_KEY}"), "POST", PATH, r#"{"publisher":"p","name":"n"}"#)
        .await);
    let (one, stickers) = (format!("{PATH}/{pack}"), format!("{PATH}/{pack}/stickers"));
    for (method, path, body, code) in [
        ("POST", PATH, "", 1025),
        ("POST", PATH, "{", 1025),
        ("POST", PATH, "[]", 1008),
        ("POST", PATH, r#"{"name":"n"}"#, 1008),
        ("POST", PATH, r#"{"publisher":"p","name":7}"#, 1009),
        ("POST", PATH, r#"{"publisher":"p","name":"n","id":"mine"}"#, 1010),
        ("PATCH", &one, "{}", 1009),
        ("PATCH", &one, r#"{"name":""}"#, 1008),
        ("POST", &stickers, "{}", 1008),
        ("POST", &stickers, r#"{"image_data_id":"i","emojis":["a","b","c","d"]}"#, 1009),
    ] {
        let reply = proxy.call(method, path, body).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{method} {path} {body}: {reply:?}");
    }
    for (method, path) in [
        ("GET", PATH),
        ("POST", PATH),
        ("GET", &one),
        ("PATCH", &one),
        ("DELETE", &one),
        ("GET", &stickers),
        ("POST", &stickers),
    ] {
        let reply = proxy.connect().await.call(method, path, &[], b"{}").await;
        assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
    }
    let shown = proxy.call("GET", &one, "").await;
    assert_shown(&shown, "stickerpacks", &json!([{"id": pack, "publisher": "p", "name": "n"}]));
}

#[tokio::test]
async fn numbers_do_not_see_each_others() {
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support.wa.internal\"]");
    let sales = number("sales", "204561782290018", "hosts = [\"sales.wa.internal\"]");
    let proxy = Proxy::numbers("", &format!("{support}\n{sales}")).await;
    let call = async |name: &str, key: &str, method: &str, path: &str| {
        let (host, key) = (format!("{name}.wa.internal"), format!("Bearer {key}"));
        let headers = [("Host", host.as_str()), ("Authorization", &key)];
        proxy.connect().await.call(method, path, &headers, br#"{"publisher":"p","name":"n"}"#).await
    };
    let sales_key = format!("{KEY}-sales");
    let pack = id(&call("support", KEY, "POST", PATH).await);
    assert_shown(&call("sales", &sales_key, "GET", PATH).await, "stickerpacks", &json!([]));
    let path = format!("{PATH}/{pack}");
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(call("sales", &sales_key, method, &path).await.status, 404, "{method}");
    }
    assert_eq!(call("support", KEY, "GET", &path).await.status, 200);
}

async fn start(folder: &TempDir) -> App {
    lasting(folder, &number("support", PHONE_NUMBER_ID, "")).await
}

async fn call(app: &App, method: &str, path: &str, body: &str) -> Reply {
    let key = format!("Bearer {KEY}");
    Client::connect(app.addresses().api)
        .await
        .call(method, path, &[("Authorization", &key)], body.as_bytes())
        .await
}

#[tokio::test]
async fn a_restart_keeps_them_and_a_failing_store_changes_nothing() {
    let folder = TempDir::new();
    let app = start(&folder).await;
    let pack = id(&call(&app, "POST", PATH, r#"{"publisher":"p","name":"n"}"#).await);
    let stickers = format!("{PATH}/{pack}/stickers");
    assert_eq!(call(&app, "POST", &stickers, r#"{"image_data_id":"i","emojis":["x"]}"#).await.status, 201);
    assert!(app.drain().await);
    let app = start(&folder).await;
    let sticker = json!([{"id": "i", "image_data_id": "i", "emojis": ["x"]}]);
    let one = format!("{stickers}/0");
    assert_shown(&call(&app, "GET", &one, "").await, "stickers", &sticker);

    let other = rusqlite::Connection::open(folder.join("prembridge.db")).unwrap();
    let failing =
        "CREATE TRIGGER no_update BEFORE UPDATE ON documents BEGIN SELECT RAISE(ABORT, 'on purpose'); END;";
    other.execute_batch(failing).unwrap();
    for (method, path, body) in [
        ("POST", PATH, r#"{"publisher":"p","name":"n"}"#),
        ("PATCH", &format!("{PATH}/{pack}"), r#"{"name":"lost"}"#),
        ("DELETE", &format!("{PATH}/{pack}"), ""),
        ("POST", &stickers, r#"{"image_data_id":"lost"}"#),
        ("PATCH", &one, r#"{"emojis":[]}"#),
        ("DELETE", &one, ""),
    ] {
        let reply = call(&app, method, path, body).await;
        assert_eq!((reply.status, reply.code()), (500, 1023), "{method} {path}: {reply:?}");
        assert_shown(&call(&app, "GET", PATH, "").await, "stickerpacks", &json!([{"id": pack}]));
        assert_shown(&call(&app, "GET", &one, "").await, "stickers", &sticker);
    }
}

async fn open(store: Arc<dyn Store>) -> Result<Stickers, OpenError> {
    let documents = Documents::read(&*store).await.unwrap();
    Stickers::new(store, "1", &documents)
}

fn new_pack() -> NewPack {
    NewPack::parse(br#"{"publisher":"p","name":"n"}"#).unwrap()
}

#[tokio::test]
async fn changes_are_finished_in_turns_although_the_client_hangs_up() {
    let store = Faulty::new();
    let reopen = async || open(Arc::clone(&store) as Arc<dyn Store>).await;
    let stickers = reopen().await.unwrap();
    let add = async |id: &'static str| stickers.change(move |packs| packs.add(id.into(), new_pack())).await;
    store.close();
    tokio::select! {
        biased;
        _ = add("a") => panic!("the store should still be at it"),
        entered = store.entered.acquire() => entered.unwrap().forget(),
    }
    assert!(stickers.now().all().is_empty(), "not committed, not shown");
    store.gate.add_permits(1_000);
    add("b").await.unwrap();
    assert_eq!(stickers.now().all().len(), 2, "the second builds on the first");
    assert_eq!(reopen().await.unwrap().now(), stickers.now());
    store.broken.store(true, Ordering::SeqCst);
    assert!(matches!(add("c").await, Err(SettingsError::Store(Error::Full))));
    assert_eq!(stickers.now().all().len(), 2);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_without_quoting_it() {
    for content in [b"canary".as_slice(), b"[{\"canary\":1}]", b"\xff"] {
        let store = Sqlite::memory().unwrap();
        let row = DocumentRow { number: "1".into(), name: "stickerpacks".into(), content: content.to_vec() };
        store.put_document(row).await.unwrap();
        let error = open(Arc::new(store)).await.map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}
