//! How many bytes are kept, and for how long.

use std::time::Duration;

use serde_json::json;

use super::scene::*;
use crate::support::until;

const KIB: usize = 1 << 10;

/// A PNG file of this size.
fn file(label: &str, length: usize) -> Vec<u8> {
    let mut bytes = image_bytes(label);
    bytes.resize(length, 0);
    bytes
}

#[tokio::test]
async fn old_files_go_first_and_their_ids_still_work() {
    let scene = Scene::with("keep = \"100KiB\"\n", "").await;
    let mut ids = Vec::new();
    let mut at_cloud = Vec::new();
    for label in ["a", "b"] {
        ids.push(scene.upload("image/png", &file(label, 40 * KIB)).await);
        at_cloud.push(scene.sent_image(&json!({"id": ids.last()})).await);
        scene.advance(2 * DAY);
    }
    // A use counts: the second is now the longest unused.
    assert_eq!(scene.sent_image(&json!({"id": ids[0]})).await, at_cloud[0]);
    ids.push(scene.upload("image/png", &file("c", 40 * KIB)).await);
    at_cloud.push(scene.sent_image(&json!({"id": ids[2]})).await);
    assert_eq!(scene.files().len(), 2);
    let seen = scene.proxy.mock.seen();
    assert!(scene.get(&ids[0]).await.body == file("a", 40 * KIB));
    assert_eq!(scene.proxy.mock.seen(), seen, "from the folder");
    let reply = scene.get(&ids[1]).await;
    assert!((reply.status, reply.header("content-type")) == (200, Some("image/png")));
    assert!(reply.body == file("b", 40 * KIB));
    assert_eq!(scene.proxy.mock.seen(), seen + 2, "from Cloud");
    for (id, cloud) in ids.iter().zip(&at_cloud) {
        assert_eq!(scene.sent_image(&json!({"id": id})).await, *cloud);
    }
    assert_eq!(scene.counts().u, 3);
    // A file that is gone here can be brought again, and is one file then; the first makes room for it.
    scene.advance(2 * DAY);
    assert_eq!(scene.sent_image(&json!({"id": ids[2]})).await, at_cloud[2]);
    let again = scene.upload("image/png", &file("b", 40 * KIB)).await;
    assert_eq!(scene.sent_image(&json!({"id": again})).await, at_cloud[1]);
    assert_eq!(scene.counts().u, 3);
    // What neither has is told as such.
    assert_eq!(scene.delete(&ids[0]).await.status, 200);
    scene.advance(2 * DAY);
    assert_eq!(scene.sent_image(&json!({"id": ids[2]})).await, at_cloud[2]);
    let last = scene.upload("image/png", &file("d", 60 * KIB)).await;
    scene.sent_image(&json!({"id": last})).await;
    // The second upload of it has a promise of its own, which Cloud's first copy would not have kept.
    let renewed = scene.sent_image(&json!({"id": again})).await;
    assert_ne!(renewed, at_cloud[1]);
    assert!(scene.proxy.mock.expire_media(&renewed));
    for gone in [&ids[1], &again] {
        // Cloud says that it has lost it, and it is not here.
        let reply = scene.send_image(&json!({"id": gone})).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (404, 1006), "{reply:?}");
        assert!(details.contains("upload it again"), "{details}");
        let reply = scene.get(gone).await;
        assert_eq!((reply.status, reply.body.len()), (404, 0));
    }
    assert_eq!(scene.sent_image(&json!({"id": ids[2]})).await, at_cloud[2]);
}

