//! Files: links fetched, uploaded and remembered.

mod scene;

use serde_json::json;

use crate::stub::Answer;
use scene::{PNG, Scene, counts};

fn png() -> Answer {
    Answer::ok(PNG).content_type("image/png")
}

#[tokio::test]
async fn a_fresh_link_is_fetched_and_uploaded_once() {
    for profile in ["rfc", "documented"] {
        let scene = Scene::under(profile).await;
        scene.serve(png().header("Cache-Control", "max-age=60"));
        let first = scene.sent().await;
        scene.advance(59);
        assert_eq!(scene.sent().await, first);
        assert_eq!(scene.counts(), counts(1, 0, 1, 2), "{profile}");
        scene.advance(2);
        assert_eq!(scene.sent().await, first, "the same bytes");
        assert_eq!(scene.counts(), counts(2, 0, 1, 3), "{profile}");
    }
}

#[tokio::test]
async fn an_upload_is_sent_and_downloaded_and_deleted() {
    let scene = Scene::under("rfc").await;
    let proxy = &scene.proxy;
    let key = format!("Apikey {}", crate::support::KEY);
    let headers = [("Authorization", key.as_str()), ("Content-Type", "image/png")];
    let reply = proxy.connect().await.call("POST", "/v1/media", &headers, PNG).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = reply.json()["media"][0]["id"].as_str().unwrap().to_owned();
    let sent = scene.send_image(&json!({"id": id})).await;
    assert_eq!(sent.status, 201, "{sent:?}");
    assert_eq!(scene.counts(), counts(0, 0, 1, 1));
    let cloud = scene.last_media_id();
    for id in [&id, &cloud] {
        let reply = proxy.connect().await.call("GET", &format!("/v1/media/{id}"), &headers, b"").await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("image/png")), "{reply:?}");
        assert_eq!(reply.body, PNG);
    }
    let path = format!("/v1/media/{id}");
    assert_eq!(proxy.connect().await.call("DELETE", &path, &headers, b"").await.status, 200);
    let reply = proxy.connect().await.call("GET", &path, &headers, b"").await;
    assert_eq!((reply.status, reply.body.len()), (404, 0));
    assert_eq!(scene.send_image(&json!({"id": id})).await.status, 404);
}
