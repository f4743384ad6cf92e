//! Files of users that a number wants to keep: fetched in the background, given from the folder.

use prembridge::mock::Recorded;
use prembridge::store::WantedRow;
use serde_json::json;

use super::downloads::describes;
use super::scene::*;
use crate::support::{ACCESS_TOKEN, NOW, PHONE_NUMBER_ID, Reply, TO, text, until};

const KIB: usize = 1 << 10;
const VOICE: &str = "audio/ogg; codecs=opus";

/// What a user sent to "support".
fn inbound(scene: &Scene, bytes: &[u8]) -> String {
    scene.proxy.mock.add_media(PHONE_NUMBER_ID, VOICE, bytes.to_vec())
}

fn row(number: &str, id: &str) -> WantedRow {
    WantedRow { number: number.to_owned(), media_id: id.to_owned(), media_type: String::new(), added_at: NOW }
}

/// Notes rows as a webhook does, and tells of them.
async fn want(scene: &Scene, rows: Vec<WantedRow>) {
    scene.proxy.app.state().store.want_media(rows).await.unwrap();
    scene.proxy.app.state().relay.media.notify_wanted();
}

async fn want_ids(scene: &Scene, ids: &[&str]) {
    want(scene, ids.iter().map(|id| row(PHONE_NUMBER_ID, id)).collect()).await;
}

