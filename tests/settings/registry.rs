//! The settings without a server: who watches, and a store that fails or stalls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prembridge::config::Secret;
use prembridge::onprem::settings::Patch;
use prembridge::settings::{OpenError, Settings, SettingsError};
use prembridge::store::{DocumentRow, Error, Sqlite, Store};

use crate::support::faulty::Faulty;

const NUMBER: &str = "1";

async fn open(store: Arc<dyn Store>) -> Result<Settings, OpenError> {
    let numbers = [(NUMBER.to_owned(), None), ("2".to_owned(), Some(Secret::new("http://configured")))];
    Settings::open(store, numbers.into_iter()).await
}

fn url(url: &str) -> Patch {
    Patch::parse(format!("{{\"webhooks\":{{\"url\":\"{url}\"}}}}").as_bytes()).unwrap()
}

fn set(settings: &Settings) -> Option<String> {
    settings.of(NUMBER).application.webhooks_url().map(str::to_owned)
}

#[tokio::test]
async fn who_watches_is_told_of_each_change() {
    let settings = open(Faulty::new()).await.unwrap();
    let (mut watcher, other) = (settings.watch(NUMBER), settings.watch("2"));
    assert!(watcher.borrow().callback_target().is_none() && !watcher.has_changed().unwrap());
    settings.clone().patch(NUMBER, url("https://a")).await.unwrap();
    assert!(watcher.has_changed().unwrap());
    assert_eq!(watcher.borrow_and_update().callback_target().unwrap().url, "https://a");
    settings.reset(NUMBER).await.unwrap();
    assert!(watcher.borrow_and_update().callback_target().is_none());
    let too_much = Patch::parse(format!("{{\"x\":\"{}\"}}", "y".repeat(20_000)).as_bytes()).unwrap();
    assert!(matches!(settings.patch(NUMBER, too_much).await, Err(SettingsError::Invalid(_))));
    assert!(matches!(settings.delete_webhooks_ca(NUMBER).await, Err(SettingsError::NotFound)));
    assert!(!watcher.has_changed().unwrap(), "nothing has changed");
    assert!(!other.has_changed().unwrap(), "another number's");
    let target = other.borrow().clone();
    assert_eq!(target.callback_target().unwrap().url, "http://configured");
}

#[tokio::test]
async fn a_number_that_nobody_configured_has_defaults_and_takes_nothing() {
    let store = Faulty::new();
    let settings = open(Arc::clone(&store) as Arc<dyn Store>).await.unwrap();
    assert!(matches!(settings.patch("3", url("https://a")).await, Err(SettingsError::NoNumber)));
    assert!(settings.of("3").callback_target().is_none());
    assert!(settings.watch("3").borrow().callback_target().is_none());
    assert_eq!(store.documents().await.unwrap(), []);
    let row = DocumentRow { number: "3".into(), name: "application".into(), content: b"?".to_vec() };
    store.put_document(row).await.unwrap();
    assert!(open(store).await.is_ok(), "nobody reads what is nobody's");
}

#[tokio::test]
async fn a_failing_store_changes_nothing() {
    let store = Faulty::new();
    let settings = open(Arc::clone(&store) as Arc<dyn Store>).await.unwrap();
    settings.patch(NUMBER, url("https://a")).await.unwrap();
    let watcher = settings.watch(NUMBER);
    store.broken.store(true, Ordering::SeqCst);
    for result in [settings.patch(NUMBER, url("https://b")).await, settings.reset(NUMBER).await] {
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
        _ = settings.patch(NUMBER, url("https://a")) => panic!("the store should still be at it"),
        entered = store.entered.acquire() => entered.unwrap().forget(),
    }
    assert_eq!(set(&settings), None, "not committed, not shown");
    store.gate.add_permits(1_000);
    // The next change gets its turn after the one that nobody waits for, and builds on it.
    settings.patch(NUMBER, Patch::parse(b"{\"log_level\":\"debug\"}").unwrap()).await.unwrap();
    assert_eq!(set(&settings).as_deref(), Some("https://a"));
    let again = open(store).await.unwrap();
    assert_eq!(again.of(NUMBER).application, settings.of(NUMBER).application);
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
