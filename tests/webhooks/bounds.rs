//! Full queues, stores that fail, and what is never shown.

use std::sync::atomic::Ordering;
use std::time::Duration;

use prembridge::callback::Refused;
use prembridge::clock::Clock;
use prembridge::cloud::webhook::Webhook;
use prembridge::store::CallbackStore as _;
use prembridge::translate::WaId;
use serde_json::json;

use super::parts::{Parts, parts, parts_with};
use super::scene::{self, Scene, bodies, status, text};
use crate::stub::Take;
use crate::support::faulty::Faulty;
use crate::support::{PHONE_NUMBER_ID, TO, text as message, until};

#[tokio::test]
async fn when_the_queue_is_full_cloud_keeps_its_events_and_senders_wait() {
    let scene = Scene::with("[limits]\nmax_callbacks = 3\n").await;
    scene.sink.always(Take::Status(500));
    for index in 0..3 {
        assert_eq!(scene.proxy.send(&message(TO)).await.status, 201);
        scene.tell(&text(&format!("wamid.{index}"), &index.to_string())).await;
    }
    let reply = scene.post(&text("wamid.3", "3")).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    assert!((scene.metric("prembridge_webhooks_total{outcome=\"full\"}").await - 1.0).abs() < 0.1);
    let sent = scene.proxy.mock.accepted();
    let reply = scene.proxy.send(&message(TO)).await;
    assert_eq!((reply.status, reply.code(), reply.header("retry-after")), (503, 1016, Some("5")));
    assert_eq!(scene.proxy.mock.accepted(), sent, "nothing was sent");
    assert!((scene.metric("prembridge_callback_queue_depth{number=\"support\"}").await - 3.0).abs() < 0.1);
    scene.proxy.clock.advance(60);
    let oldest = scene.metric("prembridge_callback_queue_oldest_seconds{number=\"support\"}").await;
    assert!((oldest - 60.0).abs() < 0.1, "{oldest}");

    scene.sink.always(Take::Status(200));
    scene.sink.take(3).await;
    scene.until_empty(PHONE_NUMBER_ID).await;
    scene.tell(&text("wamid.3", "3")).await;
    let mut got = bodies(&scene.sink.take(4).await);
    got.sort_unstable();
    assert_eq!(got, ["0", "1", "2", "3"]);
    assert_eq!(scene.proxy.send(&message(TO)).await.status, 201);
}

#[tokio::test]
async fn secrets_are_never_shown() {
    let scene = Scene::new().await;
    scene.sink.always(Take::Status(500));
    scene.tell(&text("wamid.canary-id", "canary-text")).await;
    scene.sink.arrived(4).await;
    let metrics = scene.proxy.metrics().await;
    assert!(!metrics.contains("canary") && !metrics.contains(super::scene::USER), "{metrics}");
    let debug = format!("{:?}", scene.proxy.app);
    assert!(!debug.contains("canary"), "{debug}");
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_committed() {
    let Parts { store, callbacks, mut taken } = parts().await;
    store.broken.store(true, Ordering::SeqCst);
    let body = text("wamid.1", "hello").to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    let refused = callbacks.take(&webhook).await;
    assert!(matches!(refused, Err(Refused::Store(_))), "{refused:?}");
    assert!(taken.try_recv().is_err());
    assert_eq!(callbacks.queue.depth(), 0, "its room is given back");
    store.broken.store(false, Ordering::SeqCst);
    callbacks.take(&webhook).await.unwrap();
    assert!(String::from_utf8(taken.recv().await.unwrap()).unwrap().contains("hello"));
    until(|| callbacks.queue.depth() == 0).await;
    assert!(store.queued_callbacks().await.unwrap().is_empty());
}

/// Cloud is told of no commit that is not made, however long that takes.
#[tokio::test]
async fn a_commit_that_is_late_is_not_acknowledged() {
    let Parts { store, callbacks, mut taken } = parts().await;
    let body = text("wamid.1", "hello").to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    store.close();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let refused = callbacks.take(&webhook).await;
    assert!(matches!(refused, Err(Refused::Store(_))), "{refused:?}");
    let waited = begun.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_millis(10_100)).contains(&waited), "{waited:?}");
    assert!(taken.try_recv().is_err());
    assert_eq!(callbacks.queue.depth(), 1, "it may still come");
    tokio::time::resume();
    store.gate.add_permits(1_000);
    taken.recv().await.unwrap();
    callbacks.take(&webhook).await.unwrap();
    until(|| callbacks.queue.depth() == 0).await;
    assert!(taken.try_recv().is_err(), "its repetition is known");
}

/// The same for the question that comes before it.
#[tokio::test]
async fn a_late_answer_about_users_is_not_waited_for() {
    let Parts { store, callbacks, .. } = parts().await;
    let user = json!({"id": "wamid.1", "timestamp": "1", "type": "text", "text": {"body": "hi"},
        "from_user_id": "US.13491208655302741918"});
    let body = scene::webhook(PHONE_NUMBER_ID, json!({"messages": [user]})).to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    store.close();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let refused = callbacks.take(&webhook).await;
    assert!(matches!(refused, Err(Refused::Store(_))), "{refused:?}");
    let waited = begun.elapsed();
    assert!((Duration::from_secs(10)..Duration::from_millis(10_100)).contains(&waited), "{waited:?}");
    assert_eq!(callbacks.queue.depth(), 0);
}

