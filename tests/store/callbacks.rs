//! What every engine promises about callbacks.

use std::sync::{Arc, Mutex};

use prembridge::store::{AliasRow, Batch, Error, EventKey, NewCallback, Queued, QueuedRow, Store, UserRow};
use prembridge::translate::WaId;

/// Everything an engine promises about callbacks.
pub async fn conforms(store: &dyn Store) {
    places_rise_and_are_never_given_twice(store).await;
    an_event_is_queued_once(store).await;
    batches_that_come_together_know_of_each_other(store).await;
    users_are_known_per_number(store).await;
    aliases_are_known_per_number_and_setting(store).await;
}

fn callback(number: &str, key: Option<u8>, body: &str) -> NewCallback {
    NewCallback {
        number: number.to_owned(),
        chat: "16315551234".to_owned(),
        key: key.map(|key| [key; 16]),
        wanted: None,
        body: body.to_owned().into(),
    }
}

/// Queues callbacks with these keys, and gives their places.
pub async fn queue<const N: usize>(store: &dyn Store, at: i64, keys: [u8; N]) -> Vec<Option<i64>> {
    let callbacks = keys.map(|key| callback("support", Some(key), "{}"));
    store.queue_callbacks(batch(at, callbacks.to_vec())).await.unwrap()
}

/// Queues one event, and gives its place.
pub async fn queue_event(store: &dyn Store, at: i64, key: EventKey) -> Result<Vec<Option<i64>>, Error> {
    let event = NewCallback { key: Some(key), ..callback("support", None, "{}") };
    store.queue_callbacks(batch(at, vec![event])).await
}

fn batch(at: i64, callbacks: Vec<NewCallback>) -> Batch {
    Batch { at, callbacks, users: Vec::new() }
}

async fn places_rise_and_are_never_given_twice(store: &dyn Store) {
    let three = ["a", "b", "c"].map(|body| callback("support", None, body));
    let places = store.queue_callbacks(batch(5, three.to_vec())).await.unwrap();
    let places: Vec<i64> = places.into_iter().map(Option::unwrap).collect();
    assert!(places.is_sorted() && places.len() == 3, "{places:?}");
    let row =
        QueuedRow { place: places[0], number: "support".to_owned(), chat: "16315551234".to_owned(), at: 5 };
    assert_eq!(store.queued_callbacks().await.unwrap()[0], row);
    assert_eq!(store.callback_body(places[1]).await.unwrap().as_deref(), Some(&b"b"[..]));
    store.delete_callbacks(places.clone()).await.unwrap();
    store.delete_callbacks(places.clone()).await.unwrap();
    assert_eq!(store.callback_body(places[1]).await.unwrap(), None);
    assert!(store.queued_callbacks().await.unwrap().is_empty());
    let next = store.queue_callbacks(batch(6, vec![callback("support", None, "d")])).await.unwrap();
    assert!(next[0].unwrap() > places[2], "the last place was free again, and must not be given");
    store.delete_callbacks(vec![next[0].unwrap()]).await.unwrap();
}

async fn an_event_is_queued_once(store: &dyn Store) {
    let twice = vec![callback("support", Some(1), "a"), callback("support", Some(1), "again")];
    let places = store.queue_callbacks(batch(10, twice)).await.unwrap();
    assert!(places[0].is_some() && places[1].is_none());
    store.delete_callbacks(vec![places[0].unwrap()]).await.unwrap();
    let later = vec![callback("support", Some(1), "a"), callback("support", Some(2), "b")];
    let places = store.queue_callbacks(batch(20, later.clone())).await.unwrap();
    assert!(places[0].is_none() && places[1].is_some(), "delivered ones are remembered, too");
    store.delete_callbacks(vec![places[1].unwrap()]).await.unwrap();
    store.forget_events(10).await.unwrap();
    assert_eq!(store.queue_callbacks(batch(25, later.clone())).await.unwrap(), [None, None]);
    store.forget_events(20).await.unwrap();
    let places = store.queue_callbacks(batch(30, later.clone())).await.unwrap();
    assert!(places[0].is_some() && places[1].is_none(), "the older one is forgotten");
    store.delete_callbacks(vec![places[0].unwrap()]).await.unwrap();
    store.forget_events(31).await.unwrap();
    let places = store.queue_callbacks(batch(40, later)).await.unwrap();
    let places: Vec<i64> = places.into_iter().map(Option::unwrap).collect();
    store.delete_callbacks(places).await.unwrap();
    store.forget_events(41).await.unwrap();
}

