//! `compat.errors = "deferred"`: what on-prem told by a failed status is told so.

use serde_json::json;

use super::scene::Scene;
use crate::stub::{Answer, Provider};
use crate::support::{NOW, TO, text as message};

const DEFERRED: &str = "[compat]\nerrors = \"deferred\"\n";

#[tokio::test]
async fn a_refused_message_is_taken_and_fails_later() {
    let scene = Scene::with(DEFERRED).await;
    for (cloud, onprem, title) in [
        (131_047, 470, "Re-engagement message"),
        (131_026, 1026, "Receiver Incapable"),
        (130_472, 472, "User's number is part of an experiment"),
    ] {
        scene.proxy.mock.fault(format!("{cloud}:once").parse().unwrap());
        let before = scene.sink.taken().len();
        let reply = scene.proxy.send(&message(&format!("+{TO}"))).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let answer = reply.json();
        let id = answer["messages"][0]["id"].as_str().unwrap();
        assert!(id.starts_with("wamid.HBgL"), "{id}");
        assert_eq!(answer["contacts"], json!([{"input": format!("+{TO}"), "wa_id": TO}]));
        let got = scene.sink.take(before + 1).await;
        let status = &got[before]["statuses"][0];
        assert_eq!(status["id"], json!(id));
        assert_eq!((&status["status"], &status["recipient_id"]), (&json!("failed"), &json!(TO)));
        assert_eq!(status["message"]["recipient_id"], json!(TO));
        assert_eq!(status["type"], "message");
        assert_eq!(
            (&status["errors"][0]["code"], &status["errors"][0]["title"]),
            (&json!(onprem), &json!(title))
        );
        assert!(status["errors"][0]["href"].is_string());
        assert_eq!(status["timestamp"], NOW.to_string(), "when it failed");
    }
    assert_eq!(scene.proxy.mock.accepted(), 0);
}

#[tokio::test]
async fn what_on_prem_told_at_once_is_told_at_once() {
    let scene = Scene::with(DEFERRED).await;
    for (cloud, http, onprem) in [(131_008, 400, 1008), (130_429, 429, 1015), (190, 500, 1014)] {
        scene.proxy.mock.fault(format!("{cloud}:once").parse().unwrap());
        let reply = scene.proxy.send(&message(TO)).await;
        assert_eq!((reply.status, reply.code()), (http, onprem));
    }
    let reply = scene.proxy.send(&json!({"to": TO, "type": "text"})).await;
    assert_eq!(reply.status, 400);
    assert!(scene.sink.got().is_empty());
}

#[tokio::test]
async fn where_nobody_listens_the_answer_tells_it() {
    let scene = Scene::silent(DEFERRED).await;
    scene.proxy.mock.fault("131047:once".parse().unwrap());
    assert_eq!(scene.proxy.send(&message(TO)).await.code(), 470);
}

#[tokio::test]
async fn a_file_that_cannot_be_fetched_fails_later_too() {
    let scene = Scene::with(DEFERRED).await;
    let provider = Provider::start().await;
    provider.serve("/a.png", Answer::new(404));
    let image = json!({"to": TO, "type": "image", "image": {"link": provider.url("/a.png")}});
    let reply = scene.proxy.send(&image).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let got = scene.sink.take(1).await;
    assert_eq!(got[0]["statuses"][0]["errors"][0]["code"], 1014);
    assert_eq!(got[0]["statuses"][0]["id"], reply.json()["messages"][0]["id"]);
}

#[tokio::test]
async fn ids_in_the_on_prem_form() {
    let scene = Scene::with(&format!("{DEFERRED}message_ids = \"onprem\"\n")).await;
    scene.proxy.mock.fault("131047:once".parse().unwrap());
    let reply = scene.proxy.send(&message(TO)).await;
    let id = reply.json()["messages"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(id.len(), 27, "{id}");
    assert_eq!(scene.sink.take(1).await[0]["statuses"][0]["id"], json!(id));
}