#[tokio::test]
async fn a_panic_costs_a_repetition_and_nothing_else() {
    let Parts { callbacks, mut taken, .. } = parts().await;
    for (id, body) in [("wamid.1", "panic"), ("wamid.2", "after")] {
        let body = text(id, body).to_string();
        callbacks.take(&Webhook::read(body.as_bytes()).unwrap()).await.unwrap();
    }
    for expected in ["panic", "after"] {
        let got = String::from_utf8(taken.recv().await.unwrap()).unwrap();
        assert!(got.contains(expected), "{got}");
    }
    until(|| callbacks.queue.depth() == 0).await;
}

/// The disk filled up between a delivery and its end: nobody gets the callback twice for that.
#[tokio::test]
async fn what_cannot_be_taken_out_is_not_delivered_again() {
    let Parts { store, callbacks, mut taken } = parts().await;
    store.close();
    let body = text("wamid.1", "hello").to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    let taking = callbacks.take(&webhook);
    let breaking = async {
        // The commit passes, and what comes after it fails.
        store.entered.acquire().await.unwrap().forget();
        store.gate.add_permits(1);
        store.entered.acquire().await.unwrap().forget();
        store.broken.store(true, Ordering::SeqCst);
        store.gate.add_permits(1_000);
    };
    let (took, ()) = tokio::join!(taking, breaking);
    took.unwrap();
    taken.recv().await.unwrap();
    until(|| callbacks.queue.depth() == 0).await;
    assert_eq!(store.queued_callbacks().await.unwrap().len(), 1, "the store still has it");
    store.broken.store(false, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_secs(30), callbacks.stop()).await.unwrap();
    assert!(store.queued_callbacks().await.unwrap().is_empty(), "and loses it when it can");
    assert!(taken.try_recv().is_err());
}

/// At the end there is no later.
#[tokio::test]
async fn what_was_delivered_is_taken_out_before_the_end() {
    let Parts { store, callbacks, mut taken } = parts().await;
    store.close();
    let body = text("wamid.1", "hello").to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    let breaking = async {
        store.entered.acquire().await.unwrap().forget();
        store.gate.add_permits(1);
        store.entered.acquire().await.unwrap().forget();
        store.broken.store(true, Ordering::SeqCst);
        store.gate.add_permits(1_000);
    };
    let (took, ()) = tokio::join!(callbacks.take(&webhook), breaking);
    took.unwrap();
    taken.recv().await.unwrap();
    until(|| callbacks.queue.depth() == 0).await;
    store.entered.forget_permits(1_000);
    tokio::time::pause();
    let mending = async {
        // Not at once, nor soon.
        let tries = tokio::time::timeout(Duration::from_secs(30), store.entered.acquire_many(4)).await;
        tries.expect("it gave up too early").unwrap().forget();
        store.broken.store(false, Ordering::SeqCst);
    };
    tokio::join!(callbacks.stop(), mending);
    assert!(store.queued_callbacks().await.unwrap().is_empty());
    assert!(taken.try_recv().is_err());
}

#[tokio::test]
async fn a_status_that_is_switched_off_is_not_queued() {
    let scene = Scene::new().await;
    scene.set(&json!({"webhooks": {"message": {"sent": false, "delivered": "false"}}})).await;
    for word in ["sent", "delivered", "read", "failed"] {
        scene.tell(&status("wamid.1", word)).await;
    }
    let got = scene.sink.take(2).await;
    let words: Vec<_> = got.iter().map(|got| got["statuses"][0]["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["read", "failed"]);
    let off = scene.metric("prembridge_webhook_events_total{outcome=\"switched_off\"}").await;
    assert!((off - 2.0).abs() < 0.1, "{off}");
}

/// Cloud repeats what it has no acknowledgement of for seven days.
#[tokio::test]
async fn a_repetition_after_seven_days_is_not_delivered_again() {
    let clock = Clock::fixed(1_700_000_000);
    let Parts { callbacks, mut taken, .. } =
        parts_with(Faulty::new(), 10, clock.clone(), WaId::default()).await;
    let body = text("wamid.1", "hello").to_string();
    let webhook = Webhook::read(body.as_bytes()).unwrap();
    let told = callbacks.take(&webhook).await.unwrap();
    assert_eq!((told.queued, told.repeated), (1, 0));
    taken.recv().await.unwrap();
    for (days, again) in [(1, 0), (5, 0), (1, 0), (2, 1)] {
        clock.advance(days * 86_400);
        callbacks.purge().await.unwrap();
        let told = callbacks.take(&webhook).await.unwrap();
        assert_eq!((told.queued, told.repeated), (again, 1 - again), "{days} days later");
    }
    callbacks.stop().await;
}