async fn batches_that_come_together_know_of_each_other(store: &dyn Store) {
    let one = |key| store.queue_callbacks(batch(40, vec![callback("support", Some(key), "{}")]));
    let (first, second, third) = tokio::join!(biased; one(3), one(4), one(3));
    let [first, second] = [first, second].map(|places| places.unwrap()[0].unwrap());
    assert!(second > first && third.unwrap() == [None]);
    assert!(store.queue_callbacks(Batch::default()).await.unwrap().is_empty());
    store.delete_callbacks(vec![first, second]).await.unwrap();
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    for body in ["a", "b", "c"] {
        let outcomes = Arc::clone(&outcomes);
        let done = move |queued: Queued| outcomes.lock().unwrap().push(queued.unwrap()[0].unwrap());
        store.queue(Arc::new(batch(40, vec![callback("support", None, body)])), Box::new(done));
    }
    store.queue_callbacks(Batch::default()).await.unwrap();
    let places = outcomes.lock().unwrap().clone();
    assert!(places.len() == 3 && places.is_sorted(), "told in the order of their commits: {places:?}");
    store.delete_callbacks(places).await.unwrap();
    store.forget_events(41).await.unwrap();
}

async fn users_are_known_per_number(store: &dyn Store) {
    let user = |number: &str, wa_id: Option<&str>| UserRow {
        number: number.to_owned(),
        user_id: "US.1".to_owned(),
        wa_id: wa_id.map(str::to_owned),
    };
    let learn = |users| store.queue_callbacks(Batch { users, ..Batch::default() });
    let asked = vec!["US.1".to_owned(), "US.2".to_owned()];
    let known = async |number: &str| store.recall(number, asked.clone()).await.unwrap();
    learn(vec![user("support", Some("1")), user("sales", Some("2"))]).await.unwrap();
    assert_eq!(known("support").await, [("US.1".to_owned(), "1".to_owned())]);
    assert_eq!(known("sales").await, [("US.1".to_owned(), "2".to_owned())]);
    assert!(known("other").await.is_empty());
    learn(vec![user("support", Some("3")), user("sales", None)]).await.unwrap();
    assert_eq!(known("support").await, [("US.1".to_owned(), "3".to_owned())]);
    assert!(known("sales").await.is_empty());
}

async fn aliases_are_known_per_number_and_setting(store: &dyn Store) {
    let row = |number: &str, setting, id: &str, shown: Option<&str>, used_at| AliasRow {
        number: number.to_owned(),
        setting,
        id: id.to_owned(),
        shown: shown.map(str::to_owned),
        used_at,
    };
    let all = async |number: &str, setting, max| store.aliases(number, setting, max).await.unwrap();
    let (sent, cloud) = (WaId::AsSent, WaId::AsCloud);
    let [a, b] = [row("support", sent, "1", Some("10"), 10), row("support", sent, "2", Some("2"), 20)];
    let c = row("support", cloud, "1", Some("11"), 30);
    store.put_aliases(vec![a.clone(), b.clone(), c.clone()]).await.unwrap();
    assert_eq!(all("support", sent, 9).await, [b.clone(), a.clone()], "the latest used first");
    assert_eq!(all("support", sent, 1).await, std::slice::from_ref(&b));
    assert_eq!(all("support", cloud, 9).await, [c]);
    assert!(all("sales", sent, 9).await.is_empty());
    let asked = vec!["1".to_owned(), "3".to_owned()];
    assert_eq!(store.recall_aliases("support", sent, asked.clone()).await.unwrap(), [a]);
    assert!(store.recall_aliases("sales", sent, asked).await.unwrap().is_empty());
    let used = row("support", sent, "1", Some("12"), 40);
    store.put_aliases(vec![used.clone(), row("support", cloud, "1", None, 40)]).await.unwrap();
    assert_eq!(all("support", sent, 9).await, [used.clone(), b]);
    for (number, setting, shown) in [("support", sent, "1"), ("support", cloud, "8"), ("sales", sent, "8")] {
        let [d, e] = [row("support", sent, "8", Some("8"), 40), row("support", sent, "9", Some("8"), 40)];
        store.put_aliases(vec![d, e]).await.unwrap();
        store.end_aliases(number, setting, shown).await.unwrap();
        assert_eq!(all("support", sent, 9).await.len(), 4, "what leads elsewhere");
    }
    store.end_aliases("support", sent, "8").await.unwrap();
    assert_eq!(all("support", sent, 9).await.len(), 2);
    assert!(all("support", cloud, 9).await.is_empty());
    assert_eq!(store.purge_aliases(20, 9).await.unwrap(), 0);
    assert_eq!(store.purge_aliases(41, 1).await.unwrap(), 1);
    assert_eq!(all("support", sent, 9).await, [used], "the oldest first");
}