#[tokio::test]
async fn files_that_nobody_else_has_are_not_given_up() {
    let scene = Scene::with("keep = \"100KiB\"\n", "").await;
    scene.fault("100@media-upload");
    let ids = [scene.upload("image/png", &file("a", 60 * KIB)).await];
    let refused = async |bytes: &[u8]| {
        let reply = scene.call_as("support", "POST", "/v1/media", "image/png", bytes).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code, reply.header("retry-after")), (503, 1016, Some("60")), "{reply:?}");
        assert!(details.contains("no room"), "{details}");
        assert_eq!(scene.files().len(), 1, "{:?}", scene.files());
    };
    refused(&file("b", 60 * KIB)).await;
    refused(&file("huge", 101 * KIB)).await;
    assert!(scene.get(&ids[0]).await.body == file("a", 60 * KIB));
    // As soon as Cloud has it, there is room.
    scene.proxy.mock.clear_faults();
    scene.sent_image(&json!({"id": ids[0]})).await;
    let second = scene.upload("image/png", &file("b", 60 * KIB)).await;
    scene.sent_image(&json!({"id": second})).await;
    assert_eq!(scene.files().len(), 1);
    // More than the whole room is refused, and nothing goes for its sake.
    refused(&file("huge", 101 * KIB)).await;
    let seen = scene.proxy.mock.seen();
    assert!(scene.get(&second).await.body == file("b", 60 * KIB));
    assert_eq!(scene.proxy.mock.seen(), seen, "from the folder");
    // What is deleted makes room too.
    assert_eq!(scene.delete(&second).await.status, 200);
    scene.fault("100@media-upload");
    scene.upload("image/png", &file("c", 100 * KIB)).await;
}

/// However many older ones have to stay.
#[tokio::test]
async fn room_is_made_behind_files_that_have_to_stay() {
    const STAY: usize = 200;
    let scene = Scene::with(&format!("keep = \"{}KiB\"\n", STAY + 1), "").await;
    scene.fault("100@media-upload");
    for label in 0..STAY {
        scene.upload("image/png", &file(&label.to_string(), KIB)).await;
    }
    until(|| scene.counts().u == STAY).await;
    scene.proxy.mock.clear_faults();
    scene.advance(1);
    let spare = scene.upload("image/png", &file("spare", KIB)).await;
    scene.sent_image(&json!({"id": spare})).await;
    scene.upload("image/png", &file("new", KIB)).await;
    assert_eq!(scene.files().len(), STAY + 1);
}

#[tokio::test]
async fn the_same_bytes_need_no_room_of_their_own() {
    let scene = Scene::with("keep = \"100KiB\"\n", "").await;
    scene.fault("100@media-upload");
    let bytes = file("a", 60 * KIB);
    let first = scene.upload("image/png", &bytes).await;
    let second = scene.upload("image/png", &bytes).await;
    assert_eq!(scene.files().len(), 1);
    for id in [first, second] {
        assert!(scene.get(&id).await.body == bytes);
    }
}

/// What is young may be on its way, and what has another name is somebody else's.
#[tokio::test]
async fn files_that_nobody_knows_go_after_an_hour() {
    let scene = Scene::stored("").await;
    let (old, young) = (Duration::from_secs(3_601), Duration::from_secs(3_000));
    let [left, fresh, other, short] = ["0".repeat(64), "1".repeat(64), "x".repeat(64), "0".repeat(63)];
    for (name, age) in [(&left, old), (&fresh, young), (&other, old), (&short, old)] {
        scene.leave(name, age);
    }
    scene.proxy.app.state().relay.media.purge().await.unwrap();
    let mut files = scene.files();
    files.sort_unstable();
    assert_eq!(files, [short, fresh, other]);
}

#[tokio::test]
async fn unused_files_lapse_and_used_ones_stay() {
    let scene = Scene::with("keep_for = \"7d\"\n", "").await;
    let [used, read, unused, twin] = ["a", "b", "c", "a"].map(|label| file(label, KIB));
    let mut ids = Vec::new();
    for bytes in [&used, &read, &unused, &twin] {
        ids.push(scene.upload("image/png", bytes).await);
    }
    scene.sent_image(&json!({"id": ids[0]})).await;
    let purge = async || scene.proxy.app.state().relay.media.purge().await.unwrap();
    scene.advance(6 * DAY);
    purge().await;
    assert_eq!(scene.files().len(), 3);
    scene.sent_image(&json!({"id": ids[0]})).await;
    assert_eq!(scene.get(&ids[1]).await.status, 200);
    scene.advance(DAY);
    purge().await;
    let there = scene.files().len();
    assert_eq!(there, 2, "the twin's bytes are the used one's");
    let statuses = [&ids[0], &ids[1], &ids[2], &ids[3]];
    let mut found = Vec::new();
    for id in statuses {
        found.push(scene.get(id).await.status);
    }
    assert_eq!(found, [200, 200, 404, 404]);
    let reply = scene.send_image(&json!({"id": ids[2]})).await;
    assert_eq!((reply.status, reply.code()), (404, 1006), "{reply:?}");
    scene.advance(8 * DAY);
    purge().await;
    assert!(scene.files().is_empty());
}
