//! What settings and configuration change about callbacks.

use serde_json::json;

use super::scene::{Scene, status, webhook};
use crate::support::PHONE_NUMBER_ID;

#[tokio::test]
async fn without_a_wish_sent_is_left_out() {
    let scene = Scene::silent("").await;
    scene.set(&json!({"webhooks": {"url": scene.sink.url()}})).await;
    for word in ["sent", "delivered", "read"] {
        scene.tell(&status("wamid.1", word)).await;
    }
    let got = scene.sink.take(2).await;
    let words: Vec<_> = got.iter().map(|got| got["statuses"][0]["status"].as_str().unwrap()).collect();
    assert_eq!(words, ["delivered", "read"]);
    scene.set(&json!({"sent_status": "true"})).await;
    scene.tell(&status("wamid.2", "sent")).await;
    scene.sink.take(3).await;
}

#[tokio::test]
async fn delete_brings_the_defaults_back() {
    let scene = Scene::new().await;
    assert_eq!(scene.settings("DELETE", "").await.status, 200);
    scene.tell(&status("wamid.1", "read")).await;
    assert_eq!(
        scene.proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().callbacks.depth(),
        1,
        "held"
    );
    scene.set(&scene.wishes()).await;
    scene.sink.take(1).await;
}

/// Users with a user name have no number in webhooks, unless an earlier one had both.
#[tokio::test]
async fn a_business_scoped_id_is_remembered() {
    let scene = Scene::new().await;
    let message = |id: &str, more: serde_json::Value| {
        let mut message = json!({"id": id, "timestamp": "1", "type": "text", "text": {"body": id}, "from_user_id": "US.13491208655302741918"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        webhook(PHONE_NUMBER_ID, json!({"messages": [message]}))
    };
    scene.tell(&message("wamid.1", json!({}))).await;
    scene.tell(&message("wamid.2", json!({"from": "16315551234"}))).await;
    scene.tell(&message("wamid.3", json!({}))).await;
    let got = scene.sink.take(3).await;
    let from = |id: &str| {
        let found = got.iter().find(|got| got["messages"][0]["id"] == id).unwrap();
        found["messages"][0]["from"].as_str().unwrap().to_owned()
    };
    assert_eq!(from("wamid.1"), "US.13491208655302741918");
    assert_eq!(from("wamid.2"), "16315551234");
    assert_eq!(from("wamid.3"), "16315551234");
}
