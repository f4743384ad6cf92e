//! The settings without a server: who watches, and a store that fails or stalls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prembridge::config::Secret;
use prembridge::onprem::settings::Patch;
use prembridge::settings::{Documents, OpenError, Settings, SettingsError};
use prembridge::store::{DocumentRow, Error, Sqlite, Store};

use crate::support::faulty::Faulty;

const NUMBER: &str = "1";

async fn open(store: Arc<dyn Store>) -> Result<Settings, OpenError> {
    number(store, NUMBER, None).await
}

async fn number(store: Arc<dyn Store>, id: &str, url: Option<&str>) -> Result<Settings, OpenError> {
    let documents = Documents::read(&*store).await.unwrap();
    Settings::new(store, id, url.map(Secret::new), &documents)
}

fn url(url: &str) -> Patch {
    Patch::parse(format!("{{\"webhooks\":{{\"url\":\"{url}\"}}}}").as_bytes()).unwrap()
}

fn set(settings: &Settings) -> Option<String> {
    settings.now().application.webhooks_url().map(str::to_owned)
}

#[tokio::test]
async fn who_watches_is_told_of_each_change() {
    let store = Faulty::new();
    let settings = open(Arc::clone(&store) as Arc<dyn Store>).await.unwrap();
    let others = number(store, "2", Some("http://configured")).await.unwrap();
    let (mut watcher, other) = (settings.watch(), others.watch());
    assert!(watcher.borrow().callback_target().is_none() && !watcher.has_changed().unwrap());
    settings.patch(url("https://a")).await.unwrap();
    assert!(watcher.has_changed().unwrap());
    assert_eq!(watcher.borrow_and_update().callback_target().unwrap().url, "https://a");
    settings.reset().await.unwrap();
    assert!(watcher.borrow_and_update().callback_target().is_none());
    let too_much = Patch::parse(format!("{{\"x\":\"{}\"}}", "y".repeat(20_000)).as_bytes()).unwrap();
    assert!(matches!(settings.patch(too_much).await, Err(SettingsError::Invalid(_))));
    assert!(matches!(settings.delete_webhooks_ca().await, Err(SettingsError::NotFound)));
    assert!(!watcher.has_changed().unwrap(), "nothing has changed");
    assert!(!other.has_changed().unwrap(), "another number's");
    let target = other.borrow().clone();
    assert_eq!(target.callback_target().unwrap().url, "http://configured");
}

#[tokio::test]
async fn nobody_reads_what_is_nobodys() {
    let store = Faulty::new();
    let row = DocumentRow { number: "3".into(), name: "application".into(), content: b"?".to_vec() };
    store.put_document(row).await.unwrap();
    assert!(open(store).await.is_ok());
}

#[tokio::test]
async fn a_failing_store_changes_nothing() {
    let store = Faulty::new();
    let settings = open(Arc::clone(&store) as Arc<dyn Store>).await.unwrap();
    settings.patch(url("https://a")).await.unwrap();
    let watcher = settings.watch();
    store.broken.store(true, Ordering::SeqCst);
    for result in [settings.patch(url("https://b")).await, settings.reset().await] {
        assert!(matches!(result, Err(SettingsError::Store(Error::Full))), "{result:?}");
    }
    assert_eq!(set(&settings).as_deref(), Some("https://a"));
    assert!(!watcher.has_changed().unwrap());
}

#[tokio::test]
async fn changes_are_finished_in_turns_although_the_client_hangs_up() {
    let store = Faulty::new();
    let settings = open(Arc::clone(&store) as Arc<dyn Store>).await.unwrap();
    store.close();
    tokio::select! {
        biased;
        _ = settings.patch(url("https://a")) => panic!("the store should still be at it"),
        entered = store.entered.acquire() => entered.unwrap().forget(),
    }
    assert_eq!(set(&settings), None, "not committed, not shown");
    store.gate.add_permits(1_000);
    // The next change gets its turn after the one that nobody waits for, and builds on it.
    settings.patch(Patch::parse(b"{\"log_level\":\"debug\"}").unwrap()).await.unwrap();
    assert_eq!(set(&settings).as_deref(), Some("https://a"));
    let again = open(store).await.unwrap();
    assert_eq!(again.now().application, settings.now().application);
}

#[tokio::test]
async fn what_is_not_ours_is_refused_without_quoting_it() {
    for (name, content) in [
        ("application", b"canary".as_slice()),
        ("application", b"{\"log_level\":{\"canary\":1}}"),
        ("application", b"\xff"),
        ("webhooks-ca", b"canary"),
        ("webhooks-ca", b"\xff"),
    ] {
        let store = Sqlite::memory().unwrap();
        let row = DocumentRow { number: NUMBER.into(), name: name.into(), content: content.to_vec() };
        store.put_document(row).await.unwrap();
        let error = open(Arc::new(store)).await.map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(name) && !shown.contains("canary"), "{shown}");
    }
}
