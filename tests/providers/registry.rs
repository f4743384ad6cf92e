//! Providers without a server: generations, and a store that fails or stalls.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use prembridge::config::{Config, Credentials, Env, Provider, Secret};
use prembridge::media::providers::{NewProvider, OpenError, ProviderError, Providers, Stored};
use prembridge::store::{Error, MediaStore, ProviderRow, Sqlite, Store};

use crate::support::faulty::Faulty;
use crate::support::{PHONE_NUMBER_ID, number};

const NUMBER: &str = "1";

/// The providers of a configuration with these lines.
fn configured(lines: &str) -> Vec<Provider> {
    let text = number("support", PHONE_NUMBER_ID, lines);
    Config::parse(&text, &Env::default()).unwrap().config.numbers.remove(0).providers
}

async fn open(store: Arc<dyn Store>, lines: &str) -> Providers {
    let providers = configured(lines);
    let stored = Stored::read(&*store).await.unwrap();
    Providers::new(store, NUMBER, &providers, &stored).unwrap()
}

fn token(name: &str, token: &str) -> NewProvider {
    NewProvider { name: name.to_owned(), credentials: Credentials::Bearer(Secret::new(token)) }
}

fn generation(providers: &Providers, name: &str) -> u64 {
    providers.find(name).unwrap().generation
}

#[tokio::test]
async fn a_configured_generation_follows_from_the_content() {
    let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
    let of = async |more: &str| {
        let lines = format!("[[number.provider]]\nname = \"cdn\"\n{more}");
        generation(&open(Arc::clone(&store), &lines).await, "cdn")
    };
    let variants = [
        "",
        "bearer = \"one\"",
        "bearer = \"two\"",
        "bearer = \"one\"\nallowed_hosts = [\"a.internal\"]",
        "bearer = \"one\"\nallowed_hosts = [\"a.internal\", \"b.internal\"]",
        "basic = { username = \"one\", password = \"two\" }",
        "basic = { username = \"on\", password = \"etwo\" }",
    ];
    let mut seen = Vec::new();
    for lines in variants {
        let generation = of(lines).await;
        assert_eq!(of(lines).await, generation, "the same after a restart: {lines}");
        assert!(!seen.contains(&generation), "{lines}");
        seen.push(generation);
    }
    let other: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
    let elsewhere = open(other, "[[number.provider]]\nname = \"cdn\"\nbearer = \"one\"").await;
    assert_ne!(generation(&elsewhere, "cdn"), seen[1], "nobody can guess at the credential without the key");
}

#[tokio::test]
async fn each_change_over_the_api_has_its_own_generation() {
    let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
    let lines = "[[number.provider]]\nname = \"cdn\"\nbearer = \"one\"\nallowed_hosts = [\"a.internal\"]";
    let providers = open(Arc::clone(&store), lines).await;
    let from_file = generation(&providers, "cdn");
    assert_eq!(providers.find("cdn").unwrap().allowed_hosts, ["a.internal"]);
    let mut seen = vec![from_file];
    for _ in 0..3 {
        providers.replace(vec![token("cdn", "one"), token("other", "one")]).await.unwrap();
        for name in ["cdn", "other"] {
            let generation = generation(&providers, name);
            assert!(!seen.contains(&generation) && i64::try_from(generation).is_ok());
            seen.push(generation);
        }
    }
    let set = providers.find("cdn").unwrap();
    assert!(set.allowed_hosts.is_empty() && set.authorization.as_ref().unwrap().is_sensitive());
    assert_eq!(generation(&open(store, lines).await, "cdn"), set.generation, "after a restart");
    providers.delete("cdn").await.unwrap();
    assert_eq!(generation(&providers, "cdn"), from_file, "what was cached before counts again");
    assert!(matches!(providers.delete("cdn").await, Err(ProviderError::Configured)));
}

#[tokio::test]
async fn a_failing_store_changes_nothing() {
    let store = Faulty::new();
    let providers = open(Arc::clone(&store) as Arc<dyn Store>, "").await;
    providers.replace(vec![token("p", "one")]).await.unwrap();
    let before = generation(&providers, "p");
    store.broken.store(true, Ordering::SeqCst);
    let set = providers.replace(vec![token("p", "two"), token("q", "two")]).await;
    assert!(matches!(set, Err(ProviderError::Store(Error::Full))), "{set:?}");
    let deleted = providers.delete("p").await;
    assert!(matches!(deleted, Err(ProviderError::Store(Error::Full))), "{deleted:?}");
    assert_eq!(generation(&providers, "p"), before);
    assert!(providers.find("q").is_none());
}

#[tokio::test]
async fn a_change_is_finished_although_the_client_hangs_up() {
    let store = Faulty::new();
    let providers = open(Arc::clone(&store) as Arc<dyn Store>, "").await;
    providers.replace(vec![token("p", "one")]).await.unwrap();
    store.close();
    tokio::select! {
        biased;
        _ = providers.delete("p") => panic!("the store should still be at it"),
        entered = store.entered.acquire() => entered.unwrap().forget(),
    }
    assert!(providers.find("p").is_some(), "not committed, not shown");
    store.gate.add_permits(1_000);
    // The next change gets its turn after the one that nobody waits for.
    providers.replace(vec![token("q", "two")]).await.unwrap();
    assert!(providers.find("p").is_none());
}

#[tokio::test]
async fn what_is_not_ours_is_refused_without_quoting_it() {
    for config in
        ["", "canary", r#"{"bearer":"canary","basic":{"username":"u","password":"p"}}"#, r#"{"x":1}"#]
    {
        let store = Sqlite::memory().unwrap();
        let row = ProviderRow {
            number: NUMBER.to_owned(),
            name: "cdn".to_owned(),
            config: config.into(),
            generation: 1,
        };
        store.put_providers(vec![row]).await.unwrap();
        let stored = Stored::read(&store).await.unwrap();
        let error = Providers::new(Arc::new(store), NUMBER, &[], &stored).map(drop).unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("cdn") && !shown.contains("canary"), "{shown}");
    }
}