/// The value of one sample; absent ones are 0.
fn sample(scene: &Scene, name: &str) -> u64 {
    let metrics = scene.proxy.app.state().metrics.render();
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Tries so far: kept, gone, failed, given up.
fn tries(scene: &Scene) -> [u64; 4] {
    ["kept", "gone", "failed", "given_up"]
        .map(|outcome| sample(scene, &format!("prembridge_media_prefetches_total{{outcome=\"{outcome}\"}}")))
}

/// Waits until there were so many tries, and no others.
async fn tried(scene: &Scene, expected: [u64; 4]) {
    until(|| tries(scene).iter().sum::<u64>() >= expected.iter().sum()).await;
    assert_eq!(tries(scene), expected);
}

/// The ids that are still wanted.
async fn wanted(scene: &Scene) -> Vec<String> {
    let rows = scene.proxy.app.state().store.wanted_media(100).await.unwrap();
    rows.into_iter().map(|row| row.media_id).collect()
}

fn assert_absent(reply: &Reply) {
    assert_eq!((reply.status, reply.body.len()), (404, 0), "{reply:?}");
}

/// How often Cloud was asked for the place of this file.
fn asked(scene: &Scene, id: &str) -> usize {
    let asked = scene.proxy.mock.recorded();
    asked.iter().filter(|seen| is_question(seen) && seen.path.ends_with(&format!("/{id}"))).count()
}

/// Whether it is about a file, not for its bytes.
fn is_question(seen: &Recorded) -> bool {
    seen.method == "GET" && seen.query.as_deref().is_some_and(|query| query.starts_with("phone_number_id="))
}

#[tokio::test]
async fn a_file_is_there_after_cloud_has_forgotten_it() {
    let scene = Scene::start().await;
    let (untyped, typed) = (inbound(&scene, b"voice"), inbound(&scene, b"more"));
    let told = WantedRow { media_type: "image/webp".into(), ..row(PHONE_NUMBER_ID, &typed) };
    want(&scene, vec![row(PHONE_NUMBER_ID, &untyped), told]).await;
    tried(&scene, [2, 0, 0, 0]).await;
    assert_eq!(wanted(&scene).await, [""; 0]);
    assert_eq!(sample(&scene, "prembridge_media_bytes_total{direction=\"prefetched\"}"), 9);
    let seen = scene.proxy.mock.seen();
    assert!(scene.proxy.mock.expire_media(&untyped) && scene.proxy.mock.expire_media(&typed));
    for (id, media_type, body) in [(&untyped, VOICE, "voice"), (&typed, "image/webp", "more")] {
        let reply = scene.get(id).await;
        assert_eq!((reply.status, reply.text()), (200, body.to_owned()));
        assert_eq!(reply.header("content-type"), Some(media_type));
        assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
    }
    assert_eq!(scene.proxy.mock.seen(), seen, "from the folder");
    assert_eq!(scene.files().len(), 2);
    // The same webhook again: there is nothing to fetch.
    want_ids(&scene, &[&untyped]).await;
    tried(&scene, [3, 0, 0, 0]).await;
    assert_eq!((scene.proxy.mock.seen(), wanted(&scene).await), (seen, Vec::new()));
}

#[tokio::test]
async fn a_restart_forgets_neither_the_files_nor_the_wishes() {
    let scene = Scene::stored("").await;
    let (kept, wished) = (inbound(&scene, b"kept"), inbound(&scene, b"wished"));
    want_ids(&scene, &[&kept]).await;
    tried(&scene, [1, 0, 0, 0]).await;
    // Nobody tells of this one before the process ends.
    scene.proxy.app.state().store.want_media(vec![row(PHONE_NUMBER_ID, &wished)]).await.unwrap();
    let scene = scene.restart().await;
    tried(&scene, [1, 0, 0, 0]).await;
    assert!(scene.proxy.mock.expire_media(&kept) && scene.proxy.mock.expire_media(&wished));
    let scene = scene.restart().await;
    assert_eq!(scene.get(&kept).await.body, b"kept");
    assert_eq!(scene.get(&wished).await.body, b"wished");
}

#[tokio::test]
async fn what_is_lost_here_is_asked_for_at_cloud() {
    let scene = Scene::stored("").await;
    let id = inbound(&scene, b"voice");
    want_ids(&scene, &[&id]).await;
    tried(&scene, [1, 0, 0, 0]).await;
    scene.lose_files();
    assert_eq!(scene.get(&id).await.body, b"voice");
    // It can be wanted again.
    want_ids(&scene, &[&id]).await;
    tried(&scene, [2, 0, 0, 0]).await;
    assert!(scene.proxy.mock.expire_media(&id));
    assert_eq!(scene.get(&id).await.body, b"voice");
    scene.lose_files();
    assert_absent(&scene.get(&id).await);
}

#[tokio::test]
async fn what_cloud_does_not_have_is_dropped() {
    let scene = Scene::start().await;
    let [expired, missing, placeless, there] =
        ["a", "b", "c", "d"].map(|bytes| inbound(&scene, bytes.as_bytes()));
    assert!(scene.proxy.mock.expire_media(&expired));
    want_ids(&scene, &[&expired]).await;
    tried(&scene, [0, 1, 0, 0]).await;
    scene.fault("http 404 empty@media-get:once");
    want_ids(&scene, &[&missing]).await;
    tried(&scene, [0, 2, 0, 0]).await;
    scene.fault("http 404 empty@media-download:next 2");
    want_ids(&scene, &[&placeless]).await;
    tried(&scene, [0, 3, 0, 0]).await;
    // What is no id of Cloud's never reaches it.
    let seen = scene.proxy.mock.seen();
    want_ids(&scene, &["../1", "", "1?x="]).await;
    tried(&scene, [0, 6, 0, 0]).await;
    assert_eq!((scene.proxy.mock.seen(), wanted(&scene).await), (seen, Vec::new()));
    assert_absent(&scene.get(&expired).await);
    want_ids(&scene, &[&there]).await;
    tried(&scene, [1, 6, 0, 0]).await;
    assert_eq!(scene.files().len(), 1);
}

#[tokio::test]
async fn a_failure_is_tried_again_after_a_pause() {
    let scene = Scene::start().await;
    let (id, other) = (inbound(&scene, b"voice"), inbound(&scene, b"other"));
    for (failures, rule) in (1..).zip([
        "http 500@media-get:once",
        "190/401@media-get:once",
        "reset-before-read@media-get:once",
        "http 200 garbage@media-get:once",
        "http 503@media-download:once",
        "truncate@media-download:once",
    ]) {
        scene.fault(rule);
        want_ids(&scene, &[&id]).await;
        tried(&scene, [0, 0, failures, 0]).await;
        assert_eq!(scene.files(), [""; 0], "{rule}: nothing is left of it");
        scene.advance(30 * failures.cast_signed());
    }
    // One more failure, and one second less than its pause: others are fetched, this one is not.
    scene.fault("http 500@media-get:once");
    want_ids(&scene, &[]).await;
    tried(&scene, [0, 0, 7, 0]).await;
    let tries = asked(&scene, &id);
    scene.advance(7 * 30 - 1);
    want_ids(&scene, &[&other]).await;
    tried(&scene, [1, 0, 7, 0]).await;
    assert_eq!((asked(&scene, &id), wanted(&scene).await), (tries, vec![id.clone()]));
    // GET does not wait for it.
    assert_eq!(scene.get(&id).await.body, b"voice");
    scene.advance(1);
    want_ids(&scene, &[]).await;
    tried(&scene, [2, 0, 7, 0]).await;
    assert!(scene.proxy.mock.expire_media(&id));
    assert_eq!(scene.get(&id).await.body, b"voice");
}

#[tokio::test]
async fn after_seven_days_it_is_given_up() {
    let scene = Scene::start().await;
    let id = inbound(&scene, b"voice");
    scene.fault("http 500@media-get");
    want_ids(&scene, &[&id]).await;
    tried(&scene, [0, 0, 1, 0]).await;
    scene.advance(7 * DAY - 1);
    want_ids(&scene, &[]).await;
    tried(&scene, [0, 0, 2, 0]).await;
    assert_eq!(wanted(&scene).await, [id.as_str()]);
    scene.advance(MINUTE);
    want_ids(&scene, &[]).await;
    tried(&scene, [0, 0, 2, 1]).await;
    assert_eq!(wanted(&scene).await, [""; 0]);
    // An old wish is given one try: it may be the proxy that slept.
    scene.proxy.mock.clear_faults();
    want_ids(&scene, &[&id]).await;
    tried(&scene, [1, 0, 2, 1]).await;
}

#[tokio::test]
async fn numbers_do_not_see_each_others_files() {
    let scene = Scene::of_two_numbers("").await;
    let ours = inbound(&scene, b"ours");
    let theirs = scene.proxy.mock.add_media(SALES_ID, "image/png", b"theirs".to_vec());
    // Each wants its own, sales also ours, and somebody whom nobody knows.
    let rows = [(PHONE_NUMBER_ID, &ours), (SALES_ID, &theirs), (SALES_ID, &ours), ("5", &theirs)];
    want(&scene, rows.map(|(number, id)| row(number, id)).to_vec()).await;
    tried(&scene, [2, 1, 0, 0]).await;
    assert_eq!(wanted(&scene).await, [theirs.as_str()], "rows of numbers that are not configured stay");
    assert!(scene.proxy.mock.expire_media(&ours) && scene.proxy.mock.expire_media(&theirs));
    for (name, id, body) in [("support", &ours, "ours"), ("sales", &theirs, "theirs")] {
        let path = format!("/v1/media/{id}");
        let other = if name == "support" { "sales" } else { "support" };
        assert_absent(&scene.call_as(other, "GET", &path, "", b"").await);
        let reply = scene.call_as(other, "DELETE", &path, "", b"").await;
        assert_eq!((reply.status, reply.code()), (404, 1006));
        assert_eq!(scene.call_as(name, "GET", &path, "", b"").await.text(), body);
    }
}

#[tokio::test]
async fn a_kept_file_is_sent_under_its_own_id() {
    let scene = Scene::start().await;
    let id = scene.proxy.mock.add_media(PHONE_NUMBER_ID, "image/png", PNG.to_vec());
    want_ids(&scene, &[&id]).await;
    tried(&scene, [1, 0, 0, 0]).await;
    assert_eq!(scene.sent_image(&json!({"id": id})).await, id);
    assert_eq!(scene.counts(), counts(0, 0, 0, 1));
}

#[tokio::test]
async fn a_deleted_file_is_gone_here_and_at_cloud() {
    let scene = Scene::start().await;
    let [both, here, wish, late] = ["a", "b", "c", "d"].map(|bytes| inbound(&scene, bytes.as_bytes()));
    want_ids(&scene, &[&both, &here]).await;
    tried(&scene, [2, 0, 0, 0]).await;
    assert!(scene.proxy.mock.expire_media(&here));
    for id in [&both, &here] {
        assert_eq!(scene.delete(id).await.status, 200);
        assert_absent(&scene.get(id).await);
        let reply = scene.delete(id).await;
        assert_eq!((reply.status, reply.code()), (404, 1006));
        assert!(!scene.proxy.mock.expire_media(id), "Cloud has it no more either");
    }
    assert_eq!(scene.files(), [""; 0]);
    // A wish that was not met yet goes too.
    scene.fault("http 500@media-get:once");
    want_ids(&scene, &[&wish]).await;
    tried(&scene, [2, 0, 1, 0]).await;
    assert_eq!(scene.delete(&wish).await.status, 200);
    assert_eq!(wanted(&scene).await, [""; 0]);
    // And what is on its way is not kept when it comes.
    scene.provider.serve("/f", png());
    describes(&scene, &json!({"url": scene.provider.url("/f")}));
    scene.provider.hold();
    want_ids(&scene, &[&late]).await;
    scene.provider.until(|now| now.requests.len() == 1).await;
    assert_eq!(scene.delete(&late).await.status, 200);
    scene.provider.release();
    tried(&scene, [2, 1, 1, 0]).await;
    assert_eq!((scene.files(), wanted(&scene).await), (Vec::new(), Vec::new()));
    assert_absent(&scene.get(&late).await);
}

/// The place of the files holds its answers until nobody else comes, so no clock is needed.
#[tokio::test]
async fn four_are_fetched_at_a_time_and_two_of_one_number() {
    let scene = Scene::of_two_numbers("").await;
    scene.provider.serve("/f", png());
    scene.provider.hold();
    let mut rows = Vec::new();
    for number in [PHONE_NUMBER_ID, SALES_ID] {
        for _ in 0..5 {
            describes(&scene, &json!({"url": scene.provider.url("/f")}));
            rows.push(row(number, &scene.proxy.mock.add_media(number, "image/png", PNG.to_vec())));
        }
    }
    want(&scene, rows).await;
    scene.provider.until(|now| now.requests.len() == 4).await;
    for _ in 0..3 {
        want_ids(&scene, &[]).await;
        assert_eq!(scene.send_as("support", &text(TO)).await.status, 201, "texts do not wait for files");
    }
    let seen = scene.provider.seen();
    assert_eq!(
        (seen.requests.len(), scene.proxy.mock.recorded().iter().filter(|seen| is_question(seen)).count()),
        (4, 4)
    );
    let ours = format!("Bearer {ACCESS_TOKEN}");
    let of_support = seen.requests.iter().filter(|seen| seen.headers.get("authorization") == Some(&ours));
    assert_eq!(of_support.count(), 2);
    scene.provider.release();
    tried(&scene, [10, 0, 0, 0]).await;
}

#[tokio::test]
async fn room_is_made_without_an_upload() {
    let scene = Scene::with("keep = \"100KiB\"\n", "").await;
    let [first, second, third] = [1, 2, 3].map(|byte| inbound(&scene, &vec![byte; 60 * KIB]));
    want_ids(&scene, &[&first]).await;
    tried(&scene, [1, 0, 0, 0]).await;
    scene.advance(DAY);
    want_ids(&scene, &[&second]).await;
    tried(&scene, [2, 0, 0, 0]).await;
    assert_eq!(scene.files().len(), 1);
    let asked_for = asked(&scene, &first);
    assert!(scene.get(&first).await.body == [1; 60 * KIB]);
    assert_eq!(asked(&scene, &first), asked_for + 1, "from Cloud");
    assert!(scene.proxy.mock.expire_media(&first));
    assert_absent(&scene.get(&first).await);
    let row = scene.proxy.app.state().store.file(PHONE_NUMBER_ID, &first).await.unwrap();
    assert_eq!(row, None, "the row goes with the bytes");
    // What a client uploads is worth more than what Cloud may still have.
    let uploaded = scene.upload("image/png", &[image_bytes("a"), vec![0; 60 * KIB]].concat()).await;
    scene.sent_image(&json!({"id": uploaded})).await;
    assert_eq!((scene.files().len(), scene.counts().u), (1, 1));
    assert!(scene.proxy.mock.expire_media(&second));
    assert_absent(&scene.get(&second).await);
    // It has a copy at Cloud and makes room in its turn.
    want_ids(&scene, &[&third]).await;
    tried(&scene, [3, 0, 0, 0]).await;
    assert!(scene.proxy.mock.expire_media(&third));
    assert!(scene.get(&third).await.body == [3; 60 * KIB]);
    assert_eq!((scene.get(&uploaded).await.status, scene.counts().u), (200, 1));
}

/// Bytes that both a client uploaded and a user sent: only the first is a promise, and no later than it was made.
#[tokio::test]
async fn the_promise_of_an_upload_is_no_longer_for_a_users_file() {
    let scene = Scene::with("keep = \"100KiB\"\nkeep_for = \"90d\"\n", "").await;
    let bytes = [image_bytes("a"), vec![0; 60 * KIB]].concat();
    let uploaded = scene.upload("image/png", &bytes).await;
    let at_cloud = scene.sent_image(&json!({"id": uploaded})).await;
    scene.advance(20 * DAY);
    let same = scene.proxy.mock.add_media(PHONE_NUMBER_ID, "image/png", bytes.clone());
    want_ids(&scene, &[&same]).await;
    tried(&scene, [1, 0, 0, 0]).await;
    assert_eq!(scene.files().len(), 1);
    let next = scene.upload("image/png", &[image_bytes("b"), vec![0; 60 * KIB]].concat()).await;
    scene.sent_image(&json!({"id": next})).await;
    assert_eq!((scene.files().len(), scene.counts().u), (1, 2), "the first was not uploaded again");
    assert_eq!(scene.sent_image(&json!({"id": uploaded})).await, at_cloud);
    assert!(scene.proxy.mock.expire_media(&same));
    assert_absent(&scene.get(&same).await);
}

#[tokio::test]
async fn without_room_it_is_tried_again() {
    let scene = Scene::with("keep = \"100KiB\"\n", "").await;
    scene.fault("100@media-upload");
    let uploaded = scene.upload("image/png", &[image_bytes("a"), vec![0; 60 * KIB]].concat()).await;
    let (id, huge) = (inbound(&scene, &vec![1; 60 * KIB]), inbound(&scene, &vec![2; 101 * KIB]));
    want_ids(&scene, &[&id, &huge]).await;
    tried(&scene, [0, 0, 2, 0]).await;
    assert_eq!(
        sample(&scene, "prembridge_media_bytes_total{direction=\"prefetched\"}"),
        0,
        "not even fetched"
    );
    assert_eq!(scene.delete(&uploaded).await.status, 200);
    scene.advance(30);
    want_ids(&scene, &[]).await;
    tried(&scene, [1, 0, 3, 0]).await;
    assert_eq!(wanted(&scene).await, [huge.as_str()]);
    assert!(scene.proxy.mock.expire_media(&id));
    assert!(scene.get(&id).await.body == [1; 60 * KIB]);
}

#[tokio::test]
async fn it_lapses_when_nobody_uses_it() {
    let scene = Scene::with("keep_for = \"7d\"\n", "").await;
    let (used, unused) = (inbound(&scene, b"used"), inbound(&scene, b"unused"));
    want_ids(&scene, &[&used, &unused]).await;
    tried(&scene, [2, 0, 0, 0]).await;
    assert!(scene.proxy.mock.expire_media(&used) && scene.proxy.mock.expire_media(&unused));
    scene.advance(6 * DAY);
    assert_eq!(scene.get(&used).await.status, 200);
    scene.advance(DAY);
    scene.proxy.app.state().relay.media.purge().await.unwrap();
    assert_eq!(scene.get(&used).await.status, 200);
    assert_absent(&scene.get(&unused).await);
    assert_eq!(scene.files().len(), 1);
}
